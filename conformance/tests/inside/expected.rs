//! What Podman 5.8 shows, and the few things that are a runtime's own.

use std::fs;

use private_runtime::Kind;

use crate::look::Seen;

/// One container: how it is made, and where it sees something else than a plain one.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) name: &'static str,
    /// Fields of a libpod create body.
    pub(crate) fields: &'static str,
    /// Sections and their texts, `{id}` and its sisters in place of what is the container's own.
    differs: &'static [(&'static str, &'static str)],
    /// Sections that depend on the kernel or the machine.
    apart: &'static [&'static str],
}

const CAPS: &str = "CapInh: 0000000000000000\nCapPrm: 00000000800405fb\nCapEff: 00000000800405fb\n\
    CapBnd: 00000000800405fb\nCapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 2\n";
const USERS: &str = "CapInh: 0000000000000000\nCapPrm: 0000000000000000\nCapEff: 0000000000000000\n\
    CapBnd: 00000000800405fb\nCapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 2\n";
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n";

/// What a plain container sees.
const PLAIN: &[(&str, &str)] = &[
    (
        "hosts",
        "{base}{gateway}\thost.containers.internal host.docker.internal\n{address}\t{id} {name}\n",
    ),
    ("resolv.conf", "{host's}"),
    ("links", "eth0\nlo\n"),
    ("at the loopback", ""),
    ("hostname", "{id}\n"),
    ("hostname file", "{id}\n"),
    ("user", "0:0\n/\n"),
    ("groups", "0\n"),
    ("process", CAPS),
    ("first", "pid 1\n"),
    ("readable", ""),
    ("writable", "\n/tmp\n/run\n/var/tmp\n/dev/shm\n"),
    (
        "devices",
        "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\nzero\n",
    ),
    ("shared memory", "{64 MB}\n"),
    ("allowed", "chroot\nchown\n"),
    ("limits", "{none}"),
    ("few files", ""),
    ("umask", "0022\n"),
    ("init", ""),
    ("zone", "UTC\n"),
    ("environment", "HOSTNAME={id}\n{path}"),
    ("hidden", "/proc/keys\n/sys/firmware\n"),
    ("given", ""),
    ("opened", ""),
    ("kernel parameters", "1024\n10\n"),
    ("shared with the host", ""),
];

