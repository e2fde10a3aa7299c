//! Systemd mode: what a container is given whose first process is systemd, by Podman's rules.

use std::path::Path;

use crate::argv::effective_argv;
use crate::container::{ContainerSpec, Mount};
use crate::signal::Signal;

/// When a container runs in systemd mode, as asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Where its command is systemd or an init (`true`, Podman's default).
    #[default]
    ByCommand,
    /// Whatever its command is (`always`).
    Always,
    /// Not at all (`false`).
    Never,
}

/// What systemd takes as "shut down" (`SIGRTMIN+3`): the stop signal where neither user nor image has one.
const SHUT_DOWN: i64 = 37;

/// The variable that systemd takes its machine's id from: the first half of the container's id.
pub const UUID: &str = "container_uuid";

/// Where systemd expects memory that it may write to; the outer ones first.
const TMPFS: [&str; 4] = ["/run", "/run/lock", "/tmp", "/var/log/journal"];

/// Where control groups are seen: with cgroup v2 all of them, with v1 systemd's own hierarchy.
const GROUPS: &str = "/sys/fs/cgroup";
const HIERARCHY: &str = "/sys/fs/cgroup/systemd";

/// Programs that are an init by their path.
const INITS: [&str; 3] = ["/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init"];

/// Decides whether a new container, whose image is known, runs in systemd mode, and what comes of that.
pub fn decide(spec: &mut ContainerSpec, wanted: Wanted) {
    let decided = match wanted {
        Wanted::ByCommand => is_init(spec),
        Wanted::Always => true,
        Wanted::Never => false,
    };
    spec.systemd = Some(decided);
    if decided && spec.stop_signal.is_none() && spec.image.config.stop_signal.is_empty() {
        spec.stop_signal = Signal::from_number(SHUT_DOWN);
    }
}

/// Whether a container runs in systemd mode: by its command where it is older than this daemon's knowledge of it, as if nothing
/// had been asked for.
pub fn is_on(spec: &ContainerSpec) -> bool {
    spec.systemd.unwrap_or_else(|| is_init(spec))
}

/// Where a container has a tmpfs for systemd: nowhere else is one mounted already, or something of the user's own.
pub fn tmpfs(spec: &ContainerSpec) -> impl Iterator<Item = &'static str> {
    let places = TMPFS.into_iter().filter(|_| is_on(spec));
    places.filter(|place| {
        let there = spec.read_write_places().any(|other| other == *place);
        !there && !spec.has_mount_at(place)
    })
}

/// Whether a container's control group is made its own to write to. Only with v1 a mount of the user's own where systemd's
/// hierarchy lies is left as it is; with v2 one that hides the groups with more stays, for nothing of the runtime's is seen then.
pub fn gives_group(spec: &ContainerSpec, unified: bool) -> bool {
    let left = |mount: &Mount| {
        let place = Path::new(&mount.destination);
        match unified {
            true => Path::new(GROUPS) != place && Path::new(GROUPS).starts_with(place),
            false => Path::new(HIERARCHY) == place,
        }
    };
    is_on(spec) && !spec.mounts.iter().any(left)
}

/// Whether a container has its own control groups at a place and not what was asked for there, as with Podman: in systemd mode with
/// cgroup v2, so that the usual `-v /sys/fs/cgroup:/sys/fs/cgroup:ro` works.
pub fn has_groups_at(spec: &ContainerSpec, unified: bool, destination: &str) -> bool {
    unified && Path::new(destination) == Path::new(GROUPS) && is_on(spec)
}

/// Whether a container's command is systemd or an init, a shell's (`/bin/sh -c`) passed over. An init of Podman's before it
/// is none of these.
fn is_init(spec: &ContainerSpec) -> bool {
    let argv = effective_argv(spec).all();
    let command = match argv.as_slice() {
        [shell, option, command, ..] if shell == "/bin/sh" && option == "-c" => command,
        [command, ..] => command,
        [] => return false,
    };
    !spec.init && (INITS.contains(&command.as_str()) || is_systemd(command))
}

/// Whether CRI-O would take a container's command for systemd and set it up in its own way (seen in 1.36's source), although
/// it does not run in systemd mode.
pub fn is_unasked(spec: &ContainerSpec) -> bool {
    let argv = effective_argv(spec).all();
    let taken = |command: &String| command.contains(INITS[0]) || is_systemd(command);
    !is_on(spec) && argv.first().is_some_and(taken)
}

