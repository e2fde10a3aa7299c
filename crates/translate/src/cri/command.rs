//! The arguments and the environment of a container, by Podman's rules.

use cri_api::v1::KeyValue;
use model::argv::Argv;
use model::container::{ContainerRecord, ContainerSpec};
use model::secret::SecretData;
use model::systemd;

use super::words::merged;

/// Podman's PATH where the image has none (recorded).
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Hexadecimal digits of the id that systemd gives its machine.
const UUID_DIGITS: usize = 32;

/// CRI's `command` and `args`. `command` is never empty: else the image's entry point would come back.
pub(super) fn command_and_args(argv: Argv) -> (Vec<String>, Vec<String>) {
    match argv.entrypoint.is_empty() {
        true => (argv.cmd, Vec::new()),
        false => (argv.entrypoint, argv.cmd),
    }
}

/// The environment: Podman's defaults, under the image's, under what is merged from those, without what is taken
/// away, under what was asked for (recorded).
///
/// Not HOME: the OCI runtime sets it from the container's own /etc/passwd where it is missing, which
/// is what Podman does beforehand; a value from here would be a guess.
pub fn environment(spec: &ContainerSpec, hostname: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut set = |key: &str, value: &str| set_in(&mut all, key, value);
    set("PATH", DEFAULT_PATH);
    set("container", "podman");
    if spec.terminal {
        set("TERM", "xterm");
    }
    set("HOSTNAME", hostname);
    for entry in &spec.image.config.env {
        let (key, value) = entry.split_once('=').unwrap_or((entry, ""));
        set(key, value);
    }
    let known = spec.env_merge.iter().filter_map(|word| merged(word, &all));
    for (key, value) in known.collect::<Vec<_>>() {
        set_in(&mut all, &key, &value);
    }
    all.retain(|(key, _)| !spec.takes_away(key));
    for (key, value) in &spec.env {
        set_in(&mut all, key, value);
    }
    all
}

fn set_in(all: &mut Vec<(String, String)>, key: &str, value: &str) {
    match all.iter_mut().find(|(known, _)| known == key) {
        Some((_, old)) => value.clone_into(old),
        None => all.push((key.to_owned(), value.to_owned())),
    }
}

/// The same as CRI has it, with secrets over it.
pub(super) fn cri_environment(
    record: &ContainerRecord,
    hostname: &str,
    secrets: &[(String, SecretData)],
) -> Vec<KeyValue> {
    let is_secret = |key: &str| secrets.iter().any(|(name, _)| name == key);
    let ContainerRecord { id, spec, .. } = record;
    let mut all = environment(spec, hostname);
    if systemd::is_on(spec) && !all.iter().any(|(key, _)| key == systemd::UUID) {
        let half = id.as_str().get(..UUID_DIGITS).unwrap_or_default();
        all.push((systemd::UUID.to_owned(), half.to_owned()));
    }
    let plain = all.into_iter();
    let plain = plain.filter(|(key, _)| !is_secret(key));
    let plain = plain.map(|(key, value)| KeyValue {
        key,
        value: value.into_bytes(),
    });
    let secrets = secrets.iter().map(|(key, data)| KeyValue {
        key: key.clone(),
        value: data.0.clone(),
    });
    plain.chain(secrets).collect()
}

#[cfg(test)]
mod tests {
    use model::pod::Role;

    use super::*;
    use crate::cri::tests_support::{container, sandbox};

    #[test]
    fn cris_command_is_never_empty() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (entrypoint, cmd, wanted) in [
            (&["e"][..], &["a"][..], (&["e"][..], &["a"][..])),
            (&[], &["a", "b"], (&["a", "b"], &[])),
            (&[], &[""], (&[""], &[])),
        ] {
            let argv = Argv {
                entrypoint: words(entrypoint),
                cmd: words(cmd),
            };
            assert_eq!(
                command_and_args(argv),
                (words(wanted.0), words(wanted.1)),
                "{entrypoint:?} {cmd:?}"
            );
        }
    }

    fn value<'a>(all: &'a [(String, String)], key: &str) -> Option<&'a str> {
        all.iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }

    #[test]
    fn variables_are_merged_from_the_images_and_taken_away_before_the_users_are_set() {
        let mut spec = ContainerSpec::default();
        spec.image.config.env = vec!["PATH=/bin".into(), "A=image".into()];
        spec.env_merge = vec!["PATH=$PATH:/x".into(), "B=${A}-${C:-none}".into()];
        spec.env = [("B".to_owned(), "user".to_owned())].into();
        let all = environment(&spec, "abc");
        assert_eq!(value(&all, "PATH"), Some("/bin:/x"));
        assert_eq!(value(&all, "B"), Some("user"));
        spec.env = [("A".to_owned(), "user".to_owned())].into();
        spec.unset_env = vec!["PATH".into(), "A".into(), "HOSTNAME".into()];
        let all = environment(&spec, "abc");
        let table = [
            ("PATH", None),
            ("A", Some("user")),
            ("B", Some("image-none")),
            ("HOSTNAME", Some("abc")),
        ];
        for (key, wanted) in table {
            assert_eq!(value(&all, key), wanted, "{key}");
        }
        spec.unset_env_all = true;
        let all = environment(&spec, "abc");
        let wanted = [("HOSTNAME", "abc"), ("A", "user")];
        assert_eq!(
            all,
            wanted.map(|(key, value)| (key.to_owned(), value.to_owned()))
        );
    }

    #[test]
    fn a_secret_outranks_a_variable_of_its_name() {
        let mut record = container(&sandbox(Role::Hidden));
        record.spec.env = [("A".to_owned(), "user".to_owned())].into();
        let secrets = [("A".to_owned(), SecretData(b"secret".to_vec()))];
        let all = cri_environment(&record, "abc", &secrets);
        let values: Vec<_> = all.iter().filter(|pair| pair.key == "A").collect();
        assert_eq!(values.len(), 1);
        assert_eq!(values[0].value, b"secret");
    }

    #[test]
    fn podmans_variables_are_there_and_give_way_to_the_image_and_the_user() {
        let mut spec = ContainerSpec::default();
        let all = environment(&spec, "abc");
        assert_eq!(value(&all, "PATH"), Some(DEFAULT_PATH));
        assert_eq!(value(&all, "container"), Some("podman"));
        assert_eq!(value(&all, "HOSTNAME"), Some("abc"));
        assert_eq!(value(&all, "TERM"), None);
        assert_eq!(value(&all, "HOME"), None);

        spec.terminal = true;
        spec.image.config.env = vec![
            "PATH=/bin".into(),
            "A=image".into(),
            "BARE".into(),
            "E=x=y".into(),
        ];
        spec.env = [("A", "user"), ("HOSTNAME", "bar"), ("container", "z")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into();
        let all = environment(&spec, "abc");
        let table = [
            ("PATH", "/bin"),
            ("A", "user"),
            ("BARE", ""),
            ("E", "x=y"),
            ("TERM", "xterm"),
            ("HOSTNAME", "bar"),
            ("container", "z"),
        ];
        for (key, wanted) in table {
            assert_eq!(value(&all, key), Some(wanted), "{key}");
        }
        assert_eq!(all.len(), table.len());
    }
}
