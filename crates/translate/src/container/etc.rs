//! The files below `/etc` that a create asks for.

use model::Error;
use model::etc::{EtcFiles, NONE, UserEntries};
use podman_api::container::libpod::SpecGenerator;

/// What a libpod create asks of `/etc/hosts` and its sisters.
pub(super) fn files(spec: &SpecGenerator) -> EtcFiles {
    let of_image = |asked: Option<bool>| asked.unwrap_or(false);
    EtcFiles {
        image_hosts: of_image(spec.use_image_hosts),
        image_hostname: of_image(spec.use_image_hostname),
        image_resolv_conf: of_image(spec.use_image_resolve_conf),
        base_hosts: spec.base_hosts_file.clone(),
    }
}

/// The same of a compat create: Docker's daemon takes nothing over from the host's `/etc/hosts`, and Podman neither then.
pub(super) fn of_compat() -> EtcFiles {
    EtcFiles {
        base_hosts: NONE.to_owned(),
        ..EtcFiles::default()
    }
}

/// What a libpod create asks of the user's lines in `/etc/passwd` and `/etc/group`.
pub(super) fn entries(spec: &SpecGenerator) -> UserEntries {
    UserEntries {
        left_alone: spec.manage_password == Some(false),
        passwd: spec.passwd_entry.clone(),
        group: spec.group_entry.clone(),
    }
}

/// Podman's checks of what belongs into a file that is the image's.
pub(super) fn check(spec: &SpecGenerator) -> Result<(), Error> {
    let asked = files(spec);
    let (resolv, hosts) = ("UseImageResolvConf", "UseImageHosts");
    let exclusive = [
        (
            asked.image_resolv_conf,
            resolv,
            &spec.dns_server,
            "DNSServer",
        ),
        (
            asked.image_resolv_conf,
            resolv,
            &spec.dns_search,
            "DNSSearch",
        ),
        (
            asked.image_resolv_conf,
            resolv,
            &spec.dns_option,
            "DNSOption",
        ),
        (asked.image_hosts, hosts, &spec.host_add, "HostAdd"),
    ];
    let both =
        |(of_image, _, more, _): &(bool, &str, &Vec<String>, &str)| *of_image && !more.is_empty();
    match exclusive.into_iter().find(both) {
        Some((_, one, _, other)) => {
            let text = format!("{one} and {other} are mutually exclusive options");
            Err(Error::Plain(text).behind("invalid config provided"))
        }
        None => Ok(()),
    }
}
