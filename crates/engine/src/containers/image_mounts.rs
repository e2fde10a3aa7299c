//! Images that a container has as mounts: looked for at each start that makes the container anew, as with Podman.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::Error;
use model::container::{ContainerRecord, ContainerSpec, Mount, MountKind};
use model::observed::RuntimeKind;

use crate::runtime::Runtime as _;
use crate::system::Inner;

fn images_of(spec: &ContainerSpec) -> impl Iterator<Item = &Mount> {
    let is_image = |mount: &&Mount| mount.kind == MountKind::Image;
    spec.mounts.iter().filter(is_image)
}

impl Inner {
    /// At create: images are mounted from the layers that a runtime keeps, and not each shows where.
    pub(crate) fn check_image_mounts(&self, spec: &ContainerSpec) -> Result<(), Error> {
        let any = images_of(spec).next().is_some();
        match any && self.facts().kind == RuntimeKind::Other {
            false => Ok(()),
            true => Err(Error::unsupported(
                "mounts of type \"image\"",
                "they are mounted from the image's layers, and where this runtime keeps them is not known",
            )),
        }
    }

    /// The layers of the images among a container's mounts, by the names asked for, topmost first.
    ///
    /// # Errors
    /// Podman's words for an image that is not there; layers that cannot be found.
    pub(crate) async fn mounted_images(
        &self,
        record: &ContainerRecord,
    ) -> Result<BTreeMap<String, Vec<PathBuf>>, Error> {
        let mut all = BTreeMap::new();
        for mount in images_of(&record.spec) {
            let name = &mount.source;
            if all.contains_key(name) {
                continue;
            }
            let image = self.find_image(name, record.spec.face).await?;
            let image = image.ok_or_else(|| not_known(mount))?;
            let id = &image.detail.summary.id;
            let layers = self.runtime.image_layers(&self.facts(), id).await?;
            if layers.is_empty() {
                return Err(Error::unsupported(
                    format!("a mount of image {name}"),
                    "where the runtime keeps its layers cannot be seen",
                ));
            }
            all.insert(name.clone(), layers);
        }
        Ok(all)
    }
}

fn not_known(mount: &Mount) -> Error {
    let (name, at) = (&mount.source, &mount.destination);
    let cause = "image not known".to_owned();
    Error::Failed {
        message: format!("creating image volume {name:?}:{at:?}: {name}: {cause}"),
        cause,
    }
}
