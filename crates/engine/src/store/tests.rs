use super::*;
use model::container::{ContainerSpec, Face, Progress};
use model::event::{Action, EventKind};

fn event(id: &Id, action: Action) -> Event {
    Event {
        time: Timestamp::now(),
        kind: EventKind::Container,
        action,
        id: id.to_string(),
        name: String::new(),
        image: String::new(),
        pod: String::new(),
        exit_code: None,
        labels: std::collections::BTreeMap::new(),
    }
}

fn container(name: &str) -> ContainerRecord {
    ContainerRecord {
        id: Id::generate(),
        name: name.to_owned(),
        sandbox: Id::generate(),
        created_at: Timestamp::now(),
        spec: ContainerSpec::default(),
        progress: Progress::default(),
    }
}

fn open(dir: &std::path::Path) -> Arc<Store> {
    let state = StateDir::lock(&dir.join("state"), &dir.join("locks")).unwrap();
    Arc::new(Store::open(state).unwrap())
}

#[tokio::test]
async fn what_was_stored_is_there_after_a_restart_with_the_same_owner() {
    let dir = tempfile::tempdir().unwrap();
    let record = container("a");
    let owner = {
        let store = open(dir.path());
        store
            .create_container(record.clone(), None, event(&record.id, Action::Create))
            .await
            .unwrap();
        store
            .update_container(&record.id, Write::ContainerWanted, |r| {
                r.progress.last_attempt = 7;
                Some(Vec::new())
            })
            .await
            .unwrap();
        store.owner().to_owned()
    };
    let store = open(dir.path());
    assert_eq!(store.owner(), owner);
    assert_eq!(
        store.container(&record.id).unwrap().progress.last_attempt,
        7
    );
    let events = store
        .events_between(Timestamp::UNIX_EPOCH, None)
        .await
        .unwrap();
    assert_eq!(events.len(), 1);
}

#[tokio::test]
async fn a_name_in_use_is_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (one, two) = (container("a"), container("a"));
    store
        .create_container(one.clone(), None, event(&one.id, Action::Create))
        .await
        .unwrap();
    let error = store
        .create_container(two.clone(), None, event(&two.id, Action::Create))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("is already in use by"),
        "{error}"
    );
    assert_eq!(store.read(|book| book.containers.len()), 1);
    assert!(store.read(|book| book.name_free("b", Face::Compat)).is_ok());
}

#[tokio::test]
async fn a_removed_container_leaves_a_tombstone_and_frees_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let record = container("a");
    {
        let store = open(dir.path());
        store
            .create_container(record.clone(), None, event(&record.id, Action::Create))
            .await
            .unwrap();
        store
            .remove_container(&record.id, Vec::new())
            .await
            .unwrap();
        assert!(store.read(|book| book.name_free("a", Face::Libpod)).is_ok());
    }
    let store = open(dir.path());
    assert!(store.read(|book| book.buried.contains(&record.id)));
}

#[test]
fn a_state_folder_serves_one_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let one = StateDir::lock(dir.path(), &dir.path().join("locks")).unwrap();
    let error = StateDir::lock(dir.path(), &dir.path().join("locks")).unwrap_err();
    assert!(
        error.to_string().contains("in use by another daemon"),
        "{error}"
    );
    assert!(one.lock_owner("x").unwrap());
    assert!(one.owner_is_served("x"));
    drop(one);
    StateDir::lock(dir.path(), &dir.path().join("locks")).unwrap();
}

#[tokio::test]
async fn short_ids_must_be_unique() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let record = container("a");
    store
        .create_container(record.clone(), None, event(&record.id, Action::Create))
        .await
        .unwrap();
    let short = record.id.short().to_owned();
    assert!(matches!(
        store.read(|book| book.find_container(&short)),
        book::Found::One(_)
    ));
    assert!(matches!(
        store.read(|book| book.find_container("")),
        book::Found::None
    ));
}
