//! What a path of the distribution specification asks for. Names, tags and digests are taken by its own grammar alone, so that
//! nothing else reaches a file.

use std::sync::LazyLock;

use model::Id;
use regex::Regex;

/// Bytes of a repository's name, as registries have it.
const NAME_MAX: usize = 255;

/// The specification's `<name>`.
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    let part = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
    Regex::new(&format!("^{part}(?:/{part})*$")).expect("the expression is one")
});
/// Its `<reference>` as a tag.
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new("^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$").expect("the expression is one")
});

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// `/v2/`: whether this is a registry.
    Base,
    /// The manifest of a tag.
    Tag(&'a str, &'a str),
    /// A manifest by its digest, without `sha256:`.
    Manifest(&'a str, Id),
    /// A configuration or a layer by its digest.
    Blob(&'a str, Id),
}

/// Why a request has no answer: the codes of the specification, as far as they occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The name is none.
    NameInvalid,
    /// The digest is none of SHA-256.
    DigestInvalid,
    /// No image of that name is offered.
    NameUnknown,
    /// The repository has no such manifest.
    ManifestUnknown,
    /// The repository has no such blob.
    BlobUnknown,
    /// Another path.
    NoRoute,
    /// Anything but reading.
    Method,
    /// A range beyond the end.
    Range,
    /// It cannot be read here.
    Internal,
}

/// Reads a path.
pub(super) fn route(path: &str) -> Result<Route<'_>, Refused> {
    let rest = path.strip_prefix("/v2").ok_or(Refused::NoRoute)?;
    if rest.is_empty() || rest == "/" {
        return Ok(Route::Base);
    }
    let rest = rest.strip_prefix('/').ok_or(Refused::NoRoute)?;
    let (rest, reference) = rest.rsplit_once('/').ok_or(Refused::NoRoute)?;
    let (name, kind) = rest.rsplit_once('/').ok_or(Refused::NoRoute)?;
    if !matches!(kind, "manifests" | "blobs") {
        return Err(Refused::NoRoute);
    }
    if name.len() > NAME_MAX || !NAME.is_match(name) {
        return Err(Refused::NameInvalid);
    }
    match (kind, reference.strip_prefix("sha256:").map(Id::parse)) {
        ("manifests", Some(Some(digest))) => Ok(Route::Manifest(name, digest)),
        ("blobs", Some(Some(digest))) => Ok(Route::Blob(name, digest)),
        ("manifests", None) if TAG.is_match(reference) => Ok(Route::Tag(name, reference)),
        ("manifests", None) => Err(Refused::ManifestUnknown),
        _ => Err(Refused::DigestInvalid),
    }
}

/// The bytes that a `Range` header means of so many: first and count. `None`: all of them, also where it means several ranges or
/// cannot be read (RFC 9110 lets a server leave it out of account).
pub(super) fn range(header: &str, size: u64) -> Result<Option<(u64, u64)>, Refused> {
    let Some((first, last)) = header
        .strip_prefix("bytes=")
        .and_then(|range| range.trim().split_once('-'))
    else {
        return Ok(None);
    };
    let (first, last) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(size.saturating_sub(1))),
        (Ok(first), Err(_)) if last.is_empty() => (first, size.saturating_sub(1)),
        (Err(_), Ok(0)) if first.is_empty() => return Err(Refused::Range),
        (Err(_), Ok(count)) if first.is_empty() => {
            (size.saturating_sub(count), size.saturating_sub(1))
        }
        _ => return Ok(None),
    };
    match first < size {
        true => Ok(Some((first, last - first + 1))),
        false => Err(Refused::Range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "ad185232d4770123456789abcdef0123456789abcdef0123456789abcdef0123";

    #[test]
    fn paths_are_those_of_the_specification() {
        let digest = || Id::parse(HEX).unwrap();
        let good = [
            ("/v2".to_owned(), Route::Base),
            ("/v2/".to_owned(), Route::Base),
            (
                "/v2/app/manifests/latest".to_owned(),
                Route::Tag("app", "latest"),
            ),
            (
                "/v2/manifests/blobs/manifests/1.0".to_owned(),
                Route::Tag("manifests/blobs", "1.0"),
            ),
            (
                format!("/v2/a/b__c/manifests/sha256:{HEX}"),
                Route::Manifest("a/b__c", digest()),
            ),
            (
                format!("/v2/app/blobs/sha256:{HEX}"),
                Route::Blob("app", digest()),
            ),
        ];
        for (path, wanted) in good {
            assert_eq!(route(&path), Ok(wanted), "{path}");
        }
    }

    #[test]
    fn what_is_no_name_tag_or_digest_reaches_no_file() {
        let bad = [
            ("/", Refused::NoRoute),
            ("/v2x", Refused::NoRoute),
            ("/v2/_catalog", Refused::NoRoute),
            ("/v2/app/tags/list", Refused::NoRoute),
            ("/v2/app/blobs/uploads/", Refused::NoRoute),
            ("/v2/../etc/blobs/sha256:00", Refused::NameInvalid),
            ("/v2/a//b/manifests/latest", Refused::NameInvalid),
            ("/v2/%2e%2e/manifests/latest", Refused::NameInvalid),
            ("/v2/App/manifests/latest", Refused::NameInvalid),
            ("/v2//manifests/latest", Refused::NameInvalid),
            ("/v2/app/manifests/..", Refused::ManifestUnknown),
            ("/v2/app/manifests/", Refused::ManifestUnknown),
            ("/v2/app/manifests/sha256:00", Refused::DigestInvalid),
            ("/v2/app/blobs/manifest.json", Refused::DigestInvalid),
            ("/v2/app/blobs/sha256:../manifest.json", Refused::NoRoute),
            ("/v2/app/blobs/sha512:00", Refused::DigestInvalid),
        ];
        for (path, wanted) in bad {
            assert_eq!(route(path), Err(wanted), "{path}");
        }
        let long = format!("/v2/{}/manifests/latest", "a".repeat(NAME_MAX + 1));
        assert_eq!(route(&long), Err(Refused::NameInvalid));
        let upper = format!("/v2/app/blobs/sha256:{}", HEX.to_uppercase());
        assert_eq!(route(&upper), Err(Refused::DigestInvalid));
    }

    #[test]
    fn ranges_are_cut_at_the_end_and_refused_beyond_it() {
        let table = [
            ("bytes=0-3", Ok(Some((0, 4)))),
            ("bytes=4-", Ok(Some((4, 6)))),
            ("bytes=8-100", Ok(Some((8, 2)))),
            ("bytes=-3", Ok(Some((7, 3)))),
            ("bytes=-100", Ok(Some((0, 10)))),
            ("bytes=10-", Err(Refused::Range)),
            ("bytes=-0", Err(Refused::Range)),
            ("bytes=3-2", Ok(None)),
            ("bytes=0-1,4-5", Ok(None)),
            ("bytes=a-b", Ok(None)),
            ("lines=0-3", Ok(None)),
        ];
        for (header, wanted) in table {
            assert_eq!(range(header, 10), wanted, "{header}");
        }
        assert_eq!(range("bytes=0-", 0), Err(Refused::Range));
    }
}
