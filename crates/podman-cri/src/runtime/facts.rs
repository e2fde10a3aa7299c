//! What a runtime is, and whether it is ready.

use std::path::{Path, PathBuf};

use cri_api::v1::{CgroupDriver, ImageFsInfoResponse, RuntimeHandler, StatusResponse};
use cri_client::verbose::handlers;
use cri_client::{Client, Error};
use model::handler::{Guest, Handler};
use model::observed::{RuntimeFacts, RuntimeKind};
use serde_json::Value;

use super::kata;

/// cgroup v2's list of controllers, in the root of the one hierarchy; not there on v1 and hybrid.
const UNIFIED_MARK: &str = "/sys/fs/cgroup/cgroup.controllers";

/// Where a runtime keeps things.
#[derive(Debug, Default, PartialEq)]
struct Places {
    driver: String,
    root: PathBuf,
    run: PathBuf,
}

/// Facts that hold while the runtime's process lives.
pub(super) async fn read(client: &Client) -> Result<RuntimeFacts, Error> {
    let (version, status) = tokio::try_join!(client.version(), client.status(true))?;
    let kind = match cri_client::RuntimeKind::of(&version.runtime_name) {
        cri_client::RuntimeKind::CriO => RuntimeKind::CriO,
        cri_client::RuntimeKind::Containerd => RuntimeKind::Containerd,
        cri_client::RuntimeKind::Other => RuntimeKind::Other,
    };
    let places = match kind {
        RuntimeKind::CriO => crio_places(client).await?,
        RuntimeKind::Containerd | RuntimeKind::Other => {
            let images = client.image_fs_info().await?;
            containerd_places(&images, &configuration(&status))
        }
    };
    let handlers = handlers(&status)?;
    Ok(RuntimeFacts {
        kind,
        name: version.runtime_name,
        version: version.runtime_version,
        endpoint: client.runtime_endpoint().to_string(),
        cgroup_manager: cgroup_manager(client, &status).await?,
        handlers: handlers.all.into_iter().map(handler).collect(),
        user_namespaces: user_namespaces(&status),
        default_handler: handlers.default.unwrap_or_default(),
        storage_driver: places.driver,
        storage_root: places.root,
        run_root: places.run,
        attaches_when_created: kind == RuntimeKind::CriO,
        unified_cgroups: unified_cgroups(),
    })
}

fn handler(told: cri_client::verbose::Handler) -> Handler {
    let cri_client::verbose::Handler {
        name,
        path,
        config,
        kernel_separated,
        kata,
        guest_pull,
    } = told;
    let guest = || match kata {
        true => kata::guest(&config, guest_pull),
        false => Guest {
            pulls_images: guest_pull,
            shares_files: true,
            ..Guest::default()
        },
    };
    Handler {
        name,
        path,
        guest: kernel_separated.then(guest),
    }
}

/// The handlers that make user namespaces; `None` where the runtime tells no features (before containerd 2).
fn user_namespaces(status: &StatusResponse) -> Option<Vec<String>> {
    let handlers = &status.runtime_handlers;
    let told = handlers.iter().any(|handler| handler.features.is_some());
    let able = |handler: &&RuntimeHandler| {
        let features = handler.features.unwrap_or_default();
        features.user_namespaces
    };
    let able = handlers.iter().filter(able);
    told.then(|| able.map(|handler| handler.name.clone()).collect())
}

/// Whether this host has cgroup v2 alone.
pub(crate) fn unified_cgroups() -> bool {
    Path::new(UNIFIED_MARK).exists()
}

