//! Pods, images and volumes as shown.

use std::path::Path;
use std::sync::Arc;

use model::image::{HistoryEntry, ImageConfig, ImageDetail, ImageSummary};
use model::request::PodReport;
use model::view::{ImageView, PodBody, PodState, PodView, Pulled, State, VolumeView};
use model::volume::VolumeRecord;
use serde_json::Value;
use translate::decode::decode_body;
use translate::{image, pod, volume};

use crate::common::{build, reference};
use crate::creates::recorded;
use crate::report::Report;

pub fn pods(dir: &Path, report: &mut Report) {
    let body = recorded(dir, "podman-remote-5.8.6/pod-create", "/pods/create").request;
    let mut body = body.as_object().unwrap().clone();
    body.remove("portmappings"); // refused
    let made =
        pod::pod_create(decode_body(Value::Object(body).to_string().as_bytes(), "").unwrap())
            .unwrap();
    let record = build::pod_record("p1", made.spec);
    let infra = build::infra(&record, State::Running);
    let view = PodView {
        body: PodBody::Own(Arc::new(record)),
        state: PodState::Running,
        containers: vec![infra],
        cgroup: "/podman-cri/p1".to_owned(),
    };
    let answer = recorded(
        dir,
        "podman-remote-5.8.6/pod-inspect",
        "/libpod/pods/p1/json",
    )
    .answer;
    report.answer("pod inspect", &answer, &pod::pod_inspect(&view));
    report.answer(
        "pod list",
        &reference::shape(dir, "pods"),
        &[pod::pod_item(&view)],
    );
    let done = PodReport {
        id: build::id('b'),
        errors: Vec::new(),
        removed: [("c".to_owned(), None)].into(),
    };
    report.answer(
        "pod start",
        &reference::shape(dir, "pod-start"),
        &pod::pod_start_report(&done, "gp"),
    );
    report.answer(
        "pod stop",
        &reference::shape(dir, "pod-stop"),
        &pod::pod_stop_report(&done, "gp"),
    );
    report.answer(
        "pod restart",
        &reference::shape(dir, "pod-restart"),
        &pod::pod_action_report(&done),
    );
    report.answer(
        "pod rm",
        &reference::shape(dir, "pod-rm"),
        &pod::pod_rm_report(&done),
    );
}

fn busybox() -> ImageView {
    let hex = |digit: char| std::iter::repeat_n(digit, 64).collect::<String>();
    let created = build::time("2026-11-23T16:08:28.590253132Z");
    let step = HistoryEntry {
        created: Some(created),
        created_by: "/bin/sh -c #(nop) ADD file".to_owned(),
        comment: "imported from tarball".to_owned(),
        empty_layer: false,
    };
    let detail = ImageDetail {
        summary: ImageSummary {
            id: hex('d'),
            tags: vec!["docker.io/library/busybox:latest".to_owned()],
            digests: vec![format!("docker.io/library/busybox@sha256:{}", hex('4'))],
            size_bytes: 2_223_787,
            pinned: false,
        },
        created_at: Some(created),
        author: String::new(),
        architecture: "amd64".to_owned(),
        os: "linux".to_owned(),
        config: ImageConfig {
            env: vec!["PATH=/bin".to_owned()],
            cmd: vec!["sh".to_owned()],
            ..ImageConfig::default()
        },
        diff_ids: vec![format!("sha256:{}", hex('7'))],
        history: vec![step],
    };
    ImageView {
        detail: Arc::new(detail),
        containers: 0,
    }
}

pub fn images(dir: &Path, report: &mut Report) {
    let view = busybox();
    let named = |name: &str| Value::Array(vec![reference::shape(dir, name)[0].clone()]);
    report.answer(
        "libpod images",
        &named("images-json-libpod"),
        &[image::libpod_image(&view)],
    );
    report.answer(
        "compat images",
        &named("images-json-compat"),
        &[image::compat_image(&view, 44)],
    );
    let answer = reference::shape(dir, "image-inspect-libpod");
    report.answer(
        "libpod image inspect",
        &answer,
        &image::libpod_image_inspect(&view),
    );
    let answer = reference::shape(dir, "image-inspect-compat");
    report.answer(
        "compat image inspect",
        &answer,
        &image::compat_image_inspect(&view, 44),
    );
    let pulled = Pulled {
        id: view.detail.summary.id.clone(),
        name: String::new(),
        fetched: false,
    };
    let answer = reference::shape(dir, "pull-libpod-missing-present");
    report.answer("libpod pull", &answer, &image::pull_done(&pulled));
    let answer = reference::shape(dir, "pull-libpod-badref");
    let error = model::reference::Reference::parse("UPPER").unwrap_err();
    let ours = image::pull_failed(&error);
    report.answer("libpod pull, failed", &answer, &ours);
    assert_eq!(serde_json::to_value(ours).unwrap(), answer);
}

pub fn volumes(dir: &Path, report: &mut Report) {
    let record = VolumeRecord {
        name: "gvx".to_owned(),
        created_at: build::time("2026-11-23T16:52:01.462170121Z"),
        labels: [("a".to_owned(), "b".to_owned())].into(),
        options: [].into(),
        anonymous: false,
        mountpoint: "/var/lib/podman-cri/volumes/gvx/_data".to_owned(),
        first_use: model::volume::FirstUse::default(),
        mount: None,
        owner: None,
    };
    let view = VolumeView {
        record: Arc::new(record),
        users: Vec::new(),
        mounts: 0,
    };
    let shape = |name| reference::shape(dir, name);
    report.answer(
        "libpod volume",
        &shape("volume-inspect-libpod"),
        &volume::libpod_volume(&view),
    );
    report.answer(
        "compat volume",
        &shape("volume-inspect-compat"),
        &volume::compat_volume(&view),
    );
    report.answer(
        "compat volume created",
        &shape("volume-create-compat"),
        &volume::compat_volume_created(&view),
    );
    report.answer(
        "compat volumes",
        &shape("volumes-compat-full"),
        &volume::compat_volumes(&[view]),
    );
}
