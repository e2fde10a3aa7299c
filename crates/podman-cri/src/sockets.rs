//! The sockets served: made with the narrowest mode, never taken from a process that answers, gone
//! with the daemon. systemd's are taken over as they are.

use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener as StdListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use tokio::net::UnixListener;

use crate::config::Listen;

/// A socket that is served. Dropping it removes its path, where this process made it.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    listen: Listen,
    _made: Option<Made>,
}

/// A path of ours: device and inode tell whether it still is.
#[derive(Debug)]
struct Made {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Why a socket cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", .path.display())]
pub struct SocketError {
    path: PathBuf,
    why: String,
}

impl Socket {
    /// Makes a socket.
    ///
    /// # Errors
    /// Another process answers there, something else lies there, or it cannot be made.
    pub fn bind(listen: Listen) -> Result<Self, SocketError> {
        let path = listen.path.clone();
        let fault = |why: String| SocketError {
            path: path.clone(),
            why,
        };
        make_parent(&listen)
            .map_err(|error| fault(format!("its folder cannot be made: {error}")))?;
        clear(&path).map_err(fault)?;
        let listener = bind_privately(&path).map_err(|error| fault(error.to_string()))?;
        let made = Made::at(&path).map_err(|error| fault(error.to_string()))?;
        give(&listen).map_err(|error| fault(format!("mode and owner cannot be set: {error}")))?;
        Self::new(listener, listen, Some(made)).map_err(|error| fault(error.to_string()))
    }

    /// The sockets that systemd hands over, none where it does not.
    ///
    /// # Errors
    /// A descriptor that is no listening unix socket.
    pub fn from_systemd() -> Result<Vec<Self>, SocketError> {
        let mut handed = listenfd::ListenFd::from_env();
        let mut sockets = Vec::new();
        for at in 0..handed.len() {
            let fault = |error: io::Error| SocketError {
                path: format!("descriptor {at}").into(),
                why: error.to_string(),
            };
            let Some(listener) = handed.take_unix_listener(at).map_err(fault)? else {
                continue;
            };
            let address = listener.local_addr().map_err(fault)?;
            let path = address.as_pathname().unwrap_or(Path::new("@")).to_owned();
            sockets.push(Self::new(listener, Listen::new(path), None).map_err(fault)?);
        }
        Ok(sockets)
    }

    fn new(listener: StdListener, listen: Listen, made: Option<Made>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            listener: UnixListener::from_std(listener)?,
            listen,
            _made: made,
        })
    }

    /// Where connections come in.
    pub fn listener(&self) -> &UnixListener {
        &self.listener
    }

    /// The address that clients use.
    pub fn url(&self) -> String {
        self.listen.url()
    }

    /// Runtime handler of what is created through it.
    pub fn handler(&self) -> Option<&str> {
        self.listen.handler.as_deref()
    }

    /// Only GET and HEAD are served.
    pub fn is_read_only(&self) -> bool {
        self.listen.read_only
    }
}

impl Made {
    fn at(path: &Path) -> io::Result<Self> {
        let metadata = path.symlink_metadata()?;
        Ok(Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let ours = self
            .path
            .symlink_metadata()
            .is_ok_and(|now| (now.dev(), now.ino()) == (self.device, self.inode));
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket cannot be removed");
        }
    }
}

/// The folder: for the socket's owner alone, or to pass through where the socket is for more.
fn make_parent(listen: &Listen) -> io::Result<()> {
    let Some(parent) = listen.path.parent() else {
        return Ok(());
    };
    let for_more = listen.mode & 0o077 > 0;
    let mode = if for_more { 0o711 } else { 0o700 };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(parent)
}

/// Removes a socket that a process left behind; one that is answered, or anything else, stays.
fn clear(path: &Path) -> Result<(), String> {
    let metadata = match path.symlink_metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    if !metadata.file_type().is_socket() {
        return Err("something that is no socket lies there".to_owned());
    }
    match UnixStream::connect(path) {
        Ok(_) => Err("another process serves it".to_owned()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
                .map_err(|error| format!("the socket left behind cannot be removed: {error}"))
        }
        Err(error) => Err(format!(
            "whether another process serves it cannot be told: {error}"
        )),
    }
}

/// Binds so that nobody but the owner can connect before mode and owner are set. The mask counts for
/// the whole process: sockets are made while nothing else is under way.
fn bind_privately(path: &Path) -> io::Result<StdListener> {
    let before = rustix::process::umask(Mode::from_raw_mode(0o177));
    let bound = StdListener::bind(path);
    rustix::process::umask(before);
    bound
}

fn give(listen: &Listen) -> io::Result<()> {
    if listen.uid.is_some() || listen.gid.is_some() {
        std::os::unix::fs::chown(&listen.path, listen.uid, listen.gid)?;
    }
    std::fs::set_permissions(&listen.path, std::fs::Permissions::from_mode(listen.mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(listen: Listen) -> String {
        Socket::bind(listen).unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_socket_has_its_mode_and_goes_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/p.sock");
        let listen = Listen {
            mode: 0o660,
            ..Listen::new(&path)
        };
        let socket = Socket::bind(listen).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(
            path.parent()
                .unwrap()
                .metadata()
                .unwrap()
                .permissions()
                .mode()
                & 0o777,
            0o711
        );
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn only_a_socket_that_nobody_answers_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.sock");
        drop(StdListener::bind(&path).unwrap());
        assert!(path.exists(), "std leaves it behind");
        let first = Socket::bind(Listen::new(&path)).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(why(Listen::new(&path)).ends_with("another process serves it"));
        drop(first);
        std::fs::write(&path, "precious").unwrap();
        assert!(why(Listen::new(&path)).ends_with("something that is no socket lies there"));
    }

    #[tokio::test]
    async fn a_path_that_somebody_else_took_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.sock");
        let socket = Socket::bind(Listen::new(&path)).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "theirs").unwrap();
        drop(socket);
        assert!(path.exists());
    }
}
