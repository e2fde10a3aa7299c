//! Files into and out of containers (`podman cp`), as archives.
//!
//! CRI has nothing for it. The root of a container that runs is that of its process; paths in it are resolved by the
//! kernel as the container sees them, its volumes and other mounts included. That of one that has ended, or was made and not
//! started, is mounted from its layers, and its volumes and bind mounts are laid over it ([`places`]); one that never ran is made for it. Archives pass a piece at a time, read and
//! written on a thread.
//! Those of one in a virtual machine its own `tar` carries ([`guest`]).

mod changes;
mod compare;
mod differ;
mod entries;
mod get;
mod guest;
pub(crate) mod layer;
mod places;
mod put;
mod root;
mod walk;
pub(crate) mod whole;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use model::archive::{PathStat, PutOptions};
use model::error::Kind;
use model::observed::{ContainerStatus, CriState};
use model::userns::IdMappings;
use model::view::{ContainerBody, ContainerDetail, ContainerView};
use model::{Error, Id};
use rustix::fs::FileType;
use rustix::io::Errno;
use tokio::sync::oneshot;
use tokio_util::io::{ReaderStream, StreamReader, SyncIoBridge};

use crate::builder::ByteStream;
use crate::list::found;
use crate::materialise::Purpose;
use crate::runtime::Runtime as _;
use crate::system::{Claim, Engine, Inner};
use crate::volumes::on_disk;
use root::{Root, clean};

pub(crate) use walk::Walk;

/// Bytes of an archive between the thread that packs and the client: beyond them the thread waits.
const QUEUE: usize = 256 << 10;
/// Bytes that a client is given at once.
const PIECE: usize = 64 << 10;

/// An archive of what a container has at a path.
pub struct Packed {
    /// What stands there.
    pub stat: PathStat,
    /// The archive, without a byte of a link that leads nowhere. It ends early, with an error and a line in the daemon's log, where something cannot be read.
    pub body: ByteStream,
}

/// A container whose files can be reached.
struct Opened {
    root: Root,
    /// Whom its process is.
    user: (u32, u32),
    /// The ids of its user namespace, where that is not the host's.
    ids: Option<IdMappings>,
    /// Where paths without a slash before them begin.
    work_dir: PathBuf,
    _claim: Option<Claim>,
}

/// Where the files of a container are.
enum Files {
    Here(Opened),
    InGuest(guest::Guest),
}

