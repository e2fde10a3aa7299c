//! The runtime handlers: their programs, Kata's configuration, and the file that `setup` has written.

mod configured;

use std::os::unix::net::UnixStream;
use std::path::Path;

use model::observed::RuntimeKind;
use regex::Regex;

use configured::{Configured, configured};

use super::report::Line;
use super::seen::RuntimeSeen;
use crate::config::DevRuntime;
use crate::runtime::kata::{self, Configuration};
use crate::setup::{self, Host};

const CHECK: &str = "handler";
/// A sandbox's annotation that must reach the shim.
const ANNOTATION: &str = "io.katacontainers.config.hypervisor.machine_type";
/// What annotations are to be able to set: the size, and of peer pods the type too.
const SIZE: [&str; 2] = ["default_vcpus", "default_memory"];
const TYPE: &str = "machine_type";
/// Where containerd's PATH usually leads.
const PATH: [&str; 4] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];

/// Something about a handler: it does not work, or it is worth knowing.
type Trouble = (bool, String, String);

pub(super) fn lines(seen: &RuntimeSeen, host: &Host) -> Vec<Line> {
    let handlers = configured(seen);
    let mut lines: Vec<_> = handlers.iter().flat_map(|one| of(one, host)).collect();
    lines.extend(setup_line(seen, host));
    lines
}

/// What is wrong with it; of Kata's also that nothing is.
fn of(handler: &Configured, host: &Host) -> Vec<Line> {
    let name = &handler.name;
    let mut troubles: Vec<_> = program(handler, host).into_iter().collect();
    let mut config = None;
    if handler.is_kata {
        let mut places = kata::places(&handler.config).into_iter();
        config = places.find_map(|place| Configuration::read(&host.at(&place)));
        match &config {
            Some(config) => troubles.extend(machines(handler, config, host)),
            None => troubles.push(unreadable(handler)),
        }
    }
    let lines: Vec<_> = troubles
        .into_iter()
        .map(|(is_problem, found, advice)| {
            let found = format!("{name}: {found}");
            match is_problem {
                true => Line::problem(CHECK, found, advice),
                false => Line::note(CHECK, found, advice),
            }
        })
        .collect();
    match (lines.is_empty(), config) {
        (true, Some(config)) => vec![Line::ok(CHECK, format!("{name}: {}", sort(&config)))],
        _ => lines,
    }
}

fn sort(config: &Configuration) -> String {
    match config.is_remote() {
        true => format!(
            "peer pods, by what answers at {}",
            config.hypervisor.remote_hypervisor_socket.display()
        ),
        false => format!("virtual machines of this host ({})", config.name),
    }
}

fn program(handler: &Configured, host: &Host) -> Option<Trouble> {
    let install = "install it, or take the handler out of the runtime's configuration";
    if let Some(shim) = &handler.shim {
        let mut places = PATH.iter().map(|folder| Path::new(folder).join(shim));
        let there = places.any(|place| host.runs(&place));
        return (!there).then(|| {
            let found = format!("no {shim} is in the usual folders of PATH");
            let advice =
                "nothing, where it lies beside containerd; else name the shim (runtime_path)";
            (false, found, advice.to_owned())
        });
    }
    let named = handler.program.is_absolute();
    (named && !host.runs(&handler.program)).then(|| {
        let found = format!("{} is no program that runs", handler.program.display());
        (true, found, install.to_owned())
    })
}

fn unreadable(handler: &Configured) -> Trouble {
    let found = match handler.config.as_os_str().is_empty() {
        true => "Kata's configuration is in none of the places where the shim looks".to_owned(),
        false => format!(
            "Kata's configuration {} cannot be read",
            handler.config.display()
        ),
    };
    let advice = "install Kata's, or name it in the handler (runtime_config_path, ConfigPath)";
    (true, found, advice.to_owned())
}

fn machines(handler: &Configured, config: &Configuration, host: &Host) -> Vec<Trouble> {
    let remote = config.is_remote();
    let checks = [
        remote.then(|| adaptor(config, host)).flatten(),
        time(handler, config),
        annotations_passed(handler),
        annotations_taken(config),
        remote.then(|| images(handler, config)).flatten(),
    ];
    checks.into_iter().flatten().collect()
}

/// What makes the machines of peer pods.
fn adaptor(config: &Configuration, host: &Host) -> Option<Trouble> {
    let socket = &config.hypervisor.remote_hypervisor_socket;
    let error = UnixStream::connect(host.at(socket)).err()?;
    Some((
        true,
        format!("nothing answers at {}: {error}", socket.display()),
        "start cloud-api-adaptor: it makes the machines".to_owned(),
    ))
}

fn time(handler: &Configured, config: &Configuration) -> Option<Trouble> {
    let (granted, needed) = (handler.create_seconds?, setup::create_seconds(config));
    (granted < needed).then(|| {
        let found = format!(
            "CRI-O gives a creation {granted} s, and Kata up to {needed} s (start of the machine, pull in it)"
        );
        let advice = format!("set container_create_timeout = {needed} for the handler, or run podman-cri setup");
        (false, found, advice)
    })
}

