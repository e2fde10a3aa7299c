//! Images of this host alone, for guests that pull theirs by themselves: offered by a registry that the daemon opens
//! (`--guest-registry`), under a name that is told to the guest. What is offered lies unfolded in the state folder as long as a
//! container has it.
//!
//! CRI has no field for that name. CRI-O tells a guest the name that its image got last, containerd 1 the first by the alphabet,
//! where digits go before letters, containerd 2 the one that the container asks for (read in 1.36.3, 1.6.20 and 2.1.0): so the
//! image gets the name at the runtime, anew before each `CreateContainer`, and loses it with its last container.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::container::{ContainerRecord, ImageRef};
use model::handler::Guest;
use model::reference::Reference;
use model::{Error, Id};
use serde::Deserialize;
use tokio::sync::OwnedMutexGuard;

use crate::runtime::Runtime as _;
use crate::store::{Book, Write, private_dir, remove_dir};
use crate::system::{Engine, Inner};
use crate::volumes::on_disk;

/// The manifest in an image's folder, OCI's, where skopeo's `dir:` has it. Beside it lie the configuration and the layers by the hex digits of their digests.
pub const MANIFEST: &str = "manifest.json";
/// What the name of a folder ends in while it is written.
const UNFINISHED: &str = "part";
/// The tag of a name without one.
const LATEST: &str = "latest";

/// An image that guests may pull.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its tag in the repository that was asked for.
    pub tag: String,
    /// Where it lies: [`MANIFEST`] and blobs.
    pub folder: PathBuf,
}

/// Held while an image that is offered has no record of a container yet.
pub(crate) type Offering = Option<OwnedMutexGuard<()>>;

/// As much of a manifest as tells whether all is there.
#[derive(Deserialize)]
struct Parts {
    config: Part,
    layers: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    digest: String,
    size: u64,
}

impl Engine {
    /// What guests may pull of a repository: images of containers that pull by themselves, and of this host alone.
    pub fn offered(&self, repository: &str) -> Vec<Offered> {
        let inner = self.inner();
        let images = inner.store.read(offers);
        let of_repository = |(id, name): (Id, String)| {
            let (path, tag) = name.split_once('/')?.1.rsplit_once(':')?;
            let folder = inner.offer_folder(id.as_str());
            (path == repository).then(|| Offered {
                tag: tag.to_owned(),
                folder,
            })
        };
        let mut found: Vec<_> = images.into_iter().filter_map(of_repository).collect();
        found.dedup(); // containers of one image
        found
    }
}

impl Inner {
    /// The registry that an image has to be offered at: `None` where its guest does not pull it, or finds it elsewhere. What a guest
    /// could not pull is refused, by what can be done.
    pub(crate) fn registry_for(
        &self,
        image: &ImageRef,
        guest: Option<&Guest>,
    ) -> Result<Option<&str>, Error> {
        if !guest.is_some_and(|guest| guest.pulls_images) || !is_local(image) {
            return Ok(None);
        }
        if path_of(image).is_none() {
            return Err(Error::Plain(format!(
                "the virtual machine pulls its image by itself, and {} has no name: give it one",
                image.asked
            )));
        }
        match self.options.guest_registry.as_deref() {
            Some(registry) => Ok(Some(registry)),
            None => Err(Error::Plain(nowhere(image))),
        }
    }

    /// Makes the image of a new container ready for its guest, where that pulls by itself and finds it nowhere else. The answer is
    /// kept until the container has a record.
    pub(crate) async fn offer(
        &self,
        image: &mut ImageRef,
        guest: Option<&Guest>,
    ) -> Result<Offering, Error> {
        let Some(registry) = self.registry_for(image, guest)? else {
            return Ok(None);
        };
        let offering = Arc::clone(&self.offering).lock_owned().await;
        image.offered = self.store.read(|book| name_for(book, registry, image));
        self.unfold(&image.id).await?;
        Ok(Some(offering))
    }

    /// Ends an offer of a container that has a record now, or has got none.
    pub(crate) async fn settle_offer(&self, offering: Offering, stored: bool) {
        if offering.is_some()
            && !stored
            && let Err(error) = self.sweep_offers().await
        {
            tracing::warn!(%error, "an image that no container has is offered to nobody, and stays on the disk");
        }
    }

