//! Matching of names, ids and labels.

use std::collections::BTreeMap;

use model::Error;
use regex::bytes::{Regex, RegexBuilder};

/// Most regular expressions in one request: each is compiled and kept while the list is made.
const PATTERNS_MAX: usize = 256;
/// Bytes of one compiled expression, and of what its matching may cache. A pattern of a name needs
/// a few hundred; a larger one is meant to use up memory.
const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// Regular expressions, one of which must be found somewhere in the text (`StringMatchRegexSlice`).
/// One that is no expression matches nothing and is no error. Classes such as `\w` are ASCII, as in
/// Go.
#[derive(Clone, Debug)]
pub(super) struct Patterns(Vec<Regex>);

impl Patterns {
    pub(super) fn new<T: AsRef<str>>(values: &[T]) -> Result<Self, Error> {
        if values.len() > PATTERNS_MAX {
            return Err(Error::Plain(format!(
                "more than {PATTERNS_MAX} values of one filter"
            )));
        }
        Ok(Self(
            values
                .iter()
                .filter_map(|value| compile(value.as_ref()))
                .collect(),
        ))
    }

    pub(super) fn match_any(&self, text: &str) -> bool {
        self.0
            .iter()
            .any(|pattern| pattern.is_match(text.as_bytes()))
    }
}

fn compile(pattern: &str) -> Option<Regex> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(PATTERN_BYTES_MAX)
        .dfa_size_limit(PATTERN_BYTES_MAX)
        .build()
        .ok()
}

/// Ids: one of them must fit. Hex digits are the beginning of an id, anything else is a regular
/// expression (`FilterID`).
#[derive(Clone, Debug)]
pub(super) struct Ids {
    begins: Vec<String>,
    patterns: Patterns,
}

impl Ids {
    pub(super) fn new(values: &[String]) -> Result<Self, Error> {
        let (begins, patterns): (Vec<&String>, Vec<&String>) = values
            .iter()
            .partition(|value| value.bytes().all(|byte| byte.is_ascii_hexdigit()));
        Ok(Self {
            begins: begins
                .into_iter()
                .map(|value| value.to_ascii_lowercase())
                .collect(),
            patterns: Patterns::new(&patterns)?,
        })
    }

    pub(super) fn match_any(&self, id: &str) -> bool {
        self.begins
            .iter()
            .any(|begin| id.starts_with(begin.as_str()))
            || self.patterns.match_any(id)
    }
}

/// Every one of these is among the labels: `key`, `key=value`; `key=` is `key`, and a key may hold
/// `*` (`MatchLabelFilters`).
pub(super) fn has_labels<T: AsRef<str>>(wanted: &[T], labels: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|filter| {
        let filter = filter.as_ref();
        let (key, value) = filter.split_once('=').unwrap_or((filter, ""));
        labels.iter().any(|(has_key, has_value)| {
            (value.is_empty() || value == has_value)
                && (key == has_key || label_pattern(key, has_key))
        })
    })
}

/// A key with a star is found anywhere in the label's key, slashes included.
fn label_pattern(pattern: &str, key: &str) -> bool {
    pattern.contains('*')
        && glob(
            &format!("*{pattern}*").replace('/', "|"),
            &key.replace('/', "|"),
        )
}

/// Go's `path.Match`: `*` and `?` stop at a slash, `[a-z]` and `[^a]` are classes, `\` escapes. A
/// bad pattern matches nothing.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let Some(pattern) = pieces(pattern) else {
        return false;
    };
    let text: Vec<char> = text.chars().collect();
    let (mut at, mut from) = (0, 0);
    // Where to go on after a mismatch: behind the last star, one character later than before.
    let mut again: Option<(usize, usize)> = None;
    loop {
        let here = text.get(from).copied();
        match (pattern.get(at), here) {
            (None, None) => return true,
            (Some(Piece::Star), _) => {
                again = Some((at + 1, from));
                at += 1;
            }
            (Some(piece), Some(c)) if piece.fits(c) => {
                at += 1;
                from += 1;
            }
            _ => match again {
                Some((star, start)) if text.get(start).is_some_and(|c| *c != '/') => {
                    again = Some((star, start + 1));
                    (at, from) = (star, start + 1);
                }
                _ => return false,
            },
        }
    }
}

