//! Devices of the host that a container is given: what a create names becomes device nodes.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use model::Error;
use model::container::Device;

use super::sources::words;

/// What a container may do with a device of a folder where the request does not say.
const ALL: &str = "rwm";

/// Entries below one folder that are looked at: a folder such as /dev has hundreds, and a whole disk is no folder of
/// devices.
const MAX_ENTRIES: usize = 16_384;

/// The device nodes that these stand for: a link is followed, a folder stands for all that lie in it.
///
/// # Errors
/// Podman's words: nothing there, no device, no device in a folder.
pub(crate) fn nodes(asked: &[Device]) -> Result<Vec<Device>, Error> {
    let mut all = Vec::new();
    for device in asked {
        add(&mut all, device)?;
    }
    Ok(all)
}

/// Whether what was there at create still is: CRI-O starts a container without a device that is gone (read in 1.36.3's
/// source).
///
/// # Errors
/// The first that is gone.
pub(super) fn check(devices: &[Device]) -> Result<(), Error> {
    let mut sources = devices.iter().map(|device| device.source.as_str());
    sources.try_for_each(|source| kind_of(source).map(drop))
}

fn kind_of(source: &str) -> Result<fs::FileType, Error> {
    let found = fs::metadata(source).map_err(|error| {
        let cause = words(&error).to_lowercase();
        Error::Failed {
            message: format!("stat {source}: {cause}"),
            cause,
        }
    })?;
    Ok(found.file_type())
}

fn add(all: &mut Vec<Device>, asked: &Device) -> Result<(), Error> {
    let Device {
        source,
        destination,
        permissions,
    } = asked;
    let source = followed(source);
    let kind = kind_of(&source)?;
    let inside = match destination.as_str() {
        "" => &source,
        inside => inside,
    };
    if kind.is_dir() {
        return add_below(all, &source, inside, permissions);
    }
    if permissions.is_empty() {
        return Err(Error::Plain(format!(
            "empty device mode in device specification: {source}:{destination}:"
        )));
    }
    if !is_device(kind) {
        return Err(Error::Plain("not a device node".to_owned())
            .behind(&format!("{source} is not a valid device")));
    }
    all.push(Device {
        source: source.clone(),
        destination: inside.to_owned(),
        permissions: permissions.clone(),
    });
    Ok(())
}

/// A link's target; all else as it is.
fn followed(source: &str) -> String {
    let is_link = fs::symlink_metadata(source).is_ok_and(|found| found.file_type().is_symlink());
    let target = match is_link {
        true => fs::canonicalize(source).ok(),
        false => None,
    };
    let target = target.and_then(|path| path.to_str().map(str::to_owned));
    target.unwrap_or_else(|| source.to_owned())
}

fn add_below(
    all: &mut Vec<Device>,
    source: &str,
    inside: &str,
    permissions: &str,
) -> Result<(), Error> {
    let (mut found, mut left) = (Vec::new(), MAX_ENTRIES);
    find(Path::new(source), &mut found, &mut left);
    if left == 0 {
        return Err(Error::InvalidArgument(format!(
            "more than {MAX_ENTRIES} files in {source}, which is no folder of devices"
        )));
    }
    if found.is_empty() {
        return Err(Error::InvalidArgument(format!(
            "no devices found in {source}"
        )));
    }
    let permissions = match permissions {
        "" => ALL,
        words => words,
    };
    for node in found {
        let below = node.strip_prefix(source).unwrap_or(&node);
        let destination = Path::new(inside).join(below);
        let (Some(source), Some(destination)) = (node.to_str(), destination.to_str()) else {
            continue; // CRI's paths are text
        };
        all.push(Device {
            source: source.to_owned(),
            destination: destination.to_owned(),
            permissions: permissions.to_owned(),
        });
    }
    Ok(())
}

