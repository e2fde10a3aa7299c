//! What Kata's configuration says of a handler's machines.
//!
//! The runtime names the file and does not tell what is in it (CRI-O `runtime_config_path`, containerd
//! `options.ConfigPath`). It is read where the shim reads it, for the daemon lives on the runtime's node.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use model::handler::Guest;
use serde::Deserialize;

/// Where the shim looks where none is named, in this order.
const PLACES: [&str; 3] = [
    "/etc/kata-containers/configuration.toml",
    "/opt/kata/share/defaults/kata-containers/configuration.toml",
    "/usr/share/defaults/kata-containers/configuration.toml",
];
/// Those that Kata ships have some tens of KiB.
const MAX_FILE: u64 = 1 << 20;

/// `configuration.toml`, in part.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Configuration {
    hypervisor: toml::Table,
    runtime: Runtime,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Runtime {
    experimental_force_guest_pull: bool,
}

/// The part of a hypervisor's table that counts here.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Hypervisor {
    enable_annotations: Vec<String>,
    shared_fs: Option<String>,
}

/// The guest of a handler. Without a configuration that can be read nothing is known but that there is one.
pub(super) fn guest(config: &Path, pulls_images: bool) -> Guest {
    let named = [config];
    let places = PLACES.map(Path::new);
    let places = match config.as_os_str().is_empty() {
        true => &places[..],
        false => &named[..],
    };
    let text = places.iter().find_map(|place| read(place));
    let read: Configuration = text
        .and_then(|text| toml::from_str(&text).ok())
        .unwrap_or_default();
    let (hypervisor, table) = read.hypervisor.into_iter().next().unzip();
    let table: Hypervisor = table
        .and_then(|table| table.try_into().ok())
        .unwrap_or_default();
    let hypervisor = hypervisor.unwrap_or_default();
    let remote = hypervisor == "remote";
    Guest {
        // a machine elsewhere sees nothing of this host's store
        pulls_images: pulls_images || remote || read.runtime.experimental_force_guest_pull,
        shares_files: !remote && table.shared_fs.as_deref() != Some("none"),
        annotations: table.enable_annotations,
        hypervisor,
    }
}

fn read(path: &Path) -> Option<String> {
    let mut text = String::new();
    let file = File::open(path).ok()?;
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.take(MAX_FILE).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, pulls_images: bool) -> Guest {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        guest(file.path(), pulls_images)
    }

    #[test]
    fn a_peer_pod_shares_no_files_and_pulls_its_images() {
        let text = "[hypervisor.remote]\nremote_hypervisor_socket = \"/run/peerpod/hypervisor.sock\"\n\
                    enable_annotations = [\"machine_type\", \"default_.*\"]\n[runtime]\nsandbox_cgroup_only = false\n";
        let guest = of(text, false);
        assert!(guest.is_remote() && guest.pulls_images && !guest.shares_files);
        assert_eq!(guest.annotations, ["machine_type", "default_.*"]);
    }

    #[test]
    fn a_machine_of_this_host_shares_files_unless_it_is_told_not_to() {
        let local = of("[hypervisor.qemu]\nshared_fs = \"virtio-fs\"\n", false);
        assert_eq!(local.hypervisor, "qemu");
        assert!(local.shares_files && !local.pulls_images);
        let closed = "[hypervisor.qemu]\nshared_fs = \"none\"\n[runtime]\nexperimental_force_guest_pull = true\n";
        let closed = of(closed, false);
        assert!(!closed.shares_files && closed.pulls_images);
        assert!(of("[hypervisor.clh]\n", true).pulls_images);
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        let nothing = Guest {
            shares_files: true,
            ..Guest::default()
        };
        assert_eq!(of("no toml [", false), nothing);
        assert_eq!(guest(Path::new("/nonexistent/kata.toml"), false), nothing);
    }
}
