//! Changes of a container's mounts and devices from inside of its mount namespace, while its command is held: what CRI has no
//! field for, and what a runtime makes otherwise than asked.
//!
//! The gate makes them, executed on the host: entering a mount namespace wants a process of one thread.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use model::container::Device;
use model::{Error, gate};

/// The words of `gate inside` that give devices the mode and the owner that they have on the host, as with Podman. CRI-O makes
/// them for everybody (measured with 1.36.3).
///
/// # Errors
/// [`Error::Internal`] for one that is gone.
pub(crate) fn of_devices(devices: &[Device]) -> Result<Vec<String>, Error> {
    let words = devices.iter().map(|device| {
        let found = fs::metadata(&device.source).map_err(Error::internal)?;
        let (mode, user, group) = (found.mode() & 0o7777, found.uid(), found.gid());
        let (number, place) = (found.rdev(), &device.destination);
        let word = format!("{mode:o}:{user}:{group}:{number}:{place}");
        Ok(["--device".to_owned(), word])
    });
    let words: Result<Vec<_>, Error> = words.collect();
    Ok(words?.into_iter().flatten().collect())
}

/// Makes the changes in the namespace of a container's process, which waits in the gate.
///
/// # Errors
/// [`Error::Plain`] with the reason of the first that cannot be made.
pub(crate) fn change_inside(
    program: &Path,
    pid: i32,
    cri_id: &str,
    changes: &[String],
) -> Result<(), Error> {
    let namespace = namespace_of(pid, cri_id)?;
    let mut command = Command::new(program);
    command.args(["inside", gate::PROGRAM]).args(changes);
    command.env_clear().stdin(namespace).stdout(Stdio::null());
    let ended = command.output().map_err(Error::internal)?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let said = said.trim().trim_start_matches("gate: ");
    Err(Error::Plain(format!(
        "changing the container's mounts: {said}"
    )))
}

/// The mount namespace of a process, which is the container's still.
fn namespace_of(pid: i32, cri_id: &str) -> Result<File, Error> {
    let process = Path::new("/proc").join(pid.to_string());
    let namespace = File::open(process.join("ns/mnt")).map_err(Error::internal)?;
    // another process may have its number by now
    let groups = fs::read_to_string(process.join("cgroup")).map_err(Error::internal)?;
    match groups.contains(cri_id) {
        true => Ok(namespace),
        false => Err(Error::internal("the container's process has ended")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_has_the_mode_that_it_has_on_the_host() {
        let device = Device {
            source: "/dev/null".to_owned(),
            destination: "/dev/x".to_owned(),
            ..Device::default()
        };
        let found = fs::metadata("/dev/null").unwrap();
        let owner = format!("{}:{}:{}", found.uid(), found.gid(), found.rdev());
        let wanted = format!("{:o}:{owner}:/dev/x", found.mode() & 0o7777);
        assert_eq!(of_devices(&[device]).unwrap(), ["--device", &wanted]);
    }

    #[test]
    fn the_namespace_of_another_process_is_not_entered() {
        let own = i32::try_from(std::process::id()).unwrap();
        let error = namespace_of(own, "0123456789abcdef").unwrap_err();
        assert!(error.to_string().contains("has ended"), "{error}");
    }
}
