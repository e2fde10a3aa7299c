use super::*;
use model::container::{ContainerSpec, Face, Progress};
use model::event::{Action, EventKind};
use model::secret::{NewSecret, SecretData, SecretMount};

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
        health: None,
        labels: std::collections::BTreeMap::new(),
    }
}

fn sandbox() -> SandboxRecord {
    SandboxRecord {
        id: Id::generate(),
        role: Role::Hidden,
        name: String::new(),
        created_at: Timestamp::now(),
        spec: model::pod::PodSpec::default(),
        progress: model::pod::SandboxProgress::default(),
    }
}

/// Stores a standalone container.
async fn create(store: &Arc<Store>, container: &ContainerRecord) -> Result<(), Error> {
    let hidden = SandboxRecord {
        id: container.sandbox.clone(),
        ..sandbox()
    };
    let event = event(&container.id, Action::Create);
    store
        .create_container(container.clone(), Some(hidden), Vec::new(), vec![event])
        .await
}

async fn stored_events(store: &Arc<Store>) -> Vec<Event> {
    let all = Some((Timestamp::UNIX_EPOCH, None));
    store.listen(all).await.unwrap().0
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
        create(&store, &record).await.unwrap();
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
    assert_eq!(stored_events(&store).await.len(), 1);
}

#[tokio::test]
async fn a_name_in_use_is_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (one, two) = (container("a"), container("a"));
    create(&store, &one).await.unwrap();
    let error = create(&store, &two).await.unwrap_err();
    assert!(
        error.to_string().contains("is already in use by"),
        "{error}"
    );
    assert_eq!(store.read(|book| book.containers.len()), 1);
    assert!(
        store
            .read(|book| book.new_name_free("b", Face::Compat))
            .is_ok()
    );
}

#[tokio::test]
async fn a_removed_container_leaves_a_tombstone_and_frees_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let record = container("a");
    {
        let store = open(dir.path());
        create(&store, &record).await.unwrap();
        store
            .remove_container(&record.id, Vec::new())
            .await
            .unwrap();
        assert!(
            store
                .read(|book| book.new_name_free("a", Face::Libpod))
                .is_ok()
        );
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
    create(&store, &record).await.unwrap();
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

#[tokio::test]
async fn a_container_joins_no_pod_that_is_gone_or_being_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let pod = SandboxRecord {
        role: Role::Pod { infra: None },
        name: "p".to_owned(),
        ..sandbox()
    };
    let join = |name: &str| {
        let record = ContainerRecord {
            sandbox: pod.id.clone(),
            ..container(name)
        };
        let event = event(&record.id, Action::Create);
        let store = Arc::clone(&store);
        async move {
            store
                .create_container(record, None, Vec::new(), vec![event])
                .await
        }
    };
    let is_no_pod = |result: Result<(), Error>| {
        matches!(
            result,
            Err(Error::NotFound {
                kind: Kind::Pod,
                ..
            })
        )
    };
    assert!(is_no_pod(join("early").await));
    let made = event(&pod.id, Action::Create);
    store
        .create_pod(pod.clone(), Vec::new(), vec![made])
        .await
        .unwrap();
    join("in time").await.unwrap();
    store
        .update_sandbox(&pod.id, Write::SandboxRemoving, |pod| {
            pod.progress.removing = true;
            Some(Vec::new())
        })
        .await
        .unwrap();
    assert!(is_no_pod(join("late").await));
    assert_eq!(store.read(|book| book.containers.len()), 1);
}

#[tokio::test]
async fn a_tombstone_is_forgotten_with_its_time_while_the_daemon_runs() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (old, new) = (container("old"), container("new"));
    for record in [&old, &new] {
        create(&store, record).await.unwrap();
    }
    store.remove_container(&old.id, Vec::new()).await.unwrap();
    let shared = store.read(|book| book.buried.clone());
    let long_ago = Timestamp::now().as_second() - (TOMBSTONE_DAYS + 1) * 86_400;
    store
        .look(move |_, db| {
            db.execute("UPDATE tombstones SET buried_at = ?1", params![long_ago])
                .map_err(Error::internal)
        })
        .await
        .unwrap();
    store.remove_container(&new.id, Vec::new()).await.unwrap();
    store.read(|book| {
        assert!(!book.buried.contains(&old.id));
        assert!(book.buried.contains(&new.id));
    });
    assert!(shared.contains(&old.id), "a clone stays as it was");
}

