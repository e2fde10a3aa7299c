//! Where the gate lies in a container, and how a command stands behind it.
//!
//! The gate is a static program of ours, mounted below `/dev`: that is a tmpfs of the container's own with every
//! runtime, so its mount point is in no layer, no `diff` and no `commit`.

use std::path::Path;

use crate::container::{ContainerSpec, IpcMode, MountKind, SHARED_MEMORY};
use crate::observed::{MountObserved, RuntimeFacts, RuntimeKind};
use crate::paths;
use crate::systemd;
use crate::ulimit::Ulimit;
use crate::userns::OVERFLOW_ID;

/// The program, in every container but those of [`covered`].
pub const PROGRAM: &str = "/dev/.podman-cri-gate";
/// What an init is called among the processes of a container, and in inspect: Podman's name for it (recorded).
pub const INIT: &str = "/run/podman-init";
/// The FIFO that a held command waits for.
pub const PIPE: &str = "/dev/.podman-cri-hold";

/// What the gate is told through its pipe, a byte each. What it does not know it passes over.
pub mod word {
    /// Write this very byte to stdout: whoever is attached reads it.
    pub const STDOUT: u8 = b'o';
    /// The same to stderr.
    pub const STDERR: u8 = b'e';
    /// To stdout, and it is the last one there.
    pub const LAST_STDOUT: u8 = b'O';
    /// To stderr, and it is the last one there.
    pub const LAST_STDERR: u8 = b'E';
    /// Become the command.
    pub const GO: u8 = b'g';
}

/// A mount that was asked for lies over the gate's place: the container has none.
pub fn covered(spec: &ContainerSpec) -> bool {
    let mut mounts = spec.mounts.iter();
    mounts.any(|mount| {
        // `//dev/` and `/dev/.` are the same place
        let place = Path::new(&mount.destination).components();
        let place = place.as_path();
        [PROGRAM, PIPE]
            .iter()
            .any(|file| Path::new(file).starts_with(place))
    })
}

/// Whether a container has it, by the mounts that the runtime reports: one that an older daemon made has none.
pub fn is_in(mounts: &[MountObserved]) -> bool {
    mounts.iter().any(|mount| mount.destination == PROGRAM)
}

/// What the gate is to do for a container's commands beside executing them: words and their values.
pub fn orders(spec: &ContainerSpec) -> Vec<String> {
    let limits = spec.ulimits.iter().flat_map(|limit| {
        let Ulimit { name, soft, hard } = limit;
        ["--ulimit".to_owned(), format!("{name}={soft}:{hard}")]
    });
    let umask = spec
        .umask
        .map(|umask| ["--umask".to_owned(), format!("{umask:04o}")]);
    let personality = spec
        .personality
        .map(|domain| ["--personality".to_owned(), domain.word().to_owned()]);
    let all = limits.chain(umask.into_iter().flatten());
    let all = all.chain(personality.into_iter().flatten());
    all.chain(variables(spec)).collect()
}

/// The same for its own command, which may have an init before it.
fn first_orders(spec: &ContainerSpec) -> Vec<String> {
    let mut all = orders(spec);
    if spec.init && spec.init_path.is_none() {
        all.extend(["--init".to_owned(), "yes".to_owned()]);
    }
    all
}

/// The runtimes set what the image has, and more: the gate takes it away.
fn variables(spec: &ContainerSpec) -> impl Iterator<Item = String> {
    let order = |order: &str, name: &str| [order.to_owned(), name.to_owned()];
    let always = spec.always_set().filter(|_| spec.unset_env_all);
    let asked = spec.env.keys().chain(spec.secret_env.keys());
    let asked = asked.filter(|_| spec.unset_env_all);
    let kept = always.chain(asked.map(String::as_str));
    let kept = kept.flat_map(move |name| order("--keep-env", name));
    let unset = spec.unset_env.iter().filter(|name| spec.takes_away(name));
    kept.chain(unset.flat_map(move |name| order("--unset-env", name)))
}

/// What a container cannot have without the gate on such a runtime, in the words of its flags; `None` where it needs none.
pub fn needed(spec: &ContainerSpec, facts: &RuntimeFacts) -> Option<&'static str> {
    let unasked = facts.kind == RuntimeKind::CriO && systemd::is_unasked(spec);
    let needs = [
        ("ulimits", !spec.ulimits.is_empty()),
        ("umask", spec.umask.is_some()),
        ("init", spec.init && spec.init_path.is_none()),
        ("personality", spec.personality.is_some()),
        (
            "a limit by control groups",
            spec.resources.some_by_cgroup(facts.unified_cgroups),
        ),
        ("unsetenv", spec.unset_env_all || !spec.unset_env.is_empty()),
        ("systemd", systemd::is_on(spec) || unasked),
        ("a change of its mounts", !changes_inside(spec).is_empty()),
    ];
    needs
        .into_iter()
        .find(|(_, asked)| *asked)
        .map(|(name, _)| name)
}