    /// Offers the image of a container whose attempt is to be made, and sees to it that its guest is told where.
    pub(crate) async fn offer_again(
        self: &Arc<Self>,
        record: Arc<ContainerRecord>,
    ) -> Result<Arc<ContainerRecord>, Error> {
        let mut image = record.spec.image.clone();
        let guest = self.guest(&record);
        let Some(offering) = self.offer(&mut image, guest.as_ref()).await? else {
            return Ok(record);
        };
        let Some(name) = image.offered else {
            return Ok(record);
        };
        let names = [name];
        let (facts, store) = (self.facts(), &self.builds.store);
        store.name(&facts, &image.id, &names).await?;
        self.noticed(&image.id, &names).await?;
        let [name] = names;
        let change = move |record: &mut ContainerRecord| {
            let known = record.spec.image.offered.replace(name.clone());
            (known != Some(name)).then(Vec::new)
        };
        let write = Write::AttemptIntended;
        let record = self.store.update_container(&record.id, write, change).await;
        drop(offering);
        record
    }

    /// Offers the image of a container that goes no longer, unless another one has it. What cannot be taken back now is the next
    /// start's.
    pub(crate) async fn withdraw_offer(&self, record: &ContainerRecord) {
        let Some(name) = &record.spec.image.offered else {
            return;
        };
        let _offering = self.offering.lock().await;
        let others = self.store.read(|book| {
            let mut others = book.containers.values().filter(|one| one.id != record.id);
            // two that go at once do not leave it to each other
            others
                .any(|one| !one.progress.removing && one.spec.image.offered.as_ref() == Some(name))
        });
        if others {
            return;
        }
        let folder = self.offer_folder(&record.spec.image.id);
        let removed = on_disk(move || remove_dir(&folder)).await;
        let unnamed = self.unname_offer(&record.spec.image.id, name).await;
        if let Err(error) = removed.and(unnamed) {
            tracing::warn!(container = %record.id, %name, %error, "its image is no longer offered, and its name stays");
        }
    }

    /// Takes the name of an offer away, unless it is the only one by now: with that CRI-O's image would go.
    async fn unname_offer(&self, image: &str, name: &str) -> Result<(), Error> {
        let images = self.runtime.images().await?;
        let mut named = images.iter().filter(|known| known.id == image);
        match named.any(|known| known.tags.iter().all(|tag| tag == name)) {
            true => Ok(()),
            false => self.builds.store.unname(&self.facts(), name).await,
        }
    }

    /// At the daemon's start: what no container has goes, and names of another address than today's.
    pub(crate) async fn take_up_offers(self: &Arc<Self>) -> Result<(), Error> {
        let old = self.store.read(|book| {
            let all = book.containers.values();
            let named = all.filter(|record| {
                let offered = record.spec.image.offered.as_deref();
                offered.is_some_and(|name| !self.is_offered_name(name))
            });
            named.cloned().collect::<Vec<_>>()
        });
        for record in old {
            let name = record.spec.image.offered.as_deref().unwrap_or_default();
            if let Err(error) = self.unname_offer(&record.spec.image.id, name).await {
                tracing::warn!(container = %record.id, name, %error, "the name of another address stays");
            }
            let change = |record: &mut ContainerRecord| {
                record.spec.image.offered = None;
                Some(Vec::new())
            };
            self.store
                .update_container(&record.id, Write::ContainerUpdated, change)
                .await?;
        }
        self.sweep_offers().await
    }

    /// Whether it is a name that images have for guests alone.
    pub(crate) fn is_offered_name(&self, name: &str) -> bool {
        let registry = self.options.guest_registry.as_deref();
        registry.is_some_and(|registry| {
            let rest = name.strip_prefix(registry);
            rest.is_some_and(|rest| rest.starts_with('/'))
        })
    }

    fn offer_folder(&self, image: &str) -> PathBuf {
        self.store.dir().offers().join(image)
    }