#[tokio::test]
async fn events_are_bounded_by_bytes_and_the_newest_always_stays() {
    let dir = tempfile::tempdir().unwrap();
    let large = |bytes: usize| {
        let mut event = event(&Id::generate(), Action::Create);
        event.labels.insert("a".to_owned(), "x".repeat(bytes));
        vec![event]
    };
    let part = usize::try_from(EVENT_BYTES_KEPT / 3).unwrap();
    {
        let store = open(dir.path());
        for _ in 0..5 {
            store.record_events(large(part)).await.unwrap();
        }
        assert_eq!(stored_events(&store).await.len(), 2);
    }
    let store = open(dir.path());
    store.record_events(large(part)).await.unwrap();
    assert_eq!(
        stored_events(&store).await.len(),
        2,
        "counted again at start"
    );
    store.record_events(large(4 * part)).await.unwrap();
    assert_eq!(stored_events(&store).await.len(), 1);
}

/// Events told apart by their names.
fn numbered(number: usize) -> Vec<Event> {
    let mut event = event(&Id::generate(), Action::Create);
    // Times are no order: these run backwards.
    event.time = Timestamp::from_second(1_000_000 - i64::try_from(number).unwrap()).unwrap();
    event.name = number.to_string();
    vec![event]
}

async fn names(feed: &mut Feed, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    for _ in 0..count {
        names.push(feed.next().await.unwrap().unwrap().name.clone());
    }
    names
}

async fn nothing_more(feed: &mut Feed) -> bool {
    let soon = std::time::Duration::from_millis(50);
    tokio::time::timeout(soon, feed.next()).await.is_err()
}

#[tokio::test]
async fn a_listener_gets_each_event_once_between_stored_and_live() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.record_events(numbered(0)).await.unwrap();
    let all = Some((Timestamp::UNIX_EPOCH, None));
    let (stored, mut feed) = store.listen(all).await.unwrap();
    let (none, mut from_now) = store.listen(None).await.unwrap();
    assert_eq!((stored.len(), none.len()), (1, 0));
    for number in 1..4 {
        store.record_events(numbered(number)).await.unwrap();
    }
    for feed in [&mut feed, &mut from_now] {
        assert_eq!(names(feed, 3).await, ["1", "2", "3"]);
        assert!(nothing_more(feed).await);
    }
}

#[tokio::test]
async fn a_listener_that_lags_behind_gets_each_event_once_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.record_events(numbered(0)).await.unwrap();
    let (_, mut feed) = store.listen(None).await.unwrap();
    let many: Vec<Event> = (1..EVENT_QUEUE + 10).flat_map(numbered).collect();
    store.record_events(numbered(1)).await.unwrap();
    assert_eq!(names(&mut feed, 1).await, ["1"]);
    store.record_events(many[1..].to_vec()).await.unwrap();
    let got = names(&mut feed, many.len() - 1).await;
    let wanted: Vec<String> = (2..EVENT_QUEUE + 10).map(|n| n.to_string()).collect();
    assert_eq!(got, wanted);
    assert!(nothing_more(&mut feed).await);
    store.record_events(numbered(5)).await.unwrap();
    assert_eq!(names(&mut feed, 1).await, ["5"]);
}

#[tokio::test]
async fn an_event_too_large_for_the_queue_comes_from_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (_, mut feed) = store.listen(None).await.unwrap();
    let mut large = numbered(1);
    large[0].labels.insert("a".to_owned(), "x".repeat(1 << 20));
    store.record_events(large).await.unwrap();
    store.record_events(numbered(2)).await.unwrap();
    assert_eq!(names(&mut feed, 2).await, ["1", "2"]);
    assert!(nothing_more(&mut feed).await);
}

#[test]
fn a_store_whose_owner_is_served_elsewhere_is_not_written_and_stays_new() {
    let dir = tempfile::tempdir().unwrap();
    let locks = dir.path().join("locks");
    let first = StateDir::lock(&dir.path().join("one"), &locks).unwrap();
    assert!(first.lock_owner("u").unwrap());
    let mut second = StateDir::lock(&dir.path().join("two"), &locks).unwrap();
    second.take_over("u".to_owned());
    let error = Store::open(second).err().unwrap();
    assert!(
        error.to_string().contains("served by another daemon"),
        "{error}"
    );
    let second = StateDir::lock(&dir.path().join("two"), &locks).unwrap();
    assert!(second.is_new());
    let store = Store::open(second).unwrap();
    assert_ne!(store.owner(), "u");
    assert!(
        store.dir().lock_owner(store.owner()).unwrap(),
        "held already"
    );
}

