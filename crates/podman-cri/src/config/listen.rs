//! Sockets as the command line writes them.

use std::collections::BTreeSet;
use std::path::PathBuf;

/// Bytes of a unix socket's path: `sun_path` holds 108, the closing zero included.
const PATH_BYTES: usize = 107;

/// Mode of a socket that names none: its owner's. Who may write to it is as good as root.
const DEFAULT_MODE: u32 = 0o600;

/// A socket to make: `unix:///path[,mode=0660][,uid=N][,gid=N][,handler=NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Its path.
    pub path: PathBuf,
    /// Its mode.
    pub mode: u32,
    /// Its owner.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// Runtime handler of containers created through it that name none.
    pub handler: Option<String>,
    /// Only GET and HEAD are served.
    pub read_only: bool,
}

impl Listen {
    /// A socket of root alone.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            mode: DEFAULT_MODE,
            uid: None,
            gid: None,
            handler: None,
            read_only: false,
        }
    }

    /// Reads a socket as the command line writes it.
    pub(super) fn parse(text: &str, read_only: bool) -> Result<Self, String> {
        let mut words = text.split(',');
        let address = words.next().unwrap_or_default();
        let path = match address.split_once("://") {
            Some(("unix", path)) => path,
            Some((scheme, _)) => {
                return Err(format!(
                    "{text:?}: {scheme} is not served, only unix:// sockets are"
                ));
            }
            None => address,
        };
        if !path.starts_with('/') || path.ends_with('/') {
            return Err(format!(
                "{text:?}: the path must be absolute and name a socket (unix:///run/x.sock)"
            ));
        }
        if path.len() > PATH_BYTES {
            return Err(format!(
                "{text:?}: a socket's path has at most {PATH_BYTES} bytes"
            ));
        }
        let mut listen = Self {
            read_only,
            ..Self::new(path)
        };
        for word in words {
            listen.set(word).ok_or_else(|| {
                format!("{text:?}: {word:?} is not mode=, uid=, gid= or handler=")
            })?;
        }
        Ok(listen)
    }

    fn set(&mut self, word: &str) -> Option<()> {
        let (key, value) = word.split_once('=')?;
        match key {
            "mode" => self.mode = mode(value)?,
            "uid" => self.uid = Some(value.parse().ok()?),
            "gid" => self.gid = Some(value.parse().ok()?),
            "handler" if !value.is_empty() => self.handler = Some(value.to_owned()),
            _ => return None,
        }
        Some(())
    }

    /// The address that clients use.
    pub fn url(&self) -> String {
        format!("unix://{}", self.path.display())
    }
}

fn mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8)
        .ok()
        .filter(|mode| *mode <= 0o777)
}

/// No path stands twice.
pub(super) fn all_differ(sockets: &[Listen]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match sockets.iter().find(|socket| !seen.insert(&socket.path)) {
        Some(twice) => Err(format!("{} is named twice", twice.path.display())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_behind_the_path_is_read() {
        let listen = Listen::parse(
            "unix:///run/p.sock,mode=0660,uid=1,gid=2,handler=kata",
            false,
        )
        .unwrap();
        let expected = Listen {
            mode: 0o660,
            uid: Some(1),
            gid: Some(2),
            handler: Some("kata".to_owned()),
            ..Listen::new("/run/p.sock")
        };
        assert_eq!(listen, expected);
        assert_eq!(listen.url(), "unix:///run/p.sock");
        assert_eq!(Listen::parse("/run/p.sock", true).unwrap().mode, 0o600);
    }

    #[test]
    fn what_is_no_socket_is_refused() {
        let long = format!("unix:///{}", "x".repeat(PATH_BYTES));
        for text in [
            "",
            "unix://",
            "unix://run/p.sock",
            "unix:///run/",
            "tcp://0.0.0.0:80",
            "fd://",
            "/p,mode=999",
            "/p,mode=07777",
            "/p,uid=root",
            "/p,handler=",
            "/p,what=1",
            "/p,mode",
            &long,
        ] {
            assert!(Listen::parse(text, false).is_err(), "{text}");
        }
    }
}