    /// Writes an image into its folder, where that does not have all of it.
    async fn unfold(&self, image: &str) -> Result<(), Error> {
        let folder = self.offer_folder(image);
        let unfinished = folder.with_extension(UNFINISHED);
        let (whole, fresh) = (folder.clone(), unfinished.clone());
        let there = on_disk(move || {
            if is_whole(&whole) {
                return Ok(true);
            }
            remove_dir(&whole)?;
            remove_dir(&fresh)?;
            private_dir(&fresh)?;
            Ok(false)
        });
        if there.await? {
            return Ok(());
        }
        let store = &self.builds.store;
        if let Err(error) = store.unfold(&self.facts(), image, &unfinished).await {
            on_disk(move || remove_dir(&unfinished)).await?;
            return Err(error);
        }
        let renamed = tokio::fs::rename(&unfinished, &folder).await;
        renamed.map_err(Error::internal)
    }

    /// Removes the folders of images that no container offers.
    async fn sweep_offers(&self) -> Result<(), Error> {
        let used: HashSet<String> = self.store.read(|book| {
            let all = book.containers.values().map(|record| &record.spec.image);
            let offered = all.filter(|image| image.offered.is_some());
            offered.map(|image| image.id.clone()).collect()
        });
        let dir = self.store.dir().offers();
        on_disk(move || {
            for entry in std::fs::read_dir(&dir).map_err(Error::internal)? {
                let entry = entry.map_err(Error::internal)?;
                let name = entry.file_name();
                if !name.to_str().is_some_and(|name| used.contains(name)) {
                    remove_dir(&entry.path())?;
                }
            }
            Ok(())
        })
        .await
    }
}

/// Ids and names of the images that are offered, one for each container.
fn offers(book: &Book) -> Vec<(Id, String)> {
    let images = book.containers.values().map(|record| &record.spec.image);
    let mut all: Vec<_> = images
        .filter_map(|image| Some((Id::parse(&image.id)?, image.offered.clone()?)))
        .collect();
    all.sort_by(|one, other| one.1.cmp(&other.1));
    all
}

/// The name that an image is offered under: the one it has, else its own at the registry; where that is another image's, the tag
/// is the beginning of its id.
fn name_for(book: &Book, registry: &str, image: &ImageRef) -> Option<String> {
    let here = format!("{registry}/");
    let mut taken = false;
    let (path, tag) = path_of(image)?;
    let name = format!("{here}{path}:{tag}");
    for other in book.containers.values().map(|record| &record.spec.image) {
        let offered = other.offered.as_ref();
        if other.id == image.id && offered.is_some_and(|offered| offered.starts_with(&here)) {
            return offered.cloned();
        }
        taken |= offered == Some(&name);
    }
    match taken {
        false => Some(name),
        true => Some(format!("{here}{path}:{}", image.id.get(..12)?)),
    }
}

/// Repository and tag of an image; `None` where it has no name.
fn path_of(image: &ImageRef) -> Option<(String, String)> {
    if is_nameless(image) {
        return None;
    }
    let name = Reference::parse(&image.name).ok()?;
    Some((
        name.repository,
        name.tag.unwrap_or_else(|| LATEST.to_owned()),
    ))
}

fn is_nameless(image: &ImageRef) -> bool {
    image.name.is_empty() || image.name == image.id
}

/// Whether an image is in no registry that another machine reaches, as far as its names tell: it is this host's, has no name, or
/// the runtime knows no registry's digest of it.
fn is_local(image: &ImageRef) -> bool {
    let name = match (is_nameless(image), &image.digest) {
        (true, Some(digest)) => digest, // by which the guest is told of it
        _ => &image.name,
    };
    let registry = Reference::parse(name).ok().and_then(|it| it.registry);
    let host = registry
        .as_deref()
        .map(|text| text.split(':').next().unwrap_or(text));
    let of_this_host = host.is_none_or(|host| host == "localhost" || host.starts_with("127."));
    of_this_host || image.digest.is_none()
}

fn nowhere(image: &ImageRef) -> String {
    let ImageRef { name, .. } = image;
    let path = path_of(image).map(|(path, tag)| format!("{path}:{tag}"));
    let path = path.unwrap_or_default();
    format!(
        "the virtual machine pulls its image by itself, and {name} is on this host alone: push it to a registry that the machine \
         reaches (podman push {name} REGISTRY/{path}) and run REGISTRY/{path}, or let podman-cri offer it \
         (serve --guest-registry ADDRESS:PORT)"
    )
}

