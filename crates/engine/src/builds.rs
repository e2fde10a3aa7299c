//! Builds: Podman carries them out; here is what makes their images the runtime's, and the runtime's images
//! theirs.

use std::time::Duration;

use model::Error;
use model::container::Face;
use model::event::Action;
use model::image::ImageSummary;
use model::reference;
use tokio::time::Instant;

use crate::builder::{BuildAnswer, BuildRequest};
use crate::events::of_image;
use crate::runtime::Runtime as _;
use crate::system::{Engine, Inner};

/// How long a runtime may take to notice what its store was given: containerd's CRI hears of it by an event,
/// and reads the image then.
const NOTICE: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const NOTICE_POLL: Duration = Duration::from_millis(20);

impl Engine {
    /// Says before a context is sent why there can be no build.
    ///
    /// # Errors
    /// A runtime whose store cannot be written to; [`Error::BuilderUnavailable`].
    pub async fn can_build(&self) -> Result<(), Error> {
        let inner = self.inner();
        // that there is no way at all outranks that Podman does not answer
        inner.builds.store.check(&inner.facts(), None)?;
        let storage = inner.builds.builder.storage().await?;
        inner.builds.store.check(&inner.facts(), Some(&storage))
    }

    /// `POST /build` and `POST /libpod/build`, passed on to the builder. The caller hands over the bases before
    /// the context's end ([`Engine::bring_bases`]) and the image before the answer's
    /// ([`Engine::take_built`]).
    ///
    /// # Errors
    /// [`Error::BuilderUnavailable`], or what broke the context.
    pub async fn build(&self, request: BuildRequest) -> Result<BuildAnswer, Error> {
        self.inner().builds.builder.build(request).await
    }

    /// Gives the builder those of these images that it does not know and the runtime's store has. The rest it
    /// pulls, or says that there are none.
    ///
    /// # Errors
    /// An image that could not be handed over, by name.
    pub async fn bring_bases(&self, names: &[String], face: Face) -> Result<(), Error> {
        for name in names {
            self.inner().bring_base(name, face).await.map_err(|error| {
                let builder = "handing the image to Podman";
                Error::Plain(format!("{name}: {builder}: {error}"))
            })?;
        }
        Ok(())
    }

    /// Hands an image that was built to the runtime's store under its names, as the request spells them, and
    /// waits until the runtime has it. Nothing is copied where the runtime has the image already, as one that
    /// shares its storage with the builder has.
    ///
    /// Store: the event `build`.
    ///
    /// # Errors
    /// What went wrong at the builder, in the store or at the runtime.
    pub async fn take_built(&self, id: &str, names: &[String], face: Face) -> Result<(), Error> {
        let inner = self.inner();
        inner.take(id, names, face).await.map_err(|error| {
            let runtime = inner.facts().name;
            let text = "was built, and could not be handed to";
            Error::Plain(format!("image {id} {text} {runtime}: {error}"))
        })?;
        // Podman's event has the id for a name, and no id
        let event = of_image("", id, Action::Build);
        inner.store.record_events(vec![event]).await
    }
}

