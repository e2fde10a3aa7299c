//! Files of a container in a virtual machine, which this host does not see: its own `tar` carries them, through CRI's `Exec`.
//!
//! It runs as the container's user and sees what the container sees. Every archive is written anew on its way, so that names and
//! owners are those of the host's way ([`repack`]); whole seconds and no extended attributes come through, for busybox's
//! `tar` knows no others.

mod get;
mod put;
mod repack;
mod stat;
mod tar;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Error;
use model::observed::CriState;
use model::view::{ContainerBody, ContainerDetail, State};

use super::root::clean;
use crate::system::{Engine, Inner};

/// A container that runs in a virtual machine.
pub(super) struct Guest {
    inner: Arc<Inner>,
    cri_id: String,
    /// What its files are wanted for.
    what: &'static str,
    /// Whom its process is.
    user: (u32, u32),
    /// Where paths without a slash before them begin.
    work_dir: PathBuf,
    /// Where something is mounted over its root.
    places: Vec<PathBuf>,
}

impl Engine {
    /// `None`: its files are this host's.
    ///
    /// # Errors
    /// It lives in a virtual machine and does not run there.
    pub(super) fn in_guest(
        &self,
        detail: &ContainerDetail,
        what: &'static str,
    ) -> Result<Option<Guest>, Error> {
        let status = detail.status.as_ref();
        let there = self.lives_in_guest(detail);
        let running = status.filter(|status| status.state == CriState::Running);
        match (there, running, detail.view.state) {
            (false, ..) => Ok(None),
            (true, Some(status), State::Running | State::Stopping) => Ok(Some(Guest {
                inner: Arc::clone(self.inner()),
                cri_id: status.cri_id.clone(),
                what,
                user: status.verbose.user,
                work_dir: clean(Path::new(&status.verbose.cwd)),
                places: status.verbose.mount_destinations.clone(),
            })),
            (true, _, state) => {
                let advice = match state {
                    State::Paused => "unpause",
                    _ => "start",
                };
                let why = format!(
                    "container {} is {}, and its files are in a virtual machine, where its own tar carries them while it \
                     runs: {advice} it before",
                    detail.view.id(),
                    state.word()
                );
                Err(Error::unsupported(what, why))
            }
        }
    }

    /// Whether a container lives in a virtual machine.
    pub(super) fn lives_in_guest(&self, detail: &ContainerDetail) -> bool {
        let told = detail.status.as_ref();
        told.is_some_and(|status| status.verbose.in_guest)
            || match &detail.view.body {
                ContainerBody::Own(record) => self.inner().guest(record).is_some(),
                ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => false,
            }
    }
}

impl Guest {
    /// A container's path from its root.
    fn absolute(&self, path: &str) -> PathBuf {
        clean(&self.work_dir.join(path))
    }
}

/// The folder that `tar` goes to and the name it is given there, so that none is taken for an option.
fn at_home(path: &Path) -> [String; 3] {
    let (folder, name) = match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => (folder, format!("./{}", name.to_string_lossy())),
        _ => (path, ".".to_owned()),
    };
    ["-C".to_owned(), folder.to_string_lossy().into_owned(), name]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tar_is_given_names_that_are_no_options() {
        for (path, folder, name) in [
            ("/", "/", "."),
            ("/-x", "/", "./-x"),
            ("/a/b", "/a", "./b"),
            ("/a/..", "/a/..", "."),
        ] {
            assert_eq!(at_home(Path::new(path)), ["-C", folder, name], "{path}");
        }
    }
}
