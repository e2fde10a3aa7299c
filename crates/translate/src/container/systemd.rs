//! Whether a container is to run in systemd mode, as libpod's bodies say it.

use model::Error;
use model::systemd::Wanted;

use crate::refuse::invalid;

/// Podman's words, which it checks whatever their case and takes in small letters alone.
const WORDS: [&str; 3] = ["true", "false", "always"];

/// By the word of a create, which may have an init too.
///
/// # Errors
/// Podman's text for another word, and for an init before what is systemd in any case.
pub(super) fn wanted(word: &str, init: bool) -> Result<Wanted, Error> {
    match (word, init) {
        ("" | "true", _) => Ok(Wanted::ByCommand),
        ("false", _) => Ok(Wanted::Never),
        ("always", false) => Ok(Wanted::Always),
        ("always", true) => Err(Error::Plain(
            "cannot use container-init binary with systemd=always".to_owned(),
        )),
        (word, _) if WORDS.contains(&word.to_lowercase().as_str()) => Err(Error::Plain(format!(
            "invalid value {word:?} systemd option requires 'true, false, always'"
        ))),
        _ => {
            let cause = "invalid configuration";
            let words = WORDS.join(", ");
            Err(Error::Failed {
                message: format!(
                    "invalid config provided: --systemd values must be one of {words:?}: {cause}"
                ),
                cause: cause.to_owned(),
            })
        }
    }
}

/// Bytes of each tmpfs; 0 asks for no bound of its own. Podman takes a negative number and fails at the start.
///
/// # Errors
/// [`Error::InvalidArgument`] for that.
pub(crate) fn tmpfs_bytes(asked: Option<i64>) -> Result<Option<u64>, Error> {
    let bytes = asked.map(u64::try_from).transpose();
    let bytes = bytes.map_err(|_| invalid("shm_size_systemd", "is negative"))?;
    Ok(bytes.filter(|bytes| *bytes > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn podmans_words_are_read_and_others_refused_in_its_own() {
        for (word, mode) in [
            ("", Wanted::ByCommand),
            ("true", Wanted::ByCommand),
            ("false", Wanted::Never),
            ("always", Wanted::Always),
        ] {
            assert_eq!(wanted(word, false).unwrap(), mode, "{word}");
        }
        for (word, init, text) in [
            (
                "bogus",
                false,
                "invalid config provided: --systemd values must be one of \"true, false, always\": invalid configuration",
            ),
            (
                "TRUE",
                false,
                "invalid value \"TRUE\" systemd option requires 'true, false, always'",
            ),
            (
                "always",
                true,
                "cannot use container-init binary with systemd=always",
            ),
        ] {
            assert_eq!(wanted(word, init).unwrap_err().to_string(), text);
        }
        assert_eq!(wanted("true", true).unwrap(), Wanted::ByCommand);
    }

    #[test]
    fn a_size_of_nothing_is_none() {
        assert_eq!(tmpfs_bytes(Some(0)).unwrap(), None);
        assert_eq!(tmpfs_bytes(Some(4096)).unwrap(), Some(4096));
        tmpfs_bytes(Some(-5)).unwrap_err();
    }
}
