//! Images, and how a container names its own.

use std::collections::BTreeMap;

use cri_api::v1;
use model::Id;
use model::container::ImageRef;
use model::image::ImageSummary;

/// The name given for an image that has none: CRI-O wants one, to check its signature policy by.
const UNTAGGED: &str = "localhost/untagged";

/// An image id without `sha256:`; containerd has it, CRI-O not, and CRI-O takes it only without
/// (measured). Anything else stays as it is.
pub fn bare_id(text: &str) -> &str {
    let bare = text.strip_prefix("sha256:").unwrap_or(text);
    match Id::parse(bare) {
        Some(_) => bare,
        None => text,
    }
}

/// The image of a container: its id, which cannot come to mean another image, and its full name.
///
/// CRI-O refuses a container without `user_specified_image`, and a 64-hex one (measured). containerd from 2 on gives that name to a
/// guest that pulls by itself.
pub fn image_spec(image: &ImageRef) -> v1::ImageSpec {
    let ImageRef {
        asked: _, // shown by inspect; `name` is its full form
        name,
        id,
        digest,
        config: _, // its parts stand in the container's own fields
        offered,
    } = image;
    let is_id = name.is_empty() || Id::parse(bare_id(name)).is_some();
    let full_name = match (offered, is_id, digest) {
        (Some(offered), _, _) => offered.clone(),
        (None, false, _) => name.clone(),
        (None, true, Some(digest)) => digest.clone(),
        (None, true, None) => UNTAGGED.to_owned(),
    };
    v1::ImageSpec {
        image: bare_id(id).to_owned(),
        annotations: BTreeMap::new(),
        user_specified_image: full_name,
        runtime_handler: String::new(), // images are the same for every handler here
        image_ref: String::new(),       // the runtime's answer, not ours
    }
}

/// An image of `ListImages` or `ImageStatus`.
pub fn image_summary(image: v1::Image) -> ImageSummary {
    let v1::Image {
        id,
        repo_tags,
        repo_digests,
        size,
        uid: _,      // of the image's USER, which the verbose answer has in full
        username: _, // the same
        spec: _,     // annotations of the image's manifest: nothing shows them
        pinned,
    } = image;
    let real = |names: Vec<String>| {
        names
            .into_iter()
            .filter(|name| !name.contains("<none>"))
            .collect()
    };
    ImageSummary {
        id: bare_id(&id).to_owned(),
        tags: real(repo_tags),
        digests: real(repo_digests),
        size_bytes: size,
        pinned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ad185232d4770123456789abcdef0123456789abcdef0123456789abcdef0123";

    #[test]
    fn ids_lose_their_prefix_and_names_stay() {
        let table = [
            (format!("sha256:{HEX}"), HEX.to_owned()),
            (HEX.to_owned(), HEX.to_owned()),
            ("sha256:abc".to_owned(), "sha256:abc".to_owned()),
            (
                format!("docker.io/library/busybox@sha256:{HEX}"),
                format!("docker.io/library/busybox@sha256:{HEX}"),
            ),
            (String::new(), String::new()),
        ];
        for (given, wanted) in table {
            assert_eq!(bare_id(&given), wanted);
        }
    }

    #[test]
    fn an_image_is_named_by_id_and_called_by_its_name_or_digest() {
        let name = "docker.io/library/busybox:latest";
        let digest = format!("docker.io/library/busybox@sha256:{HEX}");
        let table = [
            (name.to_owned(), None, name.to_owned()),
            (name.to_owned(), Some(digest.clone()), name.to_owned()),
            (HEX.to_owned(), Some(digest.clone()), digest.clone()),
            (format!("sha256:{HEX}"), None, UNTAGGED.to_owned()),
            (String::new(), None, UNTAGGED.to_owned()),
        ];
        for (name, digest, wanted) in table {
            let spec = image_spec(&ImageRef {
                id: format!("sha256:{HEX}"),
                name: name.clone(),
                digest,
                ..ImageRef::default()
            });
            assert_eq!(spec.image, HEX);
            assert_eq!(spec.user_specified_image, wanted, "{name}");
        }
    }

    #[test]
    fn a_listed_image_has_a_bare_id_and_real_names_only() {
        let made = image_summary(v1::Image {
            id: format!("sha256:{HEX}"),
            repo_tags: vec!["<none>:<none>".into(), "localhost/a:1".into()],
            repo_digests: vec!["<none>@<none>".into()],
            size: 5,
            pinned: true,
            ..Default::default()
        });
        assert_eq!(made.id, HEX);
        assert_eq!(made.tags, ["localhost/a:1"]);
        assert!(made.digests.is_empty());
        assert_eq!((made.size_bytes, made.pinned), (5, true));
    }
}
