//! How a command gets into a container: what CRI's `Exec` is given, or what the OCI runtime is asked for.

use model::Error;
use model::container::ContainerSpec;
use model::exec::ExecSpec;
use model::gate;
use model::observed::{ContainerStatus, ContainerVerbose};
use model::view::{ContainerBody, ContainerDetail};

use super::inside::Inside;

/// What a terminal is called where nobody names it, as in Podman.
const TERM: &str = "TERM=xterm";
/// What a process needs to become somebody else, as the gate does.
const TO_BECOME: [&str; 2] = ["SETGID", "SETUID"];

/// How a command gets into a container.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By CRI's `Exec`: its arguments.
    Cri(Vec<String>),
    /// By the container's OCI runtime.
    OciRuntime(Beside),
    /// By programs of a container's in a virtual machine.
    Inside(Inside),
}

/// A command as the OCI runtime is to execute it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beside {
    /// Its arguments.
    pub(super) args: Vec<String>,
    /// `KEY=VALUE`, beside the container's environment.
    pub(super) env: Vec<String>,
    /// Its working directory, where the gate does not go there.
    pub(super) work_dir: Option<String>,
    /// `user[:group]`, where it is somebody else.
    pub(super) user: Option<String>,
    /// With all capabilities.
    pub(super) privileged: bool,
    reason: Reason,
}

impl Beside {
    /// The refusal where the OCI runtime cannot be asked, for this reason.
    pub(super) fn refused(&self, why: &str) -> Error {
        let Reason { field, text } = &self.reason;
        let why = format!("{text}, and the container's OCI runtime cannot be asked: {why}");
        Error::unsupported(*field, why)
    }
}

/// Why it is not CRI's way: a field of the request, and what is in the way.
#[derive(Debug, PartialEq, Eq)]
struct Reason {
    field: &'static str,
    text: String,
}

/// By CRI wherever that can be: directly, or through the gate.
pub(super) fn of(container: &ContainerDetail, spec: &ExecSpec) -> Way {
    let own = match &container.view.body {
        ContainerBody::Own(record) => Some(&record.spec),
        ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => None,
    };
    way(own, container.status.as_ref(), spec)
}

/// The arguments for CRI of a command that asks for nothing beside itself.
pub(crate) fn plain(container: &ContainerDetail, command: Vec<String>) -> Vec<String> {
    let spec = ExecSpec {
        command,
        ..ExecSpec::default()
    };
    match of(container, &spec) {
        Way::Cri(argv) => argv,
        // of a command alone there is nothing that CRI cannot say
        Way::OciRuntime(_) | Way::Inside(_) => spec.command,
    }
}

/// The same by what was asked for where the container is ours, and by what the runtime says of it.
fn way(own: Option<&ContainerSpec>, status: Option<&ContainerStatus>, spec: &ExecSpec) -> Way {
    let gate = own.is_some() && status.is_some_and(|status| gate::is_in(&status.mounts));
    let verbose = status.map(|status| &status.verbose);
    // Of what others made it is not known how its user was asked for.
    let user = Some(&spec.user).filter(|asked| {
        let known = own.is_some_and(|own| user_of(own) == *asked);
        !asked.is_empty() && !known
    });
    let mut env = spec.env.clone();
    if spec.tty && !names_terminal(own, verbose, spec) {
        env.insert(0, TERM.to_owned());
    }
    if verbose.is_some_and(|verbose| verbose.in_guest) {
        return in_guest(own, verbose, spec, env);
    }
    let reason = match own {
        Some(own) if gate => {
            not_by_itself(own.privileged, user_of(own), verbose, spec, user.is_some())
        }
        Some(_) => without_gate(
            spec,
            "something is mounted on its /dev, or an older daemon made it",
        ),
        None => without_gate(spec, "it was not made by this daemon"),
    };
    // Its commands have the container's own limits.
    let orders = own.map(gate::orders).unwrap_or_default();
    match reason {
        None if gate => Way::Cri(in_gate(orders, spec, user, &env)),
        None => Way::Cri(spec.command.clone()),
        Some(reason) => Way::OciRuntime(Beside {
            args: match gate {
                // what is taken away is taken from what the OCI runtime sets
                true if !orders.is_empty() => in_gate(orders, spec, None, &env),
                true => in_gate(orders, spec, None, &[]),
                false => spec.command.clone(),
            },
            env,
            work_dir: Some(spec.work_dir.clone()).filter(|dir| !gate && !dir.is_empty()),
            user: user.cloned(),
            privileged: spec.privileged,
            reason,
        }),
    }
}

