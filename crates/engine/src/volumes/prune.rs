//! Volumes that no container uses, removed together.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use model::Error;
use model::event::Action;
use model::request::{Filters, Pruned};
use model::volume::VolumeRecord;

use super::on_disk;
use crate::events::of_volume;
use crate::filter::Context;
use crate::filter::volume::VolumeFilter;
use crate::system::{Engine, Inner};

impl Engine {
    /// `POST /volumes/prune` and `POST /libpod/volumes/prune`: removes the volumes that match and that no container
    /// uses, started or not; those that were removed, and those that could not be.
    ///
    /// Store: as [`Engine::remove_volume`], and the event `prune`.
    ///
    /// # Errors
    /// A filter that a prune does not know or cannot read; nothing is removed then.
    pub async fn prune_volumes(&self, filters: Filters) -> Result<Vec<Pruned>, Error> {
        let filter = VolumeFilter::parse_prune(&filters)?;
        let views = self.list_volumes(Filters::new()).await?;
        let filter = filter.bind(&Context::new(Timestamp::now(), &[]), &views)?;
        let unused = views
            .iter()
            .filter(|view| view.users.is_empty() && filter.matches(view));
        let mut pruned = Vec::new();
        for view in unused {
            pruned.extend(self.inner().prune_volume(&view.record).await);
        }
        Ok(pruned)
    }
}

impl Inner {
    /// `None`: it went meanwhile, or a container took it into use.
    async fn prune_volume(&self, record: &VolumeRecord) -> Option<Pruned> {
        let folder = PathBuf::from(&record.mountpoint);
        let size = on_disk(move || Ok(size_of(folder))).await;
        let removed = async {
            self.remove_volume_but_for(&record.name, None).await?;
            let event = of_volume(record, Action::Prune);
            self.store.record_events(vec![event]).await
        };
        let error = match removed.await {
            Ok(()) => None,
            Err(Error::NotFound { .. } | Error::Conflict { .. }) => return None,
            Err(error) => Some(error.to_string()),
        };
        Some(Pruned {
            id: record.name.clone(),
            size: size.unwrap_or_default(),
            error,
        })
    }
}

/// Bytes of the files in a folder and below, as Podman counts them: each once, however many names it has, and
/// folders not at all. What goes meanwhile does not count.
fn size_of(folder: PathBuf) -> u64 {
    let mut size = 0;
    // only files of several names are remembered
    let mut seen = HashSet::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for (path, about) in entries(&folder) {
            if about.is_dir() {
                folders.push(path);
            } else if about.nlink() == 1 || seen.insert((about.dev(), about.ino())) {
                size += about.len();
            }
        }
    }
    size
}

/// What is in a folder; a link stands for itself.
fn entries(folder: &Path) -> impl Iterator<Item = (PathBuf, fs::Metadata)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn files_count_once_and_folders_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        assert_eq!(size_of(at("nowhere")), 0);
        fs::create_dir_all(at("a/b")).unwrap();
        assert_eq!(size_of(dir.path().to_owned()), 0);
        fs::write(at("a/b/file"), [0; 1000]).unwrap();
        fs::hard_link(at("a/b/file"), at("same")).unwrap();
        fs::write(at("other"), [0; 30]).unwrap();
        symlink("a/b/file", at("link")).unwrap();
        symlink(".", at("round")).unwrap();
        let links = u64::try_from("a/b/file.".len()).unwrap();
        assert_eq!(size_of(dir.path().to_owned()), 1030 + links);
    }
}