/// The containers that are looked from.
pub(crate) const LOOKS: &[Look] = &[
    Look {
        name: "plain",
        fields: "{}",
        differs: &[],
        apart: &[],
    },
    Look {
        name: "in-a-pod",
        fields: r#"{ "pod": "nest" }"#,
        differs: &[
            (
                "hosts",
                "{base}{gateway}\thost.containers.internal host.docker.internal\n\
                 {address}\tnest {pod}-infra\n127.0.0.1\t{name}\n",
            ),
            ("hostname", "nest\n"),
            ("hostname file", "nest\n"),
            ("environment", "HOSTNAME=nest\n{path}"),
        ],
        apart: &[],
    },
    Look {
        name: "with-a-name",
        fields: r#"{ "hostname": "box" }"#,
        differs: &[
            (
                "hosts",
                "{base}{gateway}\thost.containers.internal host.docker.internal\n{address}\tbox {name}\n",
            ),
            ("hostname", "box\n"),
            ("hostname file", "box\n"),
            ("environment", "HOSTNAME=box\n{path}"),
        ],
        apart: &[],
    },
    Look {
        name: "on-the-hosts-network",
        fields: r#"{ "netns": { "nsmode": "host" } }"#,
        differs: &[(
            "hosts",
            "{base}{way out}\thost.containers.internal host.docker.internal\n",
        )],
        // the names of two different hosts, and their parameters
        apart: &[
            "hostname",
            "hostname file",
            "environment",
            "kernel parameters",
            "links",
            "at the loopback",
        ],
    },
    Look {
        name: "with-dns",
        fields: r#"{ "dns_server": ["192.0.2.53"], "dns_search": ["example.org"],
            "dns_option": ["ndots:3"], "hostadd": ["other:192.0.2.9"] }"#,
        differs: &[
            (
                "hosts",
                "192.0.2.9\tother\n{base}{gateway}\thost.containers.internal host.docker.internal\n\
                 {address}\t{id} {name}\n",
            ),
            (
                "resolv.conf",
                "search example.org\nnameserver 192.0.2.53\noptions ndots:3\n",
            ),
        ],
        apart: &[],
    },
    Look {
        name: "without-new-privileges",
        fields: r#"{ "no_new_privileges": true }"#,
        differs: &[(
            "process",
            "CapInh: 0000000000000000\nCapPrm: 00000000800405fb\nCapEff: 00000000800405fb\n\
             CapBnd: 00000000800405fb\nCapAmb: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n",
        )],
        apart: &[],
    },
    Look {
        name: "with-other-capabilities",
        fields: r#"{ "cap_add": ["NET_RAW"], "cap_drop": ["CHOWN"] }"#,
        differs: &[
            (
                "process",
                "CapInh: 0000000000000000\nCapPrm: 00000000800425fa\nCapEff: 00000000800425fa\n\
                 CapBnd: 00000000800425fa\nCapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 2\n",
            ),
            ("allowed", "chroot\nping\n"),
        ],
        apart: &[],
    },
    Look {
        name: "without-a-filter",
        fields: r#"{ "seccomp_profile_path": "unconfined" }"#,
        differs: &[(
            "process",
            "CapInh: 0000000000000000\nCapPrm: 00000000800405fb\nCapEff: 00000000800405fb\n\
             CapBnd: 00000000800405fb\nCapAmb: 0000000000000000\nNoNewPrivs: 0\nSeccomp: 0\n",
        )],
        apart: &[],
    },
    Look {
        name: "as-a-user",
        fields: r#"{ "user": "1000:1001" }"#,
        differs: &[
            ("user", "1000:1001\n/\n"),
            ("process", USERS),
            ("groups", "1001\n"),
            ("writable", "/tmp\n/dev/shm\n"),
            ("allowed", ""),
        ],
        apart: &[],
    },
    Look {
        name: "read-only",
        fields: r#"{ "read_only_filesystem": true, "read_write_tmpfs": true }"#,
        differs: &[("writable", "/tmp\n/run\n/var/tmp\n/dev/shm\n")],
        apart: &[],
    },
    Look {
        name: "read-only-everywhere",
        fields: r#"{ "read_only_filesystem": true }"#,
        differs: &[("writable", ""), ("allowed", "chroot\n")],
        apart: &[],
    },
    Look {
        name: "with-devices",
        fields: r#"{ "devices": [{ "path": "/dev/fuse:/dev/given-fuse:r" }, { "path": "/dev/net:/dev/given" }] }"#,
        differs: &[
            ("given", "given/tun\ngiven-fuse\n"),
            ("opened", "to read\n"),
        ],
        apart: &["devices"],
    },
    Look {
        name: "with-kernel-parameters",
        fields: r#"{ "sysctl": { "net.ipv4.ip_unprivileged_port_start": "7", "fs.mqueue.msg_max": "11" } }"#,
        differs: &[("kernel parameters", "7\n11\n")],
        apart: &[],
    },
    Look {
        name: "with-shared-memory",
        fields: r#"{ "shm_size": 1048576 }"#,
        differs: &[("shared memory", "1024\n")],
        apart: &[],
    },
    Look {
        name: "with-closed-shared-memory",
        fields: r#"{ "shm_size": 1048576, "read_only_filesystem": true }"#,
        differs: &[
            ("writable", ""),
            ("allowed", "chroot\n"),
            ("shared memory", "1024\n"),
        ],
        apart: &[],
    },
    Look {
        name: "with-the-hosts-shared-memory",
        fields: r#"{ "ipcns": { "nsmode": "host" } }"#,
        differs: &[("shared with the host", "memory\n")],
        apart: &["shared memory", "kernel parameters"],
    },
    Look {
        name: "with-the-hosts-shared-memory-closed",
        fields: r#"{ "ipcns": { "nsmode": "host" }, "read_only_filesystem": true }"#,
        differs: &[
            ("writable", ""),
            ("allowed", "chroot\n"),
            ("shared with the host", "memory\n"),
        ],
        apart: &["shared memory", "kernel parameters"],
    },
    Look {
        name: "among-the-hosts-processes",
        fields: r#"{ "pidns": { "nsmode": "host" } }"#,
        differs: &[("first", "")],
        apart: &[],
    },
    Look {
        name: "with-more-hidden",
        fields: r#"{ "mask": ["/home"] }"#,
        differs: &[("hidden", "/proc/keys\n/sys/firmware\n/home\n")],
        apart: &[],
    },
    Look {
        name: "with-nothing-hidden",
        fields: r#"{ "unmask": ["ALL"] }"#,
        differs: &[("hidden", "")],
        // what of it the kernel has
        apart: &["readable", "writable"],
    },
    Look {
        name: "with-parameters-to-write",
        fields: r#"{ "unmask": ["/proc/sys"] }"#,
        differs: &[(
            "writable",
            "\n/tmp\n/run\n/var/tmp\n/dev/shm\n/proc/sys/kernel/domainname\n",
        )],
        apart: &[],
    },
    Look {
        name: "without-labels",
        fields: r#"{ "selinux_opts": ["disable"], "apparmor_profile": "unconfined" }"#,
        differs: &[],
        apart: &[],
    },
    Look {
        name: "with-limits",
        fields: r#"{ "resource_limits": { "memory": { "limit": 67108864 },
            "cpu": { "quota": 50000, "period": 100000 } } }"#,
        differs: &[("limits", "67108864\n50000\n")],
        apart: &[],
    },
    Look {
        name: "with-a-umask",
        fields: r#"{ "umask": "0027" }"#,
        differs: &[("umask", "0027\n")],
        apart: &[],
    },
    Look {
        name: "without-variables",
        fields: r#"{ "unsetenv": ["container", "TERM", "HOSTNAME"], "envmerge": ["PATH=${PATH}:/x", "A=$PATH"], "env": { "A": "b" } }"#,
        differs: &[(
            "environment",
            "A=b\nHOSTNAME={id}\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/x\n",
        )],
        apart: &[],
    },
    Look {
        name: "with-an-init",
        fields: r#"{ "init": true }"#,
        differs: &[("first", ""), ("init", "child of 1\n")],
        apart: &[],
    },
    Look {
        name: "in-another-zone",
        fields: r#"{ "timezone": "Asia/Tokyo" }"#,
        differs: &[("zone", "JST\nby its file\n")],
        apart: &[],
    },
    Look {
        name: "with-groups-by-name",
        fields: r#"{ "groups": ["www-data", "4711"] }"#,
        differs: &[("groups", "0 33 4711\n")],
        apart: &[],
    },
    Look {
        name: "a-user-with-groups-by-name",
        fields: r#"{ "user": "daemon", "groups": ["nogroup"] }"#,
        differs: &[
            ("user", "1:1\n/\n"),
            ("groups", "1 65534\n"),
            ("process", USERS),
            ("writable", "/tmp\n/dev/shm\n"),
            ("allowed", "chown\n"),
        ],
        apart: &[],
    },
    Look {
        name: "without-a-network",
        fields: r#"{ "netns": { "nsmode": "none" } }"#,
        differs: &[
            ("resolv.conf", ""),
            ("links", "lo\n"),
            ("at the loopback", "127.0.0.1\t{id} {name}\n"),
        ],
        // the host's address, which is not seen from there
        apart: &["hosts"],
    },
    Look {
        name: "with-few-files",
        fields: r#"{ "r_limits": [{ "type": "nofile", "soft": 100, "hard": 200 }] }"#,
        differs: &[("few files", "100\n200\n")],
        apart: &[],
    },
    Look {
        name: "privileged",
        fields: r#"{ "privileged": true }"#,
        differs: &[
            (
                "process",
                "CapPrm: {all}\nCapEff: {all}\nCapBnd: {all}\nNoNewPrivs: 0\nSeccomp: 0\n",
            ),
            ("allowed", "unshare\nmount\nmknod\nchroot\nchown\nping\n"),
            ("hidden", ""),
        ],
        // as many as the kernel has
        apart: &["devices", "readable", "writable"],
    },
];