/// What files are wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Engine {
    /// `HEAD /containers/{name}/archive`, both faces: what stands at a path. Of a link that leads nowhere it is told too.
    ///
    /// # Errors
    /// No such container or path; a container whose files cannot be reached.
    pub async fn stat_in_container(&self, name: &str, path: &str) -> Result<PathStat, Error> {
        match self.open_files(name, Access::Read).await? {
            Files::Here(opened) => {
                let path = path.to_owned();
                on_disk(move || opened.stat(&path)).await
            }
            Files::InGuest(guest) => guest.stat(path).await,
        }
    }

    /// `GET /containers/{name}/archive`, both faces. As in Podman everything is given to the container's user, and
    /// `/dev`, `/proc` and `/sys` are left out.
    ///
    /// # Errors
    /// As [`Self::stat_in_container`].
    pub async fn copy_from_container(&self, name: &str, path: &str) -> Result<Packed, Error> {
        let opened = match self.open_files(name, Access::Read).await? {
            Files::Here(opened) => opened,
            Files::InGuest(guest) => return guest.copy_from(path).await,
        };
        let path = path.to_owned();
        let (stat, source) = on_disk(move || {
            let stat = opened.stat(&path)?;
            let source = opened.source(&path);
            Ok((stat, source))
        })
        .await?;
        if stat.dangling {
            let body = stream::empty().boxed();
            return Ok(Packed { stat, body });
        }
        let body = stream_of(source);
        Ok(Packed { stat, body })
    }

    /// `PUT /containers/{name}/archive`, both faces: unpacks a tar, plain or compressed, into a folder, which is made where it
    /// is not there. What was unpacked before an error stays.
    ///
    /// # Errors
    /// No such container, one whose files cannot be reached; an archive that is none; what the file system refuses.
    pub async fn copy_to_container(
        &self,
        name: &str,
        path: &str,
        options: PutOptions,
        body: ByteStream,
    ) -> Result<(), Error> {
        let opened = match self.open_files(name, Access::Write).await? {
            Files::Here(opened) => opened,
            Files::InGuest(guest) => return guest.copy_to(path, options, body).await,
        };
        let path = opened.absolute(path);
        let body = body.map(|piece| piece.map_err(std::io::Error::other));
        let body = SyncIoBridge::new(StreamReader::new(body));
        on_disk(move || {
            let target = put::Target {
                root: &opened.root,
                path,
                owner: options.chown.then_some(opened.user),
                ids: opened.ids.clone(),
                options: &options,
            };
            put::unpack(&target, entries::open(body)?)
        })
        .await
    }

    /// The files of a container.
    async fn open_files(&self, name: &str, access: Access) -> Result<Files, Error> {
        let inner = self.inner();
        let detail = self.inspect_container(name, false).await?;
        inner.check_files(&detail.view)?;
        if let Some(guest) = self.in_guest(&detail, "cp")? {
            return Ok(Files::InGuest(guest));
        }
        let state = detail.status.as_ref().map(|status| status.state);
        let opened = match (&detail.view.body, state) {
            (_, Some(CriState::Running)) => self.open_running(&detail).await,
            (ContainerBody::Own(record), _) => self.open_at_rest(&record.id, access).await,
            _ => Err(not_reached(&detail.view)),
        };
        opened.map(Files::Here)
    }

    async fn open_running(&self, detail: &ContainerDetail) -> Result<Opened, Error> {
        let gone = || not_reached(&detail.view);
        let status = detail.status.as_ref().ok_or_else(gone)?;
        let pid = status.verbose.pid.ok_or_else(|| {
            Error::unsupported("cp", "the container's process is not on this host")
        })?;
        let root = on_disk(move || Root::of_process(pid).map_err(Error::internal)).await?;
        // Its number may have been another process's when the root was opened.
        let now = self
            .inner()
            .runtime
            .container_status(&status.cri_id, true)
            .await;
        let same = found(now)?
            .is_some_and(|now| now.state == CriState::Running && now.verbose.pid == Some(pid));
        let root = root.filter(|_| same).ok_or_else(gone)?;
        Ok(Opened::new(root, status, detail))
    }

    /// Of one that does not run. As long as it is written to it is not started; one that is started while it is read gets a
    /// copy of its layer.
    async fn open_at_rest(&self, id: &Id, access: Access) -> Result<Opened, Error> {
        let inner = self.inner();
        let claim = inner.claim(id).await;
        let status = inner.files_at_rest(id).await?;
        let detail = self.inspect_container(id.as_str(), false).await?;
        let status = status.as_ref().ok_or_else(|| not_reached(&detail.view))?;
        let layer = status.verbose.layer.clone().ok_or_else(|| {
            Error::unsupported(
                "cp",
                "where the container's writable layer lies is not known",
            )
        })?;
        let folder = inner.store.dir().container(id);
        let writable = access == Access::Write;
        let mut root = on_disk(move || {
            let at = folder.join(if writable { "files-rw" } else { "files" });
            let root = Root::of_layer(&layer, &at, writable);
            forget(&at);
            root
        })
        .await?;
        root = root.held_by(inner.reads(id));
        if let ContainerBody::Own(record) = &detail.view.body {
            root = inner.with_mounts(root, record, status).await?;
        }
        Ok(Opened {
            _claim: writable.then_some(claim),
            ..Opened::new(root, status, &detail)
        })
    }
}

/// Packs on a thread, a piece ahead of the client.
fn stream_of(source: get::Source) -> ByteStream {
    let path = source.path.display().to_string();
    pieces_of(path, move |to| get::pack(&source, to))
}