/// `(type, status, message)` of each condition; the reason stands in for a missing message.
pub(super) fn conditions(status: StatusResponse) -> Vec<(String, bool, String)> {
    let conditions = status.status.unwrap_or_default().conditions;
    let text = |reason: String, message: String| if message.is_empty() { reason } else { message };
    conditions
        .into_iter()
        .map(|one| (one.r#type, one.status, text(one.reason, one.message)))
        .collect()
}

async fn crio_places(client: &Client) -> Result<Places, Error> {
    let crio = client.crio();
    let (info, config) = tokio::try_join!(crio.info(), crio.config())?;
    Ok(Places {
        driver: info.storage_driver,
        root: info.storage_root,
        run: crio_run_root(&config),
    })
}

/// `[crio] runroot`, which only the configuration has.
fn crio_run_root(config: &str) -> PathBuf {
    let table: Option<toml::Table> = config.parse().ok();
    let run = table
        .as_ref()
        .and_then(|table| table.get("crio")?.get("runroot")?.as_str());
    run.map(PathBuf::from).unwrap_or_default()
}

/// containerd: the snapshotter's folder is named after it, and the state folder's child is the CRI plugin's.
fn containerd_places(images: &ImageFsInfoResponse, config: &Value) -> Places {
    let place = images
        .image_filesystems
        .first()
        .and_then(|usage| usage.fs_id.as_ref());
    let root = place
        .map(|id| PathBuf::from(&id.mountpoint))
        .unwrap_or_default();
    let name = root
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let driver = name
        .strip_prefix("io.containerd.snapshotter.v1.")
        .unwrap_or_default();
    let state = config
        .get("stateDir")
        .and_then(Value::as_str)
        .map(Path::new);
    Places {
        driver: driver.to_owned(),
        run: state
            .and_then(Path::parent)
            .map(Path::to_path_buf)
            .unwrap_or_default(),
        root,
    }
}

/// The runtime's configuration in a verbose Status, where it gives one.
fn configuration(status: &StatusResponse) -> Value {
    let text = status.info.get("config").map_or("", String::as_str);
    serde_json::from_str(text).unwrap_or_default()
}

/// From `RuntimeConfig`, else (containerd 1) from the configuration; "" where neither says.
async fn cgroup_manager(client: &Client, status: &StatusResponse) -> Result<String, Error> {
    match client.runtime_config().await {
        Ok(answer) => Ok(answer
            .linux
            .map_or("", |linux| driver_name(linux.cgroup_driver()))
            .to_owned()),
        Err(Error::Unimplemented(_)) => Ok(configured_manager(&configuration(status)).to_owned()),
        Err(error) => Err(error),
    }
}

fn driver_name(driver: CgroupDriver) -> &'static str {
    match driver {
        CgroupDriver::Systemd => "systemd",
        CgroupDriver::Cgroupfs => "cgroupfs",
    }
}

/// containerd 1: `systemdCgroup` of the whole plugin, or `SystemdCgroup` among the default handler's
/// options.
fn configured_manager(config: &Value) -> &'static str {
    let Some(containerd) = config.get("containerd") else {
        return "";
    };
    let whole = config.get("systemdCgroup").and_then(Value::as_bool);
    let default = containerd
        .get("defaultRuntimeName")
        .and_then(Value::as_str)
        .unwrap_or("runc");
    let runtime = containerd.get("runtimes").and_then(|all| all.get(default));
    let options = runtime.and_then(|runtime| runtime.get("options"));
    let of_handler = options.and_then(|options| options.get("SystemdCgroup")?.as_bool());
    match whole == Some(true) || of_handler == Some(true) {
        true => "systemd",
        false => "cgroupfs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cri_api::v1::{FilesystemIdentifier, FilesystemUsage, RuntimeCondition, RuntimeStatus};
    use serde_json::json;

    #[test]
    fn the_cgroup_manager_of_containerd_1_stands_in_its_configuration() {
        let handler = |systemd| json!({"defaultRuntimeName": "r", "runtimes": {"r": {"options": {"SystemdCgroup": systemd}}}});
        let table = [
            (json!(null), ""),
            (json!({"containerd": {}}), "cgroupfs"),
            (json!({"containerd": {}, "systemdCgroup": true}), "systemd"),
            (
                json!({"containerd": handler(true), "systemdCgroup": false}),
                "systemd",
            ),
            (json!({"containerd": handler(false)}), "cgroupfs"),
        ];
        for (config, wanted) in table {
            assert_eq!(configured_manager(&config), wanted, "{config}");
        }
    }

    #[test]
    fn containerds_folders_are_read_from_what_it_says() {
        let images = ImageFsInfoResponse {
            image_filesystems: vec![FilesystemUsage {
                fs_id: Some(FilesystemIdentifier {
                    mountpoint: "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs"
                        .to_owned(),
                }),
                ..FilesystemUsage::default()
            }],
            ..ImageFsInfoResponse::default()
        };
        let config = json!({"stateDir": "/run/containerd/io.containerd.grpc.v1.cri"});
        let places = containerd_places(&images, &config);
        assert_eq!(places.driver, "overlayfs");
        assert_eq!(places.run, Path::new("/run/containerd"));
        assert_eq!(
            containerd_places(&ImageFsInfoResponse::default(), &Value::Null),
            Places::default()
        );
    }

    #[test]
    fn crios_run_root_is_read_from_its_toml() {
        assert_eq!(
            crio_run_root("[crio]\n  root = \"/a\"\n  runroot = \"/b\"\n"),
            Path::new("/b")
        );
        for other in ["", "[crio]", "not toml ["] {
            assert_eq!(crio_run_root(other), Path::new(""), "{other}");
        }
    }

    #[test]
    fn a_condition_keeps_its_message_or_else_its_reason() {
        let condition = |reason: &str, message: &str| RuntimeCondition {
            r#type: "NetworkReady".into(),
            status: false,
            reason: reason.into(),
            message: message.into(),
        };
        let status = StatusResponse {
            status: Some(RuntimeStatus {
                conditions: vec![condition("R", "text"), condition("R", "")],
            }),
            ..StatusResponse::default()
        };
        let texts: Vec<_> = conditions(status)
            .into_iter()
            .map(|(_, _, text)| text)
            .collect();
        assert_eq!(texts, ["text", "R"]);
    }
}
