use serde_json::{Value, json};

use super::*;

fn resolved(profile: &Value, spec: &ContainerSpec) -> Result<Value, Error> {
    let text = seccomp_profile(profile.to_string().as_bytes(), spec, "5.15.0-1-x")?;
    Ok(text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap()))
}

fn rules(syscalls: &Value) -> Value {
    let profile = json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": syscalls});
    let spec = ContainerSpec {
        cap_add: vec!["SYS_ADMIN".to_owned()],
        ..ContainerSpec::default()
    };
    resolved(&profile, &spec).unwrap()["syscalls"].take()
}

#[test]
fn rules_count_by_architecture_capabilities_and_kernel() {
    let (own, _) = names_of(ARCH);
    for (key, filter, counts) in [
        ("includes", json!({}), true),
        ("includes", json!({"arches": [own, "other"]}), true),
        ("includes", json!({"arches": ["other"]}), false),
        ("excludes", json!({"arches": [own]}), false),
        ("excludes", json!({"arches": ["other"]}), true),
        ("includes", json!({"caps": ["CAP_SYS_ADMIN"]}), true),
        (
            "includes",
            json!({"caps": ["CAP_CHOWN", "CAP_SYS_TIME"]}),
            false,
        ),
        (
            "excludes",
            json!({"caps": ["CAP_SYS_TIME", "CAP_CHOWN"]}),
            false,
        ),
        ("excludes", json!({"caps": ["CAP_SYS_TIME"]}), true),
        ("includes", json!({"minKernel": "4.8"}), true),
        ("includes", json!({"minKernel": "5.15"}), true),
        ("includes", json!({"minKernel": "5.16"}), false),
        ("includes", json!({"minKernel": "6.1"}), false),
    ] {
        let made = rules(&json!([{"names": ["bpf"], "action": "SCMP_ACT_ALLOW", key: filter}]));
        let wanted = match counts {
            true => json!([{"names": ["bpf"], "action": "SCMP_ACT_ALLOW"}]),
            false => Value::Null,
        };
        assert_eq!(made, wanted, "{key} {filter}");
    }
}

#[test]
fn a_rule_comes_out_in_ocis_form() {
    let made = rules(&json!([
        {"name": "mkdir", "action": "SCMP_ACT_ERRNO", "errno": "ENOSYS", "errnoRet": 1, "comment": "c"},
        {"names": ["a"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95, "args": [
            {"index": 1, "value": 131_072, "op": "SCMP_CMP_EQ"}]},
        {"names": ["b"], "action": "SCMP_ACT_ERRNO", "errno": "7"},
        {"names": ["c"], "action": "SCMP_ACT_ERRNO", "errno": "EWOULDBLOCK"},
        {"names": [], "action": "SCMP_ACT_ALLOW"},
    ]));
    assert_eq!(
        made,
        json!([
            {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38},
            {"names": ["a"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95, "args": [
                {"index": 1, "value": 131_072, "valueTwo": 0, "op": "SCMP_CMP_EQ"}]},
            {"names": ["b"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7},
            {"names": ["c"], "action": "SCMP_ACT_ERRNO", "errnoRet": 11},
        ])
    );
}

#[test]
fn the_map_gives_the_architectures_of_this_machine() {
    let (_, own) = names_of(ARCH);
    let profile = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "defaultErrno": "EPERM",
        "archMap": [
            {"architecture": "SCMP_ARCH_OTHER", "subArchitectures": ["SCMP_ARCH_X"]},
            {"architecture": own, "subArchitectures": ["SCMP_ARCH_SUB"]},
        ],
        "flags": ["SECCOMP_FILTER_FLAG_LOG"],
    });
    assert_eq!(
        resolved(&profile, &ContainerSpec::default()).unwrap(),
        json!({
            "defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1,
            "architectures": [own, "SCMP_ARCH_SUB"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"],
        })
    );
    let profile = json!({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86"]});
    let made = resolved(&profile, &ContainerSpec::default()).unwrap();
    assert_eq!(made["architectures"], json!(["SCMP_ARCH_X86"]));
}

#[test]
fn a_profile_that_says_nothing_filters_nothing() {
    for text in ["{}", "null", r#"{"syscalls":[]}"#] {
        let spec = ContainerSpec::default();
        let made = seccomp_profile(text.as_bytes(), &spec, "5.15").unwrap();
        assert_eq!(made, None, "{text}");
    }
}

/// The texts were asked of Podman 5.8.6, but for those of actions.
#[test]
fn what_cannot_be_meant_is_refused_in_podmans_words() {
    let allow = r#""defaultAction":"SCMP_ACT_ALLOW""#;
    for (text, wanted) in [
        (
            "{bad".to_owned(),
            "decoding seccomp profile failed: invalid character 'b' looking for beginning of object key string",
        ),
        (
            String::new(),
            "decoding seccomp profile failed: unexpected end of JSON input",
        ),
        (
            format!(r#"{{{allow},"architectures":["A"],"archMap":[{{"architecture":"B"}}]}}"#),
            "'architectures' and 'archMap' were specified in the seccomp profile, use either 'architectures' or 'archMap'",
        ),
        (
            format!(
                r#"{{{allow},"syscalls":[{{"name":"a","names":["a"],"action":"SCMP_ACT_ERRNO"}}]}}"#
            ),
            "'name' and 'names' were specified in the seccomp profile, use either 'name' or 'names'",
        ),
        (
            format!(
                r#"{{{allow},"syscalls":[{{"names":["a"],"action":"SCMP_ACT_ERRNO","errno":"EFOO"}}]}}"#
            ),
            "unknown errno EFOO",
        ),
        (
            r#"{"defaultAction":"SCMP_ACT_NOPE"}"#.to_owned(),
            r#"unknown action "SCMP_ACT_NOPE""#,
        ),
        (
            format!(r#"{{{allow},"syscalls":[{{"names":["a"],"action":"x"}}]}}"#),
            r#"unknown action "x""#,
        ),
    ] {
        let spec = ContainerSpec::default();
        let error = seccomp_profile(text.as_bytes(), &spec, "5.15").unwrap_err();
        assert_eq!(error.to_string(), wanted, "{text}");
    }
    let wrong = format!(r#"{{{allow},"syscalls":{{"a":1}}}}"#);
    let error = seccomp_profile(wrong.as_bytes(), &ContainerSpec::default(), "5.15");
    let told = error.unwrap_err().to_string();
    let start = "decoding seccomp profile failed: json: cannot unmarshal object into Go struct field Seccomp.syscalls of type ";
    assert!(told.starts_with(start), "{told}");
}
