//! Which handlers are to be there: those that were named, else those whose program is installed.

use std::path::{Path, PathBuf};

use super::host::Host;
use crate::config::HandlerAsked;
use crate::runtime::kata::{self, Configuration};

/// Handlers that are looked for where none is named.
const KNOWN: [&str; 5] = ["kata", "kata-remote", "crun", "runc", "youki"];
const REMOTE: &str = "kata-remote";
/// Where configurations of peer pods lie, beside the folders in which the shim looks for its own.
const REMOTE_PLACES: [&str; 5] = [
    "/etc/kata-containers/configuration-remote.toml",
    "/etc/kata/configuration-remote.toml",
    "/opt/kata/share/defaults/kata-containers/configuration-remote.toml",
    "/usr/share/defaults/kata-containers/configuration-remote.toml",
    "/usr/share/kata-containers/defaults/configuration-remote.toml",
];
/// What the shim, the agent and the runtime need beside what Kata's own timeouts bound: the agent is waited for 30 s.
const SLACK_SECONDS: u64 = 60;

/// A handler that can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handler {
    pub(crate) name: String,
    /// The OCI runtime, or Kata's shim.
    pub(crate) program: PathBuf,
    /// Its machines; `None`: its containers are processes of the host.
    pub(crate) kata: Option<Kata>,
}

/// Machines of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kata {
    /// They are elsewhere: peer pods.
    pub(crate) remote: bool,
    /// Kata's configuration; `None`: the shim looks for it itself.
    pub(crate) config: Option<PathBuf>,
    /// Images are pulled in the guest by Kata's own setting.
    pub(crate) forced_pull: bool,
    /// Seconds that the runtime must grant.
    pub(crate) create_seconds: u64,
}

/// A handler, or why there is none.
pub(crate) type Found = (String, Result<Handler, String>);

/// Looks for each.
pub(crate) fn find(host: &Host, asked: &[HandlerAsked]) -> Vec<Found> {
    let known = KNOWN.map(|name| HandlerAsked {
        name: name.to_owned(),
        ..HandlerAsked::default()
    });
    let wanted = match asked.is_empty() {
        true => &known[..],
        false => asked,
    };
    let found = wanted
        .iter()
        .map(|one| (one.name.clone(), one_of(host, one)));
    found.collect()
}

/// Seconds that a runtime must grant the creation of a sandbox and of a container: the machine starts, and the
/// guest pulls an image.
pub(crate) fn create_seconds(config: &Configuration) -> u64 {
    let start = match config.is_remote() {
        true => config.hypervisor.remote_hypervisor_timeout,
        false => 0,
    };
    let pull = config.runtime.create_container_timeout;
    start.saturating_add(pull).saturating_add(SLACK_SECONDS)
}

fn one_of(host: &Host, asked: &HandlerAsked) -> Result<Handler, String> {
    let program = program(host, asked)?;
    let file = program.file_name().unwrap_or_default().to_string_lossy();
    let shim = file.strip_prefix("containerd-shim-");
    let kata = match shim.map(|shim| shim.starts_with("kata") && shim.ends_with("-v2")) {
        None if asked.config.is_some() => {
            return Err("a configuration is given, and it is not Kata's".to_owned());
        }
        None => None,
        Some(true) => Some(machines(host, asked)?),
        Some(false) => {
            return Err(format!(
                "{} is neither an OCI runtime nor Kata's shim (containerd-shim-kata-v2)",
                program.display()
            ));
        }
    };
    Ok(Handler {
        name: asked.name.clone(),
        program,
        kata,
    })
}

fn program(host: &Host, asked: &HandlerAsked) -> Result<PathBuf, String> {
    let name = asked.name.as_str();
    match &asked.program {
        Some(path) if host.runs(path) => Ok(path.clone()),
        Some(path) => Err(format!("{} is no program that runs", path.display())),
        None if matches!(name, "kata" | REMOTE) => {
            let shim = host.shim();
            shim.ok_or_else(|| "no containerd-shim-kata-v2 is installed".to_owned())
        }
        None => {
            let oci = host.oci(name);
            oci.ok_or_else(|| format!("no OCI runtime {name} is installed"))
        }
    }
}

fn machines(host: &Host, asked: &HandlerAsked) -> Result<Kata, String> {
    let named = match &asked.config {
        Some(path) => Some(path.clone()),
        None if asked.name == REMOTE => Some(remote_place(host)?),
        None => None,
    };
    let places = kata::places(named.as_deref().unwrap_or(Path::new("")));
    let read = places
        .iter()
        .find_map(|path| Configuration::read(&host.at(path)));
    if let (Some(path), None) = (&named, &read) {
        return Err(format!(
            "Kata's configuration {} cannot be read",
            path.display()
        ));
    }
    let read = read.unwrap_or_default();
    if asked.name == REMOTE && !read.is_remote() {
        return Err(format!(
            "{} has no [hypervisor.remote]: its machines are not peer pods",
            named.unwrap_or_default().display()
        ));
    }
    Ok(Kata {
        remote: read.is_remote(),
        forced_pull: read.runtime.experimental_force_guest_pull,
        create_seconds: create_seconds(&read),
        config: named,
    })
}

fn remote_place(host: &Host) -> Result<PathBuf, String> {
    let mut places = REMOTE_PLACES.iter().map(Path::new);
    let found = places.find(|path| host.exists(path));
    found.map(Path::to_path_buf).ok_or_else(|| {
        "Kata's configuration-remote.toml is not there; name it: --handler kata-remote,config=FILE"
            .to_owned()
    })
}
