//! Devices of the host: `--device`, in both faces' forms.

use model::Error;
use model::container::Device;
use podman_api::container::compat::DeviceMapping;
use podman_api::oci;

use crate::fields::CDI_DEVICES;
use crate::refuse::Body;

/// What a container may do with a device where the request does not say.
const ALL: &str = "rwm";

/// `devices` of a libpod create. Podman looks at the path alone, which holds all three parts.
///
/// # Errors
/// Podman's words for a text that names no device.
pub(super) fn from_libpod(body: Body, devices: &[oci::Device]) -> Result<Vec<Device>, Error> {
    devices
        .iter()
        .map(|device| parse(body, "devices", &device.path))
        .collect()
}

/// `HostConfig.Devices` of a compat create. Podman puts the three parts together and reads them again.
///
/// # Errors
/// As of [`from_libpod`].
pub(super) fn from_compat(body: Body, devices: &[DeviceMapping]) -> Result<Vec<Device>, Error> {
    let text = |device: &DeviceMapping| {
        let DeviceMapping {
            path_on_host,
            path_in_container,
            cgroup_permissions,
        } = device;
        format!("{path_on_host}:{path_in_container}:{cgroup_permissions}")
    };
    devices
        .iter()
        .map(|device| parse(body, "Devices", &text(device)))
        .collect()
}

/// `HOST[:CONTAINER][:PERMISSIONS]`, one of the last two or both.
fn parse(body: Body, field: &str, text: &str) -> Result<Device, Error> {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, inside, permissions) = match parts.as_slice() {
        [source] => (*source, None, None),
        [source, second] => (*source, Some(*second), None),
        [source, second, third] => (*source, Some(*second), Some(*third)),
        _ => {
            return Err(Error::Plain(format!(
                "invalid device specification: {text}"
            )));
        }
    };
    if is_cdi(source) {
        return Err(body.refusal_of(field, text, CDI_DEVICES));
    }
    let mut device = Device {
        source: source.to_owned(),
        destination: String::new(),
        permissions: ALL.to_owned(),
    };
    if let Some(words) = permissions {
        words.clone_into(&mut device.permissions); // none are good for a folder alone, as is seen on the host
    }
    match inside {
        None | Some("") => {}
        Some(path) if path.starts_with('/') => path.clone_into(&mut device.destination),
        // the second part counts, also where there is a third
        Some(words) => words.clone_into(&mut device.permissions),
    }
    match device.permissions.is_empty() || are_permissions(&device.permissions) {
        true => Ok(device),
        false => Err(Error::Plain(format!(
            "invalid device mode {:?} in device {text:?}",
            device.permissions
        ))),
    }
}

/// Each of the three letters once at most.
fn are_permissions(text: &str) -> bool {
    let once = |letter: char| text.matches(letter).count() <= 1;
    text.chars()
        .all(|letter| ALL.contains(letter) && once(letter))
}

/// `VENDOR/CLASS=NAME`, the form of the Container Device Interface.
fn is_cdi(source: &str) -> bool {
    !source.starts_with('/') && source.contains('/') && source.contains('=')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::LIBPOD;

    const BODY: Body = Body::new(&LIBPOD);

    fn device(source: &str, destination: &str, permissions: &str) -> Device {
        Device {
            source: source.into(),
            destination: destination.into(),
            permissions: permissions.into(),
        }
    }

    /// Each was tried on Podman 5.8.6.
    #[test]
    fn a_device_is_read_as_podman_reads_it() {
        for (text, inside, permissions) in [
            ("/dev/null", "", "rwm"),
            ("/dev/null:", "", "rwm"),
            ("/dev/null:r", "", "r"),
            ("/dev/null:wr", "", "wr"),
            ("/dev/null:/x", "/x", "rwm"),
            ("/dev/null:/x:m", "/x", "m"),
            ("/dev/null::r", "", "r"),
            ("/dev/null:rw:r", "", "rw"),
            ("/dev/null:/x:", "/x", ""),
        ] {
            let made = parse(BODY, "devices", text).unwrap();
            assert_eq!(made, device("/dev/null", inside, permissions), "{text}");
        }
    }

    #[test]
    fn what_is_no_device_is_refused_in_podmans_words() {
        for (text, error) in [
            (
                "/dev/null:q",
                r#"invalid device mode "q" in device "/dev/null:q""#,
            ),
            (
                "/dev/null:/x:q",
                r#"invalid device mode "q" in device "/dev/null:/x:q""#,
            ),
            (
                "/dev/null:rr",
                r#"invalid device mode "rr" in device "/dev/null:rr""#,
            ),
            (
                "/dev/null:/x:rwm:",
                "invalid device specification: /dev/null:/x:rwm:",
            ),
        ] {
            let told = parse(BODY, "devices", text).unwrap_err();
            assert_eq!(told.to_string(), error);
        }
        let told = parse(BODY, "devices", "vendor.com/class=dev").unwrap_err();
        assert!(told.to_string().contains(CDI_DEVICES));
    }

    #[test]
    fn dockers_three_parts_are_one_text() {
        let asked = |host: &str, inside: &str, permissions: &str| DeviceMapping {
            path_on_host: host.into(),
            path_in_container: inside.into(),
            cgroup_permissions: permissions.into(),
        };
        for (inside, permissions) in [("/x", "r"), ("", "rw"), ("/x", ""), ("", "")] {
            let made = from_compat(BODY, &[asked("/dev/null", inside, permissions)]).unwrap();
            assert_eq!(made, [device("/dev/null", inside, permissions)]);
        }
        from_compat(BODY, &[asked("/dev/null", "x", "rwm")]).unwrap_err();
    }
}
