//! Queries, read as Podman's gorilla/schema reads them: keys match whatever their case, unknown ones
//! are ignored, the last of a repeated key counts and an empty value is none.

use std::str::FromStr;

use http::{StatusCode, Uri};
use model::container::Face;

use super::error::Failure;

/// A request's query.
#[derive(Debug)]
pub(crate) struct Query {
    /// Path and query as the client sent them: error messages name them.
    url: String,
    pairs: Vec<(String, String)>,
    face: Face,
    /// The status of a value that cannot be read.
    fault: StatusCode,
}

impl Query {
    /// The query of a request. A value that cannot be read is answered with 400.
    pub(crate) fn new(uri: &Uri, face: Face) -> Self {
        let query = uri.query().unwrap_or_default();
        Self {
            url: uri
                .path_and_query()
                .map_or_else(|| uri.path().to_owned(), ToString::to_string),
            pairs: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            face,
            fault: StatusCode::BAD_REQUEST,
        }
    }

    /// The same for a route where Podman answers an unreadable value with 500.
    pub(crate) fn faults_are_500(self) -> Self {
        Self {
            fault: StatusCode::INTERNAL_SERVER_ERROR,
            ..self
        }
    }

    /// Path and query as the client sent them.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// All keys and values, in their order.
    pub(crate) fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// The key is there, perhaps without a value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.all(key).next().is_some()
    }

    /// Each value of a key, empty ones included.
    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
        let same = move |found: &str| found.eq_ignore_ascii_case(key);
        self.pairs
            .iter()
            .filter(move |(found, _)| same(found))
            .map(|(_, value)| value.as_str())
    }

    /// The value of a key.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        let same = |found: &str| found.eq_ignore_ascii_case(key);
        let (_, value) = self.pairs.iter().rfind(|(found, _)| same(found))?;
        Some(value.as_str()).filter(|value| !value.is_empty())
    }

    /// A switch; off where it is not given. On the compat face every value but Docker's few words
    /// for "no" is on.
    pub(crate) fn flag(&self, key: &str) -> Result<bool, Failure> {
        Ok(self.switch(key)?.unwrap_or(false))
    }

    /// A switch, or nothing where it is not given.
    pub(crate) fn switch(&self, key: &str) -> Result<Option<bool>, Failure> {
        let Some(value) = self.text(key) else {
            return Ok(None);
        };
        if self.face == Face::Compat {
            let word = value.trim().to_ascii_lowercase();
            return Ok(Some(
                !["", "0", "no", "false", "none"].contains(&word.as_str()),
            ));
        }
        match value {
            "1" | "t" | "T" | "TRUE" | "true" | "True" | "on" => Ok(Some(true)),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Some(false)),
            _ => Err(self.unreadable(key)),
        }
    }

    /// A number.
    pub(crate) fn number<T: FromStr>(&self, key: &str) -> Result<Option<T>, Failure> {
        self.text(key)
            .map(|value| value.parse().map_err(|_| self.unreadable(key)))
            .transpose()
    }

    fn unreadable(&self, key: &str) -> Failure {
        let cause = format!("schema: error converting value for \"{key}\"");
        let message = format!("failed to parse parameters for {}: {cause}", self.url);
        Failure::caused(self.fault, message, cause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str, face: Face) -> Query {
        Query::new(
            &format!("/v5.8.0/libpod/containers/json?{text}")
                .parse()
                .unwrap(),
            face,
        )
    }

    #[test]
    fn keys_match_whatever_their_case_and_the_last_counts() {
        let query = query(
            "All=true&name=a&name=b&empty=&abortSignal=&x=1%2B1&y=a+b",
            Face::Libpod,
        );
        assert!(query.flag("all").unwrap());
        assert_eq!(query.text("name"), Some("b"));
        assert_eq!(query.all("name").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(query.text("empty"), None);
        assert!(query.has("empty") && !query.has("missing"));
        assert_eq!(
            (query.text("x"), query.text("y")),
            (Some("1+1"), Some("a b"))
        );
    }

    #[test]
    fn libpod_takes_gos_words_for_a_bool() {
        for (text, expected) in [
            ("1", true),
            ("t", true),
            ("True", true),
            ("0", false),
            ("F", false),
            ("", false),
        ] {
            assert_eq!(
                query(&format!("all={text}"), Face::Libpod)
                    .flag("all")
                    .unwrap(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn a_bad_value_is_refused_as_recorded() {
        let failure = query("all=xx", Face::Libpod)
            .faults_are_500()
            .flag("all")
            .unwrap_err();
        assert_eq!(failure.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(
            failure.message(),
            "failed to parse parameters for /v5.8.0/libpod/containers/json?all=xx: \
             schema: error converting value for \"all\""
        );
        let failure = query("t=-1", Face::Libpod).number::<u32>("t").unwrap_err();
        assert_eq!(failure.status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn compat_takes_every_word_but_dockers_noes_for_on() {
        for (text, expected) in [
            ("xx", true),
            ("1", true),
            ("No", false),
            ("none", false),
            ("0", false),
            ("", false),
        ] {
            assert_eq!(
                query(&format!("all={text}"), Face::Compat)
                    .flag("all")
                    .unwrap(),
                expected,
                "{text}"
            );
        }
    }
}
