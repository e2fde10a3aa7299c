//! Kubernetes' YAML, played and taken down: the engine's own operations, one after another.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, FileType, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use model::container::Face;
use model::kube::{
    HostPath, HostPathKind, ImageWanted, Play, Played, PlayedPod, PodToPlay, TakenDown, ToTakeDown,
};
use model::request::{Changed, NewContainer, PodReport};
use model::{Error, Id};

use crate::pods::report;
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

/// A kubelet's modes of what it makes on the host.
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;

impl Engine {
    /// `POST /libpod/play/kube`. A client that goes away cuts nothing off.
    ///
    /// # Errors
    /// The first that is met. A pod whose containers cannot all be made goes again, which Podman leaves; one that does not start, pods
    /// before it, volumes and secrets stay.
    pub async fn play(&self, play: Play) -> Result<Played, Error> {
        let engine = self.clone();
        let playing = self
            .inner()
            .tasks
            .spawn(async move { engine.play_all(play).await });
        playing.await.map_err(Error::internal)?
    }

    async fn play_all(&self, play: Play) -> Result<Played, Error> {
        let Play {
            volumes,
            secrets,
            pods,
            replace,
            start,
        } = play;
        let mut played = Played::default();
        for volume in volumes {
            let volume = self.create_volume(volume).await?;
            played.volumes.push(volume.record.name.clone());
        }
        for secret in secrets {
            played.secrets.push(self.create_secret(secret).await?);
        }
        for pod in pods {
            played
                .pods
                .push(Box::pin(self.play_pod(pod, replace, start)).await?);
        }
        Ok(played)
    }

    async fn play_pod(
        &self,
        pod: PodToPlay,
        replace: bool,
        start: bool,
    ) -> Result<PlayedPod, Error> {
        let PodToPlay {
            new,
            images,
            host_paths,
            containers,
            told,
        } = pod;
        self.pull_all(images).await?;
        on_disk(move || host_paths.iter().try_for_each(provide)).await?;
        if let (true, Some(name)) = (replace, &new.name) {
            // what is refused takes nothing away
            let mut handler = new.spec.handler.clone();
            self.inner().choose_handler(&mut handler, None)?;
            self.replace_pod(name).await?;
        }
        let id = self.create_pod(new).await?;
        let mut played = PlayedPod {
            id: id.clone(),
            containers: Vec::new(),
            init_containers: Vec::new(),
            told,
            errors: Vec::new(),
        };
        if let Err(error) = self.fill(&mut played, containers).await {
            self.give_up(&id).await;
            return Err(error);
        }
        if start {
            match self.start_pod(id.as_str()).await {
                Ok(_) => {}
                Err(Error::PodErrors { errors, .. }) => played.errors = errors,
                Err(error) => return Err(error),
            }
        }
        Ok(played)
    }

    async fn pull_all(&self, images: Vec<ImageWanted>) -> Result<(), Error> {
        let mut pulled = BTreeSet::new();
        for ImageWanted {
            name,
            policy,
            credentials,
        } in images
        {
            if pulled.insert((name.clone(), format!("{policy:?}"))) {
                self.pull_image(&name, policy, credentials.as_ref(), Face::Libpod)
                    .await?;
            }
        }
        Ok(())
    }

