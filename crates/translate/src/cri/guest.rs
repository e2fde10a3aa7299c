//! What a container cannot have whose kernel is its own: a virtual machine's (Kata), here or elsewhere (a peer pod).

use model::Error;
use model::container::{ContainerSpec, Mount, MountKind, Network, PidMode};
use model::gate;
use model::handler::Guest;
use model::observed::RuntimeFacts;
use model::pod::SandboxRecord;

/// Of what the gate does.
const NO_GATE: &str = "CRI has no field for it, and the program that does it before the command belongs to this host's kernel; the \
                       handler runs virtual machines";
/// Of namespaces of the host.
const NO_HOST: &str =
    "the handler runs virtual machines, and in one there is no namespace of this host's";
/// Of devices of the host in a machine elsewhere.
const NO_DEVICES: &str = "the handler runs virtual machines elsewhere (peer pods), which have none of this host's devices; GPUs of a \
                          machine are asked for by the annotation io.katacontainers.config.hypervisor.default_gpus";
/// Of what would be written for others.
const NO_SHARING: &str = "the handler shares no files of this host with its virtual machines: a read-only mount is given to it as a \
                          copy, made at each start; what is written in one would come back to nobody";

/// Says what is not possible in the guest of a sandbox's handler.
///
/// # Errors
/// The first such field.
pub(super) fn check_guest(
    spec: &ContainerSpec,
    sandbox: &SandboxRecord,
    runtime: &RuntimeFacts,
) -> Result<(), Error> {
    let handler = sandbox.spec.handler.as_deref().unwrap_or_default();
    let Some(guest) = runtime.guest_of(handler) else {
        return Ok(());
    };
    if let Some(name) = gate::needed(spec, runtime) {
        return Err(Error::unsupported(name, NO_GATE));
    }
    let of_host = [
        ("--pid host", spec.pid == PidMode::Host),
        ("--network host", sandbox.spec.network == Network::Host),
        ("a user namespace", sandbox.spec.id_mappings.is_some()),
    ];
    if let Some((name, _)) = of_host.into_iter().find(|(_, asked)| *asked) {
        return Err(Error::unsupported(name, NO_HOST));
    }
    let devices = !spec.devices.is_empty() || !spec.cdi_devices.is_empty();
    if guest.is_remote() && devices {
        return Err(Error::unsupported("devices", NO_DEVICES));
    }
    spec.mounts
        .iter()
        .try_for_each(|mount| check_shared(mount, guest))
}

/// A folder of the host that is written to in a guest has to be shared with it. An overlay's changes are the container's own.
fn check_shared(mount: &Mount, guest: &Guest) -> Result<(), Error> {
    let of_host = matches!(mount.kind, MountKind::Bind | MountKind::Volume);
    if guest.shares_files || !of_host || mount.read_only || mount.is_overlay() {
        return Ok(());
    }
    let what = format!("a mount on {:?} that can be written to", mount.destination);
    Err(Error::unsupported(what, NO_SHARING))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cri::tests_support::{container, facts, sandbox};
    use model::container::Device;
    use model::handler::Handler;

    fn check(guest: Option<Guest>, change: impl FnOnce(&mut ContainerSpec)) -> String {
        let mut sandbox = sandbox(model::pod::Role::Hidden);
        let mut record = container(&sandbox);
        change(&mut record.spec);
        sandbox.spec.handler = Some("kata".to_owned());
        let mut facts = facts();
        facts.handlers = vec![Handler {
            guest,
            ..Handler::named("kata")
        }];
        let checked = check_guest(&record.spec, &sandbox, &facts);
        checked.map_or_else(|error| error.to_string(), |()| String::new())
    }

    fn peer() -> Guest {
        Guest {
            hypervisor: "remote".to_owned(),
            ..Guest::default()
        }
    }

    fn bound(read_only: bool) -> impl FnOnce(&mut ContainerSpec) {
        move |spec| {
            spec.mounts.push(Mount {
                source: "/srv".to_owned(),
                destination: "/w".to_owned(),
                read_only,
                ..Mount::default()
            });
        }
    }

    #[test]
    fn what_belongs_to_this_host_is_refused_in_a_guest_alone() {
        assert_eq!(check(Some(peer()), |_| {}), "");
        let init = |spec: &mut ContainerSpec| spec.init = true;
        assert!(check(Some(peer()), init).contains("init"));
        assert_eq!(check(None, init), "");
        let pid = |spec: &mut ContainerSpec| spec.pid = PidMode::Host;
        assert!(check(Some(peer()), pid).contains("--pid host"));
        let device = |spec: &mut ContainerSpec| spec.devices.push(Device::default());
        assert!(check(Some(peer()), device).contains("devices"));
    }

    #[test]
    fn what_is_written_to_has_to_be_shared() {
        assert!(check(Some(peer()), bound(false)).contains("/w"));
        assert_eq!(check(Some(peer()), bound(true)), "");
        let local = Guest {
            shares_files: true,
            ..Guest::default()
        };
        assert_eq!(check(Some(local), bound(false)), "");
    }
}