/// The way into a virtual machine, where there is no gate: by CRI while nothing is asked for that it has no field for.
fn in_guest(
    own: Option<&ContainerSpec>,
    verbose: Option<&ContainerVerbose>,
    spec: &ExecSpec,
    env: Vec<String>,
) -> Way {
    // Of what others made its number alone is known.
    let of_others = verbose.map(|verbose| verbose.user.0.to_string());
    let of_others = of_others.unwrap_or_default();
    let own_user = own.map_or(of_others.as_str(), user_of);
    // a group is more than the name says
    let plain = |user: &str| is_root(user) && !user.contains(':');
    let same = |asked: &str| asked == own_user || plain(asked) && plain(own_user);
    let user = Some(&spec.user).filter(|asked| !asked.is_empty() && !same(asked));
    let privileged = own.is_some_and(|own| own.privileged);
    let reason = not_by_itself(privileged, own_user, verbose, spec, user.is_some());
    let asks = user.is_some() || !spec.work_dir.is_empty() || !spec.env.is_empty();
    match reason {
        Some(reason) => Way::OciRuntime(Beside {
            args: spec.command.clone(),
            env,
            work_dir: Some(spec.work_dir.clone()).filter(|dir| !dir.is_empty()),
            user: user.cloned(),
            privileged: spec.privileged,
            reason,
        }),
        None if asks => Way::Inside(Inside::of(spec, user, env)),
        None => Way::Cri(spec.command.clone()),
    }
}

/// A command that the gate executes, which also looks for it and says so where it is not there.
fn in_gate(
    orders: Vec<String>,
    spec: &ExecSpec,
    user: Option<&String>,
    env: &[String],
) -> Vec<String> {
    let mut argv = vec![gate::PROGRAM.to_owned(), "run".to_owned()];
    argv.extend(orders);
    let mut option = |name: &str, value: &str| argv.extend([name.to_owned(), value.to_owned()]);
    if let Some(user) = user {
        option("--user", user);
    }
    if !spec.work_dir.is_empty() {
        option("--workdir", &spec.work_dir);
    }
    for pair in env {
        option("--env", pair);
    }
    argv.push("--".to_owned());
    argv.extend(spec.command.iter().cloned());
    argv
}

/// What the gate and a container's own programs cannot do: they have no more than the container gives them.
fn not_by_itself(
    privileged: bool,
    user: &str,
    verbose: Option<&ContainerVerbose>,
    spec: &ExecSpec,
    becomes: bool,
) -> Option<Reason> {
    if spec.privileged && !privileged {
        return Some(Reason {
            field: "Privileged",
            text: "CRI gives a command the container's capabilities".to_owned(),
        });
    }
    let text = if is_root(user) {
        let may = verbose.is_none_or(may_become);
        (!may).then(|| "the container has not the capabilities SETUID and SETGID".to_owned())
    } else {
        let text = format!("the container's user is {user}, and only root can become another one");
        Some(text)
    };
    let field = "User";
    text.filter(|_| becomes).map(|text| Reason { field, text })
}

/// What CRI's `Exec` itself cannot say.
fn without_gate(spec: &ExecSpec, why: &str) -> Option<Reason> {
    let fields = [
        ("User", !spec.user.is_empty()),
        ("WorkingDir", !spec.work_dir.is_empty()),
        ("Env", !spec.env.is_empty()),
        ("Privileged", spec.privileged),
    ];
    let (field, _) = fields.into_iter().find(|(_, asked)| *asked)?;
    let text = format!("CRI's Exec has no field for it, the container has no gate, for {why}");
    Some(Reason { field, text })
}

