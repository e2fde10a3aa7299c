//! The sources of bind mounts: the runtimes would make a folder of a missing one in silence.

use std::path::Path;

use model::Error;
use model::container::{ContainerSpec, Face, MountKind};

/// At create: Docker's `-v` makes a missing source, and so does the compat face; libpod refuses.
pub(crate) fn make_or_miss_sources(spec: &ContainerSpec) -> Result<(), Error> {
    for source in missing(spec) {
        match spec.face {
            Face::Compat => std::fs::create_dir_all(source)
                .map_err(|error| Error::Plain(format!("mkdir {source}: {error}")))?,
            Face::Libpod => {
                let cause = "no such file or directory".to_owned();
                return Err(Error::Failed {
                    message: format!("statfs {source}: {cause}"),
                    cause,
                });
            }
        }
    }
    Ok(())
}

/// At start: what is gone since create is refused, in the words of Podman's OCI runtime.
pub(crate) fn check_sources(spec: &ContainerSpec) -> Result<(), Error> {
    match missing(spec).next() {
        Some(source) => Err(Error::command_not_found(format!(
            "cannot stat `{source}`: No such file or directory"
        ))),
        None => Ok(()),
    }
}

fn missing(spec: &ContainerSpec) -> impl Iterator<Item = &str> {
    let binds = spec.mounts.iter().filter(|m| m.kind == MountKind::Bind);
    let sources = binds.map(|mount| mount.source.as_str());
    sources.filter(|source| !Path::new(source).exists())
}
