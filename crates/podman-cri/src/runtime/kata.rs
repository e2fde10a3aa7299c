//! What Kata's configuration says of a handler's machines.
//!
//! The runtime names the file and does not tell what is in it (CRI-O `runtime_config_path`, containerd
//! `options.ConfigPath`). It is read where the shim reads it, for the daemon lives on the runtime's node.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use model::handler::Guest;
use rustix::fs::{Mode, OFlags, open};
use serde::Deserialize;
use toml::{Table, Value};

/// Where the shim looks where none is named, in this order.
const PLACES: [&str; 4] = [
    "/etc/kata-containers/configuration.toml",
    "/opt/kata/share/defaults/kata-containers/configuration.toml",
    "/usr/share/defaults/kata-containers/configuration.toml",
    "/usr/share/kata-containers/defaults/configuration.toml",
];
/// Those that Kata ships have some tens of KiB.
const MAX_FILE: u64 = 1 << 20;

/// `configuration.toml` and its drop-ins, in part.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    /// What runs the machines: `qemu`, `clh`, `remote`.
    pub(crate) name: String,
    pub(crate) hypervisor: Hypervisor,
    pub(crate) runtime: Runtime,
}

/// `[runtime]`.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Runtime {
    /// Images are pulled in the guest though no snapshotter asks for it.
    pub(crate) experimental_force_guest_pull: bool,
    /// Seconds that the creation of a container may take, a pull in the guest included.
    pub(crate) create_container_timeout: u64,
}

/// The part of a hypervisor's table that counts here.
#[derive(Debug, Deserialize)]
#[serde(default)]
pub(crate) struct Hypervisor {
    /// What annotations may set, as regular expressions.
    pub(crate) enable_annotations: Vec<String>,
    shared_fs: Option<String>,
    /// Where what makes machines elsewhere is reached.
    pub(crate) remote_hypervisor_socket: PathBuf,
    /// Seconds that it may take to start one.
    pub(crate) remote_hypervisor_timeout: u64,
}

/// Kata's own values (config-settings.go, remote.go).
impl Default for Runtime {
    fn default() -> Self {
        Self {
            experimental_force_guest_pull: false,
            create_container_timeout: 60,
        }
    }
}

impl Default for Hypervisor {
    fn default() -> Self {
        Self {
            enable_annotations: Vec::new(),
            shared_fs: None,
            remote_hypervisor_socket: "/run/peerpod/hypervisor.sock".into(),
            remote_hypervisor_timeout: 600,
        }
    }
}

impl Configuration {
    /// The file and the drop-ins in `config.d` beside it (katautils/config.go, `decodeDropIns`); `None` where it
    /// cannot be read.
    pub(crate) fn read(file: &Path) -> Option<Self> {
        let file = file.canonicalize().ok()?;
        let mut whole = table(&file)?;
        for more in drop_ins(&file) {
            merge(&mut whole, more);
        }
        let part = |name: &str| whole.get(name).cloned();
        let hypervisors = part("hypervisor").and_then(|value| value.try_into::<Table>().ok());
        let (name, hypervisor) = hypervisors.into_iter().flatten().next().unzip();
        let runtime = part("runtime").and_then(|value| value.try_into().ok());
        Some(Self {
            name: name.unwrap_or_default(),
            hypervisor: hypervisor
                .and_then(|value: Value| value.try_into().ok())
                .unwrap_or_default(),
            runtime: runtime.unwrap_or_default(),
        })
    }

    /// Whether its machines are elsewhere: peer pods.
    pub(crate) fn is_remote(&self) -> bool {
        self.name == "remote"
    }
}

/// The file that the shim reads: the one named, or those it looks for.
pub(crate) fn places(config: &Path) -> Vec<PathBuf> {
    match config.as_os_str().is_empty() {
        true => PLACES.map(PathBuf::from).into(),
        false => vec![config.to_path_buf()],
    }
}

/// The guest of a handler. Without a configuration that can be read nothing is known but that there is one.
pub(super) fn guest(config: &Path, pulls_images: bool) -> Guest {
    let mut places = places(config).into_iter();
    let read = places.find_map(|place| Configuration::read(&place));
    let read = read.unwrap_or_default();
    let remote = read.is_remote();
    Guest {
        // a machine elsewhere sees nothing of this host's store
        pulls_images: pulls_images || remote || read.runtime.experimental_force_guest_pull,
        shares_files: !remote && read.hypervisor.shared_fs.as_deref() != Some("none"),
        annotations: read.hypervisor.enable_annotations,
        hypervisor: read.name,
    }
}

fn drop_ins(file: &Path) -> Vec<Table> {
    let folder = file.with_file_name("config.d");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files.iter().filter_map(|file| table(file)).collect()
}

/// What the other has comes before; tables are merged.
fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn table(path: &Path) -> Option<Table> {
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
        let file = folder.path().join("k.toml");
        std::fs::write(&file, text).unwrap();
        guest(&file, pulls_images)
    }

    #[test]
    fn drop_ins_come_after_the_file_in_their_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("k.toml");
        std::fs::create_dir(folder.path().join("config.d")).unwrap();
        for (name, text) in [
            (
                "k.toml",
                "[hypervisor.remote]\nremote_hypervisor_timeout = 1\nenable_annotations = [\"image\"]\n",
            ),
            (
                "config.d/20",
                "[hypervisor.remote]\nremote_hypervisor_timeout = 20\n",
            ),
            (
                "config.d/10",
                "[hypervisor.remote]\nremote_hypervisor_timeout = 10\n[runtime]\ncreate_container_timeout = 5\n",
            ),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let read = Configuration::read(&file).unwrap();
        assert_eq!(read.hypervisor.remote_hypervisor_timeout, 20);
        assert_eq!(read.hypervisor.enable_annotations, ["image"]);
        assert_eq!(read.runtime.create_container_timeout, 5);
        assert!(read.is_remote());
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
