//! What runtimes are known to leave behind: each thing by name, with the source and its end.

use std::time::Duration;

use private_runtime::Kind;

use crate::observe::Sort;

/// When a leftover goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// By itself; the check waits for it this long, and fails when it stays.
    Within(Duration),
    /// When the runtime is stopped; checked then.
    RuntimeStops,
    /// With the test's namespaces: shared by all containers of a host, and made once.
    TestEnds,
}

/// One thing a runtime leaves.
#[derive(Debug)]
pub struct Leftover {
    /// What it is.
    pub sort: Sort,
    /// A regular expression for its name.
    pub name: &'static str,
    /// Which runtime; none: both.
    pub runtime: Option<Kind>,
    /// How that is known.
    pub source: &'static str,
    /// When it goes.
    pub until: Until,
}

const fn leftover(
    sort: Sort,
    name: &'static str,
    runtime: Option<Kind>,
    until: Until,
    source: &'static str,
) -> Leftover {
    Leftover {
        sort,
        name,
        runtime,
        source,
        until,
    }
}

/// How long a conmon may linger.
const CONMON: Duration = Duration::from_secs(330);

/// All that runtimes are known to leave. What is not here is a leak.
pub const KNOWN_LEFTOVERS: &[Leftover] = &[
    leftover(
        Sort::Process,
        r"^\d+ \S*conmon ",
        Some(Kind::CriO),
        Until::Within(CONMON),
        "measured: conmons of removed containers were seen to linger up to about 5 minutes",
    ),
    leftover(
        Sort::Object,
        r"^attach socket ",
        Some(Kind::CriO),
        Until::RuntimeStops,
        "measured: conmon's symlinks in run/attach stay when their container is removed",
    ),
    leftover(
        Sort::File,
        r"^/var/lib/containers/cache/blob-info-cache-v1\.(boltdb|sqlite)$",
        None,
        Until::TestEnds,
        "containers/image: the cache of where layers are, one per host",
    ),
    leftover(
        Sort::Object,
        r"^address .*/(last_reserved_ip\.\d+|lock)$",
        None,
        Until::TestEnds,
        "CNI host-local: the last address given out, and its lock; one of each per network",
    ),
    leftover(
        Sort::Link,
        r"^pcri[0-9a-f]{8}$",
        None,
        Until::TestEnds,
        "CNI bridge: the bridge is made with its first container and never removed",
    ),
    leftover(
        Sort::Rule,
        r"^table ip6? nat / chain (CNI-HOSTPORT-(MASQ|SETMARK)|OUTPUT|POSTROUTING|PREROUTING): .*(CNI-HOSTPORT-(DNAT|MASQ)|0x0*2000( counter.*)?|type nat hook.*)",
        Some(Kind::Containerd),
        Until::TestEnds,
        "CNI portmap: the top-level chains are made with the first port and never removed",
    ),
    leftover(
        Sort::Cgroup,
        r"^k8s\.io$",
        Some(Kind::Containerd),
        Until::TestEnds,
        "containerd: the parent of all containers without a cgroup parent of their own",
    ),
    leftover(
        Sort::Cgroup,
        r"^crio$",
        Some(Kind::CriO),
        Until::TestEnds,
        "CRI-O: the parent of all containers without a cgroup parent of their own",
    ),
    leftover(
        Sort::Cgroup,
        r"^podman-cri-parent$",
        None,
        Until::TestEnds,
        "the cgroup that a container names as its parent is made and never removed, by Podman neither",
    ),
    leftover(
        Sort::Object,
        r"^(container .*/(volatile-)?containers\.json|layer .*/tempdirs)$",
        Some(Kind::CriO),
        Until::TestEnds,
        "containers/storage: its own index and scratch folder, made with the first container",
    ),
    leftover(
        Sort::Rule,
        r"^table ip6? crio-hostports( / (map|set) \w+)?: (comment|type|flags) ",
        Some(Kind::CriO),
        Until::TestEnds,
        "CRI-O: the table of published ports is made with the first one; its elements must go",
    ),
    leftover(
        Sort::Rule,
        r"^table ip6? crio-hostports / chain \w+: (type nat hook |fib daddr type local goto hostports$|dnat ip6? to .* map @host(ip)?ports$|ct status .* @hairpins masquerade$)",
        Some(Kind::CriO),
        Until::TestEnds,
        "CRI-O: the chains of that table",
    ),
    leftover(
        Sort::Rule,
        r"^table ip6? nat / chain \w+: type nat hook ",
        None,
        Until::TestEnds,
        "iptables-nft: a built-in chain is made with its first rule and never removed",
    ),
];
