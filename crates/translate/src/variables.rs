//! Words with variables in them: `$name`, `${name}`, `${name:-default}`, `${name:+other}`, the last two without the colon
//! too. What an unknown one stands for is the caller's.

/// A part of a word.
pub(crate) enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// A variable.
    Variable(Variable<'a>),
}

/// A variable in a word.
pub(crate) struct Variable<'a> {
    /// Its name; empty where none follows the `$`.
    pub(crate) name: &'a str,
    /// It stands in braces.
    pub(crate) braced: bool,
    /// What stands behind the name in braces.
    pub(crate) rule: &'a str,
}

/// The parts of a word in their order; `None` where a brace is not closed.
pub(crate) fn pieces(word: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        pieces.push(Piece::Text(before));
        let braced = after.strip_prefix('{');
        let ((name, rule), later) = if let Some(inner) = braced {
            let (inner, later) = inner.split_once('}')?;
            (split_name(inner)?, later)
        } else {
            let (name, later) = split_name(after)?;
            ((name, ""), later)
        };
        pieces.push(Piece::Variable(Variable {
            name,
            rule,
            braced: braced.is_some(),
        }));
        rest = later;
    }
    pieces.push(Piece::Text(rest));
    Some(pieces)
}

impl Variable<'_> {
    /// What it stands for where this is its value; where it has none, and its rule nothing in its place, `unknown`. `None` too
    /// where its rule has another form.
    pub(crate) fn with<'v>(
        &'v self,
        value: Option<&'v str>,
        unknown: Option<&'v str>,
    ) -> Option<&'v str> {
        let (set, rule) = match self.rule.strip_prefix(':') {
            Some(rule) => (value.filter(|value| !value.is_empty()), rule),
            None => (value, self.rule),
        };
        match (rule.chars().next(), rule.get(1..).unwrap_or_default()) {
            (None, _) => value.or(unknown),
            (Some('-'), default) => Some(set.unwrap_or(default)),
            (Some('+'), other) => Some(set.map_or("", |_| other)),
            _ => None,
        }
    }
}

fn split_name(text: &str) -> Option<(&str, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    text.split_at_checked(end)
}