/// Flags of mounts that CRI has no field for, and not every OCI runtime takes over from what is bound: runc since 1.2 does not.
pub const MOUNT_FLAGS: &[&str] = &["nodev", "noexec", "nosuid"];

/// What the host changes of a container's mounts from inside of their namespace while the command is held: words of
/// `gate inside` and their values.
pub fn changes_inside(spec: &ContainerSpec) -> Vec<String> {
    let kept = |kind: MountKind| {
        matches!(kind, MountKind::Bind | MountKind::Volume) || kind.is_new_each_time()
    };
    let mounts = spec.mounts.iter().filter(|mount| kept(mount.kind));
    let flags = mounts.filter_map(|mount| {
        let asked = MOUNT_FLAGS.iter().filter(|flag| mount.has_option(&[flag]));
        let asked: Vec<_> = asked.copied().collect();
        let words = || format!("{}:{}", asked.join(","), mount.destination);
        (!asked.is_empty()).then(|| ["--flags".to_owned(), words()])
    });
    let proc = (!spec.proc_options.is_empty()).then(|| ["--proc".to_owned(), proc_options(spec)]);
    let no_shm = (spec.ipc == IpcMode::None && !spec.has_mount_at(SHARED_MEMORY))
        .then(|| ["--no-shm".to_owned(), "yes".to_owned()]);
    let seen = paths::seen(spec).into_iter();
    let seen = seen.map(|path| ["--show".to_owned(), path.to_owned()]);
    let memory = systemd::tmpfs(spec);
    let memory = memory.map(|place| ["--flags".to_owned(), format!("nosuid,nodev:{place}")]);
    // those of the host, which a privileged systemd would put its logins on
    let no_consoles = (systemd::is_on(spec) && spec.privileged)
        .then(|| ["--no-consoles".to_owned(), devices_asked(spec)]);
    let all = flags.chain(proc).chain(no_shm).chain(seen);
    let all = all.chain(memory).chain(no_consoles);
    all.flatten().collect()
}

/// The devices that were asked for by name, with colons between.
fn devices_asked(spec: &ContainerSpec) -> String {
    let places = spec.devices.iter();
    let places = places.map(|device| device.destination.as_str());
    places.collect::<Vec<_>>().join(":")
}

/// Whether anything is changed from inside of a container's namespace, which takes its process to be on this host.
pub fn is_changed_inside(spec: &ContainerSpec) -> bool {
    systemd::is_on(spec) || !changes_inside(spec).is_empty()
}

/// Options of `/proc`, whose group is one of the host's where it is mounted from outside.
fn proc_options(spec: &ContainerSpec) -> String {
    let on_host = |option: &String| {
        let ids = spec.id_mappings.as_ref()?;
        let group = option.strip_prefix("gid=")?.parse().ok()?;
        let (_, group) = ids.to_host((0, group)).unwrap_or((0, OVERFLOW_ID));
        Some(format!("gid={group}"))
    };
    let all = spec.proc_options.iter();
    let all = all.map(|option| on_host(option).unwrap_or_else(|| option.clone()));
    all.collect::<Vec<_>>().join(",")
}

/// A container's command that waits in the gate until it is told to go.
pub fn held(spec: &ContainerSpec, argv: &[String]) -> Vec<String> {
    let gate = [PROGRAM, "wait", PIPE].map(ToOwned::to_owned);
    let all = gate.into_iter().chain(first_orders(spec));
    let all = all.chain(["--".to_owned()]);
    all.chain(argv.iter().cloned()).collect()
}

