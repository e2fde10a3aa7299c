//! Where everything of one private runtime lies: all of it under one folder.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{
    Kind,
    error::{Error, Result},
};

/// The longest socket path (`sun_path` less its end), less what is put behind the folder.
const FOLDER_LIMIT: usize = 107 - "/run/containerd.sock.ttrpc".len();

/// The paths of one private runtime.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The folder, absolute and free of links.
    pub dir: PathBuf,
    /// Which runtime.
    pub kind: Kind,
}

impl Paths {
    /// The paths of a folder that exists.
    pub fn new(dir: &Path, kind: Kind) -> Result<Self> {
        if dir.as_os_str().len() > FOLDER_LIMIT {
            return Err(Error::PathTooLong {
                path: dir.to_owned(),
                limit: FOLDER_LIMIT,
            });
        }
        let dir = dir.to_owned();
        Ok(Self { dir, kind })
    }

    /// The runtime's CRI socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.join("run").join(match self.kind {
            Kind::CriO => "crio.sock",
            Kind::Containerd => "containerd.sock",
        })
    }

    /// The runtime's configuration.
    pub fn config(&self) -> PathBuf {
        self.dir.join("etc").join(match self.kind {
            Kind::CriO => "crio.conf",
            Kind::Containerd => "containerd.toml",
        })
    }

    /// What the runtime says.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log").join(match self.kind {
            Kind::CriO => "crio.log",
            Kind::Containerd => "containerd.log",
        })
    }

    /// Who runs here: pid, start time, kind.
    pub fn pid_file(&self) -> PathBuf {
        self.dir.join("run/runtime.json")
    }

    /// Short-lived state; emptied when the runtime is taken down.
    pub fn run(&self) -> PathBuf {
        self.dir.join("run")
    }

    /// The image store and the containers' layers.
    pub fn storage(&self) -> PathBuf {
        self.dir.join(self.kind.name()).join("root")
    }

    /// The runtime's volatile half of the storage.
    pub fn volatile(&self) -> PathBuf {
        self.dir.join(self.kind.name()).join("state")
    }

    /// The CNI configuration.
    pub fn cni_config(&self) -> PathBuf {
        self.dir.join("etc/cni")
    }

    /// The one network's configuration.
    pub fn network_file(&self) -> PathBuf {
        self.cni_config().join("10-podman-cri.conflist")
    }

    /// Addresses in use.
    pub fn addresses(&self) -> PathBuf {
        self.dir.join("addresses")
    }

    /// The image signature policy.
    pub fn policy(&self) -> PathBuf {
        self.dir.join("etc/policy.json")
    }

    /// The OCI runtime wrapper for hosts without `CAP_SYS_RESOURCE`.
    pub fn wrapper(&self) -> PathBuf {
        self.dir.join("bin/oci-runtime")
    }

    /// The stand-in for Kata's shim, of the handler `kata`; in a folder of its own, for containerd's PATH.
    pub(crate) fn guest_shim(&self) -> PathBuf {
        self.dir.join("bin/guests/containerd-shim-kata-v2")
    }

    /// The OCI runtime that this shim finds on its PATH.
    pub(crate) fn guest_oci(&self) -> PathBuf {
        self.dir.join("bin/guests-oci/runc")
    }

    /// The OCI runtime's state.
    pub fn oci_root(&self) -> PathBuf {
        self.dir.join("run/oci")
    }

    /// The same of the second handler.
    pub fn second_oci_root(&self) -> PathBuf {
        self.dir.join("run/oci-second")
    }

    /// Archives of images while they are imported, and which were.
    pub fn images(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// The CNI network's name, used nowhere else on the host.
    pub fn network(&self) -> String {
        format!("podman-cri-{}", self.short_hash())
    }

    /// The bridge's name: at most 15 bytes, its own for each folder.
    pub fn bridge(&self) -> String {
        format!("pcri{}", self.short_hash())
    }

    /// Eight hex digits of the folder's name.
    pub(crate) fn short_hash(&self) -> String {
        let mut hash = hex(&Sha256::digest(self.dir.as_os_str().as_encoded_bytes()));
        hash.truncate(8);
        hash
    }

    /// Folders with one entry per sandbox, container, layer, task or namespace: what stays in them
    /// after all is removed has leaked.
    pub fn object_folders(&self) -> Vec<(&'static str, PathBuf)> {
        let (root, state, run) = (self.storage(), self.volatile(), self.run());
        match self.kind {
            Kind::CriO => vec![
                ("container", root.join("overlay-containers")),
                ("container", state.join("overlay-containers")),
                ("layer", root.join("overlay")),
                ("exit file", run.join("exits")),
                ("attach socket", run.join("attach")),
                ("oci state", self.oci_root()),
                ("oci state", self.second_oci_root()),
                ("namespace", run.join("ns/netns")),
                ("namespace", run.join("ns/ipcns")),
                ("namespace", run.join("ns/utsns")),
                ("namespace", run.join("ns/pidns")),
                ("namespace", run.join("ns/userns")),
                ("address", self.addresses().join(self.network())),
            ],
            Kind::Containerd => {
                let cri = "io.containerd.grpc.v1.cri";
                let task = "io.containerd.runtime.v2.task/k8s.io";
                vec![
                    ("sandbox", root.join(cri).join("sandboxes")),
                    ("container", root.join(cri).join("containers")),
                    ("sandbox", state.join(cri).join("sandboxes")),
                    ("container", state.join(cri).join("containers")),
                    ("namespace", state.join(cri).join("netns")),
                    ("task", root.join(task)),
                    ("task", state.join(task)),
                    (
                        "layer",
                        root.join("io.containerd.snapshotter.v1.overlayfs/snapshots"),
                    ),
                    ("oci state", self.oci_root().join("k8s.io")),
                    ("oci state", self.second_oci_root().join("k8s.io")),
                    ("address", self.addresses().join(self.network())),
                ]
            }
        }
    }
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_differ_by_folder_and_are_short() {
        let bridge = |dir: &str| Paths::new(Path::new(dir), Kind::CriO).unwrap().bridge();
        assert_ne!(bridge("/a"), bridge("/b"));
        assert!(bridge("/a").len() <= 15);
    }

    #[test]
    fn a_long_folder_is_refused() {
        let long = format!("/{}", "x".repeat(100));
        assert!(Paths::new(Path::new(&long), Kind::CriO).is_err());
    }
}
