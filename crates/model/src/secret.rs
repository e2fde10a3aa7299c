//! Secrets as stored, and as containers ask for them.

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Error;

/// Where secrets lie in a container that are not given an absolute path.
pub const FOLDER: &str = "/run/secrets";

/// Bytes of a secret are fewer than these, as with Podman.
pub const DATA_LIMIT: usize = 512_000;

/// The driver's option that says where the data lies.
pub const PATH: &str = "path";

/// Letters of a secret's name at most.
const NAME_LIMIT: usize = 253;

/// A secret without its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRecord {
    /// 25 hex digits; another one each time that its data is replaced.
    pub id: String,
    /// Its name, unique among secrets.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its data was replaced last.
    pub updated_at: Timestamp,
    /// Podman labels.
    pub labels: BTreeMap<String, String>,
    /// Options of the driver as asked; none of them does anything.
    pub options: BTreeMap<String, String>,
}

/// What a create request of a secret asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewSecret {
    /// Its name.
    pub name: String,
    /// Its data.
    pub data: SecretData,
    /// Only `file` (or empty) is known.
    pub driver: String,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// Podman labels.
    pub labels: BTreeMap<String, String>,
    /// An existing one of that name gets this data.
    pub replace: bool,
    /// An existing one of that name is the answer.
    pub ignore: bool,
}

impl NewSecret {
    /// Podman's checks, in its order and words (recorded).
    ///
    /// # Errors
    /// A name that cannot be one, no data or too much, two wishes that contradict each other, a driver that is not there,
    /// a place for the data.
    pub fn check(&self) -> Result<(), Error> {
        let Self { name, data, .. } = self;
        let long = name.is_empty() || name.chars().count() > NAME_LIMIT;
        if long || name.contains(['=', '/', ',', '\0']) {
            let cause = "invalid secret name".to_owned();
            return Err(Error::Failed {
                message: format!(
                    "secret name {name:?} can not include '=', '/', ',', or the '\\0' (NULL) and be between 1 and \
                     {NAME_LIMIT} characters: {cause}"
                ),
                cause,
            });
        }
        if !(1..DATA_LIMIT).contains(&data.0.len()) {
            return Err(Error::Plain(format!(
                "secret data must be larger than 0 and less than {DATA_LIMIT} bytes"
            )));
        }
        if self.replace && self.ignore {
            return Err(Error::Plain(
                "ignoreIfExists and replace cannot be used together".to_owned(),
            ));
        }
        self.check_driver()
    }

    fn check_driver(&self) -> Result<(), Error> {
        match self.driver.as_str() {
            "" | "file" => {}
            "shell" | "pass" => {
                return Err(Error::unsupported(
                    format!("secret driver {:?}", self.driver),
                    "no program is run to keep secrets; use the file driver",
                ));
            }
            _ => return Err(Error::Plain("invalid driver".to_owned())),
        }
        match self.options.contains_key(PATH) {
            true => Err(Error::unsupported(
                "option path of the secret driver \"file\"",
                "secrets lie in the daemon's state folder",
            )),
            false => Ok(()),
        }
    }
}

/// A secret as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretView {
    /// What is stored of it beside its data.
    pub record: Arc<SecretRecord>,
    /// Where the data of all secrets lies on the host.
    pub place: String,
    /// Its data, where that was asked for.
    pub data: Option<SecretData>,
}

/// The bytes of a secret, which no log shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretData(pub Vec<u8>);

impl Debug for SecretData {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        write!(to, "({} bytes)", self.0.len())
    }
}

/// A secret as a file of a container: what it was at the create.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretMount {
    /// Its name; in a request its id, or how that begins, too.
    pub name: String,
    /// Its id at the create.
    pub id: String,
    /// Where it lies: an absolute path, or one below [`FOLDER`]; empty for its name there.
    pub target: String,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permissions.
    pub mode: u32,
}

impl SecretMount {
    /// Its path in the container, without `.` and `..`.
    pub fn destination(&self) -> String {
        let asked = match self.target.is_empty() {
            true => &self.name,
            false => &self.target,
        };
        let whole = match asked.starts_with('/') {
            true => asked.clone(),
            false => format!("{FOLDER}/{asked}"),
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in whole.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secrets_path_is_below_the_folder_unless_it_is_absolute() {
        for (target, wanted) in [
            ("", "/run/secrets/token"),
            ("a/b", "/run/secrets/a/b"),
            ("/etc/token", "/etc/token"),
            ("../../x", "/x"),
            ("./a//b/", "/run/secrets/a/b"),
        ] {
            let mount = SecretMount {
                name: "token".to_owned(),
                target: target.to_owned(),
                ..SecretMount::default()
            };
            assert_eq!(mount.destination(), wanted, "{target}");
        }
    }

    /// The texts were asked of Podman 5.8.6.
    #[test]
    fn what_cannot_be_a_secret_is_refused_in_podmans_words() {
        let made = |name: &str, bytes: usize| NewSecret {
            name: name.to_owned(),
            data: SecretData(vec![b'a'; bytes]),
            ..NewSecret::default()
        };
        for (new, wanted) in [
            (made("a b.é", DATA_LIMIT - 1), None),
            (made(&"a".repeat(NAME_LIMIT), 1), None),
            (made("", 0), Some("invalid secret name")),
            (made("a/b", 1), Some("invalid secret name")),
            (made("a=b", 1), Some("invalid secret name")),
            (made("a,b", 1), Some("invalid secret name")),
            (
                made(&"a".repeat(NAME_LIMIT + 1), 1),
                Some("invalid secret name"),
            ),
            (
                made("a", 0),
                Some("secret data must be larger than 0 and less than 512000 bytes"),
            ),
            (
                made("a", DATA_LIMIT),
                Some("secret data must be larger than 0 and less than 512000 bytes"),
            ),
        ] {
            let cause = new.check().err().map(|error| error.cause());
            assert_eq!(cause.as_deref(), wanted, "{}", new.name);
        }
        let both = NewSecret {
            replace: true,
            ignore: true,
            ..made("a", 1)
        };
        assert_eq!(
            both.check().unwrap_err().to_string(),
            "ignoreIfExists and replace cannot be used together"
        );
    }

    #[test]
    fn only_the_file_driver_is_there() {
        for (driver, option, told) in [
            ("", "a", ""),
            ("file", "a", ""),
            ("nope", "a", "invalid driver"),
            ("shell", "a", "secret driver \"shell\" is not supported"),
            ("pass", "a", "secret driver \"pass\" is not supported"),
            (
                "file",
                PATH,
                "option path of the secret driver \"file\" is not supported",
            ),
        ] {
            let new = NewSecret {
                name: "a".to_owned(),
                data: SecretData(vec![b'a']),
                driver: driver.to_owned(),
                options: [(option.to_owned(), "/x".to_owned())].into(),
                ..NewSecret::default()
            };
            let error = new.check().err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(error.starts_with(told), "{driver} {option}: {error}");
            assert_eq!(error.is_empty(), told.is_empty(), "{driver} {option}");
        }
    }

    #[test]
    fn data_is_not_shown() {
        assert_eq!(
            format!("{:?}", SecretData(b"hunter2".to_vec())),
            "(7 bytes)"
        );
    }
}
