//! Ids and names: ours for life, independent of the ids a CRI runtime gives.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;

/// Bytes as lower-case hex digits.
pub fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    // each is one digit
    let digits = nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16));
    digits.collect()
}

/// A Podman id: 64 lower-case hex digits, made at create and the same for life.
///
/// CRI ids change with each attempt; they are plain strings, so that the two are never mixed up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl TryFrom<String> for Id {
    type Error = String;

    /// Ids come from annotations too, and name folders: nothing else may pass for one.
    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is not an id"))
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0
    }
}

impl Id {
    /// Length of an id in hex digits.
    pub const LEN: usize = 64;

    /// A new random id.
    ///
    /// # Panics
    /// When the system has no source of randomness, which leaves nothing safe to go on with.
    pub fn generate() -> Self {
        let mut bytes = [0u8; Self::LEN / 2];
        getrandom::fill(&mut bytes).expect("the kernel gives random bytes");
        Self(hex(&bytes))
    }

    /// Reads an id back; `None` when it is not 64 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        (text.len() == Self::LEN && text.chars().all(hex)).then(|| Self(text.to_owned()))
    }

    /// The whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, as Podman shows them.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a name against Podman's rule `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
///
/// # Errors
/// [`Error::InvalidArgument`] with Podman's text.
pub fn check_name(name: &str) -> Result<(), Error> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = chars.all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    if first && rest {
        return Ok(());
    }
    Err(Error::InvalidArgument(
        "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*".to_owned(),
    ))
}

const MOODS: &[&str] = &[
    "agile", "amber", "brave", "bright", "calm", "clever", "crisp", "eager", "early", "fair",
    "gentle", "glad", "golden", "happy", "keen", "kind", "lively", "lucid", "merry", "mild",
    "noble", "proud", "quick", "quiet", "ready", "sharp", "silver", "steady", "sunny", "swift",
    "vivid", "warm",
];
const THINGS: &[&str] = &[
    "acorn", "anchor", "badger", "beacon", "birch", "brook", "cedar", "comet", "coral", "crane",
    "delta", "ember", "falcon", "fern", "fjord", "harbor", "heron", "lark", "maple", "meadow",
    "otter", "pebble", "pine", "raven", "reef", "river", "seal", "spruce", "stone", "tern",
    "willow", "wren",
];

/// A name for an object that was created without one: two words and, from the second try on, a
/// number, so that a caller who finds the name taken asks again with a higher `attempt`.
pub fn random_name(id: &Id, attempt: u32) -> String {
    let digit = |at: usize| {
        let pair = id.0.get(at..at + 2).unwrap_or("0");
        usize::from_str_radix(pair, 16).unwrap_or(0)
    };
    let mood = MOODS.get(digit(0) % MOODS.len()).unwrap_or(&"calm");
    let thing = THINGS.get(digit(2) % THINGS.len()).unwrap_or(&"otter");
    match attempt {
        0 => format!("{mood}_{thing}"),
        n => format!("{mood}_{thing}{n}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_id_parses_and_is_never_the_same() {
        let (one, two) = (Id::generate(), Id::generate());
        assert_ne!(one, two);
        assert_eq!(Id::parse(one.as_str()), Some(one.clone()));
        assert_eq!(one.short().len(), 12);
    }

    #[test]
    fn names_follow_podmans_rule() {
        for good in ["a", "A1_b.c-d", "0"] {
            check_name(good).unwrap();
        }
        for bad in ["", "-a", "_a", "b@d", "a b", "ü", "a/b"] {
            let error = check_name(bad).unwrap_err();
            assert_eq!(
                error.to_string(),
                "names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument",
                "{bad}"
            );
        }
    }

    #[test]
    fn random_names_are_valid_and_differ_by_attempt() {
        let id = Id::generate();
        check_name(&random_name(&id, 0)).unwrap();
        assert_ne!(random_name(&id, 0), random_name(&id, 1));
    }
}
