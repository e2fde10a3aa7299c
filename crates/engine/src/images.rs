//! Images: one function turns a name into an image, and what is done with it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Error;
use model::container::Face;
use model::error::Kind;
use model::event::Action;
use model::image::{Credentials, ImageDetail, ImageSummary};
use model::reference::{self, Candidate, ShortNames};
use model::request::{Filters, PullPolicy};
use model::view::{ImageView, Pulled};

use crate::events::of_image;
use crate::filter::Context;
use crate::filter::image::ImageFilter;
use crate::runtime::Runtime as _;
use crate::system::{Engine, Inner};

/// Details by image id: the id is the digest of the configuration, so they never change.
#[derive(Default)]
pub(crate) struct ImageDetails(Mutex<HashMap<String, Arc<ImageDetail>>>);

impl ImageDetails {
    fn get(&self, id: &str) -> Option<Arc<ImageDetail>> {
        self.lock().get(id).cloned()
    }

    fn put(&self, id: &str, detail: ImageDetail) -> Arc<ImageDetail> {
        let detail = Arc::new(detail);
        self.lock().insert(id.to_owned(), Arc::clone(&detail));
        detail
    }

    /// Forgets images that are no longer there.
    fn keep_only(&self, listed: &[ImageSummary]) {
        let listed: HashSet<&str> = listed.iter().map(|image| image.id.as_str()).collect();
        self.lock().retain(|id, _| listed.contains(id.as_str()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<ImageDetail>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An image that was found under a name.
pub(crate) struct FoundImage {
    pub(crate) detail: ImageDetail,
    /// The name shown: the full one that was found, or the id.
    pub(crate) shown_name: String,
}

impl Engine {
    /// `GET /images/json` and `GET /libpod/images/json`.
    pub async fn list_images(&self, filters: Filters) -> Result<Vec<ImageView>, Error> {
        let inner = self.inner();
        let filter = ImageFilter::parse(&filters)?;
        let mut views = Vec::new();
        let images = inner.known_images().await?;
        inner.image_details.keep_only(&images);
        for summary in images {
            let Some(detail) = inner.detail_of(&summary).await? else {
                continue;
            };
            let id = &detail.summary.id;
            let uses = |book: &crate::store::Book| {
                book.containers
                    .values()
                    .filter(|record| &record.spec.image.id == id)
                    .count()
            };
            views.push(ImageView {
                containers: inner.store.read(uses),
                detail: Arc::new(detail),
            });
        }
        let summaries: Vec<_> = views
            .iter()
            .map(|view| view.detail.summary.clone())
            .collect();
        let rules = short_names(Face::Libpod).await;
        let find = |name: &str| {
            locate(&summaries, name, &rules)
                .ok()
                .flatten()
                .map(|(image, _)| image.id.clone())
        };
        let filter = filter.bind(&Context::new(jiff::Timestamp::now(), &[]), &views, &find)?;
        views.retain(|view| filter.matches(view));
        for view in &mut views {
            let tags: Vec<String> = filter
                .tags(view)
                .into_iter()
                .map(ToOwned::to_owned)
                .collect();
            if tags != view.detail.summary.tags {
                Arc::make_mut(&mut view.detail).summary.tags = tags;
            }
        }
        Ok(views)
    }

    /// `GET /images/{name}/json` and `GET /libpod/images/{name}/json`.
    pub async fn inspect_image(&self, name: &str, face: Face) -> Result<ImageView, Error> {
        let inner = self.inner();
        let image = inner
            .find_image(name, face)
            .await?
            .ok_or_else(|| not_found(name, face))?;
        let id = &image.detail.summary.id;
        let uses = |book: &crate::store::Book| {
            book.containers
                .values()
                .filter(|record| &record.spec.image.id == id)
                .count()
        };
        Ok(ImageView {
            containers: inner.store.read(uses),
            detail: Arc::new(image.detail),
        })
    }

    /// `GET /libpod/images/{name}/exists`.
    pub async fn image_exists(&self, name: &str) -> Result<bool, Error> {
        self.inner()
            .find_image(name, Face::Libpod)
            .await
            .map(|image| image.is_some())
    }

    /// `POST /libpod/images/pull` and `POST /images/create`.
    ///
    /// # Errors
    /// The registry's answer as the runtime words it; a name that is no reference.
    pub async fn pull_image(
        &self,
        name: &str,
        policy: PullPolicy,
        credentials: Option<&Credentials>,
        face: Face,
    ) -> Result<Pulled, Error> {
        let inner = self.inner();
        let present = match policy {
            PullPolicy::Always | PullPolicy::Newer => None,
            PullPolicy::Missing | PullPolicy::Never => inner.find_image(name, face).await?,
        };
        if let Some(image) = present {
            return Ok(Pulled {
                id: image.detail.summary.id,
                name: image.shown_name,
                fetched: false,
            });
        }
        if policy == PullPolicy::Never {
            return Err(Error::NotFound {
                kind: Kind::Image,
                message: format!("{name}: image not known"),
            });
        }
        let mut failed = Vec::new();
        for candidate in reference::pull_candidates(name, &short_names(face).await)? {
            match inner.runtime.pull_image(&candidate, credentials).await {
                Ok(id) => {
                    let event = of_image(&id, name, Action::Pull);
                    inner.store.record_events(vec![event]).await?;
                    return Ok(Pulled {
                        id,
                        name: candidate,
                        fetched: true,
                    });
                }
                Err(error) => failed.push(error),
            }
        }
        let error = joined(failed).unwrap_or_else(|| not_found(name, face));
        let there = match policy {
            // Podman's word for an image that may be older than the registry's, but has to be there
            PullPolicy::Newer => inner.find_image(name, face).await?,
            _ => None,
        };
        if let Some(image) = there {
            tracing::info!(image = name, %error, "it cannot be pulled, and is taken as it is");
            return Ok(Pulled {
                id: image.detail.summary.id,
                name: image.shown_name,
                fetched: false,
            });
        }
        let mut event = of_image("", name, Action::PullError);
        event.labels.insert("error".to_owned(), error.to_string());
        inner.store.record_events(vec![event]).await?;
        Err(error)
    }
}

impl Inner {
    /// The images that the runtime has, without the names that they are offered to guests under.
    pub(crate) async fn known_images(&self) -> Result<Vec<ImageSummary>, Error> {
        let mut images = self.runtime.images().await?;
        for image in &mut images {
            image.tags.retain(|name| !self.is_offered_name(name));
            image.digests.retain(|name| !self.is_offered_name(name));
        }
        Ok(images)
    }

    /// The image a name means, in Podman's order (see [`reference::local_candidates`]).
    pub(crate) async fn find_image(
        &self,
        name: &str,
        face: Face,
    ) -> Result<Option<FoundImage>, Error> {
        let images = self.known_images().await?;
        self.image_details.keep_only(&images);
        let Some((summary, shown)) = locate(&images, name, &short_names(face).await)? else {
            return Ok(None);
        };
        let detail = self.detail_of(summary).await?;
        let shown_name = shown
            .or_else(|| summary.tags.first().cloned())
            .unwrap_or_else(|| summary.id.clone());
        Ok(detail.map(|detail| FoundImage { detail, shown_name }))
    }

    /// An image's details; `None` when it went away since it was listed.
    pub(crate) async fn detail_of(
        &self,
        summary: &ImageSummary,
    ) -> Result<Option<ImageDetail>, Error> {
        let detail = match self.image_details.get(&summary.id) {
            Some(detail) => detail,
            None => match self.runtime.image(&summary.id).await? {
                Some(mut detail) => {
                    if detail.config.health.is_none() {
                        let facts = self.facts();
                        let health = self.runtime.image_health(&facts, &summary.id);
                        detail.config.health = health.await?;
                    }
                    self.image_details.put(&summary.id, detail)
                }
                None => return Ok(None),
            },
        };
        // Names come and go: those of the list count.
        Ok(Some(ImageDetail {
            summary: summary.clone(),
            ..ImageDetail::clone(&detail)
        }))
    }
}

/// What became of the pulls from several registries, in Podman's words; of one, its own error.
fn joined(mut errors: Vec<Error>) -> Option<Error> {
    if errors.len() < 2 {
        return errors.pop();
    }
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    Some(Error::Plain(format!(
        "{} errors occurred while pulling:\n * {}",
        texts.len(),
        texts.join("\n * ")
    )))
}

/// The host's rules for short names; the compat face means Docker's registry.
pub(crate) async fn short_names(face: Face) -> ShortNames {
    match face {
        Face::Libpod => tokio::task::spawn_blocking(crate::host::registries::short_names)
            .await
            .unwrap_or_default(),
        Face::Compat => ShortNames::default(),
    }
}

/// The image a name means, and the full name it was found under (`None`: by id).
pub(crate) fn locate<'a>(
    images: &'a [ImageSummary],
    name: &str,
    rules: &ShortNames,
) -> Result<Option<(&'a ImageSummary, Option<String>)>, Error> {
    for candidate in reference::local_candidates(name, rules)? {
        let (found, shown) = match candidate {
            Candidate::Id(id) => (images.iter().find(|image| image.id == id), None),
            Candidate::ShortId(id) => (unique(images, &id, name)?, None),
            Candidate::Name(full) => (
                images.iter().find(|image| has_name(image, &full)),
                Some(full),
            ),
        };
        if let Some(image) = found {
            return Ok(Some((image, shown)));
        }
    }
    Ok(None)
}

fn has_name(image: &ImageSummary, full: &str) -> bool {
    image
        .tags
        .iter()
        .chain(&image.digests)
        .any(|name| name == full)
}

fn unique<'a>(
    images: &'a [ImageSummary],
    id: &str,
    name: &str,
) -> Result<Option<&'a ImageSummary>, Error> {
    let mut fits = images.iter().filter(|image| image.id.starts_with(id));
    match (fits.next(), fits.next()) {
        (Some(_), Some(_)) => Err(Error::Ambiguous(format!(
            "looking up image {name}: more than one image matches the id prefix"
        ))),
        (found, _) => Ok(found),
    }
}

/// The full name the compat face puts into its errors.
pub(crate) fn compat_name(name: &str) -> String {
    reference::docker_hub(name).unwrap_or_else(|_| name.to_owned())
}

/// Podman's text for an image that does not exist.
fn not_found(name: &str, face: Face) -> Error {
    match face {
        Face::Libpod => Error::not_found(Kind::Image, name),
        Face::Compat => Error::NotFound {
            kind: Kind::Image,
            message: format!(
                "failed to find image {name}: {}: No such image",
                compat_name(name)
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(message: &str) -> Error {
        Error::Runtime {
            call: "PullImage",
            message: message.to_owned(),
        }
    }

    #[test]
    fn the_errors_of_all_registries_are_told_as_podman_does() {
        assert!(joined(Vec::new()).is_none());
        let one = joined(vec![failed("a")]).unwrap();
        assert!(matches!(one, Error::Runtime { .. }), "{one}");
        assert_eq!(
            joined(vec![failed("a"), failed("b")]).unwrap().to_string(),
            "2 errors occurred while pulling:\n * PullImage: a\n * PullImage: b"
        );
    }

    #[test]
    fn details_of_images_that_are_gone_are_forgotten() {
        let details = ImageDetails::default();
        let image = |id: &str| ImageSummary {
            id: id.to_owned(),
            ..ImageSummary::default()
        };
        for id in ["a", "b"] {
            details.put(id, ImageDetail::default());
        }
        details.keep_only(&[image("b")]);
        assert!(details.get("a").is_none() && details.get("b").is_some());
    }
}