/// Device nodes below a folder, in the order of their names; links are not followed, and a folder that cannot be read
/// has none, as with Podman. Looks at so many entries as are left.
fn find(folder: &Path, found: &mut Vec<PathBuf>, left: &mut usize) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut entries: Vec<_> = entries.flatten().take(*left).collect();
    *left -= entries.len();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => find(&entry.path(), found, left),
            Ok(kind) if is_device(kind) => found.push(entry.path()),
            Ok(_) | Err(_) => {}
        }
    }
}

fn is_device(kind: fs::FileType) -> bool {
    kind.is_char_device() || kind.is_block_device()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(source: &str, destination: &str, permissions: &str) -> Result<Vec<Device>, Error> {
        nodes(&[device(source, destination, permissions)])
    }

    fn device(source: &str, destination: &str, permissions: &str) -> Device {
        Device {
            source: source.to_owned(),
            destination: destination.to_owned(),
            permissions: permissions.to_owned(),
        }
    }

    #[test]
    fn a_device_lies_where_it_was_asked_to_and_a_link_is_followed() {
        let made = one("/dev/null", "", "r").unwrap();
        assert_eq!(made, [device("/dev/null", "/dev/null", "r")]);
        let made = one("/dev/null", "/dev/x", "rwm").unwrap();
        assert_eq!(made, [device("/dev/null", "/dev/x", "rwm")]);
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        let made = one(link.to_str().unwrap(), "", "rw").unwrap();
        assert_eq!(made, [device("/dev/zero", "/dev/zero", "rw")]);
    }

    #[test]
    fn a_folder_stands_for_the_devices_below_it() {
        let made = one("/dev", "/devices", "").unwrap();
        assert!(made.contains(&device("/dev/null", "/devices/null", "rwm")));
        assert!(!made.iter().any(|device| device.source == "/dev/fd"));
        let made = one("/dev/", "", "r").unwrap();
        assert!(made.contains(&device("/dev/null", "/dev/null", "r")));
    }

    #[test]
    fn a_device_that_is_gone_is_told_before_a_start() {
        check(&[device("/dev/null", "/dev/x", "r")]).unwrap();
        let gone = [
            device("/dev/null", "/a", "r"),
            device("/dev/nosuch", "/b", "r"),
        ];
        assert_eq!(
            check(&gone).unwrap_err().to_string(),
            "stat /dev/nosuch: no such file or directory"
        );
    }

    #[test]
    fn a_folder_with_too_much_in_it_is_no_folder_of_devices() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..MAX_ENTRIES {
            fs::write(folder.path().join(number.to_string()), "").unwrap();
        }
        let told = one(folder.path().to_str().unwrap(), "", "").unwrap_err();
        assert!(
            told.to_string().starts_with("more than 16384 files in "),
            "{told}"
        );
    }

    /// As Podman 5.8.6 tells them.
    #[test]
    fn what_is_no_device_is_told_in_podmans_words() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        for (source, permissions, text, cause) in [
            (
                "/dev/nosuch".to_owned(),
                "rwm",
                "stat /dev/nosuch: no such file or directory".to_owned(),
                "no such file or directory",
            ),
            (
                "/dev/null/x".to_owned(),
                "rwm",
                "stat /dev/null/x: not a directory".to_owned(),
                "not a directory",
            ),
            (
                format!("{path}/file"),
                "rwm",
                format!("{path}/file is not a valid device: not a device node"),
                "not a device node",
            ),
            (
                path.to_owned(),
                "rwm",
                format!("no devices found in {path}: invalid argument"),
                "invalid argument",
            ),
            (
                "/dev/null".to_owned(),
                "",
                "empty device mode in device specification: /dev/null::".to_owned(),
                "empty device mode in device specification: /dev/null::",
            ),
        ] {
            let told = one(&source, "", permissions).unwrap_err();
            assert_eq!(told.to_string(), text);
            assert_eq!(told.cause(), cause);
        }
    }
}
