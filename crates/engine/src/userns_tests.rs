use super::*;

fn range(container: u32, host: u32, length: u32) -> IdRange {
    IdRange {
        container,
        host,
        length,
    }
}

fn there(spans: &[Span]) -> Subordinate {
    Subordinate {
        uids: spans.to_vec(),
        gids: spans.to_vec(),
    }
}

fn shown(ids: &[IdRange]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// What is chosen of a range that two containers have parts of.
fn chosen(size: u32, uids: &[IdRange]) -> Result<IdMappings, Error> {
    let wanted = AutoIds {
        size,
        given: IdMappings {
            uids: uids.to_vec(),
            gids: Vec::new(),
        },
    };
    let all_of_host = range(0, 0, u32::MAX);
    let used = [range(0, 1_000, 10), all_of_host, range(0, 1_015, 5)].map(|range| IdMappings {
        uids: vec![range],
        gids: vec![range],
    });
    choose(&wanted, size, &there(&[span(1_000, 30)]), &used)
}

#[test]
fn the_first_ids_that_nobody_has_are_chosen() {
    for (size, given, wanted) in [
        (5, vec![], vec!["0:1010:5"]),
        (7, vec![], vec!["0:1010:5", "5:1020:2"]),
        (15, vec![], vec!["0:1010:5", "5:1020:10"]),
        (
            6,
            vec![range(2, 1_012, 1)],
            vec!["0:1010:2", "3:1013:2", "5:1020:1", "2:1012:1"],
        ),
        (3, vec![range(50, 7, 2)], vec!["0:1010:3", "50:7:2"]),
    ] {
        assert_eq!(shown(&chosen(size, &given).unwrap().uids), wanted, "{size}");
    }
}

#[test]
fn too_few_ids_are_an_error_in_podmans_words() {
    let words = "creating container storage: not enough unused IDs in user namespace";
    assert_eq!(chosen(16, &[]).unwrap_err().to_string(), words);
    let nothing = choose(&AutoIds::default(), 1, &there(&[]), &[]).unwrap_err();
    let told = nothing.to_string();
    assert!(
        told.starts_with(words) && told.contains("/etc/subuid"),
        "{told}"
    );
    assert_eq!(nothing.cause(), "not enough unused IDs in user namespace");
}

#[test]
fn as_many_ids_are_given_as_image_and_user_need() {
    for (needed, wanted) in [(1, Some(1_024)), (5_000, Some(5_000)), (65_537, None)] {
        assert_eq!(auto_size(needed).ok(), wanted);
    }
    for (asked, of_image, wanted) in [
        (None, "", 1),
        (Some("5000:7"), "", 5_001),
        (Some("web:9000"), "1", 9_001),
        (Some(""), "77", 78),
    ] {
        let mut spec = ContainerSpec {
            user: asked.map(str::to_owned),
            ..ContainerSpec::default()
        };
        spec.image.config.user = of_image.to_owned();
        assert_eq!(ids_of_user(&spec), wanted, "{asked:?} {of_image}");
    }
}

#[test]
fn a_container_has_the_ids_of_the_sandbox_that_it_lives_in() {
    use model::pod::Role;
    let ids = IdMappings {
        uids: vec![range(0, 1, 1)],
        gids: vec![range(0, 1, 1)],
    };
    let given = Userns::Given(ids.clone());
    let pod = Role::Pod { infra: None };
    for (role, mapped, joins, asked, fine) in [
        (pod.clone(), true, false, Userns::Unset, true),
        (pod.clone(), true, false, Userns::Host, false),
        (pod, false, false, Userns::Host, true),
        (Role::Hidden, true, true, Userns::Unset, true),
        (Role::Hidden, true, false, Userns::Unset, false),
        (Role::Hidden, false, false, Userns::Unset, true),
        (Role::Hidden, false, true, Userns::Unset, true),
        (Role::Hidden, false, false, given.clone(), false),
        (Role::Hidden, true, false, given, false),
    ] {
        let mut spec = ContainerSpec::default();
        spec.joined.user = joins.then(Id::generate);
        let plain = ContainerSpec::default();
        let mut home =
            SandboxRecord::hidden(&Id::generate(), "x", &plain, jiff::Timestamp::UNIX_EPOCH);
        home.role = role;
        home.spec.id_mappings = mapped.then(|| ids.clone());
        let found = ids_at_home(&spec, &asked, &home);
        assert_eq!(
            found.is_ok(),
            fine,
            "{:?} {mapped} {joins} {asked:?}",
            home.role
        );
        if let Ok(found) = found {
            assert_eq!(found.is_some(), mapped);
        }
    }
}