impl Look {
    /// Where what was seen is not what Podman shows.
    pub(crate) fn differences(
        &self,
        id: &str,
        pod: &str,
        seen: &Seen,
        runtime: Option<Kind>,
    ) -> Vec<String> {
        let own = Own::of(self.name, id, pod, seen);
        let sections = PLAIN.iter().filter(|(name, _)| !self.apart.contains(name));
        let differ = sections.filter_map(|(section, plain)| {
            let special = self.differs.iter().find(|(name, _)| name == section);
            let wanted = own.fill(special.map_or(plain, |(_, text)| text));
            let found = seen.get(*section).map_or("", String::as_str);
            let found = comparable(section, found, &wanted, runtime);
            (found != wanted)
                .then(|| format!("{} / {section}: {found:?} instead of {wanted:?}", self.name))
        });
        differ.collect()
    }
}

/// What is written for a container's own values.
struct Own(Vec<(&'static str, String)>);

impl Own {
    fn of(name: &str, id: &str, pod: &str, seen: &Seen) -> Self {
        let section = |name: &str| seen.get(name).cloned().unwrap_or_default();
        let host = section("resolv.conf of the host");
        Self(vec![
            ("{base}", base(&section("hosts of the host"))),
            ("{gateway}", section("gateway").trim().to_owned()),
            ("{way out}", section("way out").trim().to_owned()),
            ("{address}", section("address").trim().to_owned()),
            ("{id}", id[..12].to_owned()),
            ("{pod}", pod[..12].to_owned()),
            ("{name}", name.to_owned()),
            ("{path}", PATH.to_owned()),
            ("{host's}", host),
            ("{all}", all_capabilities()),
        ])
    }

    fn fill(&self, text: &str) -> String {
        let Self(values) = self;
        let fill = |text: String, (mark, value): &(&str, String)| text.replace(mark, value);
        values.iter().fold(text.to_owned(), fill)
    }
}

/// The lines of the host's own file, as Podman writes them again.
fn base(hosts: &str) -> String {
    let lines = hosts.lines().filter_map(|line| {
        let line = line.split('#').next()?;
        let mut words = line.split_whitespace();
        let address = words.next()?;
        let names: Vec<_> = words.collect();
        (!names.is_empty()).then(|| format!("{address}\t{}\n", names.join(" ")))
    });
    lines.collect()
}

/// What a privileged process has: all that this machine gives away.
fn all_capabilities() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bounding = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    bounding.unwrap_or_default().trim().to_owned()
}

/// A section without what is the runtime's own and no difference to a user.
fn comparable(section: &str, text: &str, wanted: &str, runtime: Option<Kind>) -> String {
    let without = |unwanted: &dyn Fn(&str) -> bool| -> String {
        let lines = text.split_inclusive('\n');
        lines.filter(|line| !unwanted(line.trim_end())).collect()
    };
    match section {
        // crun's link to kcore, which is hidden
        "devices" => without(&|line| line == "core"),
        // Podman counts 65,536,000 bytes, the runtimes 64 MiB
        "shared memory" => text.replace("64000", "{64 MB}").replace("65536", "{64 MB}"),
        // CRI-O's own, and harmless
        "environment" if runtime == Some(Kind::CriO) => without(&|line| line == "TERM=xterm"),
        // CRI-O makes them ambient: no difference for root, and refused for others
        "process" if !wanted.contains("CapInh") => {
            without(&|line| line.starts_with("CapInh") || line.starts_with("CapAmb"))
        }
        "limits" if wanted == "{none}" => match text {
            "9223372036854771712\n-1\n" | "max\nmax 100000\n" => wanted.to_owned(),
            _ => text.to_owned(),
        },
        "limits" => text.replace("50000 100000", "50000"), // v2 has quota and period in one file
        // behind a resolver of the host's own its servers are written
        "resolv.conf"
            if wanted.contains("nameserver 127.") && !text.contains("nameserver 127.") =>
        {
            wanted.to_owned()
        }
        _ => text.to_owned(),
    }
}
