//! The private runtime as `podman-cri dev` uses it: directly on a host, without a prefix. The host is
//! a test's: this program starts itself again inside, for each step of the runtime's life.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy.toml lets unwrap"
)]

mod pod;

use std::{collections::BTreeSet, env, path::PathBuf};

use conformance::{TestHost, Variant, leaks, observe::snapshot, variants};
use cri_client::{Client, Endpoint};
use private_runtime::{Options, PrivateRuntime};

/// Runs one of the steps below inside, and gives what it printed and whether it ended well.
fn step(host: &TestHost, variant: Variant, name: &str) -> (bool, String) {
    let mut command = host.command(env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]);
    command.env("PRIVATE_RUNTIME_DIR", host.dir().join("rt"));
    command.env("PRIVATE_RUNTIME_KIND", variant.kind.name());
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&text).into_owned(),
    )
}

async fn inside() -> (PrivateRuntime, Client, PathBuf) {
    let dir = PathBuf::from(env::var_os("PRIVATE_RUNTIME_DIR").unwrap());
    let kind = env::var("PRIVATE_RUNTIME_KIND").unwrap();
    let options = Options {
        kind: private_runtime::Kind::ALL
            .into_iter()
            .find(|k| k.name() == kind),
        ..Options::new(&dir).unwrap()
    };
    let runtime = PrivateRuntime::start(options).await.unwrap();
    let endpoint: Endpoint = format!("unix://{}", runtime.socket().display())
        .parse()
        .unwrap();
    (runtime, Client::connect(endpoint.clone(), endpoint), dir)
}

#[tokio::test]
#[ignore = "a step of a_dead_owner_is_followed"]
async fn step_run_and_die() {
    let (runtime, cri, dir) = inside().await;
    assert!(!runtime.taken_up());
    while cri.version().await.is_err() || cri.list_images(None).await.unwrap().len() < 2 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    pod::run(&cri, &dir.join("logs"), 0, "").await.unwrap();
    std::process::abort(); // no destructor runs, as with kill -9
}

#[tokio::test]
#[ignore = "a step of a_dead_owner_is_followed"]
async fn step_take_up_and_stop() {
    let (runtime, cri, dir) = inside().await;
    assert!(runtime.taken_up());
    assert_eq!(cri.list_containers(None).await.unwrap().len(), 1);
    let second = PrivateRuntime::start(Options::new(&dir).unwrap()).await;
    assert!(
        matches!(second, Err(private_runtime::Error::Busy(_))),
        "one owner at a time"
    );
    assert_eq!(runtime.stop(), Vec::<String>::new()); // with its container running
}

#[tokio::test]
#[ignore = "a step of a_runtime_that_died_with_its_owner_is_started_again"]
async fn step_start_again_and_stop() {
    let (runtime, cri, _) = inside().await;
    assert!(!runtime.taken_up());
    while cri.version().await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(cri.list_containers(None).await.unwrap().len(), 1);
    assert_eq!(runtime.stop(), Vec::<String>::new());
}

#[tokio::test]
async fn a_dead_owner_is_followed() {
    for variant in variants() {
        let host = TestHost::new().unwrap();
        let bare = snapshot(&host, None, &BTreeSet::new()).await.unwrap();
        let (_, text) = step(&host, variant, "step_run_and_die");
        assert!(!text.contains("panicked"), "{}: {text}", variant.name());
        assert!(!host.processes().is_empty());
        let (good, text) = step(&host, variant, "step_take_up_and_stop");
        assert!(good, "{}: {text}", variant.name());
        leaks::check_stopped(&host, variant.kind, &bare)
            .await
            .unwrap();
        assert_eq!(host.finish(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_runtime_that_died_with_its_owner_is_started_again() {
    for variant in variants() {
        let host = TestHost::new().unwrap();
        let bare = snapshot(&host, None, &BTreeSet::new()).await.unwrap();
        let (_, text) = step(&host, variant, "step_run_and_die");
        assert!(!text.contains("panicked"), "{}: {text}", variant.name());
        let config = host.dir().join("rt/etc");
        let of_runtime = |p: &&private_runtime::process::Process| {
            p.command_line()
                .contains(&format!("--config {}", config.display()))
        };
        let all = host.processes();
        let runtime = all.iter().find(of_runtime).expect("the runtime runs");
        private_runtime::process::kill_all(
            &BTreeSet::from([*runtime]),
            std::time::Duration::from_secs(5),
        );
        let (good, text) = step(&host, variant, "step_start_again_and_stop");
        assert!(good, "{}: {text}", variant.name());
        leaks::check_stopped(&host, variant.kind, &bare)
            .await
            .unwrap();
        assert_eq!(host.finish(), Vec::<String>::new());
    }
}