#[test]
fn a_store_without_an_owner_is_new_and_takes_one_over() {
    let dir = tempfile::tempdir().unwrap();
    let locks = dir.path().join("locks");
    let mut state = StateDir::lock(dir.path(), &locks).unwrap();
    // as a daemon leaves it that is killed before the first transaction stands
    let db = Connection::open(state.database()).unwrap();
    db.pragma_update(None, "journal_mode", "WAL").unwrap();
    drop(db);
    assert!(state.database().exists() && state.is_new());
    state.take_over("u".to_owned());
    let store = Store::open(state).unwrap();
    assert_eq!(store.owner(), "u");
    assert!(!store.dir().is_new());
}

fn volume(store: &Store, name: &str) -> VolumeRecord {
    VolumeRecord {
        name: name.to_owned(),
        created_at: Timestamp::now(),
        labels: std::collections::BTreeMap::new(),
        options: std::collections::BTreeMap::new(),
        anonymous: false,
        first_use: FirstUse::default(),
        mount: None,
        owner: None,
        mountpoint: store.dir().volume_dirs().data(name).display().to_string(),
    }
}

async fn create_volume(store: &Arc<Store>, name: &str) -> Result<Arc<VolumeRecord>, Error> {
    store.dir().volume_dirs().make(name).unwrap();
    let event = event(&Id::generate(), Action::Create);
    store.create_volume(volume(store, name), event).await
}

#[tokio::test]
async fn a_volume_name_in_use_is_refused_in_the_transaction() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create_volume(&store, "v").await.unwrap();
    let error = create_volume(&store, "v").await.unwrap_err();
    assert!(matches!(error, Error::NameInUse { .. }), "{error}");
    let removed = || event(&Id::generate(), Action::Remove);
    store.remove_volume("v", removed()).await.unwrap();
    let error = store.remove_volume("v", removed()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn a_volume_removal_cut_short_is_brought_to_its_end_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    {
        let store = open(dir.path());
        for name in ["early", "late", "again", "kept"] {
            create_volume(&store, name).await.unwrap();
            let data = store.dir().volume_dirs().data(name);
            std::fs::write(data.join("file"), "old").unwrap();
        }
        let dirs = store.dir().volume_dirs();
        // killed before and after the record went
        dirs.set_aside("early").unwrap().unwrap();
        dirs.set_aside("late").unwrap().unwrap();
        dirs.set_aside("again").unwrap().unwrap();
        for name in ["late", "again"] {
            let removed = event(&Id::generate(), Action::Remove);
            store.remove_volume(name, removed).await.unwrap();
        }
        create_volume(&store, "again").await.unwrap();
        // an aborted create, and data of which the store knows nothing
        dirs.make("empty").unwrap();
        dirs.make("unknown").unwrap();
        std::fs::write(dirs.data("unknown").join("file"), "x").unwrap();
    }
    let store = open(dir.path());
    store.sweep_volumes().unwrap();
    let names: Vec<String> = store.read(|book| book.volumes.keys().cloned().collect());
    assert_eq!(names, ["again", "kept"]);
    let dirs = store.dir().volume_dirs();
    let there = |name: &str| dirs.data(name).exists();
    assert!(!there("early") && !there("late") && !there("empty"));
    assert!(dirs.data("kept").join("file").exists());
    assert!(!dirs.data("again").join("file").exists());
    assert!(dirs.set_aside_before().unwrap().is_empty());
    assert!(dirs.data("unknown").join("file").exists(), "never removed");
    let error = dirs.make("unknown").unwrap_err();
    assert!(error.to_string().contains("move it away"), "{error}");
}

