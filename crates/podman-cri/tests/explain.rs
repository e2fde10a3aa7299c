//! `podman-cri explain` as scripts use it: exit codes and both forms.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Runs it with a request on standard input.
fn explain(body: &str, flags: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_podman-cri"))
        .args(["explain", "--spec", "-"])
        .args(flags)
        .env_remove("CONTAINER_RUNTIME_ENDPOINT")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    // with a wrong flag it does not read
    drop(stdin.write_all(body.as_bytes()));
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

#[test]
fn the_exit_code_tells_whether_something_is_refused() {
    let fine = json!({"image": "busybox", "env": {"TOKEN": "hunter2"}}).to_string();
    let output = explain(&fine, &[]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("env = [\"TOKEN\"]"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let refused = json!({"image": "busybox", "rootfs_propagation": "shared"}).to_string();
    for (body, flags, code) in [
        (refused.as_str(), &[][..], 1),
        ("{", &[], 1),
        ("[]", &[], 1),
        ("{}", &["--no-such-flag"], 64),
    ] {
        assert_eq!(explain(body, flags).status.code(), Some(code), "{body}");
    }
}

#[test]
fn the_json_form_has_every_field_and_its_way() {
    let told = |body: &str, flags: &[&str]| -> Value {
        serde_json::from_slice(&explain(body, flags).stdout).unwrap()
    };
    let body = json!({"Image": "busybox", "HostConfig": {"Memory": 1_000_000}}).to_string();
    let container = told(&body, &["--format", "json"]);
    assert_eq!(container["request"], "POST /containers/create");
    let memory = &container["fields"][1];
    assert_eq!(memory["names"], json!(["HostConfig.Memory"]));
    assert_eq!(memory["way"], "runtime");
    let cri = memory["cri"].as_object().unwrap();
    assert!(cri.contains_key("LinuxContainerResources.memory_limit_in_bytes"));
    let pod = told("{}", &["--pod", "--format", "json"]);
    assert_eq!(pod["request"], "POST /libpod/pods/create");
}
