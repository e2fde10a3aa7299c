//! Words with variables in them, as `--env-merge` has them.

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
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        if let Some(inner) = after.strip_prefix('{') {
            let (inner, later) = inner.split_once('}')?;
            text.push_str(value(inner, known)?);
            rest = later;
        } else {
            let (name, later) = split_name(after)?;
            match name.is_empty() {
                true => text.push('$'),
                false => text.push_str(look_up(name, known).unwrap_or_default()),
            }
            rest = later;
        }
    }
    text.push_str(rest);
    Some(text)
}

fn value<'a>(inner: &'a str, known: &'a [(String, String)]) -> Option<&'a str> {
    let (name, rule) = split_name(inner)?;
    let value = look_up(name, known);
    let (set, rule) = match rule.strip_prefix(':') {
        Some(rule) => (value.filter(|value| !value.is_empty()), rule),
        None => (value, rule),
    };
    if name.is_empty() || rule.contains('$') {
        return None;
    }
    match (rule.chars().next(), rule.get(1..).unwrap_or_default()) {
        (None, _) => Some(value.unwrap_or_default()),
        (Some('-'), default) => Some(set.unwrap_or(default)),
        (Some('+'), other) => Some(set.map_or("", |_| other)),
        _ => None,
    }
}

fn split_name(text: &str) -> Option<(&str, &str)> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let end = text.find(|c| !is_name(c)).unwrap_or(text.len());
    text.split_at_checked(end)
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
