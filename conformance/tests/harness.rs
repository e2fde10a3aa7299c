//! The harness itself: it starts and ends each runtime without a leak, and sees planted ones.

mod pod;

use std::{fs, os::unix::fs::PermissionsExt};

use conformance::{DaemonOptions, Lab, Setup, TestHost, Variant, variants};
use pod::run_and_remove;

fn without_daemon(variant: Variant) -> Setup {
    Setup {
        daemon: None,
        ..Setup::new(variant)
    }
}

#[tokio::test]
async fn each_runtime_starts_and_ends_without_a_leak() {
    for variant in variants() {
        let lab = Lab::start(without_daemon(variant)).await.unwrap();
        assert!(lab.runtime.socket().exists());
        println!(
            "{}: {:?}",
            variant.name(),
            lab.runtime.cri().unwrap().version().await.unwrap()
        );
        lab.finish().await.unwrap();
    }
}

#[tokio::test]
async fn a_container_that_came_and_went_is_no_leak() {
    for variant in variants() {
        let lab = Lab::start(without_daemon(variant)).await.unwrap();
        run_and_remove(&lab, 0, "").await.unwrap();
        run_and_remove(&lab, 1, "second").await.unwrap();
        lab.finish().await.unwrap();
    }
}

#[tokio::test]
async fn planted_leaks_are_named() {
    let Some(variant) = variants().into_iter().next() else {
        return;
    };
    let lab = Lab::start(without_daemon(variant)).await.unwrap();
    let planted = lab.host.shell(
        "mkdir -p /run/planted && mount -t tmpfs planted /run/planted && echo x > /var/lib/planted-file
         ip link add planted0 type bridge
         nft add table ip planted_table && nft add chain ip planted_table c '{ type filter hook input priority 0; }'
         sleep 98765 > /dev/null 2>&1 & sleep 0.2",
    );
    planted.unwrap();
    let error = lab.check_leaks().await.unwrap_err();
    let text = format!("{error:#}");
    for leak in [
        "Mount /run/planted",
        "File /var/lib/planted-file",
        "sleep 98765",
        "Link planted0",
        "planted_table",
    ] {
        assert!(text.contains(leak), "{leak} is not in: {text}");
    }
    assert!(lab.finish().await.is_err());
}

#[test]
fn a_host_without_anything_in_it_goes_without_a_trace() {
    let host = TestHost::new().unwrap();
    let dir = host.dir().to_owned();
    host.shell("(sleep 4711 &) > /dev/null 2>&1; mkdir -p /run/x && mount -t tmpfs x /run/x")
        .unwrap();
    assert_eq!(host.finish(), Vec::<String>::new());
    assert!(!dir.exists() && !std::path::Path::new("/run/x").exists());
}

#[tokio::test]
async fn a_daemon_is_watched_from_start_to_end() {
    let Some(variant) = variants().into_iter().next() else {
        return;
    };
    // Stands in for podman-cri: it binds nothing, but prints its line and ends on SIGTERM.
    let folder = tempfile::tempdir().unwrap();
    let (script, fifo) = (folder.path().join("daemon"), folder.path().join("fifo"));
    let text = format!(
        "#!/bin/sh\ntrap 'exit 0' TERM\n[ -e {0} ] || mkfifo {0}\nexec 3<>{0}\necho serving $X\nread -r _ <&3\n",
        fifo.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let options = DaemonOptions {
        program: Some(script),
        env: vec![("X".into(), "1".into())],
        ..DaemonOptions::default()
    };
    let setup = Setup {
        daemon: Some(options.clone()),
        ..Setup::new(variant)
    };
    let mut lab = Lab::start(setup).await.unwrap();
    assert_eq!(lab.daemon.as_ref().unwrap().banner(), "serving 1");
    lab.crash_daemon(&options).await.unwrap();
    lab.runtime.restart(true).await.unwrap();
    lab.check_leaks().await.unwrap();
    lab.finish().await.unwrap();
}
