//! What Kata's configuration says of a handler's machines.
//!
//! The runtime names the file and does not tell what is in it (CRI-O `runtime_config_path`, containerd
//! `options.ConfigPath`). It is read where the shim reads it, for the daemon lives on the runtime's node.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use model::handler::Guest;
use rustix::fs::{Mode, OFlags, open};
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
    let found = places.iter().find_map(|place| place.canonicalize().ok());
    let read: Configuration = found
        .and_then(|found| whole(&found)?.try_into().ok())
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

/// A configuration with those in `config.d` beside it laid over it, in the order of their names, as the shim does (read in
/// its source).
fn whole(path: &Path) -> Option<toml::Table> {
    let mut whole = read(path)?;
    let beside = std::fs::read_dir(path.parent()?.join("config.d"));
    let beside = beside.into_iter().flatten().flatten();
    let mut beside: Vec<_> = beside.map(|entry| entry.path()).collect();
    beside.sort();
    for over in beside.iter().filter_map(|path| read(path)) {
        lay_over(&mut whole, over);
    }
    Some(whole)
}

fn lay_over(below: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (below.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(over)) => lay_over(below, over),
            (_, value) => drop(below.insert(key, value)),
        }
    }
}

fn read(path: &Path) -> Option<toml::Table> {
    let mut text = String::new();
    // were it a pipe
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(open(path, flags, Mode::empty()).ok()?);
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.take(MAX_FILE).read_to_string(&mut text).ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, pulls_images: bool) -> Guest {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("configuration.toml");
        std::fs::write(&file, text).unwrap();
        guest(&file, pulls_images)
    }

    #[test]
    fn what_lies_in_config_d_goes_over_it_in_the_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("config.d")).unwrap();
        let base = "[hypervisor.qemu]\nshared_fs = \"virtio-fs\"\nenable_annotations = [\"a\"]\n";
        let texts = [
            ("configuration.toml", base),
            (
                "config.d/20-last",
                "[hypervisor.qemu]\nshared_fs = \"none\"\n",
            ),
            (
                "config.d/10-first",
                "[hypervisor.qemu]\nshared_fs = \"virtio-9p\"\n",
            ),
            ("config.d/30-bad", "no toml ["),
        ];
        for (name, text) in texts {
            std::fs::write(at(name), text).unwrap();
        }
        rustix::fs::mkfifoat(
            rustix::fs::CWD,
            at("config.d/40-pipe"),
            Mode::from_raw_mode(0o600),
        )
        .unwrap();
        let guest = guest(&at("configuration.toml"), false);
        assert!(!guest.shares_files);
        assert_eq!(
            (guest.hypervisor.as_str(), guest.annotations),
            ("qemu", vec!["a".to_owned()])
        );
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
