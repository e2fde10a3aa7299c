//! Namespaces of other containers in the create requests: `container:NAME`.

use model::Error;
use model::joined::Joined;
use podman_api::container::compat::HostConfigRequest;
use podman_api::container::libpod::{Namespace, SpecGenerator};

use crate::fields::OF_THE_JOINED;
use crate::refuse::Body;

/// Podman's word for such a namespace.
const CONTAINER: &str = "container";
/// What Podman says before the reason why a specification cannot be meant.
const INVALID_CONFIG: &str = "invalid config provided";

/// Takes them out of a libpod body; a container in a pod has the pod's, but may see the processes of another one in it.
///
/// # Errors
/// Podman's for one without a name.
pub(super) fn from_libpod(spec: &mut SpecGenerator) -> Result<Joined<String>, Error> {
    let pid = taken(&mut spec.pidns)?;
    let user = taken(&mut spec.userns)?;
    if !spec.pod.is_empty() {
        return Ok(Joined {
            pid,
            user,
            ..Joined::default()
        });
    }
    Ok(Joined {
        pid,
        user,
        ipc: taken(&mut spec.ipcns)?,
        uts: taken(&mut spec.utsns)?,
        network: taken(&mut spec.netns)?,
    })
}

fn taken(asked: &mut Namespace) -> Result<Option<String>, Error> {
    if asked.mode != CONTAINER {
        return Ok(None);
    }
    named(std::mem::take(asked).value).map(Some)
}

/// The same of a compat body.
///
/// # Errors
/// The same.
pub(super) fn from_compat(config: &mut HostConfigRequest) -> Result<Joined<String>, Error> {
    Ok(Joined {
        pid: taken_word(&mut config.pid_mode)?,
        ipc: taken_word(&mut config.ipc_mode)?,
        uts: taken_word(&mut config.uts_mode)?,
        network: taken_word(&mut config.network_mode)?,
        user: taken_word(&mut config.userns_mode)?,
    })
}

fn taken_word(asked: &mut String) -> Result<Option<String>, Error> {
    let Some((CONTAINER, name)) = asked.split_once(':') else {
        return Ok(None);
    };
    let name = name.to_owned();
    asked.clear();
    named(name).map(Some)
}

fn named(name: String) -> Result<String, Error> {
    match name.is_empty() {
        true => Err(invalid("namespace mode container requires a value")),
        false => Ok(name),
    }
}

fn invalid(text: &str) -> Error {
    Error::Plain(text.to_owned()).behind(INVALID_CONFIG)
}

/// What stands beside them in a body.
pub(super) struct Beside<'a> {
    pub(super) hostname: &'a str,
    pub(super) hosts: &'a [String],
    /// Networks are named.
    pub(super) networks: bool,
    /// Fields of the body that ask for something of the sandbox's, and whether they are set.
    pub(super) of_the_sandbox: [(&'static str, bool); 3],
}

/// Refuses what cannot be beside them: with Podman, or because CRI has it by the sandbox, which is another container's.
///
/// # Errors
/// Podman's, or [`Error::Unsupported`] for a field by its name.
pub(super) fn check(
    joined: &Joined<String>,
    body: Body,
    hostname: (Body, &str),
    beside: &Beside<'_>,
) -> Result<(), Error> {
    const CONFLICT: &str = "invalid configuration";
    let conflict = |text: &str| Error::Failed {
        message: format!("{INVALID_CONFIG}: {text}: {CONFLICT}"),
        cause: CONFLICT.to_owned(),
    };
    let network = joined.network.is_some();
    if joined.uts.is_some() && !beside.hostname.is_empty() {
        return Err(conflict(
            "cannot set hostname when running in the host UTS namespace",
        ));
    }
    if network && !beside.hosts.is_empty() {
        return Err(conflict(
            "cannot set extra host entries when the container is joined to another containers network namespace",
        ));
    }
    if network && beside.networks {
        return Err(invalid(
            "networks and static ip/mac address can only be used with Bridge mode networking",
        ));
    }
    let Some((_, name)) = joined.all().next() else {
        return Ok(());
    };
    let refusal = |body: Body, field: &str| {
        let beside = format!("{CONTAINER}:{name}");
        Err(body.refusal_of(field, &beside, OF_THE_JOINED))
    };
    let (body_of_name, field) = hostname;
    if !beside.hostname.is_empty() {
        return refusal(body_of_name, field);
    }
    match beside.of_the_sandbox.iter().find(|(_, set)| *set) {
        Some((field, _)) => refusal(body, field),
        None => Ok(()),
    }
}