fn is_systemd(program: &str) -> bool {
    program.trim_end_matches('/').rsplit('/').next() == Some("systemd")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(command: &[&str]) -> ContainerSpec {
        ContainerSpec {
            command: Some(command.iter().map(ToString::to_string).collect()),
            ..ContainerSpec::default()
        }
    }

    fn decided(mut spec: ContainerSpec, wanted: Wanted) -> ContainerSpec {
        decide(&mut spec, wanted);
        spec
    }

    #[test]
    fn systemd_and_the_inits_are_known_by_their_names() {
        let all: &[(&[&str], bool)] = &[
            (&["/sbin/init"], true),
            (&["/usr/sbin/init", "x"], true),
            (&["/usr/local/sbin/init"], true),
            (&["/lib/systemd/systemd", "--user"], true),
            (&["systemd"], true),
            (&["/bin/sh", "-c", "/sbin/init"], true),
            (&["/bin/sh", "-c", "exec /sbin/init"], false),
            (&["/bin/sh", "/sbin/init"], false),
            (&["sh", "-c", "/sbin/init"], false),
            (&["init"], false),
            (&["/bin/init"], false),
            (&["systemd-nspawn"], false),
            (&["sleep", "/sbin/init"], false),
        ];
        for (command, wanted) in all {
            let made = decided(spec(command), Wanted::ByCommand);
            assert_eq!(made.systemd, Some(*wanted), "{command:?}");
            assert!(is_on(&decided(spec(command), Wanted::Always)));
            assert!(!is_on(&decided(spec(command), Wanted::Never)));
            assert_eq!(is_on(&spec(command)), *wanted, "of an older version");
        }
        let mut of_image = ContainerSpec::default();
        of_image.image.config.cmd = vec!["/sbin/init".to_owned()];
        assert!(is_on(&decided(of_image.clone(), Wanted::ByCommand)));
        of_image.init = true;
        assert!(!is_on(&decided(of_image, Wanted::ByCommand)));
    }

    #[test]
    fn the_stop_signal_is_systemds_where_nobody_has_one() {
        let signal = |spec: ContainerSpec| spec.stop_signal.map(Signal::number);
        let init = spec(&["/sbin/init"]);
        assert_eq!(signal(decided(init.clone(), Wanted::ByCommand)), Some(37));
        assert_eq!(signal(decided(init.clone(), Wanted::Never)), None);
        let mut asked = init.clone();
        asked.stop_signal = Signal::from_number(10);
        assert_eq!(signal(decided(asked, Wanted::Always)), Some(10));
        let mut of_image = init;
        of_image.image.config.stop_signal = "SIGUSR2".to_owned();
        assert_eq!(signal(decided(of_image, Wanted::Always)), None);
    }

    fn at(destination: &str) -> Mount {
        Mount {
            destination: destination.to_owned(),
            ..Mount::default()
        }
    }

    #[test]
    fn no_tmpfs_lies_over_a_mount_that_is_there() {
        let mut spec = ContainerSpec::default();
        assert!(tmpfs(&spec).next().is_none());
        spec.systemd = Some(true);
        assert!(tmpfs(&spec).eq(TMPFS));
        spec.mounts = vec![at("/var/log/journal"), at("/run/secrets")];
        assert!(tmpfs(&spec).eq(["/run", "/run/lock", "/tmp"]));
        spec.read_only = true;
        spec.read_write_tmpfs = true;
        assert!(tmpfs(&spec).eq(["/run/lock"]));
    }

    #[test]
    fn its_own_groups_take_the_place_of_those_asked_for() {
        let (v1, v2) = (false, true);
        let mut spec = ContainerSpec::default();
        assert!(!gives_group(&spec, v1) && !gives_group(&spec, v2));
        assert!(!has_groups_at(&spec, v2, GROUPS));
        spec.systemd = Some(true);
        for (place, of_v1, of_v2, left_out) in [
            ("/sys/fs/cgroup", true, true, true),
            ("/sys/fs/cgroup/", true, true, true),
            ("/sys/fs/cgroup/systemd", false, true, false),
            ("/sys/fs/bpf", true, true, false),
            ("/sys", true, false, false),
        ] {
            spec.mounts = vec![at(place)];
            assert_eq!(gives_group(&spec, v1), of_v1, "{place}");
            assert_eq!(gives_group(&spec, v2), of_v2, "{place}");
            assert!(!has_groups_at(&spec, v1, place), "{place}");
            assert_eq!(has_groups_at(&spec, v2, place), left_out, "{place}");
        }
    }

    #[test]
    fn what_cri_o_takes_for_systemd_is_not_left_to_it() {
        for (command, wanted) in [
            ("/sbin/init", true),
            ("/opt/sbin/init2", true),
            ("/lib/systemd/systemd", true),
            ("sh", false),
        ] {
            let off = decided(spec(&[command]), Wanted::Never);
            assert_eq!(is_unasked(&off), wanted, "{command}");
            assert!(!is_unasked(&decided(spec(&[command]), Wanted::Always)));
        }
    }
}
