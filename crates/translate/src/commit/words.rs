//! The words of an instruction, without their quotes, and with nothing in place of variables: there are none.
//!
//! Source: `shell_parser.go` and `parseWords` of openshift/imagebuilder, which Podman reads changes with.

use std::iter::Peekable;
use std::str::Chars;

/// The words of a line, their quotes kept: a blank in quotes ends none.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let (mut word, mut quote) = (String::new(), None);
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match quote {
            None if character.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                continue;
            }
            None if matches!(character, '\'' | '"') => quote = Some(character),
            Some(open) if character == open => quote = None,
            _ => {}
        }
        word.push(character);
        if character == '\\' && quote != Some('\'') {
            match characters.next() {
                Some(escaped) => word.push(escaped),
                None => drop(word.pop()),
            }
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// One word as it is meant.
pub(super) fn unquoted(word: &str) -> Result<String, String> {
    let mut reading = Reading {
        word,
        rest: word.chars().peekable(),
    };
    reading.until(None)
}

struct Reading<'a> {
    word: &'a str,
    rest: Peekable<Chars<'a>>,
}

impl Reading<'_> {
    /// Up to a character that is not escaped, or to the end.
    fn until(&mut self, stop: Option<char>) -> Result<String, String> {
        let mut result = String::new();
        while let Some(character) = self.rest.next() {
            match character {
                _ if Some(character) == stop => return Ok(result),
                '\'' => self.single(&mut result)?,
                '"' => self.double(&mut result)?,
                '$' => result.push_str(&self.variable()?),
                '\\' => result.extend(self.rest.next()),
                other => result.push(other),
            }
        }
        match stop {
            None => Ok(result),
            Some(stop) => Err(unended(&stop.to_string())),
        }
    }

    fn single(&mut self, into: &mut String) -> Result<(), String> {
        loop {
            match self.rest.next() {
                Some('\'') => return Ok(()),
                Some(character) => into.push(character),
                None => return Err(unended("single-quote")),
            }
        }
    }

    fn double(&mut self, into: &mut String) -> Result<(), String> {
        loop {
            match self.rest.next() {
                Some('"') => return Ok(()),
                Some('$') => into.push_str(&self.variable()?),
                Some('\\') => {
                    let escaped = self.rest.next_if(|next| matches!(next, '"' | '$' | '\\'));
                    let is_last = self.rest.peek().is_none();
                    match escaped {
                        Some(escaped) => into.push(escaped),
                        None if is_last => {}
                        None => into.push('\\'),
                    }
                }
                Some(character) => into.push(character),
                None => return Err(unended("double-quote")),
            }
        }
    }

    /// What stands for a variable, all of which are unset.
    fn variable(&mut self) -> Result<String, String> {
        if self.rest.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(if name.is_empty() { "$" } else { "" }.to_owned());
        }
        let name = self.name();
        match self.rest.next() {
            Some('}') => Ok(String::new()),
            Some(':') => {
                let modifier = self.rest.next();
                let word = self.until(Some('}'))?;
                match modifier {
                    Some('+') => Ok(String::new()),
                    Some('?') if word.is_empty() => Err(format!(
                        "Failed to process `{}`: {name} is not allowed to be unset",
                        self.word
                    )),
                    Some('-' | '?') => Ok(word),
                    other => Err(format!(
                        "Unsupported modifier ({}) in substitution: {}",
                        other.unwrap_or_default(),
                        self.word
                    )),
                }
            }
            // parts of nothing are nothing
            Some('#' | '%' | '/') => self.until(Some('}')).map(|_| String::new()),
            _ => Err(format!(
                "Missing ':' or '#' or '%' or '/' in substitution: {}",
                self.word
            )),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(next) = self
            .rest
            .next_if(|next| next.is_alphanumeric() || *next == '_')
        {
            name.push(next);
            // $1 is one character
            if name.starts_with(|first: char| first.is_numeric()) {
                break;
            }
        }
        name
    }
}

fn unended(what: &str) -> String {
    format!("unexpected end of statement while looking for matching {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_their_quotes_and_lose_them_later() {
        assert_eq!(
            split(r#"a=b  c="d e" f='g \' h\ i"#),
            ["a=b", r#"c="d e""#, r"f='g \'", r"h\ i"]
        );
        for (word, meant) in [
            (r#""d e""#, "d e"),
            (r"'g \'", r"g \"),
            (r"h\ i", "h i"),
            (r#""a\"b\n""#, r#"a"b\n"#),
            ("$PATH:/x", ":/x"),
            ("${A}b", "b"),
            ("${A:-b$C}", "b"),
            ("${A:+b}", ""),
            ("a$", "a$"),
            ("$1x", "x"),
            ("${A#b}", ""),
        ] {
            assert_eq!(unquoted(word).unwrap(), meant, "{word}");
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        for (word, fault) in [
            ("'a", "matching single-quote"),
            ("\"a", "matching double-quote"),
            ("${A:-b", "matching }"),
            ("${A:?}", "A is not allowed to be unset"),
            ("${A:x}", "Unsupported modifier (x)"),
            ("${A", "Missing ':'"),
        ] {
            let error = unquoted(word).unwrap_err();
            assert!(error.contains(fault), "{word}: {error}");
        }
    }
}
