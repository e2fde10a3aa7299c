//! Devices of the host: `--device`, in both faces' forms.

use model::Error;
use model::container::Device;
use podman_api::container::compat::{DeviceMapping, DeviceRequest};
use podman_api::oci;

use crate::fields::DEVICE_REQUESTS;
use crate::refuse::Body;

/// What a container may do with a device where the request does not say.
const ALL: &str = "rwm";

/// `devices` of a libpod create: those of the host, and those of the Container Device Interface. Podman looks at the path
/// alone, which holds all three parts.
///
/// # Errors
/// Podman's words for a text that names no device.
pub(super) fn from_libpod(devices: Vec<oci::Device>) -> Result<(Vec<Device>, Vec<String>), Error> {
    from_words(devices.into_iter().map(|device| device.path))
}

/// `pod_devices` of a pod's create, which are such texts.
///
/// # Errors
/// The same.
pub(crate) fn from_words(
    words: impl IntoIterator<Item = String>,
) -> Result<(Vec<Device>, Vec<String>), Error> {
    let (cdi, paths): (Vec<_>, Vec<_>) = words.into_iter().partition(|path| is_cdi(path));
    let devices = paths.iter().map(|path| parse(path));
    Ok((devices.collect::<Result<_, _>>()?, cdi))
}

/// `HostConfig.DeviceRequests` of a compat create: of the Container Device Interface, by name.
///
/// # Errors
/// Other requests, which Podman drops in silence.
pub(super) fn from_requests(
    body: Body,
    requests: Vec<DeviceRequest>,
) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for request in requests {
        let DeviceRequest {
            driver,
            count: _, // of a driver's own choice
            device_ids,
            capabilities: _, // the same
            options: _,      // the same
        } = request;
        let other = device_ids.iter().find(|name| !is_cdi(name));
        if driver != "cdi" || device_ids.is_empty() || other.is_some() {
            let what = other.unwrap_or(&driver);
            return Err(body.refusal_of("DeviceRequests", what, DEVICE_REQUESTS));
        }
        all.extend(device_ids);
    }
    Ok(all)
}

/// `HostConfig.Devices` of a compat create. Podman puts the three parts together and reads them again.
///
/// # Errors
/// As of [`from_libpod`].
pub(super) fn from_compat(devices: &[DeviceMapping]) -> Result<Vec<Device>, Error> {
    let text = |device: &DeviceMapping| {
        let DeviceMapping {
            path_on_host,
            path_in_container,
            cgroup_permissions,
        } = device;
        format!("{path_on_host}:{path_in_container}:{cgroup_permissions}")
    };
    devices.iter().map(|device| parse(&text(device))).collect()
}

/// `HOST[:CONTAINER][:PERMISSIONS]`, one of the last two or both.
fn parse(text: &str) -> Result<Device, Error> {
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
///
/// Source: the interface's `parser.ParseQualifiedName`.
fn is_cdi(device: &str) -> bool {
    let parts = device
        .split_once('=')
        .and_then(|(kind, name)| Some((kind.split_once('/')?, name)));
    let Some(((vendor, class), name)) = parts else {
        return false;
    };
    let word = |word: &str, marks: &str, digit: bool| {
        let first = word.chars().next();
        let last = word.chars().last();
        first.is_some_and(|first| first.is_ascii_alphabetic() || digit && first.is_ascii_digit())
            && last.is_some_and(|last| last.is_ascii_alphanumeric())
            && word
                .chars()
                .all(|each| each.is_ascii_alphanumeric() || marks.contains(each))
    };
    word(vendor, "_-.", false) && word(class, "_-", false) && word(name, "_-.:", true)
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
            let made = parse(text).unwrap();
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
            let told = parse(text).unwrap_err();
            assert_eq!(told.to_string(), error);
        }
    }

    #[test]
    fn devices_of_the_container_device_interface_are_told_by_their_form() {
        for device in ["vendor.com/class=one", "nvidia.com/gpu=0", "a/b=c:1.2"] {
            assert!(is_cdi(device), "{device}");
        }
        for device in [
            "/dev/a=b",
            "vendor.com/class",
            "vendor/class=",
            "/class=x",
            "a/b/c=d",
            "1a/b=c",
            "a-/b=c",
        ] {
            assert!(!is_cdi(device), "{device}");
        }
        let path = |path: &str| oci::Device {
            path: path.to_owned(),
            ..oci::Device::default()
        };
        let (nodes, cdi) = from_libpod(vec![path("/dev/null"), path("v.com/c=one")]).unwrap();
        assert_eq!(nodes, [device("/dev/null", "", "rwm")]);
        assert_eq!(cdi, ["v.com/c=one"]);
    }

    #[test]
    fn requests_name_devices_or_are_refused() {
        let request = |driver: &str, names: &[&str]| DeviceRequest {
            driver: driver.to_owned(),
            device_ids: names.iter().map(|&name| name.to_owned()).collect(),
            ..DeviceRequest::default()
        };
        let made = from_requests(BODY, vec![request("cdi", &["v.com/c=one"])]);
        assert_eq!(made.unwrap(), ["v.com/c=one"]);
        for refused in [
            request("cdi", &[]),
            request("nvidia", &["v.com/c=one"]),
            request("", &[]),
            request("cdi", &["/dev/null"]),
        ] {
            let error = from_requests(BODY, vec![refused]).unwrap_err();
            assert!(error.to_string().contains(DEVICE_REQUESTS), "{error}");
        }
    }

    #[test]
    fn dockers_three_parts_are_one_text() {
        let asked = |host: &str, inside: &str, permissions: &str| DeviceMapping {
            path_on_host: host.into(),
            path_in_container: inside.into(),
            cgroup_permissions: permissions.into(),
        };
        for (inside, permissions) in [("/x", "r"), ("", "rw"), ("/x", ""), ("", "")] {
            let made = from_compat(&[asked("/dev/null", inside, permissions)]).unwrap();
            assert_eq!(made, [device("/dev/null", inside, permissions)]);
        }
        from_compat(&[asked("/dev/null", "x", "rwm")]).unwrap_err();
    }
}
