//! Words with variables in them, as `--env-merge` has them.

use crate::variables::{Piece, Variable, pieces};

/// `NAME=WORD` with the values of known variables put in: `$name`, `${name}`, `${name:-default}`, `${name:+other}`, the
/// last two without the colon too. An unknown one is empty. `None` where that is not its form: see [`is_word`].
pub(super) fn merged(word: &str, known: &[(String, String)]) -> Option<(String, String)> {
    let (name, word) = word.split_once('=')?;
    expanded(word, known).map(|value| (name.to_owned(), value))
}

/// Whether all of a word is carried out. Quotes and backslashes, which a shell would take away, are not.
pub(crate) fn is_word(word: &str) -> bool {
    !word.contains(['\'', '"', '\\']) && expanded(word, &[]).is_some()
}

fn expanded(word: &str, known: &[(String, String)]) -> Option<String> {
    let mut text = String::new();
    for piece in pieces(word)? {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Variable(Variable {
                name: "",
                braced: false,
                ..
            }) => text.push('$'),
            Piece::Variable(Variable { name, rule, .. })
                if name.is_empty() || rule.contains('$') =>
            {
                return None;
            }
            Piece::Variable(variable) => {
                let value = look_up(variable.name, known);
                text.push_str(variable.with(value, Some(""))?);
            }
        }
    }
    Some(text)
}

fn look_up<'a>(name: &str, known: &'a [(String, String)]) -> Option<&'a str> {
    let mut known = known.iter();
    let found = known.find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_put_in() {
        let known = [("A", "1"), ("E", "")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        let table = [
            ("X=y", Some("y")),
            ("X=$A:/b", Some("1:/b")),
            ("X=${A}b$A", Some("1b1")),
            ("X=$NO.", Some(".")),
            ("X=${NO:-d}${E:-e}${E-f}", Some("de")),
            ("X=${A:+o}${NO+p}${E+q}", Some("oq")),
            ("X=a=$A", Some("a=1")),
            ("X=5$", Some("5$")),
            ("X=${A", None),
            ("X=${A?no}", None),
            ("X=${}", None),
            ("X", None),
        ];
        for (word, wanted) in table {
            let found = merged(word, &known).map(|(_, value)| value);
            assert_eq!(found.as_deref(), wanted, "{word}");
        }
        assert!(is_word("$A") && !is_word("'$A'") && !is_word("${A") && !is_word("\\$A"));
    }
}
