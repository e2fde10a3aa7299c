//! Paths of requests and patterns of routes.
//!
//! A pattern is written as `/libpod/images/{name...}/json`: `{name}` is one segment and `{name...}`
//! one or more, since image names contain slashes.

use http::Uri;
use model::container::Face;
use percent_encoding::percent_decode_str;

/// The version a client put in front of its path: it selects behaviour and is never refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ApiVersion(pub(crate) u32, pub(crate) u32, pub(crate) u32);

impl ApiVersion {
    /// Reads `v1.44`, `v4.2.0`, `v5.8.6-dev`; `None` for what is no version.
    fn parse(segment: &str) -> Option<Self> {
        let text = segment.strip_prefix('v')?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if !text.starts_with(|c: char| c.is_ascii_digit()) || !text.chars().all(allowed) {
            return None;
        }
        let mut parts = text.split(['.', '-']).map(|part| part.parse().unwrap_or(0));
        let mut next = || parts.next().unwrap_or(0);
        Some(Self(next(), next(), next()))
    }
}

/// A request's path, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    /// The version asked for.
    pub(crate) version: Option<ApiVersion>,
    /// Which API.
    pub(crate) face: Face,
    /// The segments behind the version, decoded.
    pub(crate) segments: Vec<String>,
}

impl Path {
    /// Takes a path apart; `None` for one that no route can have (a slash at its end, broken UTF-8).
    pub(crate) fn parse(uri: &Uri) -> Option<Self> {
        let decoded = percent_decode_str(uri.path()).decode_utf8().ok()?;
        let inner = decoded.strip_prefix('/')?;
        if inner.is_empty() || inner.ends_with('/') {
            return None;
        }
        let mut segments: Vec<String> = inner
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(str::to_owned)
            .collect();
        let version = segments.first().and_then(|first| ApiVersion::parse(first));
        if version.is_some() {
            segments.remove(0);
        }
        let face = match segments.first().map(String::as_str) {
            Some("libpod") => Face::Libpod,
            _ => Face::Compat,
        };
        Some(Self {
            version,
            face,
            segments,
        })
    }
}

/// What a pattern's names stand for in a path.
pub(crate) type Params = Vec<(&'static str, String)>;

/// The pattern of a route.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: &'static str,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Is(&'static str),
    One(&'static str),
    Rest(&'static str),
}

impl Pattern {
    /// Reads a pattern.
    pub(crate) fn new(text: &'static str) -> Self {
        let parts = text.split('/').skip(1).map(Part::new).collect();
        Self { text, parts }
    }

    /// The pattern as written: the name of a route.
    pub(crate) fn text(&self) -> &'static str {
        self.text
    }

    /// The parameters where a path has this pattern.
    pub(crate) fn matches(&self, segments: &[String]) -> Option<Params> {
        let mut params = Params::new();
        walk(&self.parts, segments, &mut params).then_some(params)
    }
}

impl Part {
    fn new(text: &'static str) -> Self {
        match text
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'))
        {
            None => Self::Is(text),
            Some(name) => name.strip_suffix("...").map_or(Self::One(name), Self::Rest),
        }
    }
}

fn walk(parts: &[Part], segments: &[String], params: &mut Params) -> bool {
    let (Some((part, parts)), Some((first, rest))) = (parts.split_first(), segments.split_first())
    else {
        return parts.is_empty() && segments.is_empty();
    };
    match *part {
        Part::Is(text) => text == first && walk(parts, rest, params),
        Part::One(name) => {
            params.push((name, first.clone()));
            walk(parts, rest, params)
        }
        Part::Rest(name) => {
            // as much as leaves the parts behind it something to match
            for taken in (1..=segments.len()).rev() {
                let (mine, others) = segments.split_at(taken);
                let before = params.len();
                params.push((name, mine.join("/")));
                if walk(parts, others, params) {
                    return true;
                }
                params.truncate(before);
            }
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Option<Path> {
        Path::parse(&text.parse().unwrap())
    }

    fn params(pattern: &'static str, text: &str) -> Option<Vec<String>> {
        let found = Pattern::new(pattern).matches(&path(text)?.segments)?;
        Some(found.into_iter().map(|(_, value)| value).collect())
    }

    #[test]
    fn any_version_or_none_leads_to_the_same_segments() {
        for (prefix, version) in [
            ("", None),
            ("/v1.44", Some(ApiVersion(1, 44, 0))),
            ("/v4.2.0", Some(ApiVersion(4, 2, 0))),
            ("/v5.8.6-dev", Some(ApiVersion(5, 8, 6))),
            ("/v9.99.0", Some(ApiVersion(9, 99, 0))),
            ("/v1.0.0", Some(ApiVersion(1, 0, 0))),
            ("/v6", Some(ApiVersion(6, 0, 0))),
        ] {
            let path = path(&format!("{prefix}/libpod/info")).unwrap();
            assert_eq!(
                (path.version, path.face),
                (version, Face::Libpod),
                "{prefix}"
            );
            assert_eq!(path.segments, ["libpod", "info"]);
        }
        assert_eq!(path("/vX/info").unwrap().segments, ["vX", "info"]);
        assert_eq!(path("/volumes").unwrap().face, Face::Compat);
    }

    #[test]
    fn a_slash_at_the_end_and_the_root_have_no_route() {
        assert_eq!(path("/"), None);
        assert_eq!(path("/containers/json/"), None);
        assert_eq!(path("/containers/%ff/json"), None);
        assert_eq!(
            path("//containers//json").unwrap().segments,
            ["containers", "json"]
        );
    }

    #[test]
    fn image_names_may_contain_slashes_encoded_or_not() {
        let pattern = "/libpod/images/{name...}/json";
        let expected = Some(vec!["docker.io/library/busybox:latest".to_owned()]);
        assert_eq!(
            params(
                pattern,
                "/v5.8.0/libpod/images/docker.io/library/busybox:latest/json"
            ),
            expected
        );
        assert_eq!(
            params(
                pattern,
                "/v5.8.0/libpod/images/docker.io%2Flibrary%2Fbusybox%3Alatest/json"
            ),
            expected
        );
        assert_eq!(params(pattern, "/libpod/images/json"), None);
        assert_eq!(
            params(pattern, "/libpod/images/json/json"),
            Some(vec!["json".to_owned()])
        );
        assert_eq!(params(pattern, "/libpod/images/a/exists"), None);
    }

    #[test]
    fn a_name_is_one_segment() {
        assert_eq!(
            params("/containers/{name}/json", "/v1.44/containers/a/json"),
            Some(vec!["a".to_owned()])
        );
        assert_eq!(
            params("/containers/{name}/json", "/v1.44/containers/a/b/json"),
            None
        );
        assert_eq!(
            params(
                "/m/{name...}/registry/{destination...}",
                "/m/a/b/registry/c/d"
            ),
            Some(vec!["a/b".to_owned(), "c/d".to_owned()])
        );
    }
}