/// Whether root of a container may become somebody else; where nothing is known of it, it may.
fn may_become(verbose: &ContainerVerbose) -> bool {
    let has = |name: &&str| {
        let mut all = verbose.effective_caps.iter();
        all.any(|known| known.trim_start_matches("CAP_") == *name)
    };
    *verbose == ContainerVerbose::default() || TO_BECOME.iter().all(has)
}

/// The container's user as it was asked for; the empty text is root.
fn user_of(own: &ContainerSpec) -> &str {
    let asked = own.user.as_deref().filter(|user| !user.is_empty());
    asked.unwrap_or(&own.image.config.user)
}

fn is_root(user: &str) -> bool {
    let name = user.split(':').next().unwrap_or_default();
    matches!(name, "" | "0" | "root")
}

fn names_terminal(
    own: Option<&ContainerSpec>,
    verbose: Option<&ContainerVerbose>,
    spec: &ExecSpec,
) -> bool {
    let is_term = |pair: &String| pair.split('=').next() == Some("TERM");
    let known = match own {
        Some(own) => own.env.contains_key("TERM") || own.image.config.env.iter().any(is_term),
        None => verbose.is_some_and(|verbose| verbose.env.iter().any(is_term)),
    };
    known || spec.env.iter().any(is_term)
}

#[cfg(test)]
mod tests {
    use model::observed::MountObserved;
    use model::ulimit::Ulimit;

    use super::*;

    /// A container with the gate that may become anybody.
    fn status() -> ContainerStatus {
        let caps = ["CAP_KILL", "CAP_SETGID", "CAP_SETUID"];
        ContainerStatus {
            mounts: vec![MountObserved {
                destination: gate::PROGRAM.to_owned(),
                ..MountObserved::default()
            }],
            verbose: ContainerVerbose {
                effective_caps: caps.map(ToOwned::to_owned).into(),
                ..ContainerVerbose::default()
            },
            ..ContainerStatus::default()
        }
    }

    fn of_user(user: &str) -> ContainerSpec {
        ContainerSpec {
            user: Some(user.to_owned()),
            ..ContainerSpec::default()
        }
    }

    fn asked(change: impl FnOnce(&mut ExecSpec)) -> ExecSpec {
        let mut spec = ExecSpec {
            command: vec!["id".to_owned()],
            ..ExecSpec::default()
        };
        change(&mut spec);
        spec
    }

    fn line(way: Way) -> String {
        match way {
            Way::Cri(argv) => argv.join(" "),
            other => panic!("not CRI's way: {other:?}"),
        }
    }

    fn beside(way: Way) -> Beside {
        match way {
            Way::OciRuntime(beside) => beside,
            other => panic!("not the OCI runtime's way: {other:?}"),
        }
    }

    #[test]
    fn what_the_gate_can_do_goes_by_cri() {
        let program = gate::PROGRAM;
        let by = |own: &ContainerSpec, spec| line(way(Some(own), Some(&status()), &spec));
        let plain = asked(|_| ());
        assert_eq!(
            by(&of_user(""), plain.clone()),
            format!("{program} run -- id")
        );
        let all = asked(|spec| {
            spec.user = "web".to_owned();
            spec.work_dir = "/w".to_owned();
            spec.env = vec!["A=b".to_owned()];
            spec.tty = true;
        });
        let wanted = "run --user web --workdir /w --env TERM=xterm --env A=b -- id";
        assert_eq!(by(&of_user("root"), all), format!("{program} {wanted}"));
        let limited = ContainerSpec {
            ulimits: vec![Ulimit {
                name: "core".to_owned(),
                soft: 1,
                hard: 2,
            }],
            ..ContainerSpec::default()
        };
        assert_eq!(
            by(&limited, plain.clone()),
            format!("{program} run --ulimit core=1:2 -- id")
        );
        let same = asked(|spec| spec.user = "web".to_owned());
        assert_eq!(by(&of_user("web"), same), format!("{program} run -- id"));
        let privileged = ContainerSpec {
            privileged: true,
            ..ContainerSpec::default()
        };
        let spec = asked(|spec| spec.privileged = true);
        assert_eq!(by(&privileged, spec), format!("{program} run -- id"));
        assert_eq!(line(way(None, Some(&status()), &plain)), "id");
        assert_eq!(line(way(Some(&of_user("")), None, &plain)), "id");
    }

