//! The sources of bind mounts and volumes, and devices at a start: the runtimes would make a folder of a missing one in silence.

use std::fs;
use std::io::{self, ErrorKind};

use model::Error;
use model::container::{ContainerSpec, Face, MountKind};

/// At create: Docker's `-v` makes a missing source, and so does the compat face; libpod refuses.
pub(crate) fn make_or_miss_sources(spec: &ContainerSpec) -> Result<(), Error> {
    check_init(spec)?;
    for (source, error) in unreachable(spec, &[MountKind::Bind]) {
        if spec.face == Face::Compat && error.kind() == ErrorKind::NotFound {
            fs::create_dir_all(source)
                .map_err(|error| Error::Plain(format!("mkdir {source}: {}", words(&error))))?;
            continue;
        }
        let cause = words(&error).to_lowercase();
        return Err(Error::Failed {
            message: format!("statfs {source}: {cause}"),
            cause,
        });
    }
    Ok(())
}

/// At start: what is gone since create is refused, sources of mounts in the words of Podman's OCI runtime.
pub(crate) fn check_sources(spec: &ContainerSpec) -> Result<(), Error> {
    super::devices::check(&spec.devices)?;
    check_init(spec)?;
    let Some((source, error)) = unreachable(spec, &[MountKind::Bind, MountKind::Volume]).next()
    else {
        return Ok(());
    };
    let text = format!("cannot stat `{source}`: {}", words(&error));
    Err(match error.kind() {
        ErrorKind::NotFound => Error::command_not_found(text),
        _ => Error::Plain(text),
    })
}

/// Podman's words for an init of the host's that is not there.
fn check_init(spec: &ContainerSpec) -> Result<(), Error> {
    let Some(path) = spec.own_init() else {
        return Ok(());
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let cause = words(&error).to_lowercase();
            Err(Error::Failed {
                message: format!(
                    "container-init binary not found on the host: faccessat {path}: {cause}"
                ),
                cause,
            })
        }
        _ => Ok(()),
    }
}

fn unreachable<'a>(
    spec: &'a ContainerSpec,
    kinds: &'a [MountKind],
) -> impl Iterator<Item = (&'a str, io::Error)> {
    // what lies below an overlay is looked at when it is mounted
    let mounts = spec
        .mounts
        .iter()
        .filter(|mount| kinds.contains(&mount.kind) && !mount.is_overlay());
    mounts.filter_map(|mount| {
        let error = fs::metadata(&mount.source).err()?;
        Some((mount.source.as_str(), error))
    })
}

/// The system's words for an error, without its number.
pub(super) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let plain = text.split(" (os error").next();
    plain.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::container::Mount;

    fn spec(source: &str, face: Face) -> ContainerSpec {
        ContainerSpec {
            mounts: vec![Mount {
                source: source.to_owned(),
                ..Mount::default()
            }],
            face,
            ..ContainerSpec::default()
        }
    }

    #[test]
    fn a_source_that_cannot_be_reached_is_told_with_the_systems_words() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::write(at("file"), "").unwrap();
        for (source, text) in [
            (at("gone"), "no such file or directory"),
            (at("file/below"), "not a directory"),
        ] {
            let at_create = make_or_miss_sources(&spec(&source, Face::Libpod)).unwrap_err();
            assert_eq!(at_create.to_string(), format!("statfs {source}: {text}"));
            let at_start = check_sources(&spec(&source, Face::Libpod)).unwrap_err();
            let said = at_start.to_string().to_lowercase();
            assert!(said.contains(&format!("cannot stat `{}`: {text}", source.to_lowercase())));
        }
        for face in [Face::Libpod, Face::Compat] {
            make_or_miss_sources(&spec(&at("file"), face)).unwrap();
            check_sources(&spec(&at("file"), face)).unwrap();
        }
        make_or_miss_sources(&spec(&at("made"), Face::Compat)).unwrap();
        assert!(folder.path().join("made").is_dir());
        let below_a_file = spec(&at("file/below"), Face::Compat);
        make_or_miss_sources(&below_a_file).unwrap_err();
    }
}
