//! Against a real runtime: `CONTAINER_RUNTIME_ENDPOINT` names its socket, which has the images
//! `localhost/pause:latest` and `localhost/busybox:latest`. Run with
//! `cargo test -p cri-client --test runtime -- --ignored`. Each test makes a sandbox of its own.

mod place;
mod streams;

use std::time::{Duration, Instant};

use cri_api::v1::{
    ContainerFilter, ContainerState, LinuxContainerResources, PodSandboxState,
    PodSandboxStatsFilter,
};
use cri_client::containerd::upper_dir;
use cri_client::verbose::handlers;
use cri_client::{Error, RuntimeKind};

use place::{BUSYBOX, Place, found, image, sandbox_config, words};

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_container_lives_from_create_to_remove() {
    let place = Place::new("life").await;
    let client = &place.client;
    let id = place.create("c", &["sleep", "1000"]).await.unwrap();
    let (status, info) = client.container_status_verbose(&id).await.unwrap();
    assert_eq!(status.state(), ContainerState::ContainerCreated);
    assert_eq!(info.sandbox_id, place.sandbox);
    client.start_container(&id).await.unwrap();

    let (status, info) = client.container_status_verbose(&id).await.unwrap();
    assert_eq!(status.state(), ContainerState::ContainerRunning);
    assert!(info.pid > 0);
    assert_eq!(info.runtime_spec.process.args, ["sleep", "1000"]);
    assert!(info.runtime_spec.namespace_path("network").is_some());

    let filter = ContainerFilter {
        pod_sandbox_id: place.sandbox.clone(),
        ..ContainerFilter::default()
    };
    let listed = client.list_containers(Some(filter)).await.unwrap();
    assert_eq!(listed.len(), 1);
    let (pod, pod_info) = client
        .pod_sandbox_status_verbose(&place.sandbox)
        .await
        .unwrap();
    assert_eq!(pod.state(), PodSandboxState::SandboxReady);
    let address = pod.network.unwrap().ip;
    let interfaces = pod_info.cni_result.clone().unwrap().interfaces;
    assert_eq!(interfaces["eth0"].ip_configs[0].ip, address);
    assert!(pod_info.netns_path().unwrap().is_absolute());

    let limits = LinuxContainerResources {
        memory_limit_in_bytes: 64 << 20,
        ..LinuxContainerResources::default()
    };
    client
        .update_container_resources(&id, limits)
        .await
        .unwrap();
    client.reopen_container_log(&id).await.unwrap();
    assert!(client.container_stats(&id).await.unwrap().memory.is_some());
    assert!(!client.list_container_stats(None).await.unwrap().is_empty());
    let used = client.pod_sandbox_stats(&place.sandbox).await.unwrap();
    assert!(used.linux.unwrap().network.is_some());
    // one sandbox without a cgroup parent fails the list of all on containerd
    let this = PodSandboxStatsFilter {
        id: place.sandbox.clone(),
        ..PodSandboxStatsFilter::default()
    };
    assert!(
        !client
            .list_pod_sandbox_stats(Some(this))
            .await
            .unwrap()
            .is_empty()
    );
    let forward = client.port_forward(&place.sandbox, vec![80]).await.unwrap();
    assert!(forward.starts_with("http://"), "{forward}");

    client.stop_container(&id, Duration::ZERO).await.unwrap();
    let status = client.container_status(&id).await.unwrap();
    assert_eq!(
        (status.state(), status.exit_code),
        (ContainerState::ContainerExited, 137)
    );
    client.remove_container(&id).await.unwrap();
    client.remove_container(&id).await.unwrap();
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn refusals_have_their_class_on_every_runtime() {
    let place = Place::new("refuse").await;
    let client = &place.client;
    let id = place.started("c", &["sleep", "1000"]).await;
    let one = Duration::from_secs(1);

    let error = client.container_status("deadbeef").await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    let error = client.start_container("deadbeef").await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    let error = client
        .exec_sync("deadbeef", words(&["ls"]), one)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    let error = client.pod_sandbox_status("deadbeef").await.unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    let orphan = place.container("o", &["ls"]);
    let error = client
        .create_container("deadbeef", orphan, place.config.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    let error = client.start_container(&id).await.unwrap_err();
    assert!(matches!(error, Error::WrongState(_)), "{error:?}");
    match place.create("c", &["ls"]).await {
        Ok(same) => assert_eq!(
            (same.as_str(), place.kind),
            (id.as_str(), RuntimeKind::CriO)
        ),
        Err(Error::NameReserved { by, .. }) => assert_eq!(by.as_deref(), Some(id.as_str())),
        Err(error) => panic!("{error:?}"),
    }
    let other = sandbox_config("handler", "/tmp");
    let error = client.run_pod_sandbox(other, "nosuch").await.unwrap_err();
    assert!(
        matches!(&error, Error::NoSuchHandler { handler, .. } if handler == "nosuch"),
        "{error:?}"
    );
    let mut config = place.container("i", &["ls"]);
    config.image = Some(image("localhost/none:latest"));
    let error = client
        .create_container(&place.sandbox, config, place.config.clone())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::UnknownImage(_)), "{error:?}");

    client.stop_container(&id, Duration::ZERO).await.unwrap();
    let error = client
        .exec_sync(&id, words(&["ls"]), one)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::WrongState(_)), "{error:?}");
    let error = client.reopen_container_log(&id).await.unwrap_err();
    assert!(matches!(error, Error::WrongState(_)), "{error:?}");
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_bad_command_has_its_class_at_create_start_and_exec() {
    let place = Place::new("command").await;
    let client = &place.client;
    let id = place.started("c", &["sleep", "1000"]).await;
    let table = [("nosuch", false), ("/nosuch", false), ("/etc", true)];
    for (index, (command, exists)) in table.into_iter().enumerate() {
        let right = |error: &Error| match error {
            Error::CommandNotFound(_) => !exists,
            Error::CommandNotExecutable(_) => exists,
            _ => false,
        };
        let started = match place.create(&format!("b{index}"), &[command]).await {
            Ok(id) => client.start_container(&id).await,
            Err(error) => Err(error),
        };
        let error = started.unwrap_err();
        assert!(right(&error), "{command}: {error:?}");
        let ten = Duration::from_secs(10);
        let error = client
            .exec_sync(&id, words(&[command]), ten)
            .await
            .unwrap_err();
        assert!(right(&error), "{command}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("exec: \"{command}\": ")), "{text}");
        assert!(
            !text.contains("level=error") && !text.ends_with(": unknown"),
            "{text}"
        );
    }
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn exec_gives_output_and_code_and_its_timeout_is_the_same_error_everywhere() {
    let place = Place::new("exec").await;
    let client = &place.client;
    let id = place.started("c", &["sleep", "1000"]).await;
    let script = words(&["sh", "-c", "echo out; echo err >&2; exit 3"]);
    let answer = client
        .exec_sync(&id, script, Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(
        (answer.stdout.as_slice(), answer.stderr.as_slice()),
        (&b"out\n"[..], &b"err\n"[..])
    );
    assert_eq!(answer.exit_code, 3);

    let started = Instant::now();
    let second = Duration::from_secs(1);
    let error = client
        .exec_sync(&id, words(&["sleep", "60"]), second)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::DeadlineExceeded { after, .. } if after == second),
        "{error:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(10));
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_stop_waits_for_its_timeout_and_then_kills() {
    let place = Place::new("stop").await;
    let id = place
        .started(
            "c",
            &["sh", "-c", "trap '' TERM; while :; do sleep 1; done"],
        )
        .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    place
        .client
        .stop_container(&id, Duration::from_secs(2))
        .await
        .unwrap();
    assert!(started.elapsed() >= Duration::from_secs(2));
    let status = place.client.container_status(&id).await.unwrap();
    assert_eq!(status.exit_code, 137);
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn a_container_is_frozen_and_thawed_the_runtimes_own_way() {
    let place = Place::new("pause").await;
    let id = place.started("c", &["sleep", "1000"]).await;
    match place.kind {
        RuntimeKind::CriO => {
            let crio = place.client.crio();
            crio.pause(&id).await.unwrap();
            let ls = words(&["ls"]);
            let second = Duration::from_secs(1);
            let error = place.client.exec_sync(&id, ls, second).await.unwrap_err();
            assert!(matches!(error, Error::WrongState(_)), "{error:?}");
            crio.unpause(&id).await.unwrap();
            let error = crio.unpause(&id).await.unwrap_err();
            assert!(matches!(error, Error::WrongState(_)), "{error:?}");
            let error = crio.pause("deadbeef").await.unwrap_err();
            assert!(matches!(error, Error::NotFound(_)), "{error:?}");
            let container = crio.container(&id).await.unwrap();
            assert!(container.root.is_absolute() && container.sandbox == place.sandbox);
            assert_eq!(crio.info().await.unwrap().storage_driver, "overlay");
            assert!(crio.config().await.unwrap().contains("[crio.runtime]"));
        }
        RuntimeKind::Containerd => {
            use cri_api::containerd::TaskStatus;
            let containerd = place.client.containerd();
            assert!(!containerd.version().await.unwrap().version.is_empty());
            containerd.pause(&id).await.unwrap();
            assert_eq!(
                containerd.task(&id).await.unwrap().status(),
                TaskStatus::Paused
            );
            containerd.resume(&id).await.unwrap();
            assert_eq!(
                containerd.task(&id).await.unwrap().status(),
                TaskStatus::Running
            );
            let error = containerd.pause("deadbeef").await.unwrap_err();
            assert!(matches!(error, Error::NotFound(_)), "{error:?}");
            let (_, info) = place.client.container_status_verbose(&id).await.unwrap();
            let mounts = containerd
                .snapshot_mounts(&info.snapshotter, &info.snapshot_key)
                .await
                .unwrap();
            assert!(upper_dir(&mounts).unwrap().is_dir(), "{mounts:?}");
            let (snapshotter, key) = (&info.snapshotter, &info.snapshot_key);
            containerd.snapshot_usage(snapshotter, key).await.unwrap();
            containerd.kill(&id, 9, false).await.unwrap();
        }
        RuntimeKind::Other => panic!("which runtime is this?"),
    }
    place.end().await;
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn images_status_and_handlers_are_told() {
    let found = found().await;
    let client = found.client;
    let (told, info) = client
        .image_status_verbose(image(BUSYBOX))
        .await
        .unwrap()
        .unwrap();
    assert!(told.repo_tags.contains(&BUSYBOX.to_owned()));
    assert_eq!(info.image_spec.config.cmd, ["sh"]);
    assert!(!info.image_spec.rootfs.diff_ids.is_empty());
    for absent in ["localhost/none:latest", "none-such-short-name"] {
        assert_eq!(
            client.image_status(image(absent)).await.unwrap(),
            None,
            "{absent}"
        );
    }
    assert!(client.list_images(None).await.unwrap().len() >= 2);
    client
        .remove_image(image("localhost/none:latest"))
        .await
        .unwrap();
    let filesystems = client.image_fs_info().await.unwrap().image_filesystems;
    assert!(!filesystems.is_empty());
    let error = client
        .pull_image(image("127.0.0.1:1/none:latest"), None, None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Other(_)), "{error:?}");

    let status = client.status(true).await.unwrap();
    let handlers = handlers(&status).unwrap();
    assert!(
        handlers.all.iter().any(|one| one.name == "runc"),
        "{handlers:?}"
    );
    assert_eq!(handlers.default.as_deref(), Some("runc"));
    match client.runtime_config().await {
        Ok(config) => assert!(config.linux.is_some()),
        Err(error) => assert!(matches!(error, Error::Unimplemented(_)), "{error:?}"),
    }
}

#[tokio::test]
#[ignore = "needs a runtime"]
async fn events_of_now_are_seen_or_the_runtime_says_it_has_none() {
    let found = found().await;
    let mut events = found.client.container_events();
    let place = Place::new("events").await;
    let id = place.started("c", &["true"]).await;
    let mut seen = Vec::new();
    let first = tokio::time::timeout(Duration::from_secs(10), async {
        while let Some(event) = events.next().await {
            match event {
                Ok(event) if event.container_id == id => seen.push(event.container_event_type),
                Ok(_) => {}
                Err(error) => return Some(error),
            }
            if seen.len() == 3 {
                return None;
            }
        }
        None
    });
    match first.await.unwrap() {
        None => assert_eq!(seen, [0, 1, 2], "created, started, stopped"),
        Some(error) => assert!(matches!(error, Error::Unimplemented(_)), "{error:?}"),
    }
    // containerd 1.6 fails to stop a sandbox whose container exits at that moment ("ttrpc: closed")
    while place.client.container_status(&id).await.unwrap().state()
        != ContainerState::ContainerExited
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    place.end().await;
}