/// The command as it was asked for.
pub fn asked(argv: &[String]) -> &[String] {
    let mut words = match argv {
        [program, mode, pipe, words @ ..]
            if program == PROGRAM && mode == "wait" && pipe == PIPE =>
        {
            words
        }
        _ => return argv,
    };
    loop {
        match words {
            [dashes, asked @ ..] if dashes == "--" => return asked,
            // an order and its value, which may be anything
            [_, _, more @ ..] => words = more,
            _ => return argv,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::{Mount, Personality};

    #[test]
    fn a_mount_over_its_place_leaves_it_out() {
        let covers = |destination: &str| {
            covered(&ContainerSpec {
                mounts: vec![Mount {
                    destination: destination.to_owned(),
                    ..Mount::default()
                }],
                ..ContainerSpec::default()
            })
        };
        for place in ["/dev", "//dev/", "/dev/.", PROGRAM, PIPE, "/"] {
            assert!(covers(place), "{place}");
        }
        for place in ["/dev/shm", "/devices", "/data", "/dev/.podman-cri-gate2"] {
            assert!(!covers(place), "{place}");
        }
        assert!(!covered(&ContainerSpec::default()));
    }

    #[test]
    fn what_is_taken_away_is_neither_what_was_asked_for_nor_what_is_always_there() {
        let mut spec = ContainerSpec {
            unset_env: ["PATH", "A", "HOME"].map(ToOwned::to_owned).into(),
            env: [("A".to_owned(), "b".to_owned())].into(),
            secret_env: [("TOKEN".to_owned(), "secret".to_owned())].into(),
            ..ContainerSpec::default()
        };
        assert_eq!(orders(&spec).join(" "), "--unset-env PATH");
        assert!(spec.takes_away("PATH") && !spec.takes_away("B"));
        spec.unset_env = Vec::new();
        spec.unset_env_all = true;
        let kept = "--keep-env HOME --keep-env HOSTNAME --keep-env A --keep-env TOKEN";
        assert_eq!(orders(&spec).join(" "), kept);
        assert!(spec.takes_away("B") && !spec.takes_away("A") && !spec.takes_away("HOME"));
    }

    #[test]
    fn flags_asked_for_by_name_are_set_inside() {
        let changes = |kind, options: &[&str]| {
            let options = options.iter().map(ToString::to_string).collect();
            let mount = Mount {
                kind,
                destination: "/m".to_owned(),
                options,
                ..Mount::default()
            };
            changes_inside(&ContainerSpec {
                mounts: vec![mount],
                ..ContainerSpec::default()
            })
        };
        let all = [
            MountKind::Bind,
            MountKind::Volume,
            MountKind::Tmpfs,
            MountKind::Ramfs,
            MountKind::Devpts,
        ];
        for kind in all {
            let made = changes(kind, &["size=1m", "nosuid", "noexec", "dev"]);
            assert_eq!(made, ["--flags", "noexec,nosuid:/m"], "{kind:?}");
            assert!(changes(kind, &["mode=700"]).is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn cri_o_alone_takes_a_command_for_systemd_by_itself() {
        let mut spec = ContainerSpec {
            command: Some(vec!["/lib/systemd/systemd".to_owned()]),
            systemd: Some(false),
            ..ContainerSpec::default()
        };
        let on = |kind, spec: &ContainerSpec| {
            let facts = RuntimeFacts {
                kind,
                ..RuntimeFacts::default()
            };
            needed(spec, &facts)
        };
        assert_eq!(on(RuntimeKind::CriO, &spec), Some("systemd"));
        assert_eq!(on(RuntimeKind::Containerd, &spec), None);
        spec.systemd = None; // written by an older version
        assert_eq!(on(RuntimeKind::Containerd, &spec), Some("systemd"));
    }

    #[test]
    fn a_held_command_is_shown_as_it_was_asked_for() {
        let argv: Vec<_> = ["sh", "--", "x"].map(ToOwned::to_owned).into();
        let spec = ContainerSpec {
            ulimits: vec![Ulimit {
                name: "core".to_owned(),
                soft: 0,
                hard: 5,
            }],
            umask: Some(0o27),
            personality: Some(Personality::Linux32),
            ..ContainerSpec::default()
        };
        let all = "--ulimit core=0:5 --umask 0027 --personality LINUX32";
        assert_eq!(orders(&spec).join(" "), all);
        for spec in [&ContainerSpec::default(), &spec] {
            assert_eq!(asked(&held(spec, &argv)), argv);
        }
        let spec = ContainerSpec {
            init: true,
            ..ContainerSpec::default()
        };
        assert_eq!(held(&spec, &argv)[3..5], ["--init", "yes"]);
        assert!(orders(&spec).is_empty());
        assert_eq!(needed(&spec, &RuntimeFacts::default()), Some("init"));
        let spec = ContainerSpec {
            init_path: Some("/sbin/init".to_owned()),
            ..spec
        };
        assert_eq!(
            held(&spec, &argv)[3],
            "--",
            "the host's stands among the words"
        );
        assert_eq!(needed(&spec, &RuntimeFacts::default()), None);
        assert_eq!(asked(&argv), argv);
        let other: Vec<_> = [PROGRAM, "run", PIPE, "--", "x"]
            .map(ToOwned::to_owned)
            .into();
        assert_eq!(asked(&other), other);
    }
}
