//! Keys that detach a client from a terminal.

use model::Error;

/// Podman's default (`detach_keys`).
const DEFAULT: &[u8] = &[ctrl(b'p'), ctrl(b'q')];

const fn ctrl(letter: u8) -> u8 {
    letter & 0x1f
}

/// A sequence of keys. The empty one never comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<u8>);

impl DetachKeys {
    /// No keys: what is no terminal's has none.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Reads `ctrl-p,ctrl-q`, `a,b` and `DEL`; `None` is Podman's default.
    ///
    /// # Errors
    /// [`Error::Plain`] for what is no key, as Podman words it.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, Error> {
        match text {
            None => Ok(Self(DEFAULT.to_vec())),
            Some("") => Ok(Self::none()),
            Some(text) => text.split(',').map(key).collect::<Result<_, _>>().map(Self),
        }
    }
}

fn key(text: &str) -> Result<u8, Error> {
    match text.as_bytes() {
        [key] => Ok(*key),
        b"DEL" => Ok(127),
        [
            b'c',
            b't',
            b'r',
            b'l',
            b'-',
            key @ (b'@' | b'a'..=b'z' | b'['..=b'_'),
        ] => Ok(ctrl(*key)),
        _ => Err(Error::Plain(format!(
            "invalid detach keys: Unknown character: '{text}'"
        ))),
    }
}

/// Looks for the keys in what a client types.
#[derive(Debug)]
pub(crate) struct Watch {
    keys: Vec<u8>,
    /// How many of them the client has just typed; they are held back.
    typed: usize,
}

/// What came of some input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// This goes to the process.
    Input(Vec<u8>),
    /// This does, and then the client detaches.
    Detach(Vec<u8>),
}

impl Watch {
    pub(crate) fn new(keys: DetachKeys) -> Self {
        Self {
            keys: keys.0,
            typed: 0,
        }
    }

    /// Whether nothing is ever found.
    pub(crate) fn is_idle(&self) -> bool {
        self.keys.is_empty()
    }

    /// The next input. What was held back for keys that then did not come goes before it.
    pub(crate) fn next(&mut self, input: &[u8]) -> Typed {
        let mut passed = Vec::with_capacity(input.len() + self.typed);
        for &byte in input {
            while self.keys.get(self.typed) != Some(&byte) && self.typed > 0 {
                self.slip(&mut passed);
            }
            match self.keys.get(self.typed) == Some(&byte) {
                true => self.typed += 1,
                false => passed.push(byte),
            }
            if !self.keys.is_empty() && self.typed == self.keys.len() {
                self.typed = 0;
                return Typed::Detach(passed);
            }
        }
        Typed::Input(passed)
    }

    /// What is held back when no more input comes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let typed = std::mem::take(&mut self.typed);
        self.keys.get(..typed).unwrap_or_default().to_vec()
    }

    /// The first byte held back begins no sequence: on to the longest end that does.
    fn slip(&mut self, passed: &mut Vec<u8>) {
        let held = self.keys.get(..self.typed).unwrap_or_default();
        let begins = |from: &usize| {
            let end = held.get(*from..).unwrap_or_default();
            self.keys.starts_with(end)
        };
        let from = (1..=held.len()).find(begins).unwrap_or(held.len());
        passed.extend(held.get(..from).unwrap_or_default());
        self.typed -= from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_read_as_podman_reads_them() {
        let parsed = |text| DetachKeys::parse(text).map(|keys| keys.0);
        assert_eq!(parsed(None).unwrap(), [16, 17]);
        assert_eq!(parsed(Some("")).unwrap(), Vec::<u8>::new());
        assert_eq!(
            parsed(Some("ctrl-p,a,DEL,ctrl-@,ctrl-_")).unwrap(),
            [16, b'a', 127, 0, 31]
        );
        for wrong in ["ctrl-P", "ctrl-1", "ab", "a,,b", "ctrl-"] {
            let error = parsed(Some(wrong)).unwrap_err().to_string();
            assert!(
                error.starts_with("invalid detach keys: Unknown character: '"),
                "{error}"
            );
        }
    }

    fn watch(keys: &[u8]) -> Watch {
        Watch::new(DetachKeys(keys.to_vec()))
    }

    #[test]
    fn keys_are_found_across_pieces_and_what_is_none_goes_through() {
        let mut keys = watch(b"ab");
        assert_eq!(keys.next(b"xa"), Typed::Input(b"x".to_vec()));
        assert_eq!(keys.next(b"aa"), Typed::Input(b"aa".to_vec()));
        assert_eq!(keys.next(b"by"), Typed::Detach(Vec::new()));
        let mut keys = watch(b"aab");
        assert_eq!(keys.next(b"aaab"), Typed::Detach(b"a".to_vec()));
        assert_eq!(keys.next(b"aa"), Typed::Input(Vec::new()));
        assert_eq!(keys.rest(), b"aa");
        assert_eq!(keys.rest(), b"");
    }

    proptest! {
        /// As a search in the whole would find them.
        #[test]
        fn nothing_is_lost_and_the_first_place_counts(
            keys in proptest::collection::vec(0u8..2, 0..4),
            pieces in proptest::collection::vec(proptest::collection::vec(0u8..2, 0..5), 0..6),
        ) {
            let whole = pieces.concat();
            let place = match keys.is_empty() {
                true => None,
                false => whole.windows(keys.len()).position(|window| window == keys),
            };
            let mut watch = watch(&keys);
            let (mut passed, mut detached) = (Vec::new(), false);
            for piece in &pieces {
                match watch.next(piece) {
                    Typed::Input(bytes) => passed.extend(bytes),
                    Typed::Detach(bytes) => {
                        passed.extend(bytes);
                        detached = true;
                        break;
                    }
                }
            }
            if !detached {
                passed.extend(watch.rest());
            }
            prop_assert_eq!(detached, place.is_some());
            prop_assert_eq!(&passed, &whole.get(..place.unwrap_or(whole.len())).unwrap_or_default());
        }
    }
}