impl Inner {
    async fn bring_base(&self, name: &str, face: Face) -> Result<(), Error> {
        let wanted = base_name(name, face);
        let found = match self.find_image(&wanted, face).await {
            Ok(Some(found)) => found,
            // what is no reference, or means several images, Podman refuses itself
            Ok(None) | Err(Error::Plain(_) | Error::Ambiguous(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let (builder, store) = (&self.builds.builder, &self.builds.store);
        if builder.image(&wanted, face).await?.is_some() {
            return Ok(());
        }
        let id = &found.detail.summary.id;
        let full =
            Some(found.shown_name.as_str()).filter(|shown| shown != id && !shown.contains('@'));
        tracing::info!(
            name,
            id,
            "a base image goes from the runtime's store to Podman"
        );
        let archive = store.export(&self.facts(), id, full).await?;
        builder.load(archive).await
    }

    async fn take(&self, id: &str, names: &[String], face: Face) -> Result<(), Error> {
        let (facts, store) = (self.facts(), &self.builds.store);
        let built = self.builds.builder.image(id, Face::Libpod).await?;
        let known = built.map(|image| image.names).unwrap_or_default();
        let names = &full_names(names, &known, face)?;
        let images = self.runtime.images().await?;
        let missing = missing_names(&images, id, names);
        if !images.iter().any(|image| image.id == id) {
            tracing::info!(
                id,
                ?names,
                "an image goes from Podman to the runtime's store"
            );
            let archive = self.builds.builder.export(id).await?;
            store.import(&facts, id, names, archive).await?;
        } else if !missing.is_empty() {
            store.name(&facts, id, &missing).await?;
        }
        self.noticed(id, names).await
    }

    /// Waits until the runtime shows an image under its names.
    pub(crate) async fn noticed(&self, id: &str, names: &[String]) -> Result<(), Error> {
        let end = Instant::now() + NOTICE;
        loop {
            let images = self.runtime.images().await?;
            let missing = missing_names(&images, id, names);
            let there = images.iter().any(|image| image.id == id);
            if there && missing.is_empty() {
                return Ok(());
            }
            if Instant::now() >= end {
                let what = if there {
                    missing.join(", ")
                } else {
                    id.to_owned()
                };
                return Err(Error::Plain(format!(
                    "{what}: in the runtime's store, and the runtime does not show it after {} s",
                    NOTICE.as_secs()
                )));
            }
            tokio::time::sleep(NOTICE_POLL).await;
        }
    }
}

/// The names that are not yet this image's.
fn missing_names(images: &[ImageSummary], id: &str, names: &[String]) -> Vec<String> {
    let own = images.iter().filter(|image| image.id == id);
    let known: Vec<&String> = own.flat_map(|image| &image.tags).collect();
    let missing = names.iter().filter(|name| !known.contains(name));
    missing.cloned().collect()
}

/// The full names that Podman gave to what it built. A short name is `localhost/` on its own face and Docker's
/// on the compat face; but there an image that Podman had as `localhost/` keeps that name, so what Podman
/// shows counts.
pub(crate) fn full_names(
    names: &[String],
    known: &[String],
    face: Face,
) -> Result<Vec<String>, Error> {
    let mut full: Vec<String> = Vec::new();
    for name in names {
        let meant = reference::built_name(name, face)?;
        let local = reference::built_name(name, Face::Libpod)?;
        let name = match known.contains(&meant) || !known.contains(&local) {
            true => meant,
            false => local,
        };
        if !full.contains(&name) {
            full.push(name);
        }
    }
    Ok(full)
}

/// What a Containerfile means by a name: on the compat face always Docker's registry where none is named.
fn base_name(name: &str, face: Face) -> String {
    let is_id = name.bytes().all(|byte| byte.is_ascii_hexdigit());
    match face {
        Face::Compat if !is_id => reference::docker_hub(name).unwrap_or_else(|_| name.to_owned()),
        Face::Compat | Face::Libpod => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_another_image_are_missing() {
        let image = |id: &str, tag: &str| ImageSummary {
            id: id.to_owned(),
            tags: vec![tag.to_owned()],
            ..ImageSummary::default()
        };
        let images = [image("a", "localhost/x:1"), image("b", "localhost/y:1")];
        let names = ["localhost/x:1".to_owned(), "localhost/y:1".to_owned()];
        assert_eq!(missing_names(&images, "a", &names), ["localhost/y:1"]);
        assert_eq!(missing_names(&images, "c", &names), names);
    }

    #[test]
    fn names_are_podmans() {
        let asked = ["foo".to_owned(), "foo:latest".to_owned()];
        let names = |known: &[&str], face| {
            let known: Vec<_> = known.iter().map(ToString::to_string).collect();
            full_names(&asked, &known, face).unwrap()
        };
        let (local, hub) = ("localhost/foo:latest", "docker.io/library/foo:latest");
        assert_eq!(names(&[], Face::Libpod), [local]);
        assert_eq!(names(&[hub], Face::Libpod), [local]);
        assert_eq!(names(&[], Face::Compat), [hub]);
        assert_eq!(names(&[local], Face::Compat), [local]);
        assert_eq!(names(&[local, hub], Face::Compat), [hub]);
        assert!(full_names(&["UPPER".to_owned()], &[], Face::Libpod).is_err());
    }
}