/// Whether a folder has a manifest and all that it names.
fn is_whole(folder: &Path) -> bool {
    let manifest = std::fs::read(folder.join(MANIFEST)).ok();
    let parts = manifest.and_then(|text| serde_json::from_slice::<Parts>(&text).ok());
    parts.is_some_and(|Parts { config, layers }| {
        let has = |part: &Part| {
            let digits = part.digest.strip_prefix("sha256:").and_then(Id::parse);
            let file = digits.and_then(|it| folder.join(it.as_str()).metadata().ok());
            file.is_some_and(|file| file.len() == part.size)
        };
        has(&config) && layers.iter().all(has)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::container::{ContainerSpec, Progress};

    const REGISTRY: &str = "192.0.2.10:5000";

    fn image(name: &str, id: char, digest: Option<&str>) -> ImageRef {
        ImageRef {
            asked: name.to_owned(),
            name: name.to_owned(),
            id: id.to_string().repeat(64),
            digest: digest.map(str::to_owned),
            ..ImageRef::default()
        }
    }

    #[test]
    fn an_image_is_local_where_no_registry_of_another_host_has_it() {
        let known = Some("x@sha256:00");
        let digest = |registry: &str| format!("{registry}/app@sha256:{}", "0".repeat(64));
        for (name, digest, local) in [
            ("localhost/app:latest", known, true),
            ("localhost:5000/app:latest", known, true),
            ("127.0.0.1:5000/app:latest", known, true),
            (&"a".repeat(64), known, true),
            (&"a".repeat(64), Some(&digest("quay.io")), false),
            ("", Some(&digest("localhost:5000")), true),
            ("docker.io/library/busybox:latest", None, true),
            ("docker.io/library/busybox:latest", known, false),
            ("localhost.example.org/app:latest", known, false),
            ("192.0.2.11:5000/app:latest", known, false),
        ] {
            assert_eq!(is_local(&image(name, 'a', digest)), local, "{name}");
        }
    }

    #[test]
    fn the_refusal_says_what_to_push_where() {
        let text = nowhere(&image("localhost/team/app:1", 'a', None));
        for part in [
            "podman push localhost/team/app:1 REGISTRY/team/app:1",
            "run REGISTRY/team/app:1",
            "--guest-registry ADDRESS:PORT",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    /// Records of containers with these images.
    fn book(images: &[&ImageRef]) -> Book {
        let mut book = Book::default();
        for image in images {
            let record = ContainerRecord {
                id: Id::generate(),
                name: String::new(),
                sandbox: Id::generate(),
                created_at: jiff::Timestamp::now(),
                spec: ContainerSpec {
                    image: (*image).clone(),
                    ..ContainerSpec::default()
                },
                progress: Progress::default(),
            };
            book.containers.insert(record.id.clone(), Arc::new(record));
        }
        book
    }

    fn named(images: &[&ImageRef], image: &ImageRef) -> String {
        name_for(&book(images), REGISTRY, image).unwrap()
    }

    #[test]
    fn each_image_has_one_name_and_no_two_have_the_same() {
        let mut one = image("localhost/app:latest", 'a', None);
        one.offered = Some(named(&[], &one));
        assert_eq!(one.offered.as_deref(), Some("192.0.2.10:5000/app:latest"));
        let other = image("localhost:5000/app:latest", 'b', None);
        assert_eq!(
            named(&[&one], &other),
            format!("{REGISTRY}/app:bbbbbbbbbbbb")
        );
        let again = image("localhost/other:1", 'a', None);
        assert_eq!(named(&[&one], &again), "192.0.2.10:5000/app:latest");
        one.offered = Some("192.0.2.99:5000/app:latest".to_owned());
        assert_eq!(named(&[&one], &again), "192.0.2.10:5000/other:1");
    }

    #[test]
    fn a_folder_is_whole_with_all_that_its_manifest_names() {
        let dir = tempfile::tempdir().unwrap();
        let digits = "c".repeat(64);
        let part = format!(r#"{{"digest":"sha256:{digits}","size":2}}"#);
        let manifest = format!(r#"{{"config":{part},"layers":[{part}]}}"#);
        assert!(!is_whole(dir.path()));
        std::fs::write(dir.path().join(MANIFEST), manifest).unwrap();
        assert!(!is_whole(dir.path()));
        std::fs::write(dir.path().join(&digits), "a").unwrap();
        assert!(!is_whole(dir.path()), "cut off by a power failure");
        std::fs::write(dir.path().join(&digits), "ab").unwrap();
        assert!(is_whole(dir.path()));
    }
}
