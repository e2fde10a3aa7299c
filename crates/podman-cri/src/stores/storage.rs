//! containers-storage, CRI-O's store, by skopeo: it reads and writes it as Podman and CRI-O do, under their
//! locks, and leaves nothing of its own there. CRI-O sees what it wrote at once (measured).

mod derive;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use cri_api::v1::ImageSpec;
use cri_client::Client;
use engine::{BuilderStorage, ByteStream, MANIFEST, NewImage};
use futures_util::{StreamExt as _, stream};
use model::Error;
use model::observed::RuntimeFacts;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio_util::io::ReaderStream;

use super::unfolded;

/// What is kept of skopeo's complaints: its errors are a line or two.
const COMPLAINT_MAX: u64 = 16 << 10;
/// Bytes read from it at a time: what a pipe holds.
const PIPE: usize = 64 << 10;

/// A store, named as skopeo names it.
pub(super) struct Storage<'a> {
    driver: &'a str,
    root: &'a Path,
    run_root: &'a Path,
}

/// A skopeo at work. It is not killed when nobody waits for it: it ends by itself, and leaves nothing half
/// done.
struct Skopeo {
    child: Child,
    complaint: tokio::task::JoinHandle<String>,
}

impl<'a> Storage<'a> {
    pub(super) fn of(facts: &'a RuntimeFacts) -> Self {
        Self {
            driver: &facts.storage_driver,
            root: &facts.storage_root,
            run_root: &facts.run_root,
        }
    }

    /// Is there what it needs? A builder that has the same storage needs nothing.
    pub(super) fn check(&self, builder: &BuilderStorage) -> Result<(), Error> {
        let BuilderStorage {
            driver,
            root,
            run_root,
        } = builder;
        if (driver.as_str(), root.as_path(), run_root.as_path())
            == (self.driver, self.root, self.run_root)
        {
            return Ok(());
        }
        self.writable()
    }

    /// Is there what is needed to write to it?
    pub(super) fn writable(&self) -> Result<(), Error> {
        if program().is_none() {
            let why = "skopeo is not installed, which hands images to it";
            return Err(Error::unsupported("writing to CRI-O's image store", why));
        }
        if self.root.as_os_str().is_empty() || self.run_root.as_os_str().is_empty() {
            let why = "it does not say where it lies";
            return Err(Error::unsupported("writing to CRI-O's image store", why));
        }
        Ok(())
    }

    pub(super) async fn import(
        &self,
        id: &str,
        names: &[String],
        archive: ByteStream,
    ) -> Result<(), Error> {
        let archive = Stdio::from(spooled(archive).await?);
        // under its id first: that a name moves is the last step
        let source = "docker-archive:/dev/stdin".into();
        Skopeo::copy(&source, &self.by_id(id), archive)?
            .end()
            .await?;
        self.name(id, names).await
    }

    pub(super) async fn derive(&self, image: &NewImage<'_>, names: &[String]) -> Result<(), Error> {
        derive::write(self.root, self.driver, image)?;
        let mut source = OsString::from("dir:");
        source.push(image.folder);
        Skopeo::copy(&source, &self.by_id(image.id), Stdio::null())?
            .end()
            .await?;
        self.name(image.id, names).await
    }

    pub(super) async fn name(&self, id: &str, names: &[String]) -> Result<(), Error> {
        for name in names {
            let (from, to) = (self.by_id(id), self.named(name));
            Skopeo::copy(&from, &to, Stdio::null())?.end().await?;
        }
        Ok(())
    }

    pub(super) fn export(&self, id: &str, name: Option<&str>) -> Result<ByteStream, Error> {
        let to = match name {
            Some(name) => format!("docker-archive:/dev/stdout:{name}"),
            None => "docker-archive:/dev/stdout".to_owned(),
        };
        Ok(Skopeo::copy(&self.by_id(id), &to.into(), Stdio::null())?.output())
    }

    /// As skopeo writes a folder: layers come out of the store as plain tars.
    pub(super) async fn unfold(&self, id: &str, folder: &Path) -> Result<(), Error> {
        let mut to = OsString::from("dir:");
        to.push(folder);
        Skopeo::copy(&self.by_id(id), &to, Stdio::null())?
            .end()
            .await?;
        let path = folder.join(MANIFEST);
        let written = tokio::fs::read(&path).await.map_err(Error::internal)?;
        let manifest = serde_json::from_slice(&written).map_err(Error::internal)?;
        unfolded::write_manifest(folder, manifest).await
    }

