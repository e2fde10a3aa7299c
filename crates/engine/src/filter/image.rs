//! Filters of images, for both faces. Unlike the other filters, all values of a key must hold
//! (references excepted), and `key!` turns one round.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model::Error;
use model::error::Kind;
use model::request::Filters;
use model::view::ImageView;

use super::text::{glob, has_labels};
use super::{Context, joined, parse_bool, refused};

/// A filter as asked for.
#[derive(Clone, Debug, Default)]
pub struct ImageFilter {
    wishes: Vec<(bool, Wish)>,
    references: References<String>,
}

/// A filter that knows what it refers to.
#[derive(Clone, Debug, Default)]
pub struct BoundImageFilter {
    checks: Vec<(bool, Check)>,
    references: References<Reference>,
}

/// One of the wanted must fit, and none of the unwanted may.
#[derive(Clone, Debug)]
struct References<T> {
    wanted: Vec<T>,
    unwanted: Vec<T>,
}

impl<T> Default for References<T> {
    fn default() -> Self {
        Self {
            wanted: Vec::new(),
            unwanted: Vec::new(),
        }
    }
}

/// A pattern of names, and the image it names where it is a name.
#[derive(Clone, Debug)]
struct Reference {
    pattern: String,
    id: Option<String>,
}

/// A key whose value may need a look-up; the key is kept for the text of the error.
#[derive(Clone, Debug)]
enum Wish {
    Ready(Check),
    Since(String, String),
    Before(String, String),
    Until(String),
}

#[derive(Clone, Debug)]
enum Check {
    Id(String),
    Digest(String),
    Label(String),
    Dangling(bool),
    Used(bool),
    /// What is the same for every image that CRI shows.
    Constant(bool),
    Since(Option<Timestamp>),
    Before(Option<Timestamp>),
}

impl ImageFilter {
    /// Reads filters. `intermediate` and `manifest` are answered as constants: a CRI runtime shows
    /// neither intermediate images nor manifest lists.
    ///
    /// # Errors
    /// Podman's texts for unknown keys and bad values; [`Error::Unsupported`] for `readonly`, which
    /// CRI does not tell.
    pub fn parse(filters: &Filters) -> Result<Self, Error> {
        let mut filter = Self::default();
        let mut seen = BTreeMap::new();
        for pair in joined(filters) {
            let (negated, key, value) = match (pair.split_once("!="), pair.split_once('=')) {
                (Some((key, value)), _) => (true, key, value),
                (None, Some((key, value))) => (false, key, value),
                (None, None) => return Err(invalid(&pair)),
            };
            match (key, negated) {
                ("reference", false) => filter.references.wanted.push(value.to_owned()),
                ("reference", true) => filter.references.unwanted.push(value.to_owned()),
                _ => filter.wishes.push((negated, wish(key, value, &mut seen)?)),
            }
        }
        Ok(filter)
    }

    /// Looks up what the filter refers to, among all images; `find` turns a name into the id of an
    /// image, the way every image is looked up.
    ///
    /// # Errors
    /// Podman's for an image that `since` or `before` names and nobody knows, and for a bad
    /// `until`.
    pub fn bind(
        self,
        context: &Context<'_>,
        images: &[ImageView],
        find: &dyn Fn(&str) -> Option<String>,
    ) -> Result<BoundImageFilter, Error> {
        let created = |key: &str, name: &str| {
            let unknown = || {
                let text =
                    format!("could not find local image for filter {key:?}={name:?}: {name}");
                refused(text, Kind::Image.unknown())
            };
            let id = find(name).ok_or_else(unknown)?;
            let image = images
                .iter()
                .find(|view| view.detail.summary.id == id)
                .ok_or_else(unknown)?;
            Ok::<_, Error>(image.detail.created_at)
        };
        let check = |(negated, wish)| {
            let check = match wish {
                Wish::Ready(check) => check,
                Wish::Since(key, name) => Check::Since(created(&key, &name)?),
                Wish::Before(key, name) => Check::Before(created(&key, &name)?),
                Wish::Until(text) => Check::Before(Some(context.until(&[text])?)),
            };
            Ok((negated, check))
        };
        let bound = |patterns: Vec<String>| -> Vec<Reference> {
            patterns
                .into_iter()
                .map(|pattern| Reference {
                    id: find(&pattern),
                    pattern,
                })
                .collect()
        };
        Ok(BoundImageFilter {
            checks: self
                .wishes
                .into_iter()
                .map(check)
                .collect::<Result<_, Error>>()?,
            references: References {
                wanted: bound(self.references.wanted),
                unwanted: bound(self.references.unwanted),
            },
        })
    }
}

fn wish<'a>(
    key: &'a str,
    value: &'a str,
    seen: &mut BTreeMap<&'static str, String>,
) -> Result<Wish, Error> {
    let owned = value.to_owned();
    Ok(match key {
        "after" | "since" => Wish::Since(key.to_owned(), owned),
        "before" => Wish::Before(key.to_owned(), owned),
        "until" => Wish::Until(owned),
        "id" => Wish::Ready(Check::Id(owned)),
        "digest" if value.starts_with("sha256:") => Wish::Ready(Check::Digest(owned)),
        "digest" => {
            return Err(Error::Plain(format!(
                "invalid value {value:?} for digest filter"
            )));
        }
        "label" => Wish::Ready(Check::Label(owned)),
        "dangling" => Wish::Ready(Check::Dangling(once_bool("dangling", value, seen)?)),
        "intermediate" => Wish::Ready(Check::Constant(!once_bool("intermediate", value, seen)?)),
        "manifest" => Wish::Ready(Check::Constant(!once_bool("manifest", value, seen)?)),
        "readonly" => {
            once_bool("readonly", value, seen)?;
            return Err(Error::unsupported(
                "the image filter readonly",
                "CRI does not tell which images are read-only",
            ));
        }
        "containers" => {
            once("containers", value, seen)?;
            match value {
                "true" => Wish::Ready(Check::Used(true)),
                "false" => Wish::Ready(Check::Used(false)),
                // Podman's own API does not carry it out either.
                "external" => {
                    return Err(Error::Plain(
                        "libimage error: external containers filter without callback".to_owned(),
                    ));
                }
                _ => {
                    return Err(Error::Plain(format!(
                        "unsupported value {value:?} for containers filter"
                    )));
                }
            }
        }
        _ => return Err(invalid(key)),
    })
}