    async fn replace_pod(&self, name: &str) -> Result<(), Error> {
        let Some(id) = self.inner().played_pod(name) else {
            return Ok(());
        };
        match self.remove_pod(id.as_str(), true, None).await {
            Ok(report) if report.errors.is_empty() => Ok(()),
            Ok(PodReport { id, errors, .. }) => Err(Error::PodErrors { id, errors }),
            Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes what is in a pod.
    async fn fill(
        &self,
        played: &mut PlayedPod,
        containers: Vec<NewContainer>,
    ) -> Result<(), Error> {
        for mut new in containers {
            let is_init = new.spec.init_container.is_some();
            new.pod = Some(played.id.to_string());
            let created = Box::pin(self.create_container(new)).await?;
            played.told.extend(created.warnings);
            match is_init {
                true => played.init_containers.push(created.id),
                false => played.containers.push(created.id),
            }
        }
        Ok(())
    }

    /// Takes away what was made of a pod that could not be made whole.
    async fn give_up(&self, id: &Id) {
        let why = match self.remove_pod(id.as_str(), true, None).await {
            Ok(report) => report.errors.join(", "),
            Err(error) => error.to_string(),
        };
        if !why.is_empty() {
            tracing::warn!(pod = %id, why, "a pod that could not be made whole stays");
        }
    }

    /// `DELETE /libpod/play/kube`: pods are stopped in their time and removed, then secrets and volumes. What is not there
    /// is left out of the answer.
    ///
    /// # Errors
    /// What the runtime says.
    pub async fn take_down(&self, wanted: ToTakeDown) -> Result<TakenDown, Error> {
        let engine = self.clone();
        let taking = self
            .inner()
            .tasks
            .spawn(async move { engine.take_all_down(wanted).await });
        taking.await.map_err(Error::internal)?
    }

    async fn take_all_down(&self, wanted: ToTakeDown) -> Result<TakenDown, Error> {
        let ToTakeDown {
            pods,
            secrets,
            volumes,
        } = wanted;
        let mut down = TakenDown {
            volumes: volumes.as_ref().map(|_| Vec::new()),
            ..TakenDown::default()
        };
        for name in pods {
            let Some(id) = self.inner().played_pod(&name) else {
                continue;
            };
            let stopped = match self.stop_pod(id.as_str(), None).await {
                Ok((Changed::Now | Changed::Already, stopped)) => stopped,
                // told, and the rest goes all the same
                Err(Error::PodErrors { id, errors }) => report(&id, errors),
                Err(Error::NotFound { .. }) => continue,
                Err(error) => return Err(error),
            };
            down.stopped.push((name, stopped));
            match self.remove_pod(id.as_str(), true, None).await {
                Ok(removed) => down.removed.push(removed),
                Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for name in secrets {
            let store = &self.inner().store;
            let Some(secret) = store.read(|book| book.secrets.get(&name).cloned()) else {
                continue;
            };
            let removed = self.remove_secret(&name).await;
            down.secrets.push((secret.id.clone(), told(removed)));
        }
        for name in volumes.into_iter().flatten() {
            if self.volume_exists(&name).await? {
                let removed = self.remove_volume(&name, false, None).await;
                down.volumes
                    .get_or_insert_default()
                    .push((name, told(removed)));
            }
        }
        Ok(down)
    }
}

impl Inner {
    /// A pod of ours of exactly this name. What others made, and what only begins so, is not the YAML's.
    fn played_pod(&self, name: &str) -> Option<Id> {
        self.store
            .read(|book| book.pod_named(name).map(|pod| pod.id.clone()))
    }
}

fn told(result: Result<(), Error>) -> Option<String> {
    result.err().map(|error| error.to_string())
}

/// Sees to what a path of the host is to be, as a kubelet does.
fn provide(wanted: &HostPath) -> Result<(), Error> {
    let HostPath { path, kind } = wanted;
    let shown = path.display();
    let made = match (kind, path.exists()) {
        (HostPathKind::DirectoryOrCreate, false) => DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path),
        (HostPathKind::FileOrCreate, false) => {
            let mut options = OpenOptions::new();
            let opened = options
                .write(true)
                .create_new(true)
                .mode(FILE_MODE)
                .open(path);
            opened.map(drop)
        }
        _ => Ok(()),
    };
    made.map_err(|error| Error::Plain(format!("hostPath {shown}: {error}")))?;
    let fits = kind_at(path)?.is_some_and(|found| match kind {
        HostPathKind::DirectoryOrCreate | HostPathKind::Directory => found.is_dir(),
        HostPathKind::FileOrCreate | HostPathKind::File => found.is_file(),
        HostPathKind::Socket => found.is_socket(),
    });
    match fits {
        true => Ok(()),
        false => Err(Error::Plain(format!(
            "hostPath {shown} is no {}",
            word(*kind)
        ))),
    }
}

/// `None` where nothing is.
fn kind_at(path: &Path) -> Result<Option<FileType>, Error> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(found.file_type())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::Plain(format!(
            "hostPath {}: {error}",
            path.display()
        ))),
    }
}

fn word(kind: HostPathKind) -> &'static str {
    match kind {
        HostPathKind::DirectoryOrCreate | HostPathKind::Directory => "directory",
        HostPathKind::FileOrCreate | HostPathKind::File => "file",
        HostPathKind::Socket => "socket",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HostPathKind::{Directory, DirectoryOrCreate, File, FileOrCreate, Socket};
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_path_of_the_host_is_made_or_has_to_be_what_its_type_says() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("folder")).unwrap();
        std::fs::write(root.path().join("file"), "kept").unwrap();
        let _socket = UnixListener::bind(root.path().join("socket")).unwrap();
        for (name, kind, wanted) in [
            ("new/deep", DirectoryOrCreate, None),
            ("new/deep", Directory, None),
            ("folder", DirectoryOrCreate, None),
            ("new/file", FileOrCreate, None),
            ("file", FileOrCreate, None),
            ("socket", Socket, None),
            ("file", Directory, Some("is no directory")),
            ("folder", FileOrCreate, Some("is no file")),
            ("file", Socket, Some("is no socket")),
            ("nowhere", Directory, Some("is no directory")),
            ("nowhere", File, Some("is no file")),
            ("none/file", FileOrCreate, Some("No such file")),
            ("file/below", Directory, Some("Not a directory")),
        ] {
            let path = root.path().join(name);
            let said = provide(&HostPath { path, kind })
                .err()
                .map(|it| it.to_string());
            match (wanted, &said) {
                (None, None) => {}
                (Some(wanted), Some(said)) => assert!(said.contains(wanted), "{name}: {said}"),
                other => panic!("{name} {kind:?}: {other:?}"),
            }
        }
        let kept = std::fs::read_to_string(root.path().join("file")).unwrap();
        assert_eq!(kept, "kept");
    }
}
