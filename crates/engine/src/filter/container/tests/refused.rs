use super::*;

/// The whole text, and its cause where that is not all of it.
fn assert_refused(text: &str, error: &str, cause: &str) {
    let refusal = matching(text).unwrap_err();
    assert_eq!(refusal.to_string(), error, "{text}");
    assert_eq!(
        refusal.cause(),
        if cause.is_empty() { error } else { cause },
        "{text}"
    );
}

#[test]
fn bad_container_filters_are_refused_in_podmans_words() {
    for (text, error, cause) in [
        (r#"{"nosuch":["x"]}"#, "nosuch is an invalid filter", ""),
        (
            r#"{"is-task":["true"]}"#,
            "is-task is an invalid filter",
            "",
        ),
        (
            r#"{"status":["bogus"]}"#,
            "unknown container state: bogus: invalid argument",
            "invalid argument",
        ),
        (
            r#"{"status":["stopping"]}"#,
            "unknown container state: stopping: invalid argument",
            "invalid argument",
        ),
        (
            r#"{"status":[""]}"#,
            "unknown container state: : invalid argument",
            "invalid argument",
        ),
        (
            r#"{"exited":["1_0"]}"#,
            r#"exited code out of range '\x00': strconv.ParseInt: parsing "1_0": invalid syntax"#,
            "invalid syntax",
        ),
        (
            r#"{"exited":["99999999999"]}"#,
            "exited code out of range '\u{fffd}': strconv.ParseInt: parsing \"99999999999\": value out of range",
            "value out of range",
        ),
        (
            r#"{"restart-policy":["bogus"]}"#,
            "bogus invalid restart policy",
            "",
        ),
        (
            r#"{"restart-policy":["bogus","no","bad"]}"#,
            "bogus, bad invalid restart policies",
            "",
        ),
        (
            r#"{"should-start-on-boot":["yes"]}"#,
            r#"strconv.ParseBool: parsing "yes": invalid syntax"#,
            "invalid syntax",
        ),
    ] {
        assert_refused(text, error, cause);
    }
}

#[test]
fn an_id_that_fits_two_containers_or_two_pods_is_refused() {
    let mut views = views();
    let spec = ContainerSpec::default();
    views.push(ContainerView {
        pod: Some((id("5ea"), "other".to_owned())),
        ..container("137", "g", 9, State::Created, spec)
    });
    let context = Context::at(now(), &views);
    for (text, error) in [
        (
            r#"{"since":["13"]}"#,
            r#"more than one result for container "13": container already exists"#,
        ),
        (
            r#"{"pod":["5e"]}"#,
            r#"more than one result for pod "5e": container already exists"#,
        ),
    ] {
        let filter = ContainerFilter::parse(&filters(text)).unwrap();
        assert_eq!(filter.bind(&context).unwrap_err().to_string(), error);
    }
}

#[test]
fn names_that_nobody_knows_and_bad_times_are_refused_in_podmans_words() {
    for (text, error, cause) in [
        (
            r#"{"before":["nosuch"]}"#,
            r#"no container with name or ID "nosuch" found: no such container"#,
            "no such container",
        ),
        (
            r#"{"since":["flt"]}"#,
            r#"no container with name or ID "flt" found: no such container"#,
            "no such container",
        ),
        (r#"{"since":[""]}"#, "name or ID cannot be empty", ""),
        (r#"{"pod":[""]}"#, "name or ID cannot be empty", ""),
        (
            r#"{"until":["1h","2h"]}"#,
            "specify exactly one timestamp for until",
            "",
        ),
        (
            r#"{"until":["x"]}"#,
            r#"failed to parse value as time or duration: "x""#,
            "",
        ),
    ] {
        assert_refused(text, error, cause);
    }
}

#[test]
fn a_prune_takes_labels_and_until_only() {
    for text in [r#"{"label":["a"]}"#, r#"{"label!":["a"],"until":["1h"]}"#] {
        assert!(
            ContainerFilter::parse_prune(&filters(text)).is_ok(),
            "{text}"
        );
    }
    for key in ["name", "status", "nosuch"] {
        let error =
            ContainerFilter::parse_prune(&filters(&format!(r#"{{"{key}":["x"]}}"#))).unwrap_err();
        assert_eq!(error.to_string(), format!("{key} is an invalid filter"));
    }
}