/// What is written on a thread, a piece ahead of the client. What ends it early is logged, with what it is, and is the last item:
/// an archive that was cut off between two entries looks as if it were whole.
fn pieces_of(
    path: String,
    write: impl FnOnce(&mut dyn std::io::Write) -> std::io::Result<()> + Send + 'static,
) -> ByteStream {
    let (writer, reader) = tokio::io::duplex(QUEUE);
    let (failed, failure) = oneshot::channel();
    let mut writer = SyncIoBridge::new(writer);
    tokio::task::spawn_blocking(move || {
        let packed = write(&mut writer).and_then(|()| writer.flush());
        match packed {
            // the client has gone away
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            Err(error) => {
                tracing::warn!(%path, %error, "an archive of a container's files is cut off");
                failed.send(Error::internal(error)).unwrap_or_default();
            }
            Ok(()) => {}
        }
    });
    let pieces = ReaderStream::with_capacity(reader, PIECE);
    let pieces = pieces.map(|piece| piece.map_err(Error::internal));
    let last = stream::once(failure).filter_map(async |failure| failure.ok().map(Err));
    pieces.chain(last).boxed()
}

impl Inner {
    /// The CRI container that has the files of a container of ours that does not run; made for it where it never ran. `None`: it
    /// runs by now, or the runtime has lost it. The caller holds its claim.
    async fn files_at_rest(self: &Arc<Self>, id: &Id) -> Result<Option<ContainerStatus>, Error> {
        let record = self.store.container(id)?;
        if record.progress.removing {
            return Ok(None);
        }
        match self.written(&record).await? {
            Some(status) if status.state == CriState::Running => return Ok(None),
            // where nothing is mounted, its image's files would have the image's owners
            Some(status)
                if record.spec.id_mappings.is_none() || status.state == CriState::Created =>
            {
                return Ok(Some(status));
            }
            None if record.progress.current.is_some() => return Ok(None),
            Some(_) | None => {}
        }
        let leave = self.leave().await?;
        Box::pin(self.prepare(id, Purpose::Files, leave)).await?;
        let record = self.store.container(id)?;
        self.status_of_prepared(&record).await
    }

    /// Whether files of it may be read and written.
    fn check_files(&self, container: &ContainerView) -> Result<(), Error> {
        match &container.body {
            ContainerBody::Own(_) => Ok(()),
            ContainerBody::Infra { .. } => Err(Error::unsupported(
                "cp",
                "the runtime keeps a pod's infra container for itself",
            )),
            ContainerBody::Foreign(foreign) if foreign.infra => Err(Error::unsupported(
                "cp",
                format!("container {} is a pod's sandbox", foreign.name),
            )),
            ContainerBody::Foreign(_) if self.options.foreign_exec => Ok(()),
            ContainerBody::Foreign(foreign) => Err(Error::Forbidden(format!(
                "container {} was not made by this daemon, and --foreign-exec=deny forbids to read and write its files",
                foreign.name
            ))),
        }
    }
}

fn not_reached(container: &ContainerView) -> Error {
    let (id, state) = (container.id(), container.state.word());
    let why = match &container.body {
        ContainerBody::Own(_) => "the runtime has lost it, or changes it now",
        ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => {
            "files of what was not made by this daemon are reached while it runs"
        }
    };
    Error::unsupported("cp", format!("container {id} is {state}: {why}"))
}

/// Removes the places of a mount that is open and nowhere to be seen; those of another that are in use stay.
fn forget(at: &Path) {
    std::fs::remove_dir(at).unwrap_or_default();
    std::fs::remove_dir(at.with_extension("below")).unwrap_or_default();
}

/// Podman's words for a path where nothing is.
fn no_such_path() -> Error {
    Error::NotFound {
        kind: Kind::Path,
        message: Kind::Path.unknown().to_owned(),
    }
}

impl Opened {
    fn new(root: Root, status: &ContainerStatus, detail: &ContainerDetail) -> Self {
        Self {
            root,
            user: status.verbose.user,
            ids: match &detail.view.body {
                ContainerBody::Own(record) => record.spec.id_mappings.clone(),
                ContainerBody::Infra { .. } | ContainerBody::Foreign(_) => None,
            },
            work_dir: clean(Path::new(&status.verbose.cwd)),
            _claim: None,
        }
    }

    /// A container's path from its root.
    fn absolute(&self, path: &str) -> PathBuf {
        clean(&self.work_dir.join(path))
    }

