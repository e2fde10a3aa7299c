//! Images that go with their containers (`--rmi`).

use model::Error;
use model::container::{ContainerRecord, MountKind};
use model::event::Action;
use model::image::ImageSummary;

use crate::events::of_image;
use crate::images::{locate, short_names};
use crate::runtime::Runtime as _;
use crate::system::Inner;

impl Inner {
    /// Removes the image of a container that goes, whose record is still there: a daemon that dies meanwhile does it again.
    /// What is in its way is told to nobody but the log, as by Podman's cleanup.
    pub(super) async fn remove_image_of(&self, record: &ContainerRecord) {
        if !record.spec.remove_image {
            return;
        }
        if let Err(error) = self.remove_unused_image(record).await {
            tracing::warn!(container = %record.id, image = record.spec.image.name, %error, "its image stays");
        }
    }

    async fn remove_unused_image(&self, record: &ContainerRecord) -> Result<(), Error> {
        let image = &record.spec.image;
        let images = self.known_images().await?;
        let Some(there) = images.iter().find(|there| there.id == image.id) else {
            return Ok(());
        };
        if there.tags.len() > 1 {
            tracing::info!(
                image = image.name,
                "the image of a removed container has more names, and stays"
            );
            return Ok(());
        }
        if self.is_used_by_others(record, &images).await? {
            tracing::info!(
                image = image.name,
                "the image of a removed container is used, and stays"
            );
            return Ok(());
        }
        self.runtime.remove_image(&image.id).await?;
        let event = of_image(&image.id, &image.name, Action::Remove);
        self.store.record_events(vec![event]).await
    }

    /// Whether another container is of the same image, or has it mounted; those that others made too.
    async fn is_used_by_others(
        &self,
        record: &ContainerRecord,
        known: &[ImageSummary],
    ) -> Result<bool, Error> {
        let image = &record.spec.image;
        let others = self.store.read(|book| {
            let all = book.containers.values();
            let others = all.filter(|other| other.id != record.id && !other.progress.removing);
            others.cloned().collect::<Vec<_>>()
        });
        let pods = self.store.read(|book| {
            let all = book.sandboxes.values();
            all.map(|pod| pod.spec.mounts.clone()).collect::<Vec<_>>()
        });
        let mounts = others.iter().map(|other| &other.spec.mounts);
        let mounts = mounts.chain(&pods).flatten();
        let images = mounts.filter(|mount| mount.kind == MountKind::Image);
        // by the names as they were asked for
        let names: Vec<String> = images.map(|mount| mount.source.clone()).collect();
        let rules = short_names(record.spec.face).await;
        for name in names {
            let mounted = locate(known, &name, &rules)?;
            if mounted.is_some_and(|(found, _)| found.id == image.id) {
                return Ok(true);
            }
        }
        let ours = others.iter().any(|other| other.spec.image.id == image.id);
        let seen = self.observer.list().await?;
        let mut all = seen.listing.containers.iter();
        Ok(ours || all.any(|other| other.image_ref.contains(&image.id)))
    }
}