/// containerd drops what no pattern names, in silence.
fn annotations_passed(handler: &Configured) -> Option<Trouble> {
    let patterns = handler.annotations.as_ref()?;
    let fits = |pattern: &String| {
        glob::Pattern::new(pattern).is_ok_and(|pattern| pattern.matches(ANNOTATION))
    };
    (!patterns.iter().any(fits)).then(|| {
        let found = "containerd keeps io.katacontainers annotations from the shim";
        let advice = "set pod_annotations = [\"io.katacontainers.*\"] for the handler: size and type of a machine are \
                      dropped otherwise";
        (true, found.to_owned(), advice.to_owned())
    })
}

fn annotations_taken(config: &Configuration) -> Option<Trouble> {
    let patterns = &config.hypervisor.enable_annotations;
    let patterns: Vec<_> = patterns.iter().flat_map(|one| Regex::new(one)).collect();
    let of_type = config.is_remote().then_some(TYPE);
    let wanted = SIZE.into_iter().chain(of_type);
    let missing: Vec<_> = wanted
        .filter(|name| !patterns.iter().any(|pattern| pattern.is_match(name)))
        .collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        let found = format!("Kata's configuration lets no annotation set {missing}");
        let advice = format!("add {missing} to enable_annotations there: a sandbox with such an annotation does not start");
        (false, found, advice)
    })
}

/// Peer pods see no image of this host.
fn images(handler: &Configured, config: &Configuration) -> Option<Trouble> {
    let forced = config.runtime.experimental_force_guest_pull;
    (!handler.leaves_images && !forced).then(|| {
        let found = "nothing lets the machines pull images, and they have none of this host";
        let advice = match handler.annotations {
            None => "set runtime_pull_image = true for the handler",
            Some(_) => {
                "set experimental_force_guest_pull = true in [runtime] of Kata's configuration, or a snapshotter for the \
                 handler that leaves it to the guest (nydus)"
            }
        };
        (true, found.to_owned(), advice.to_owned())
    })
}