fn invalid(key: &str) -> Error {
    Error::Plain(format!(
        "invalid image filter {key:?}: must be in the format \"filter=value or filter!=value\""
    ))
}

/// The same value may be given twice, two values may not.
fn once(
    key: &'static str,
    value: &str,
    seen: &mut BTreeMap<&'static str, String>,
) -> Result<(), Error> {
    match seen.insert(key, value.to_owned()) {
        Some(before) if before != value => Err(Error::Plain(format!(
            "specifying {key:?} filter more than once with different values is not supported"
        ))),
        _ => Ok(()),
    }
}

fn once_bool(
    key: &'static str,
    value: &str,
    seen: &mut BTreeMap<&'static str, String>,
) -> Result<bool, Error> {
    once(key, value, seen)?;
    // Key and value stand the wrong way round in Podman's text.
    parse_bool(value).map_err(|error| {
        refused(
            format!("non-boolean value {key:?} for {value} filter: {error}"),
            "invalid syntax",
        )
    })
}

impl BoundImageFilter {
    /// Every value of every key holds for this image, and its references fit.
    pub fn matches(&self, view: &ImageView) -> bool {
        let References { wanted, unwanted } = &self.references;
        self.checks
            .iter()
            .all(|(negated, check)| check.holds(view) != *negated)
            && !unwanted.iter().any(|reference| reference.fits(view))
            && (wanted.is_empty() || wanted.iter().any(|reference| reference.fits(view)))
    }

    /// The tags to show of an image that matches: a single wanted reference that is a full name
    /// with a tag leaves that one alone, as the answer to a query for it.
    pub fn tags<'v>(&self, view: &'v ImageView) -> Vec<&'v str> {
        let tags = view.detail.summary.tags.iter().map(String::as_str);
        match (
            self.references.wanted.as_slice(),
            self.references.unwanted.as_slice(),
        ) {
            ([only], []) if is_full_name(&only.pattern) => {
                let (name, suffix) = split_name(&only.pattern);
                let by_digest = suffix.contains('@');
                tags.filter(|tag| *tag == only.pattern || (by_digest && split_name(tag).0 == name))
                    .collect()
            }
            _ => tags.collect(),
        }
    }
}

/// It names a registry, and a tag or digest; no pattern.
fn is_full_name(text: &str) -> bool {
    let (name, suffix) = split_name(text);
    let registry = name.split_once('/').map_or("", |(registry, _)| registry);
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-/:".contains(c);
    !suffix.is_empty()
        && name.chars().all(plain)
        && (registry == "localhost" || registry.contains(['.', ':']))
}

/// A name without tag and digest, and the rest.
fn split_name(text: &str) -> (&str, &str) {
    let named = text.split_once('@').map_or(text, |(named, _)| named);
    let last = named.rfind('/').map_or(0, |slash| slash + 1);
    let len = named
        .get(last..)
        .and_then(|last| last.find(':'))
        .map_or(named.len(), |colon| last + colon);
    text.split_at_checked(len).unwrap_or((text, ""))
}

impl Reference {
    /// It names the image, or is a pattern that fits one of its names: in full, without registry,
    /// or the last part alone, each with and without the tag.
    fn fits(&self, view: &ImageView) -> bool {
        let summary = &view.detail.summary;
        // An image that was pulled by digest has no other name.
        let names = if summary.tags.is_empty() {
            &summary.digests
        } else {
            &summary.tags
        };
        self.id.as_ref() == Some(&summary.id)
            || names.iter().any(|name| {
                let (untagged, suffix) = split_name(name);
                let path = untagged.split_once('/').map_or(untagged, |(_, path)| path);
                let last = untagged.rsplit('/').next().unwrap_or(untagged);
                [untagged, path, last].iter().any(|part| {
                    glob(&self.pattern, part) || glob(&self.pattern, &format!("{part}{suffix}"))
                })
            })
    }
}

impl Check {
    fn holds(&self, view: &ImageView) -> bool {
        let detail = &view.detail;
        match self {
            Self::Id(begin) => detail.summary.id.starts_with(begin.as_str()),
            Self::Digest(begin) => detail
                .summary
                .digests
                .iter()
                .filter_map(|name| name.split_once('@'))
                .any(|(_, digest)| digest.starts_with(begin.as_str())),
            Self::Label(label) => has_labels(&[label], &detail.config.labels),
            Self::Dangling(wanted) => detail.summary.tags.is_empty() == *wanted,
            Self::Used(wanted) => (view.containers > 0) == *wanted,
            Self::Constant(holds) => *holds,
            Self::Since(time) => time
                .zip(detail.created_at)
                .is_some_and(|(time, created)| created > time),
            Self::Before(time) => time
                .zip(detail.created_at)
                .is_some_and(|(time, created)| created < time),
        }
    }
}

#[cfg(test)]
mod tests;
