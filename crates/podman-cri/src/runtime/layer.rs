//! Where a container's writable layer lies, which CRI does not say.

use std::collections::{HashMap, HashSet};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cri_api::containerd::Mount;
use cri_client::verbose::ContainerInfo;
use cri_client::{Client, Error};
use model::observed::{Layer, RuntimeFacts};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

/// The layers that were found, by CRI id: they do not change any more. Forgotten when the container is
/// removed, all of them when there are too many.
#[derive(Clone, Debug, Default)]
pub(super) struct Layers(Arc<Mutex<HashMap<String, Layer>>>);

/// Layers remembered at most: about as many containers as a runtime has.
const REMEMBERED: usize = 4_096;

impl Layers {
    /// The layer of a container, from memory or found; where it cannot be read that is said, and it counts
    /// as none: a status has more uses than the layer.
    pub(super) async fn of(
        &self,
        client: &Client,
        cri_id: &str,
        info: &ContainerInfo,
    ) -> Option<Layer> {
        if let Some(layer) = self.known().get(cri_id) {
            return Some(layer.clone());
        }
        let found = of_container(client, info).await.unwrap_or_else(|error| {
            tracing::warn!(container = cri_id, %error, "where the writable layer lies cannot be read");
            None
        });
        // One whose lower folders could not be read may be whole the next time.
        if let Some(layer) = found.as_ref().filter(|layer| !layer.lower.is_empty()) {
            let mut known = self.known();
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.insert(cri_id.to_owned(), layer.clone());
        }
        found
    }