    /// Source: Podman's `Container.stat`.
    fn stat(&self, path: &str) -> Result<PathStat, Error> {
        // Podman keeps the star for patterns
        if path.contains('*') {
            return Err(no_such_path());
        }
        let wanted = if path == "/" { "/." } else { path };
        let at = self.absolute(path);
        let failed = |error| match error {
            Errno::NOENT | Errno::NOTDIR => no_such_path(),
            error => Error::Plain(format!("{}: {}", at.display(), put::words(error))),
        };
        let here = self.root.find(&at).map_err(failed)?;
        let is_link = here.kind() == FileType::Symlink;
        let leads = match is_link {
            true => self.root.lead(&at).map_err(failed)?,
            false => PathBuf::from(wanted),
        };
        let end = self.root.open(&at, root::LOOK).and_then(root::Found::new);
        let (dangling, is_dir) = match end {
            Ok(end) => (false, end.kind() == FileType::Directory),
            Err(Errno::NOENT | Errno::NOTDIR) => (true, false),
            Err(error) => return Err(failed(error)),
        };
        let link_target = keep_end(wanted, &leads.to_string_lossy());
        Ok(PathStat {
            name: base(&link_target).to_owned(),
            size: here.stat.st_size,
            mode: here.stat.st_mode,
            modified: root::modified(&here.stat),
            is_dir,
            link_target,
            dangling,
        })
    }

    /// What an archive of this path has.
    fn source(self, path: &str) -> get::Source {
        let at = self.absolute(path);
        // as Podman: of the host's ids
        let owner = self.ids.as_ref().and_then(|ids| ids.to_host(self.user));
        let owner = owner.unwrap_or(self.user);
        let name = match base(path) {
            "." => None,
            _ => Some(base(&at.to_string_lossy()).as_bytes().to_vec()),
        };
        get::Source {
            root: self.root,
            path: at,
            name,
            owner: Some(owner),
            whole: false,
        }
    }
}

/// The last name of a path, as Go's `filepath.Base` has it.
fn base(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match (path, trimmed) {
        ("", _) => ".",
        (_, "") => "/",
        (_, trimmed) => trimmed.rsplit('/').next().unwrap_or(trimmed),
    }
}

/// A path with the end that was asked for: clients tell by `/` and `/.` what they mean.
fn keep_end(asked: &str, path: &str) -> String {
    let mut kept = path.to_owned();
    if base(asked) == "." && base(path) != "." {
        if !kept.ends_with('/') {
            kept.push('/');
        }
        kept.push('.');
    }
    if asked.ends_with('/') && !kept.ends_with('/') {
        kept.push('/');
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_is_gos() {
        for (path, expected) in [
            ("", "."),
            ("/", "/"),
            ("/a/b/", "b"),
            ("a", "a"),
            ("/a/.", "."),
        ] {
            assert_eq!(base(path), expected, "{path}");
        }
    }

    #[tokio::test]
    async fn what_cuts_an_archive_off_is_its_last_item() {
        let written = async |ends: std::io::Result<()>| {
            let pieces = pieces_of("x".to_owned(), |to| to.write_all(b"begun").and(ends));
            let pieces: Vec<_> = pieces.collect().await;
            let told = |piece: Result<bytes::Bytes, Error>| match piece {
                Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
                Err(error) => format!("error: {error}"),
            };
            pieces.into_iter().map(told).collect::<Vec<_>>()
        };
        assert_eq!(written(Ok(())).await, ["begun"]);
        let cut = written(Err(std::io::Error::other("cut"))).await;
        assert_eq!(cut, ["begun", "error: cut"]);
        let left = written(Err(std::io::ErrorKind::BrokenPipe.into())).await;
        assert_eq!(left, ["begun"]);
    }

    #[test]
    fn the_end_that_was_asked_for_stays() {
        for (asked, path, expected) in [
            ("/tmp/ld", "/tmp/d", "/tmp/d"),
            ("/tmp/ld/", "/tmp/d", "/tmp/d/"),
            ("/tmp/ld/.", "/tmp/d", "/tmp/d/."),
            ("/.", "/.", "/."),
            ("/l/.", "/", "/."),
        ] {
            assert_eq!(keep_end(asked, path), expected, "{asked}");
        }
    }
}