    #[test]
    fn what_it_cannot_do_goes_by_the_oci_runtime_which_is_named_where_it_cannot_be_asked() {
        let root = || asked(|spec| spec.user = "root".to_owned());
        let mut powerless = status();
        powerless.verbose.effective_caps.pop();
        let table = [
            (
                of_user("web"),
                status(),
                root(),
                "User",
                "the container's user is web",
            ),
            (
                of_user(""),
                powerless,
                asked(|spec| spec.user = "web".to_owned()),
                "User",
                "SETUID",
            ),
            (
                of_user(""),
                status(),
                asked(|spec| spec.privileged = true),
                "Privileged",
                "capabilities",
            ),
        ];
        for (own, status, spec, field, why) in table {
            let found = beside(way(Some(&own), Some(&status), &spec));
            assert_eq!(found.args.join(" "), format!("{} run -- id", gate::PROGRAM));
            assert_eq!(found.user.unwrap_or_default(), spec.user);
            assert_eq!(found.privileged, spec.privileged);
            let found = beside(way(Some(&own), Some(&status), &spec)).refused("it is a VM's");
            let text = found.to_string();
            let whole = text.starts_with(&format!("{field} is not supported: "))
                && text.contains(why)
                && text.ends_with("OCI runtime cannot be asked: it is a VM's");
            assert!(whole, "{text}");
        }
    }

    #[test]
    fn in_a_virtual_machine_the_containers_own_programs_do_what_cri_cannot_say() {
        let mut inside = status();
        inside.verbose.in_guest = true;
        let of = |own: Option<&ContainerSpec>, spec: &ExecSpec| way(own, Some(&inside), spec);
        let root = of_user("root");
        assert_eq!(line(of(Some(&root), &asked(|spec| spec.tty = true))), "id");
        assert_eq!(
            line(of(Some(&root), &asked(|spec| spec.user = "0".to_owned()))),
            "id"
        );
        let grouped = asked(|spec| spec.user = "0:33".to_owned());
        assert!(matches!(of(Some(&root), &grouped), Way::Inside(_)));
        for own in [Some(&root), None] {
            let spec = asked(|spec| {
                spec.user = "web".to_owned();
                spec.work_dir = "/w".to_owned();
                spec.tty = true;
            });
            let Way::Inside(found) = of(own, &spec) else {
                panic!("another way");
            };
            assert_eq!(
                (found.user.as_deref(), found.work_dir.as_str()),
                (Some("web"), "/w")
            );
            assert_eq!(found.env, ["TERM=xterm"]);
        }
        let spec = asked(|spec| spec.user = "root".to_owned());
        let refused = beside(of(Some(&of_user("web")), &spec)).refused("it is a VM's");
        assert!(
            refused.to_string().starts_with("User is not supported"),
            "{refused}"
        );
        let spec = asked(|spec| spec.privileged = true);
        assert!(beside(of(Some(&root), &spec)).privileged);
    }

    #[test]
    fn without_the_gate_the_oci_runtime_is_told_everything() {
        let spec = asked(|spec| {
            spec.user = "web".to_owned();
            spec.work_dir = "/w".to_owned();
            spec.env = vec!["A=b".to_owned()];
            spec.tty = true;
        });
        for own in [None, Some(&of_user("web"))] {
            let status = ContainerStatus::default();
            let found = beside(way(own, Some(&status), &spec));
            assert_eq!(found.args, ["id"]);
            assert_eq!(found.env, ["TERM=xterm", "A=b"]);
            assert_eq!(found.work_dir.as_deref(), Some("/w"));
            // the container's own user is nobody else
            assert_eq!(found.user.is_some(), own.is_none());
        }
    }
}