#[tokio::test]
async fn a_first_use_of_a_volume_cut_short_is_brought_to_its_end_by_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let starter = Id::generate();
    {
        let store = open(dir.path());
        let dirs = store.dir().volume_dirs();
        for name in ["whole", "half", "used"] {
            create_volume(&store, name).await.unwrap();
            let stage = dirs.stage(name, &starter);
            std::fs::create_dir_all(stage.join("sub")).unwrap();
            std::fs::write(stage.join("sub/file"), "image").unwrap();
            std::fs::write(stage.join("mine"), "image").unwrap();
        }
        // killed while the copy was made; and while it was moved, when somebody wrote beside it
        assert!(dirs.take_stage("whole", &starter).unwrap());
        store.use_volume("whole", FirstUse::Filling).await.unwrap();
        std::fs::write(dirs.data("whole").join("mine"), "user").unwrap();
        // a copy for one that is not empty any more goes
        std::fs::write(dirs.data("used").join("mine"), "user").unwrap();
        assert!(!dirs.take_stage("used", &starter).unwrap());
    }
    let store = open(dir.path());
    let dirs = store.dir().volume_dirs();
    let read = |name: &str, path: &str| std::fs::read_to_string(dirs.data(name).join(path)).ok();
    assert_eq!(read("whole", "sub/file").as_deref(), Some("image"));
    assert_eq!(read("whole", "mine").as_deref(), Some("user"));
    assert_eq!(read("half", "mine"), None);
    assert_eq!(read("used", "mine").as_deref(), Some("user"));
    let first_use = |name: &str| store.read(|book| book.volumes[name].first_use);
    assert_eq!(first_use("whole"), FirstUse::Filled);
    assert_eq!(first_use("half"), FirstUse::ToCome);
    for name in ["whole", "half", "used"] {
        let beside = dirs.data(name).parent().unwrap().to_path_buf();
        assert_eq!(std::fs::read_dir(beside).unwrap().count(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_stores_records_can_be_read_while_a_daemon_has_it_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("state");
    let store = open(dir.path());
    let web = container("web");
    create(&store, &web).await.unwrap();
    let found = |name: &str| match Records::read(&state).unwrap().find(name).unwrap() {
        Asked::Container(record, sandbox) => {
            assert_eq!(record.sandbox, sandbox.id);
            record.id.clone()
        }
        Asked::Pod(pod) => panic!("{pod:?}"),
    };
    assert_eq!(found("web"), web.id);
    create(&store, &container("later")).await.unwrap();
    found("later");
    drop(store);
    let files = || std::fs::read_dir(&state).unwrap().count();
    let before = files();
    assert_eq!(found(web.id.short()), web.id);
    assert_eq!(files(), before);
    assert!(Records::read(&state).unwrap().find("nosuch").is_err());
}

fn new_secret(name: &str, data: &str) -> NewSecret {
    NewSecret {
        name: name.to_owned(),
        data: SecretData(data.into()),
        ..NewSecret::default()
    }
}

#[tokio::test]
async fn a_secrets_data_is_replaced_and_its_name_is_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let id = store.create_secret(new_secret("a", "one")).await.unwrap();
    let again = store.create_secret(new_secret("a", "two")).await;
    assert_eq!(again.unwrap_err().cause(), "secret name in use");
    let ignored = NewSecret {
        ignore: true,
        ..new_secret("a", "two")
    };
    assert_eq!(store.create_secret(ignored).await.unwrap(), id);
    let find = |store: &Arc<Store>, name: &str| store.read(|book| book.find_secret(name));
    let first = find(&store, "a").unwrap();
    assert_eq!(store.secret_data(&first).await.unwrap().0, b"one");
    let replaced = NewSecret {
        replace: true,
        ..new_secret("a", "two")
    };
    let new_id = store.create_secret(replaced).await.unwrap();
    assert_ne!(new_id, id);
    assert!(find(&store, &id).is_err());
    let second = find(&store, &new_id[..6]).unwrap();
    assert_eq!(second.created_at, first.created_at);
    assert_eq!(store.secret_data(&second).await.unwrap().0, b"two");
    drop(store);
    let store = open(dir.path());
    assert_eq!(find(&store, "a").unwrap(), second);
    store.remove_secret("a").await.unwrap();
    assert!(store.remove_secret("a").await.is_err());
    assert!(store.secret_data(&second).await.is_err());
}

#[tokio::test]
async fn nobody_else_reads_the_stores_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.create_secret(new_secret("a", "one")).await.unwrap();
    let mut files = 0;
    for entry in std::fs::read_dir(dir.path().join("state")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().contains("sqlite") {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, FILE_MODE, "{entry:?}");
            files += 1;
        }
    }
    assert!(files > 1, "the log is not there");
}

#[tokio::test]
async fn a_container_keeps_a_secret_as_it_was_and_takes_it_along() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let id = store.create_secret(new_secret("a", "one")).await.unwrap();
    let mut with_secret = container("web");
    let mount = SecretMount {
        name: "a".to_owned(),
        id,
        ..SecretMount::default()
    };
    with_secret.spec.secrets = vec![mount.clone(), mount];
    create(&store, &with_secret).await.unwrap();
    store.remove_secret("a").await.unwrap();
    let kept = store.kept_secrets(&with_secret.id).await.unwrap();
    assert_eq!(kept, vec![SecretData(b"one".to_vec()); 2]);
    let late = ContainerRecord {
        id: Id::generate(),
        name: "late".to_owned(),
        ..with_secret.clone()
    };
    assert!(create(&store, &late).await.is_err());
    store
        .remove_container(&with_secret.id, Vec::new())
        .await
        .unwrap();
    assert_eq!(store.kept_secrets(&with_secret.id).await.unwrap(), []);
}