/// What setup has written; none where it has written nothing.
fn setup_line(seen: &RuntimeSeen, host: &Host) -> Option<Line> {
    const CHECK: &str = "setup";
    let runtime = match seen.facts.kind {
        RuntimeKind::CriO => DevRuntime::Crio,
        RuntimeKind::Containerd => DevRuntime::Containerd,
        RuntimeKind::Other => return None,
    };
    let written = match setup::written(host, runtime) {
        Ok(written) => written?,
        Err(error) => {
            let advice = "mend the file; podman-cri setup reads it too";
            return Some(Line::note(CHECK, format!("{error:#}"), advice));
        }
    };
    let path = written.path.display();
    let listed = |name: &&String| seen.facts.handlers.iter().any(|one| one.name == **name);
    let unread: Vec<_> = written
        .handlers
        .iter()
        .filter(|name| !listed(name))
        .collect();
    Some(match (written.current, written.read, unread.first()) {
        (_, false, _) => Line::note(
            CHECK,
            format!("the runtime does not read {path}"),
            "run podman-cri setup: it says what is to be added to the runtime's own configuration",
        ),
        (false, true, _) => Line::note(
            CHECK,
            format!("{path} is not what setup would write now"),
            "run podman-cri setup again, then start the runtime again",
        ),
        (true, true, Some(name)) => Line::note(
            CHECK,
            format!("the runtime does not know {name} of {path}"),
            "start the runtime again: it reads its configuration then; its log says why it leaves a handler out",
        ),
        (true, true, None) => Line::ok(
            CHECK,
            format!("{path}: {} handlers", written.handlers.len()),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::report::Mark;
    use super::super::tests::crio;
    use super::*;
    use model::handler::Handler;
    use serde_json::{Value, json};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    use tempfile::TempDir;

    const SHIM: &str = "/opt/kata/bin/containerd-shim-kata-v2";
    const CONFIG: &str = "/etc/kata/r.toml";

    /// A host with the shim, and this configuration.
    fn with(config: &str) -> (TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        let host = Host::new(root.path());
        for (path, text, mode) in [(SHIM, "", 0o755), (CONFIG, config, 0o644)] {
            let path = host.at(Path::new(path));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        (root, host)
    }

    fn seen(kind: RuntimeKind, handler: &Value) -> RuntimeSeen {
        let mut seen = crio();
        seen.facts.kind = kind;
        let handlers = json!({"kata-remote": handler});
        seen.config = match kind {
            RuntimeKind::CriO => json!({"crio": {"runtime": {"runtimes": handlers}}}),
            _ => json!({"containerd": {"runtimes": handlers}}),
        };
        seen
    }

    fn on_crio(more: &Value) -> RuntimeSeen {
        let mut handler = json!({
            "runtime_path": SHIM, "runtime_type": "vm", "runtime_config_path": CONFIG,
            "container_create_timeout": 720, "runtime_pull_image": true,
        });
        let fields = handler.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        seen(RuntimeKind::CriO, &handler)
    }

    fn remote(more: &str) -> String {
        format!(
            "[hypervisor.remote]\nremote_hypervisor_socket = \"/s\"\n\
             enable_annotations = [\"machine_type\", \"default_.*\"]\n{more}"
        )
    }

    /// The only line says this.
    fn says(seen: &RuntimeSeen, host: &Host, mark: Mark, words: &str) {
        let lines = lines(seen, host);
        assert!(
            lines.len() == 1 && lines[0].mark == mark && lines[0].found.contains(words),
            "{words}: {lines:?}"
        );
    }

    #[test]
    fn peer_pods_are_looked_at_from_shim_to_adaptor() {
        let (root, host) = with(&remote(""));
        says(
            &on_crio(&json!({})),
            &host,
            Mark::Problem,
            "nothing answers at /s",
        );
        let _adaptor = UnixListener::bind(root.path().join("s")).unwrap();
        says(&on_crio(&json!({})), &host, Mark::Ok, "peer pods");
        for (more, mark, words) in [
            (
                json!({"container_create_timeout": 240}),
                Mark::Note,
                "240 s",
            ),
            (
                json!({"runtime_pull_image": false}),
                Mark::Problem,
                "pull images",
            ),
            (
                json!({"runtime_config_path": "/no"}),
                Mark::Problem,
                "/no cannot be read",
            ),
            (
                json!({"runtime_path": "/no/containerd-shim-kata-v2"}),
                Mark::Problem,
                "is no program that runs",
            ),
        ] {
            says(&on_crio(&more), &host, mark, words);
        }
    }

    #[test]
    fn containerd_must_pass_annotations_and_leave_images_to_the_guest() {
        let handler = |patterns: &Value, snapshotter: &str| {
            let handler = json!({
                "runtimeType": "io.containerd.kata-remote.v2", "runtimePath": SHIM, "PodAnnotations": patterns,
                "snapshotter": snapshotter, "options": {"ConfigPath": CONFIG},
            });
            seen(RuntimeKind::Containerd, &handler)
        };
        let all = json!(["io.katacontainers.*"]);
        let (root, host) = with(&remote(""));
        let _adaptor = UnixListener::bind(root.path().join("s")).unwrap();
        says(&handler(&all, "nydus"), &host, Mark::Ok, "peer pods");
        says(&handler(&all, ""), &host, Mark::Problem, "pull images");
        says(
            &handler(&json!(null), "nydus"),
            &host,
            Mark::Problem,
            "annotations",
        );
        let forced = remote("[runtime]\nexperimental_force_guest_pull = true\n");
        std::fs::write(host.at(Path::new(CONFIG)), forced).unwrap();
        says(&handler(&all, ""), &host, Mark::Ok, "peer pods");
    }

    #[test]
    fn what_annotations_cannot_set_is_named() {
        let (_root, host) = with("[hypervisor.qemu]\nenable_annotations = [\"vcpus\"]\n");
        let lines = lines(&on_crio(&json!({})), &host);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0].mark, Mark::Note);
        assert!(lines[0].found.ends_with("set default_memory"), "{lines:?}");
    }

    #[test]
    fn a_plain_handler_is_named_only_where_its_program_is_not_there() {
        let (_root, host) = with("");
        let plain = |path: &str| {
            let handler = json!({"runtime_path": path, "runtime_type": "oci"});
            seen(RuntimeKind::CriO, &handler)
        };
        assert_eq!(lines(&plain(SHIM), &host), []);
        says(&plain("/no/crun"), &host, Mark::Problem, "/no/crun");
        let kata = json!({"runtimeType": "io.containerd.kata.v2", "PodAnnotations": ["io.katacontainers.*"]});
        let lines = lines(&seen(RuntimeKind::Containerd, &kata), &host);
        assert!(
            lines[0].found.contains("containerd-shim-kata-v2"),
            "{lines:?}"
        );
    }

    #[test]
    fn a_drop_in_that_is_old_or_not_read_yet_is_told() {
        let (root, host) = with(&remote(""));
        let _adaptor = UnixListener::bind(root.path().join("s")).unwrap();
        let mut seen = on_crio(&json!({}));
        let asked = format!("--handler=kata-remote,config={CONFIG}");
        let words = ["podman-cri", "setup", "--runtime=crio", &asked];
        let root = format!("--root={}", root.path().display());
        let args =
            <crate::config::Args as clap::Parser>::parse_from(words.into_iter().chain([&*root]));
        let crate::config::Config::Setup(config) = args.into_config().unwrap() else {
            panic!("not setup");
        };
        setup::run(&config).unwrap();
        let told = |seen: &RuntimeSeen| {
            let lines = lines(seen, &host);
            lines
                .into_iter()
                .find(|line| line.check == "setup")
                .unwrap()
        };
        assert!(told(&seen).found.contains("does not know kata-remote"));
        seen.facts.handlers.push(Handler::named("kata-remote"));
        assert_eq!(told(&seen).mark, Mark::Ok);
        let longer = remote("remote_hypervisor_timeout = 900\n");
        std::fs::write(host.at(Path::new(CONFIG)), longer).unwrap();
        assert!(told(&seen).found.contains("not what setup would write"));
    }
}
