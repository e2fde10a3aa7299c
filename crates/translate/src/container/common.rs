//! What the create requests of both faces and of pods share.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::Error;
use model::container::{Dns, RestartPolicy};
use model::record::HANDLER;

use crate::cri::words::is_word;
use crate::fields::MERGED;
use crate::refuse::{Body, invalid};

/// The host's own address, as a container reaches it.
const HOST_GATEWAY: &str = "host-gateway";

/// A text where the empty one is none.
pub(crate) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// A restart policy and its bound.
pub(crate) fn restart(word: &str, tries: u64) -> Result<RestartPolicy, Error> {
    let policy = match word {
        "" | "no" | "none" | "never" => RestartPolicy::No,
        "always" => RestartPolicy::Always,
        "unless-stopped" => RestartPolicy::UnlessStopped,
        "on-failure" => RestartPolicy::OnFailure {
            max: u32::try_from(tries).unwrap_or(u32::MAX),
        },
        other => {
            return Err(Error::InvalidArgument(format!(
                "running container create option: {other:?} is not a valid restart policy"
            )));
        }
    };
    if tries > 0 && !matches!(policy, RestartPolicy::OnFailure { .. }) {
        return Err(Error::InvalidArgument(
            "cannot set restart policy retries unless policy is on-failure".to_owned(),
        ));
    }
    Ok(policy)
}

/// DNS settings; servers are addresses.
pub(crate) fn dns(
    field: &str,
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
) -> Result<Dns, Error> {
    if let Some(server) = servers
        .iter()
        .find(|server| server.parse::<IpAddr>().is_err())
    {
        return Err(invalid(field, format!("invalid IP address: {server}")));
    }
    Ok(Dns {
        servers,
        searches,
        options,
    })
}

/// `--add-host` entries, checked as Podman checks them.
pub(crate) fn hosts(field: &str, entries: Vec<String>) -> Result<Vec<String>, Error> {
    for entry in &entries {
        let Some((names, address)) = entry.split_once(':') else {
            return Err(invalid(
                field,
                format!("bad format for add-host: {entry:?}"),
            ));
        };
        if names.is_empty() || names.split(';').any(str::is_empty) {
            return Err(invalid(
                field,
                format!("name in add-host {entry:?} is empty"),
            ));
        }
        if address == HOST_GATEWAY {
            continue; // known at the start
        }
        let bare = address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(address);
        if bare.parse::<IpAddr>().is_err() {
            return Err(invalid(
                field,
                format!("invalid IP address in add-host: {address:?}"),
            ));
        }
    }
    Ok(entries)
}

/// `NAME=value`, the last of a name counts. A bare `NAME` would be taken from the daemon's own
/// environment by Podman, which has none for containers here: it is left out as Podman does then.
pub(crate) fn environment(
    field: &str,
    entries: Vec<String>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut env = BTreeMap::new();
    for entry in entries {
        match entry.split_once('=') {
            Some(("", _)) => return Err(invalid(field, format!("invalid variable: {entry:?}"))),
            Some((name, value)) => {
                env.insert(name.trim_start().to_owned(), value.to_owned());
            }
            None => {}
        }
    }
    Ok(env)
}

/// What Podman's own inspect shows as the runtime, whichever it is: clients that make a container anew send it back.
const OCI: &str = "oci";

/// The runtime handler: named in the request, else by annotation, else by label. "oci" names none.
pub(crate) fn handler(
    named: &str,
    annotations: &BTreeMap<String, String>,
    labels: &BTreeMap<String, String>,
) -> Option<String> {
    let asked = [
        Some(named),
        annotations.get(HANDLER).map(String::as_str),
        labels.get(HANDLER).map(String::as_str),
    ];
    asked
        .into_iter()
        .flatten()
        .find(|text| !["", OCI].contains(text))
        .map(str::to_owned)
}

/// Refuses annotations under our own prefix but the handler's: they would pass for a record.
pub(crate) fn check_annotations(
    field: &str,
    annotations: &BTreeMap<String, String>,
) -> Result<(), Error> {
    let ours = |key: &&String| key.starts_with(model::record::PREFIX) && *key != HANDLER;
    match annotations.keys().find(ours) {
        Some(key) => Err(invalid(field, format!("{key} is this daemon's own"))),
        None => Ok(()),
    }
}

/// Podman's error for what belongs on the pod.
pub(crate) fn on_pod(what: &str) -> Error {
    let cause = "network cannot be configured when it is shared with a pod";
    Error::Failed {
        message: format!("invalid config provided: {what}: {cause}"),
        cause: cause.to_owned(),
    }
}

/// `--env-merge`: variables with words in which others stand.
pub(super) fn merged(body: Body, field: &str, asked: Vec<String>) -> Result<Vec<String>, Error> {
    for pair in &asked {
        let Some((_, word)) = pair.split_once('=') else {
            let text = format!("missing `=` for --env-merge substitution {pair}");
            return Err(Error::Plain(text));
        };
        if !is_word(word) {
            return Err(body.refusal_of(field, pair, MERGED));
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restart_policies_have_podmans_words() {
        for (word, tries, policy) in [
            ("", 0, RestartPolicy::No),
            ("no", 0, RestartPolicy::No),
            ("always", 0, RestartPolicy::Always),
            ("unless-stopped", 0, RestartPolicy::UnlessStopped),
            ("on-failure", 0, RestartPolicy::OnFailure { max: 0 }),
            ("on-failure", 3, RestartPolicy::OnFailure { max: 3 }),
        ] {
            assert_eq!(restart(word, tries).unwrap(), policy);
        }
        let error = restart("sometimes", 0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "running container create option: \"sometimes\" is not a valid restart policy: invalid argument"
        );
        assert!(restart("always", 3).is_err());
    }

    #[test]
    fn host_entries_are_checked_as_podman_checks_them() {
        let good = [
            "x:1.2.3.4",
            "a;b:10.0.0.1",
            "v6:fe80::1",
            "v6:[::1]",
            "a;b:host-gateway",
        ]
        .map(str::to_owned)
        .to_vec();
        assert_eq!(hosts("hostadd", good.clone()).unwrap(), good);
        for bad in [
            "x",
            ":1.2.3.4",
            "x:nosuch",
            "x:",
            "a;:1.2.3.4",
            ":host-gateway",
        ] {
            let error = hosts("hostadd", vec![bad.to_owned()])
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("hostadd"), "{error}");
        }
    }

    #[test]
    fn the_handler_is_chosen_in_the_order_of_rule_15() {
        let map = |value: &str| BTreeMap::from([(HANDLER.to_owned(), value.to_owned())]);
        let none = BTreeMap::new();
        assert_eq!(
            handler("api", &map("annotation"), &map("label")).as_deref(),
            Some("api")
        );
        assert_eq!(
            handler("", &map("annotation"), &map("label")).as_deref(),
            Some("annotation")
        );
        assert_eq!(handler("", &none, &map("label")).as_deref(), Some("label"));
        assert_eq!(handler("", &none, &map("")), None);
        assert_eq!(handler("oci", &map("oci"), &map("oci")), None);
    }

    #[test]
    fn a_forged_record_is_refused() {
        let forged = BTreeMap::from([(model::record::RECORD.to_owned(), "1:x".to_owned())]);
        assert!(check_annotations("annotations", &forged).is_err());
        let handler = BTreeMap::from([(HANDLER.to_owned(), "kata".to_owned())]);
        check_annotations("annotations", &handler).unwrap();
    }
}
