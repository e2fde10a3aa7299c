use model::commit::{CommitOptions, ImageChanges, ImageFormat};
use model::health::HealthCheck;
use model::image::ImageConfig;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Origin, hex, make};

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

fn base() -> Value {
    json!({
        "architecture": "amd64", "os": "linux", "variant": "v1", "docker_version": "1",
        "config": {
            "Cmd": ["sh"], "Entrypoint": ["/e"], "Env": ["PATH=/bin", "A=1"], "StopSignal": "SIGINT", "OnBuild": ["RUN x"],
            "Labels": {"base": "1"}, "Healthcheck": {"Test": ["CMD", "true"]}, "User": "9"
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:b0"]},
        "history": [{"created": "2024-01-01T00:00:00Z", "created_by": "x"}]
    })
}

fn settings() -> ImageConfig {
    ImageConfig {
        env: strings(&["A=2", "container=podman"]),
        cmd: strings(&["sleep", "1"]),
        volumes: strings(&["/v"]),
        work_dir: "/w".to_owned(),
        labels: [("own".to_owned(), "2".to_owned())].into(),
        exposed_ports: strings(&["80/tcp"]),
        ..ImageConfig::default()
    }
}

fn made(base: &Value, options: &CommitOptions) -> Map<String, Value> {
    let origin = Origin {
        container: "cc",
        image: Some("localhost/b:1"),
        layer: "1a",
        now: "2026-11-30T08:00:00.5Z".parse().unwrap(),
    };
    let written = make(base.to_string().as_bytes(), options, &origin).unwrap();
    assert_eq!(written.id, hex(&Sha256::digest(&written.bytes)));
    let image: Map<String, Value> = serde_json::from_slice(&written.bytes).unwrap();
    assert_eq!(json!(written.diff_ids), image["rootfs"]["diff_ids"]);
    image
}

/// What Podman 5.8.6 made of such a container, but for the stop signal, which it loses.
#[test]
fn a_containers_settings_lie_over_those_of_its_image() {
    let options = CommitOptions {
        settings: settings(),
        ..CommitOptions::default()
    };
    let expected = json!({
        "architecture": "amd64", "os": "linux", "variant": "v1", "created": "2026-11-30T08:00:00.5Z",
        "config": {
            "Cmd": ["sleep", "1"], "Env": ["PATH=/bin", "A=2", "container=podman"], "StopSignal": "SIGINT", "User": "9",
            "ExposedPorts": {"80/tcp": {}}, "Labels": {"base": "1", "own": "2"}, "Volumes": {"/v": {}}, "WorkingDir": "/w"
        },
        "rootfs": {"type": "layers", "diff_ids": ["sha256:b0", "sha256:1a"]},
        "history": [
            {"created": "2024-01-01T00:00:00Z", "created_by": "x"},
            {"created": "2026-11-30T08:00:00.5Z", "created_by": "/bin/sh", "comment": "FROM localhost/b:1"}
        ]
    });
    assert_eq!(Value::Object(made(&base(), &options)), expected);
}

#[test]
fn dockers_form_has_what_oci_has_no_place_for() {
    let mut options = CommitOptions {
        author: "me".to_owned(),
        comment: "hello".to_owned(),
        format: ImageFormat::Docker,
        settings: settings(),
        ..CommitOptions::default()
    };
    let image = made(&base(), &options);
    assert_eq!(
        (&image["comment"], &image["container"], &image["author"]),
        (&json!("hello"), &json!("cc"), &json!("me"))
    );
    assert_eq!(image["history"][1]["author"], "me");
    assert_eq!(image["history"][1]["comment"], "hello");
    // the image's own health check stays, what builds on it were to do does not
    assert_eq!(
        image["config"]["Healthcheck"],
        json!({"Test": ["CMD", "true"]})
    );
    assert_eq!(image["config"].get("OnBuild"), None);

    options.changes = ImageChanges {
        config: ImageConfig {
            health: Some(HealthCheck {
                test: strings(&["NONE"]),
                retries: 2,
                ..HealthCheck::default()
            }),
            ..ImageConfig::default()
        },
        on_build: strings(&["RUN y"]),
        shell: strings(&["/s", "-c"]),
        docker: [("Hostname".to_owned(), json!("h"))].into_iter().collect(),
    };
    let docker = made(&base(), &options);
    assert_eq!(
        docker["config"]["Healthcheck"],
        json!({"Retries": 2, "Test": ["NONE"]})
    );
    assert_eq!(docker["config"]["OnBuild"], json!(["RUN y"]));
    assert_eq!(docker["config"]["Hostname"], "h");
    assert_eq!(docker["history"][1]["created_by"], "/s -c");
    options.format = ImageFormat::Oci;
    let oci = made(&base(), &options);
    for key in ["Healthcheck", "OnBuild", "Shell", "Hostname"] {
        assert_eq!(oci["config"].get(key), None, "{key}");
    }
}

#[test]
fn changes_outrank_the_container() {
    let options = CommitOptions {
        settings: ImageConfig {
            entrypoint: strings(&["/own"]),
            ..settings()
        },
        changes: ImageChanges {
            config: ImageConfig {
                user: "1".to_owned(),
                env: strings(&["A=3", "B="]),
                cmd: strings(&["ls"]),
                work_dir: "/x".to_owned(),
                stop_signal: "9".to_owned(),
                labels: [("own".to_owned(), "3".to_owned())].into(),
                exposed_ports: strings(&["81/udp"]),
                ..ImageConfig::default()
            },
            ..ImageChanges::default()
        },
        ..CommitOptions::default()
    };
    let config = made(&base(), &options).remove("config").unwrap();
    let expected = json!({
        // a command alone takes the entry point away, as in Podman
        "Cmd": ["ls"], "Env": ["PATH=/bin", "A=3", "container=podman", "B="], "StopSignal": "9", "User": "1",
        "ExposedPorts": {"80/tcp": {}, "81/udp": {}}, "Labels": {"base": "1", "own": "3"}, "Volumes": {"/v": {}},
        "WorkingDir": "/x"
    });
    assert_eq!(config, expected);
}

#[test]
fn one_layer_has_one_step_and_layers_without_a_history_get_none() {
    let squashed = CommitOptions {
        squash: true,
        ..CommitOptions::default()
    };
    let image = made(&base(), &squashed);
    assert_eq!(image["rootfs"]["diff_ids"], json!(["sha256:1a"]));
    assert_eq!(image["history"].as_array().map(Vec::len), Some(1));
    let mut silent = base();
    silent["history"] = json!([]);
    let image = made(&silent, &CommitOptions::default());
    assert_eq!(image.get("history"), None);
    assert_eq!(
        image["rootfs"]["diff_ids"],
        json!(["sha256:b0", "sha256:1a"])
    );
}
