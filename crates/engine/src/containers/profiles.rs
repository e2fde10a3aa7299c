//! Security profiles that lie on the host: read and looked for at the create.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use model::Error;
use model::container::ContainerSpec;
use rustix::fs::{Mode, OFlags, open};

use crate::host::open_regular;
use crate::runtime::Runtime as _;
use crate::system::Inner;
use crate::volumes::on_disk;

/// Bytes of a seccomp profile at most: Podman's own has 12 KiB.
const PROFILE_LIMIT: u64 = 1024 * 1024;

/// The label of an image with the seccomp profile of its containers.
const SECCOMP_LABEL: &str = "io.containers.seccomp.profile";

/// Where `AppArmor` shows itself.
pub(crate) const APPARMOR: &str = "/sys/kernel/security/apparmor";

impl Inner {
    /// Reads the seccomp profile that a container asks for, as Podman does at the create: what becomes of the file later
    /// does not matter. An `AppArmor` profile is the kernel's, by name.
    pub(crate) async fn read_profiles(&self, spec: &mut ContainerSpec) -> Result<(), Error> {
        let read = self.read_seccomp(spec).await;
        read.and_then(|()| check_apparmor(spec, Path::new(APPARMOR)))
            .map_err(|error| spec.face.at_create(error))
    }

    async fn read_seccomp(&self, spec: &mut ContainerSpec) -> Result<(), Error> {
        let Some(asked) = spec.seccomp.as_ref().map(|profile| profile.asked.clone()) else {
            return Ok(());
        };
        if asked.is_empty() {
            return self.read_seccomp_of_image(spec);
        }
        let (text, name) = if is_text(&asked) {
            (asked.into_bytes(), "its text".to_owned())
        } else {
            let path = asked.clone();
            (on_disk(move || read(Path::new(&path))).await?, asked)
        };
        self.resolve_seccomp(spec, &text)
            .map_err(|error| error.behind(&format!("loading seccomp profile ({name}) failed")))
    }

    /// The profile in the image's label.
    fn read_seccomp_of_image(&self, spec: &mut ContainerSpec) -> Result<(), Error> {
        let label = spec.image.config.labels.get(SECCOMP_LABEL);
        let text = label.filter(|text| !text.is_empty()).cloned();
        let text = text.ok_or_else(|| {
            let text = "no seccomp policy defined by image";
            Error::Plain(text.to_owned())
        })?;
        self.resolve_seccomp(spec, text.as_bytes())
            .map_err(|error| error.behind("loading seccomp profile failed"))
    }

    fn resolve_seccomp(&self, spec: &mut ContainerSpec, text: &[u8]) -> Result<(), Error> {
        let kernel = rustix::system::uname();
        let kernel = kernel.release().to_string_lossy();
        let made = self.runtime.seccomp_profile(text, spec, &kernel)?;
        if let Some(profile) = &mut spec.seccomp {
            profile.resolved = made.unwrap_or_default();
        }
        Ok(())
    }
}

/// Docker's clients send the profile itself, where Podman takes a path alone. No path that is meant begins so.
fn is_text(asked: &str) -> bool {
    asked.trim_start().starts_with('{')
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let found = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
    let found = found.map_err(|errno| unreadable("open", path, &errno.into()))?;
    // opening a device does something already, and a pipe is read for as long as somebody writes
    let opened = open_regular(&found, OFlags::RDONLY).map_err(|error| match error.kind() {
        ErrorKind::InvalidInput if path.is_dir() => {
            unreadable("read", path, &ErrorKind::IsADirectory.into())
        }
        ErrorKind::InvalidInput => {
            unreadable("read", path, &std::io::Error::other("not a regular file"))
        }
        _ => unreadable("open", path, &error),
    })?;
    let mut text = Vec::new();
    let bounded = opened.take(PROFILE_LIMIT + 1).read_to_end(&mut text);
    bounded.map_err(|error| unreadable("read", path, &error))?;
    match text.len() as u64 > PROFILE_LIMIT {
        true => Err(unreadable("read", path, &ErrorKind::FileTooLarge.into())),
        false => Ok(text),
    }
}

/// Podman's words, with Go's.
fn unreadable(call: &str, path: &Path, error: &std::io::Error) -> Error {
    let cause = error.to_string().to_lowercase();
    let cause = cause.split(" (os error").next().unwrap_or_default();
    Error::Failed {
        message: format!(
            "opening seccomp profile failed: {call} {}: {cause}",
            path.display()
        ),
        cause: cause.to_owned(),
    }
}

/// Podman's words for a profile on a host that has none; whether it is loaded the runtime sees at the start.
fn check_apparmor(spec: &ContainerSpec, place: &Path) -> Result<(), Error> {
    match &spec.apparmor {
        Some(name) if !place.exists() => Err(Error::Plain(format!(
            "apparmor profile {name:?} specified, but Apparmor is not enabled on this system"
        ))),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The texts were asked of Podman 5.8.6.
    #[test]
    fn a_profile_that_cannot_be_read_is_named() {
        for (path, wanted) in [
            (
                "/nope.json",
                "opening seccomp profile failed: open /nope.json: no such file or directory",
            ),
            (
                "/tmp",
                "opening seccomp profile failed: read /tmp: is a directory",
            ),
            (
                "/dev/zero",
                "opening seccomp profile failed: read /dev/zero: not a regular file",
            ),
        ] {
            let error = read(Path::new(path)).unwrap_err();
            assert_eq!(error.to_string(), wanted);
        }
    }

    #[test]
    fn a_pipe_is_not_waited_for_and_a_large_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, large) = (folder.path().join("pipe"), folder.path().join("large"));
        let (kind, mode) = (rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o666));
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, kind, mode, 0).unwrap();
        // somebody writes to it, and never ends
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let _writer = open(&pipe, flags, Mode::empty()).unwrap();
        let file = std::fs::File::create(&large).unwrap();
        file.set_len(PROFILE_LIMIT + 1).unwrap();
        for (path, wanted) in [(pipe, "not a regular file"), (large, "file too large")] {
            let error = read(&path).unwrap_err().to_string();
            assert!(error.ends_with(wanted), "{error}");
        }
    }

    #[test]
    fn dockers_clients_send_the_profile_itself() {
        assert!(is_text(" {}"));
        assert!(!is_text("/etc/{}.json"));
    }

    #[test]
    fn an_apparmor_profile_needs_a_host_that_has_apparmor() {
        let spec = ContainerSpec {
            apparmor: Some("mine".to_owned()),
            ..ContainerSpec::default()
        };
        let error = check_apparmor(&spec, Path::new("/nope")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "apparmor profile \"mine\" specified, but Apparmor is not enabled on this system"
        );
        check_apparmor(&spec, Path::new("/")).unwrap();
        check_apparmor(&ContainerSpec::default(), Path::new("/nope")).unwrap();
    }
}