    fn by_id(&self, id: &str) -> OsString {
        self.named(&format!("@{id}"))
    }

    fn named(&self, image: &str) -> OsString {
        let mut text = OsString::from("containers-storage:[");
        text.push(self.driver);
        text.push("@");
        text.push(self.root);
        text.push("+");
        text.push(self.run_root);
        text.push("]");
        text.push(image);
        text
    }
}

/// By CRI-O itself, which takes the name alone where the image has more; skopeo can only delete images.
pub(super) async fn unname(client: &Client, name: &str) -> Result<(), Error> {
    let image = ImageSpec {
        image: name.to_owned(),
        ..ImageSpec::default()
    };
    let removed = client.remove_image(image).await;
    removed.map_err(|error| Error::Plain(format!("CRI-O: {error}")))
}

impl Skopeo {
    fn copy(from: &OsString, to: &OsString, stdin: Stdio) -> Result<Self, Error> {
        let program = program().ok_or_else(|| {
            let what = "handing images to CRI-O's store";
            Error::unsupported(what, "skopeo is not installed")
        })?;
        let mut child = Command::new(program)
            // the image comes from this host: a policy for registries has nothing to say of it
            .args(["--insecure-policy", "copy", "--quiet"])
            .args([from, to])
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0) // Ctrl-C is the daemon's business
            .spawn()
            .map_err(|error| Error::Plain(format!("skopeo: {error}")))?;
        let stderr = child.stderr.take();
        let complaint = tokio::spawn(async move {
            let mut text = Vec::new();
            if let Some(mut stderr) = stderr {
                let mut start = (&mut stderr).take(COMPLAINT_MAX);
                // what cannot be read is not said
                start.read_to_end(&mut text).await.ok();
                tokio::io::copy(&mut stderr, &mut tokio::io::sink())
                    .await
                    .ok();
            }
            String::from_utf8_lossy(&text).trim().to_owned()
        });
        Ok(Self { child, complaint })
    }

    /// Waits for its end.
    async fn end(mut self) -> Result<(), Error> {
        let status = self.child.wait().await;
        let complaint = self.complaint.await.unwrap_or_default();
        verdict(status, &complaint)
    }

    /// What it writes; its failure is the last item.
    fn output(mut self) -> ByteStream {
        let Some(stdout) = self.child.stdout.take() else {
            return stream::empty().boxed();
        };
        let bytes = ReaderStream::with_capacity(stdout, PIPE)
            .map(|read| read.map_err(|error| Error::Plain(format!("skopeo: {error}"))));
        let end = stream::once(self.end()).filter_map(|ended| async { ended.err().map(Err) });
        bytes.chain(end).boxed()
    }
}

/// An archive in a file without a name, which goes with its last reader. skopeo reads an archive more than
/// once, which a pipe does not allow (measured of 1.9); `podman load` makes such a file too.
async fn spooled(mut archive: ByteStream) -> Result<std::fs::File, Error> {
    let failed = |error| Error::Plain(format!("{}: {error}", big_files().display()));
    let file = tempfile::tempfile_in(big_files()).map_err(failed)?;
    let mut file = File::from_std(file);
    while let Some(bytes) = archive.next().await {
        file.write_all(&bytes?).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    file.rewind().await.map_err(failed)?;
    Ok(file.into_std().await)
}

/// Where Podman and skopeo put large files.
fn big_files() -> PathBuf {
    std::env::var_os("TMPDIR").map_or_else(|| "/var/tmp".into(), PathBuf::from)
}

fn verdict(status: std::io::Result<ExitStatus>, complaint: &str) -> Result<(), Error> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) if complaint.is_empty() => Err(Error::Plain(format!("skopeo: {status}"))),
        Ok(_) => Err(Error::Plain(format!("skopeo: {complaint}"))),
        Err(error) => Err(Error::Plain(format!("skopeo: {error}"))),
    }
}

fn program() -> Option<PathBuf> {
    private_runtime::host::find_program(None, "skopeo")
}
