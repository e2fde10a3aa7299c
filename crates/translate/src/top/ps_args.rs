//! The arguments of ps that clients give to top: `-ef`, `aux`, `-eo pid,comm` and the like.
//!
//! Whichever processes they select, all of the container's are shown, as with Docker. ps would show those of its own
//! terminal and user where nothing is selected, and it has none here.

use model::Error;

use super::{Column, ps};

/// What the arguments say.
#[derive(Debug, Default)]
struct Asked {
    format: Option<Format>,
    bsd: bool,
    numeric: bool,
    list: Vec<Column>,
}

/// A format that has a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// `-f`.
    Full,
    /// `u`.
    OfUsers,
}

/// The columns of ps for these arguments; one alone is split as a shell does it, as in Podman.
pub(super) fn columns(ps_args: &[String]) -> Result<Vec<Column>, Error> {
    let words = match ps_args {
        [line] => shlex::split(line).ok_or_else(|| Error::Failed {
            message: format!("parsing ps args: {UNCLOSED}"),
            cause: UNCLOSED.to_owned(),
        })?,
        words => words.to_vec(),
    };
    let mut asked = Asked::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        asked.read(word, &mut words)?;
    }
    Ok(match asked.format {
        _ if !asked.list.is_empty() => asked.list,
        Some(Format::Full) => ps::full(asked.numeric),
        Some(Format::OfUsers) => ps::of_users(asked.numeric),
        None if asked.bsd => ps::short_bsd(),
        None => ps::short(),
    })
}

const UNCLOSED: &str = "EOF found when expecting closing quote";

impl Asked {
    fn read<'a>(
        &mut self,
        word: &'a str,
        words: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), Error> {
        match word.strip_prefix('-') {
            // ps takes `-aux` for `aux`, where no user is named x
            Some("aux" | "axu") => self.letters(word.trim_start_matches('-'), true, words),
            Some("" | "-") => Err(refused(&format!("unsupported option {word:?}"))),
            Some(long) if long.starts_with('-') => Err(not_carried_out(word)),
            Some(letters) => self.letters(letters, false, words),
            None => self.letters(word, true, words),
        }
    }

    fn letters<'a>(
        &mut self,
        letters: &'a str,
        bsd: bool,
        words: &mut impl Iterator<Item = &'a str>,
    ) -> Result<(), Error> {
        self.bsd |= bsd;
        for (at, letter) in letters.char_indices() {
            match (bsd, letter) {
                // which processes, and how wide
                (false, 'e' | 'A' | 'w') | (true, 'a' | 'x' | 'w') => {}
                (false, 'f') => self.format(Format::Full)?,
                (true, 'u') => self.format(Format::OfUsers)?,
                (true, 'n') => self.numeric = true,
                (_, 'o') => {
                    let rest = letters.get(at + 1..).filter(|rest| !rest.is_empty());
                    let missing = || refused("format specification must follow -o");
                    return self.list(rest.or_else(|| words.next()).ok_or_else(missing)?);
                }
                (false, other) => return Err(not_carried_out(&format!("-{other}"))),
                (true, other) => return Err(not_carried_out(&other.to_string())),
            }
        }
        Ok(())
    }

    fn format(&mut self, format: Format) -> Result<(), Error> {
        match self.format.replace(format) {
            Some(other) if other != format => Err(refused("conflicting format options")),
            Some(_) | None => Ok(()),
        }
    }

    fn list(&mut self, specifiers: &str) -> Result<(), Error> {
        for specifier in specifiers
            .split([',', ' ', '\t'])
            .filter(|name| !name.is_empty())
        {
            if specifier.contains(['=', ':']) {
                return Err(not_carried_out(&format!("o {specifier}")));
            }
            let unknown = || {
                refused(&format!(
                    "unknown user-defined format specifier {specifier:?}"
                ))
            };
            self.list.push(ps::column(specifier).ok_or_else(unknown)?);
        }
        match self.list.is_empty() {
            true => Err(refused("improper list")),
            false => Ok(()),
        }
    }
}

/// What ps would refuse.
fn refused(why: &str) -> Error {
    Error::Plain(format!("ps(1): error: {why}"))
}

fn not_carried_out(option: &str) -> Error {
    let why = "of ps this daemon knows -e, -A, -f, -o, a, u, x, n, w and o; Podman's own descriptors are all carried out";
    Error::unsupported(format!("the ps option {option}"), why)
}