enum Piece {
    Star,
    Any,
    One(char),
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

impl Piece {
    fn fits(&self, c: char) -> bool {
        match self {
            Self::Star => false,
            Self::Any => c != '/',
            Self::One(one) => c == *one,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != *negated
            }
        }
    }
}

/// A pattern in its pieces; `None` for a bad one.
fn pieces(pattern: &str) -> Option<Vec<Piece>> {
    let mut chars = pattern.chars().peekable();
    let mut pieces = Vec::new();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' => Piece::Star,
            '?' => Piece::Any,
            '\\' => Piece::One(chars.next()?),
            '[' => {
                let negated = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                while ranges.is_empty() || chars.next_if_eq(&']').is_none() {
                    let low = class_char(&mut chars)?;
                    let high = match chars.next_if_eq(&'-') {
                        Some(_) => class_char(&mut chars)?,
                        None => low,
                    };
                    ranges.push((low, high));
                }
                Piece::Class { negated, ranges }
            }
            other => Piece::One(other),
        });
    }
    Some(pieces)
}

/// A character of a class: `-` and `]` must be escaped there.
fn class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn labels_are_found_by_key_by_value_and_by_a_star_in_the_key() {
        let labels = labels(&[("app", "web"), ("tier", "front"), ("a/b", "x=y")]);
        for wanted in [
            vec!["app"],
            vec!["app="],
            vec!["app=web", "tier"],
            vec!["a*"],
            vec!["*pp=web"],
            vec!["a/*"],
            vec!["*"],
            vec!["i*r"],
            vec!["a/b=x=y"],
            vec![],
        ] {
            assert!(has_labels(&wanted, &labels), "{wanted:?}");
        }
        for wanted in [
            vec!["ap"],
            vec!["app=db"],
            vec!["app", "nosuch"],
            vec![""],
            vec!["=web"],
            vec!["x*"],
        ] {
            assert!(!has_labels(&wanted, &labels), "{wanted:?}");
        }
    }

    #[test]
    fn ids_are_hex_beginnings_or_regular_expressions() {
        let id = "1348d7527cea";
        for (values, fits) in [
            (vec!["134"], true),
            (vec!["1348D"], true),
            (vec![""], true),
            (vec!["48d75"], false),
            (vec!["48d75.*"], true),
            (vec!["^134"], true),
            (vec!["["], false),
            (vec!["ff", "13"], true),
        ] {
            let values: Vec<String> = values.into_iter().map(ToOwned::to_owned).collect();
            assert_eq!(Ids::new(&values).unwrap().match_any(id), fits, "{values:?}");
        }
    }

    #[test]
    fn a_bad_or_a_huge_expression_matches_nothing() {
        assert!(!Patterns::new(&["["]).unwrap().match_any("["));
        assert!(!Patterns::new(&["(a{1000}){1000}"]).unwrap().match_any("a"));
        assert!(Patterns::new(&["[", "b$"]).unwrap().match_any("flt-b"));
        assert!(Patterns::new(&[r"^\w+$"]).unwrap().match_any("web"));
        assert!(Patterns::new(&vec!["a"; PATTERNS_MAX + 1]).is_err());
    }

    #[test]
    fn globs_are_those_of_go() {
        for (pattern, text, fits) in [
            ("busy*", "busybox", true),
            ("*", "busybox", true),
            ("*", "library/busybox", false),
            ("*/busybox", "library/busybox", true),
            ("*/*/busybox", "docker.io/library/busybox", true),
            ("b?sybox", "busybox", true),
            ("a?b", "a/b", false),
            ("[a-c]usybox", "busybox", true),
            ("[^a]usybox", "busybox", true),
            ("[^b]usybox", "busybox", false),
            (r"[\]a]x", "]x", true),
            (r"\*x", "*x", true),
            (r"\*x", "ax", false),
            ("*x*y", "xaxby", true),
            ("*a*a", "aba", true),
            ("", "", true),
            ("", "a", false),
            ("a*", "a", true),
            ("[", "[", false),
            ("[]a]", "a", false),
            ("[-]", "-", false),
            ("a\\", "a", false),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
