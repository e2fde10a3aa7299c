//! Supplementary groups of a container by name, which CRI takes as numbers alone.

use model::Error;
use model::container::ContainerRecord;

use crate::host::ImageTree;
use crate::system::Inner;
use crate::volumes::on_disk;

impl Inner {
    /// The numbers of the groups that were asked for, by the container's own `/etc/group`: the image's, or what an attempt
    /// before has made of it. As Podman they are looked up at each start.
    ///
    /// # Errors
    /// Podman's words for a group that there is not, and around it where the image's files cannot be found.
    pub(crate) async fn groups_of(&self, record: &ContainerRecord) -> Result<Vec<u32>, Error> {
        let groups = &record.spec.groups;
        let numbers = groups.iter().map(|group| group.parse());
        if let Ok(numbers) = numbers.collect::<Result<Vec<u32>, _>>() {
            return Ok(numbers);
        }
        let folders = self.layers_before(record).await?;
        if folders.is_empty() {
            let cause = "the runtime does not show the image's /etc/group";
            return Err(failed(record, cause, cause.to_owned()));
        }
        let at = self.store.dir().container(&record.id).join("image");
        let groups = groups.clone();
        let found = on_disk(move || {
            let tree = ImageTree::new(&folders, &at)?;
            Ok(accounts::groups(&groups, |table| tree.file(table.path())))
        });
        found.await?.map_err(|error| {
            let accounts::NotFound { message, cause } = error;
            failed(record, &message, cause)
        })
    }
}

/// Podman's words around a reason.
fn failed(record: &ContainerRecord, why: &str, cause: String) -> Error {
    let id = &record.id;
    let message = format!("looking up supplemental groups for container {id}: {why}");
    Error::Failed { message, cause }
}
