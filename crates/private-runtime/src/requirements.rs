//! Which programs a private runtime needs, which of them are missing, and the packages that have
//! them: as data, so that `make run` and `doctor` can say so.

use std::path::PathBuf;

use crate::{
    Kind,
    host::{CNI_PLUGINS, cni_plugins, find_near, find_program, static_busybox},
};

/// A program that is not installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// What is missing.
    pub program: &'static str,
    /// What it is needed for.
    pub why: &'static str,
    /// The Debian and Ubuntu package.
    pub apt: &'static str,
    /// The Fedora package.
    pub dnf: &'static str,
}

/// A program that a kind of runtime needs from PATH.
struct Needed {
    kind: Option<Kind>,
    missing: Missing,
}

const fn needed(
    kind: Option<Kind>,
    program: &'static str,
    why: &'static str,
    apt: &'static str,
    dnf: &'static str,
) -> Needed {
    let missing = Missing {
        program,
        why,
        apt,
        dnf,
    };
    Needed { kind, missing }
}

/// Everything that is looked for on PATH. What has rules of its own is in [`Programs::find`].
const NEEDED: [Needed; 6] = [
    needed(None, "ip", "takes the bridge down", "iproute2", "iproute"),
    needed(
        None,
        "iptables",
        "masquerades what leaves the bridge",
        "iptables",
        "iptables-nft",
    ),
    Needed {
        kind: Some(Kind::Containerd),
        missing: RUNC_SHIM,
    },
    needed(
        Some(Kind::Containerd),
        "ctr",
        "imports the demo image",
        "containerd",
        "containerd",
    ),
    needed(None, "nft", "publishes ports", "nftables", "nftables"),
    needed(
        Some(Kind::CriO),
        "skopeo",
        "imports the demo image",
        "skopeo",
        "skopeo",
    ),
];

/// containerd's shim for runc.
pub(crate) const RUNC_SHIM: Missing = Missing {
    program: "containerd-shim-runc-v2",
    why: "holds containers",
    apt: "containerd",
    dnf: "containerd",
};
const CONTAINERD: Missing = Missing {
    program: "containerd",
    why: "the CRI runtime",
    apt: "containerd",
    dnf: "containerd",
};
const CRIO: Missing = Missing {
    program: "crio",
    why: "the CRI runtime",
    apt: "cri-o",
    dnf: "cri-o",
};
const PINNS: Missing = Missing {
    program: "pinns",
    why: "makes CRI-O's namespaces",
    ..CRIO
};
const CONMON: Missing = Missing {
    program: "conmon",
    why: "holds CRI-O's containers",
    apt: "conmon",
    dnf: "conmon",
};
const RUNC: Missing = Missing {
    program: "runc",
    why: "runs containers",
    apt: "runc",
    dnf: "runc",
};
const PLUGINS: Missing = Missing {
    program: "CNI plugins",
    why: "the containers' network (bridge, host-local, loopback, portmap)",
    apt: "containernetworking-plugins",
    dnf: "containernetworking-plugins",
};
const BUSYBOX: Missing = Missing {
    program: "busybox (static)",
    why: "the demo image is made of it",
    apt: "busybox-static",
    dnf: "busybox",
};

/// The programs of one runtime, found.
#[derive(Debug, Clone)]
pub struct Programs {
    /// `crio` or `containerd`.
    pub runtime: PathBuf,
    /// The OCI runtime.
    pub oci: PathBuf,
    /// CRI-O's monitor; unused with containerd.
    pub conmon: PathBuf,
    /// CRI-O's maker of namespaces; unused with containerd.
    pub pinns: PathBuf,
    /// `ctr` of this containerd, or `skopeo`.
    pub importer: PathBuf,
    /// The folder with the CNI plugins.
    pub cni: PathBuf,
    /// A static busybox.
    pub busybox: PathBuf,
}

impl Programs {
    /// Finds what `kind` needs, or says all that is missing.
    pub fn find(kind: Kind) -> Result<Self, Vec<Missing>> {
        let mut missing: Vec<Missing> = NEEDED
            .iter()
            .filter(|n| n.kind.is_none_or(|k| k == kind))
            .filter(|n| find_program(None, n.missing.program).is_none())
            .map(|n| n.missing)
            .collect();
        let mut take = |found: Option<PathBuf>, what: Missing| {
            if found.is_none() && !missing.contains(&what) {
                missing.push(what);
            }
            found.unwrap_or_default()
        };
        let runtime = match kind {
            Kind::CriO => take(find_program(Some("CRIO"), "crio"), CRIO),
            Kind::Containerd => take(find_program(Some("CONTAINERD"), "containerd"), CONTAINERD),
        };
        let crio = kind == Kind::CriO;
        let near = |name: &str| find_near(&runtime, name);
        let unused = |found: Option<PathBuf>| if crio { found } else { Some(PathBuf::new()) };
        let programs = Self {
            oci: take(near("runc").or_else(|| near("crun")), RUNC),
            conmon: take(unused(near("conmon")), CONMON),
            pinns: take(unused(near("pinns")), PINNS),
            importer: near(if crio { "skopeo" } else { "ctr" }).unwrap_or_default(),
            cni: take(cni_plugins(), PLUGINS),
            busybox: take(static_busybox(), BUSYBOX),
            runtime,
        };
        debug_assert_eq!(CNI_PLUGINS.len(), 4, "PLUGINS names them");
        if missing.is_empty() {
            Ok(programs)
        } else {
            Err(missing)
        }
    }
}

/// What is missing for a private runtime of this kind; empty when it can start.
pub fn missing(kind: Kind) -> Vec<Missing> {
    Programs::find(kind).err().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::MissingList;

    #[test]
    fn advice_names_each_package_once() {
        let advice = MissingList(vec![CRIO, PINNS, RUNC]).to_string();
        assert_eq!(
            advice,
            "missing: crio, pinns, runc; install with `apt-get install cri-o runc` or `dnf install cri-o runc`"
        );
    }
}