    pub(super) fn forget(&self, cri_id: &str) {
        self.known().remove(cri_id);
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Layer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The layer of a container; `None` where neither way is there (a VM's, another runtime's, one that is
/// just being removed).
async fn of_container(client: &Client, info: &ContainerInfo) -> Result<Option<Layer>, Error> {
    if !info.snapshot_key.is_empty() {
        return of_snapshot(client, &info.snapshotter, &info.snapshot_key).await;
    }
    match info.runtime_spec.host_root() {
        Some(merged) => Ok(of_merged(merged).await),
        None => Ok(None),
    }
}

/// Bytes in a container's writable layer, counted here where the layer can be reached: containerd's statistics
/// are up to 10 s old and end with the container, CRI-O's end with it too (measured).
pub(super) async fn writable_bytes(client: &Client, cri_id: &str) -> Result<Option<u64>, Error> {
    let (_, info) = client.container_status_verbose(cri_id).await?;
    if let Some(layer) = of_container(client, &info).await? {
        let counted = tokio::task::spawn_blocking(move || file_bytes(&layer.upper)).await;
        if let Ok(Ok(bytes)) = counted {
            return Ok(Some(bytes));
        }
    }
    match client.container_stats(cri_id).await {
        Ok(stats) => {
            let used = stats.writable_layer.and_then(|layer| layer.used_bytes);
            Ok(used.map(|bytes| bytes.value))
        }
        // of a container that does not run: containerd says "unexpected metrics response: []", CRI-O answers
        // without statistics once it has exited (measured)
        Err(Error::Other(_) | Error::BadAnswer { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// As Podman counts a layer: lengths of files and links, each inode once, folders not.
fn file_bytes(folder: &Path) -> io::Result<u64> {
    let mut seen = HashSet::new();
    let mut bytes = 0u64;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(found) if found.is_dir() => folders.push(entry.path()),
                Ok(found) if seen.insert((found.dev(), found.ino())) => {
                    bytes = bytes.saturating_add(found.len());
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {} // just removed
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}

/// containerd: the mounts of the snapshot, there until the container is removed.
async fn of_snapshot(
    client: &Client,
    snapshotter: &str,
    key: &str,
) -> Result<Option<Layer>, Error> {
    match client.containerd().snapshot_mounts(snapshotter, key).await {
        Ok(mounts) => Ok(from_mounts(snapshotter, &mounts)),
        Err(Error::NotFound(_) | Error::Unimplemented(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The lower folders of an overlay mount, topmost first.
fn lower_of(mount: &Mount) -> Vec<PathBuf> {
    let mut options = mount.options.iter();
    let all = options.find_map(|option| option.strip_prefix("lowerdir="));
    all.map_or_else(Vec::new, |all| all.split(':').map(PathBuf::from).collect())
}

fn from_mounts(snapshotter: &str, mounts: &[Mount]) -> Option<Layer> {
    let mount = mounts.iter().find(|mount| mount.r#type == "overlay")?;
    let option = |name: &str| {
        mount
            .options
            .iter()
            .find_map(|option| option.strip_prefix(name))
    };
    Some(Layer {
        driver: snapshotter.to_owned(),
        upper: PathBuf::from(option("upperdir=")?),
        work: option("workdir=").map(PathBuf::from),
        lower: lower_of(mount),
        merged: None, // mounted only while it runs, in the shim's own place
    })
}

/// CRI-O: containers-storage's overlay keeps `diff`, `work` and the list of lower layers beside `merged`.
async fn of_merged(merged: &Path) -> Option<Layer> {
    if merged.file_name()? != "merged" {
        return None; // another driver of containers-storage: not a layer but a whole tree
    }
    let layer = merged.parent()?;
    let storage = layer.parent()?;
    Some(Layer {
        driver: storage.file_name()?.to_string_lossy().into_owned(),
        upper: layer.join("diff"),
        work: Some(layer.join("work")),
        lower: lower_folders(storage, layer).await,
        merged: Some(merged.to_path_buf()),
    })
}

/// The layers of an image of CRI-O's, topmost first: containers-storage's overlay has a list of images with
/// their top layer. `None` where it has another form, or lies elsewhere.
pub(super) async fn of_image(facts: &RuntimeFacts, id: &str) -> Option<Vec<PathBuf>> {
    let driver = &facts.storage_driver;
    let list = facts
        .storage_root
        .join(format!("{driver}-images/images.json"));
    let list = tokio::fs::read(list).await.ok()?;
    let images: Vec<StoredImage> = serde_json::from_slice(&list).ok()?;
    let image = images.into_iter().find(|image| image.id == id)?;
    let storage = facts.storage_root.join(driver);
    let top = Some(image.layer).filter(|layer| !layer.is_empty())?;
    let top = storage.join(top);
    // another driver's image is no overlay, and one of an additional store has no layer here
    let diff = Some(top.join("diff")).filter(|diff| diff.is_dir())?;
    // an image of one layer has no list
    let lower = match top.join("lower").exists() {
        true => Some(lower_folders(&storage, &top).await).filter(|all| !all.is_empty())?,
        false => Vec::new(),
    };
    Some(std::iter::once(diff).chain(lower).collect())
}

/// The name of some layers on top of each other, by the OCI image specification.
pub(crate) fn chain_id(diff_ids: &[String]) -> Option<String> {
    diff_ids.iter().cloned().reduce(|below, layer| {
        let digest = Sha256::digest(format!("{below} {layer}"));
        format!("sha256:{}", model::hex(&digest))
    })
}

/// The folders of a read-only snapshot: one layer is bound, several lie over each other.
pub(super) fn folders_of(mounts: &[Mount]) -> Vec<PathBuf> {
    let Some(mount) = mounts.first() else {
        return Vec::new();
    };
    match mount.r#type.as_str() {
        "bind" => vec![PathBuf::from(&mount.source)],
        "overlay" => lower_of(mount),
        _ => Vec::new(),
    }
}

/// One of containers-storage's images.
#[derive(Deserialize)]
struct StoredImage {
    id: String,
    #[serde(default)]
    layer: String,
}

/// The lower layers, topmost first: `lower` holds `l/SHORT:l/SHORT…`, links beside the layers. Empty where
/// one cannot be read, for half a list would be a wrong one.
async fn lower_folders(storage: &Path, layer: &Path) -> Vec<PathBuf> {
    let Ok(list) = tokio::fs::read_to_string(layer.join("lower")).await else {
        return Vec::new();
    };
    let mut folders = Vec::new();
    for link in list.trim_end().split(':').filter(|link| !link.is_empty()) {
        match tokio::fs::canonicalize(storage.join(link)).await {
            Ok(folder) => folders.push(folder),
            Err(_) => return Vec::new(),
        }
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containerds_overlay_mount_names_all_folders() {
        let options = [
            "index=off",
            "workdir=/s/9/work",
            "upperdir=/s/9/fs",
            "lowerdir=/s/2/fs:/s/1/fs",
        ];
        let mount = Mount {
            r#type: "overlay".to_owned(),
            options: options.map(str::to_owned).into(),
            ..Mount::default()
        };
        let layer = from_mounts("overlayfs", &[mount]).unwrap();
        assert_eq!(layer.driver, "overlayfs");
        assert_eq!(layer.upper, Path::new("/s/9/fs"));
        assert_eq!(layer.work.as_deref(), Some(Path::new("/s/9/work")));
        assert_eq!(layer.lower, [Path::new("/s/2/fs"), Path::new("/s/1/fs")]);
        assert_eq!(layer.merged, None);
        assert_eq!(
            from_mounts(
                "native",
                &[Mount {
                    r#type: "bind".to_owned(),
                    ..Mount::default()
                }]
            ),
            None
        );
    }

    #[test]
    fn layers_of_an_image_have_a_name_together_and_folders() {
        // the OCI image specification: ChainID(A|B) = Digest(ChainID(A) + " " + DiffID(B))
        let ids = ["sha256:aa", "sha256:bb"].map(str::to_owned);
        assert_eq!(chain_id(&[]), None);
        assert_eq!(chain_id(&ids[..1]).as_deref(), Some("sha256:aa"));
        // printf 'sha256:aa sha256:bb' | sha256sum
        let both = "b68ad689d6d1ec110ea1c13617437ad6f3766d4b3b309f6a603a222e07a0164f";
        assert_eq!(chain_id(&ids), Some(format!("sha256:{both}")));
        let mount = |kind: &str, source: &str, options: &[&str]| Mount {
            r#type: kind.to_owned(),
            source: source.to_owned(),
            options: options.iter().map(ToString::to_string).collect(),
            ..Mount::default()
        };
        let one = mount("bind", "/s/1/fs", &["ro", "rbind"]);
        assert_eq!(folders_of(&[one]), [Path::new("/s/1/fs")]);
        let two = mount("overlay", "overlay", &["lowerdir=/s/2/fs:/s/1/fs"]);
        assert_eq!(
            folders_of(&[two]),
            ["/s/2/fs", "/s/1/fs"].map(PathBuf::from)
        );
        assert!(folders_of(&[mount("zfs", "pool/x", &[])]).is_empty());
        assert!(folders_of(&[]).is_empty());
    }

    #[test]
    fn a_layer_is_counted_by_its_files_each_inode_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(folder.path().join("sub/a"), "12345").unwrap();
        std::fs::hard_link(folder.path().join("sub/a"), folder.path().join("b")).unwrap();
        std::os::unix::fs::symlink("xyz", folder.path().join("c")).unwrap();
        assert_eq!(file_bytes(folder.path()).unwrap(), 8);
        assert!(file_bytes(&folder.path().join("absent")).is_err());
    }

    #[tokio::test]
    async fn containers_storage_lists_images_with_their_top_layer() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        for dir in [
            "overlay-images",
            "overlay/top/diff",
            "overlay/bottom/diff",
            "overlay/l",
        ] {
            std::fs::create_dir_all(at(dir)).unwrap();
        }
        std::os::unix::fs::symlink("../bottom/diff", at("overlay/l/XY")).unwrap();
        std::fs::write(at("overlay/top/lower"), "l/XY").unwrap();
        let list =
            r#"[{"id":"a","layer":"top","names":["n"]},{"id":"b","layer":"bottom"},{"id":"c"}]"#;
        std::fs::write(at("overlay-images/images.json"), list).unwrap();
        let facts = RuntimeFacts {
            storage_driver: "overlay".to_owned(),
            storage_root: folder.path().to_path_buf(),
            ..RuntimeFacts::default()
        };
        let (top, bottom) = (at("overlay/top/diff"), at("overlay/bottom/diff"));
        let bottom = bottom.canonicalize().unwrap();
        assert_eq!(of_image(&facts, "a").await, Some(vec![top, bottom]));
        assert_eq!(
            of_image(&facts, "b").await,
            Some(vec![at("overlay/bottom/diff")])
        );
        assert_eq!(of_image(&facts, "c").await, None);
        assert_eq!(of_image(&facts, "d").await, None);
        std::fs::remove_file(at("overlay/l/XY")).unwrap();
        assert_eq!(of_image(&facts, "a").await, None);
    }

    #[tokio::test]
    async fn containers_storage_keeps_the_layer_beside_the_merged_tree() {
        let folder = tempfile::tempdir().unwrap();
        let storage = folder.path().join("overlay");
        let layer = storage.join("aaa");
        std::fs::create_dir_all(layer.join("merged")).unwrap();
        std::fs::create_dir_all(storage.join("bbb/diff")).unwrap();
        std::fs::create_dir_all(storage.join("l")).unwrap();
        std::os::unix::fs::symlink("../bbb/diff", storage.join("l/XY")).unwrap();
        std::fs::write(layer.join("lower"), "l/XY").unwrap();

        let found = of_merged(&layer.join("merged")).await.unwrap();
        assert_eq!(found.driver, "overlay");
        assert_eq!(found.upper, layer.join("diff"));
        assert_eq!(
            found.lower,
            [storage.join("bbb/diff").canonicalize().unwrap()]
        );
        assert_eq!(found.merged, Some(layer.join("merged")));

        std::fs::write(layer.join("lower"), "l/XY:l/GONE").unwrap();
        assert!(
            of_merged(&layer.join("merged"))
                .await
                .unwrap()
                .lower
                .is_empty()
        );
        assert_eq!(of_merged(&folder.path().join("vfs/dir/ccc")).await, None);
    }
}
