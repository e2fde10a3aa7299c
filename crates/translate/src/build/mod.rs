//! Builds: what a request says of itself, what its context says of base images, and what Podman's answer
//! says of the image. Podman carries a build out; here is only what has to be known beside it.

mod answer;
mod containerfile;
mod context;

use std::collections::BTreeMap;

use model::Error;
use model::container::Face;
use serde::Deserialize;

pub use answer::{Ended, Ending, failure};
pub use containerfile::base_images;
pub use context::{Wanted, containerfiles};

/// Images that a build may name at most, over all of its Containerfiles: each is looked up.
pub const IMAGES_MAX: usize = 256;

/// What has to be known of a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildPlan {
    /// The names the image gets, as the client wrote them.
    pub names: Vec<String>,
    /// The Containerfiles in the context; `None` where the body has no context.
    pub wanted: Option<Wanted>,
    /// Values for `ARG`.
    pub arguments: BTreeMap<String, String>,
    /// Images that are named beside the Containerfiles.
    pub images: Vec<String>,
    /// Podman is to ask the registries, whatever there is.
    pub pulls_always: bool,
}

/// Reads a build's query: its pairs, decoded; keys match whatever their case.
///
/// # Errors
/// What cannot be handed to a runtime's store, refused by name.
pub fn plan(query: &[(String, String)], face: Face) -> Result<BuildPlan, Error> {
    let query = Query(query);
    refuse_lists(&query)?;
    let remote = face == Face::Libpod && query.text("remote").is_some();
    let context_images = query
        .all("additionalbuildcontexts")
        .filter_map(|context| context.split_once("=image:"));
    let images = query
        .text("from")
        .into_iter()
        .chain(context_images.map(|(_, image)| image));
    let (key, always): (_, &[&str]) = match face {
        Face::Libpod => ("pullpolicy", &["always"]),
        Face::Compat => ("pull", &["1", "t", "T", "true", "True", "TRUE", "on"]),
    };
    Ok(BuildPlan {
        names: query.all("t").map(str::to_owned).collect(),
        wanted: (!remote).then(|| wanted(query.text("dockerfile"), face)),
        arguments: arguments(query.text("buildargs").unwrap_or_default()),
        images: images.map(str::to_owned).collect(),
        pulls_always: query.text(key).is_some_and(|value| always.contains(&value)),
    })
}

struct Query<'a>(&'a [(String, String)]);

impl<'a> Query<'a> {
    fn all(&self, key: &'static str) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
        let pairs = self.0.iter();
        pairs
            .filter(move |(found, _)| found.eq_ignore_ascii_case(key))
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    fn text(&self, key: &'static str) -> Option<&'a str> {
        self.all(key).next_back()
    }
}

/// A runtime's store has images of one platform each.
fn refuse_lists(query: &Query<'_>) -> Result<(), Error> {
    let why = "a CRI runtime's store keeps no manifest lists: build one platform at a time";
    let platforms = query.all("platform").flat_map(|value| value.split(','));
    let field = if query.text("manifest").is_some() {
        "manifest"
    } else if query
        .text("allplatforms")
        .is_some_and(|value| !["0", "false"].contains(&value))
    {
        "allplatforms"
    } else if platforms.count() > 1 {
        "more than one platform"
    } else {
        return Ok(());
    };
    Err(Error::unsupported(field, why))
}

/// A JSON list of paths or one path; URLs and paths outside of the context are not in it.
fn wanted(dockerfile: Option<&str>, face: Face) -> Wanted {
    let Some(text) = dockerfile else {
        return Wanted::first_of(match face {
            Face::Libpod => &["Containerfile", "Dockerfile"],
            Face::Compat => &["Dockerfile"],
        });
    };
    let paths = serde_json::from_str(text).unwrap_or_else(|_| vec![text.to_owned()]);
    let inside = |path: &String| !path.contains("://") && !path.starts_with('/');
    Wanted::all_of(paths.into_iter().filter(inside))
}

/// Docker's `buildargs`: an object whose values may be null (the builder's own environment, which is not
/// known here). What is no such object Podman refuses itself.
fn arguments(text: &str) -> BTreeMap<String, String> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Arguments(BTreeMap<String, Option<String>>);
    serde_json::from_str(text)
        .map(|Arguments(all)| {
            let given = all
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)));
            given.collect()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = pairs.iter();
        owned
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn what_podman_remote_sends_is_understood() {
        let query = query(&[
            ("dockerfile", r#"["Containerfile","./sub/Other"]"#),
            ("buildargs", r#"{"BASE":"localhost/b","UNSET":null}"#),
            ("output", "localhost/built:1"),
            ("pullpolicy", "missing"),
            ("t", "localhost/built:1"),
            ("T", "second"),
            ("additionalbuildcontexts", "tools=image:localhost/tools"),
            ("additionalbuildcontexts", "src=localpath:/src"),
        ]);
        let plan = plan(&query, Face::Libpod).unwrap();
        assert_eq!(plan.names, ["localhost/built:1", "second"]);
        let files = Wanted::all_of(["Containerfile".to_owned(), "sub/Other".to_owned()]);
        assert_eq!(plan.wanted, Some(files));
        assert_eq!(plan.arguments["BASE"], "localhost/b");
        assert!(!plan.arguments.contains_key("UNSET") && !plan.pulls_always);
        assert_eq!(plan.images, ["localhost/tools"]);
    }

    #[test]
    fn what_docker_sends_is_understood() {
        let text = [
            ("dockerfile", "Dockerfile"),
            ("t", "a"),
            ("pull", "1"),
            ("buildargs", "{}"),
        ];
        let named = plan(&query(&text), Face::Compat).unwrap();
        assert_eq!(
            named.wanted,
            Some(Wanted::all_of(["Dockerfile".to_owned()]))
        );
        assert!(named.pulls_always);
        let bare = plan(&[], Face::Compat).unwrap();
        assert_eq!(bare.wanted, Some(Wanted::first_of(&["Dockerfile"])));
    }

    #[test]
    fn a_context_from_elsewhere_has_nothing_to_read_here() {
        let text = [("remote", "https://example.org/x.git")];
        assert_eq!(plan(&query(&text), Face::Libpod).unwrap().wanted, None);
    }

    #[test]
    fn manifest_lists_are_refused_by_name() {
        for (pairs, field) in [
            (vec![("manifest", "m")], "manifest"),
            (vec![("allplatforms", "1")], "allplatforms"),
            (
                vec![("platform", "linux/amd64,linux/arm64")],
                "more than one platform",
            ),
            (
                vec![("platform", "linux/amd64"), ("platform", "linux/arm64")],
                "more than one platform",
            ),
        ] {
            let error = plan(&query(&pairs), Face::Libpod).unwrap_err();
            assert!(error.to_string().starts_with(field), "{error}");
        }
        assert!(
            plan(
                &query(&[("platform", "linux/amd64"), ("allplatforms", "0")]),
                Face::Libpod
            )
            .is_ok()
        );
    }
}
