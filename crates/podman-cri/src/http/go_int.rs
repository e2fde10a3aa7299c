//! Numbers as Go's `strconv.ParseInt` reads them where the text chooses the base (base 0).

/// Why a text is no number, in Go's words.
pub(crate) const SYNTAX: &str = "invalid syntax";
/// The same for one that is too large or too small.
pub(crate) const RANGE: &str = "value out of range";

/// Reads a number: `-7`, `0x1f`, `0o17` or `017`, `0b101`, with `_` between digits where a base is named or none.
pub(crate) fn parse(text: &str) -> Result<i64, &'static str> {
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, lower.get(2..)),
        Some("0o") => (8, lower.get(2..)),
        Some("0b") => (2, lower.get(2..)),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.get(1..)),
        _ => (10, lower.get(..)),
    };
    let digits = digits.unwrap_or_default();
    // behind `0x` and the like, and the 0 of an octal number, one may stand first
    let groups = match radix {
        10 => digits,
        _ => digits.strip_prefix('_').unwrap_or(digits),
    };
    let is_digit = |c: char| c.is_digit(radix);
    if groups
        .split('_')
        .any(|group| group.is_empty() || !group.chars().all(is_digit))
    {
        return Err(SYNTAX);
    }
    let bare: String = groups.chars().filter(|c| *c != '_').collect();
    let value = i128::from_str_radix(&bare, radix).map_err(|_| RANGE)?;
    i64::try_from(if negative { -value } else { value }).map_err(|_| RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_go_reads_them() {
        for (text, wanted) in [
            ("0", Ok(0)),
            ("7", Ok(7)),
            ("+1", Ok(1)),
            ("-1", Ok(-1)),
            ("010", Ok(8)),
            ("0x1F", Ok(31)),
            ("0o17", Ok(15)),
            ("0b101", Ok(5)),
            ("1_0", Ok(10)),
            ("0x_1", Ok(1)),
            ("9223372036854775807", Ok(i64::MAX)),
            ("-9223372036854775808", Ok(i64::MIN)),
            ("9223372036854775808", Err(RANGE)),
            ("99999999999999999999999999999999999999999999", Err(RANGE)),
            ("", Err(SYNTAX)),
            ("-", Err(SYNTAX)),
            ("x", Err(SYNTAX)),
            ("1.5", Err(SYNTAX)),
            (" 1", Err(SYNTAX)),
            ("_1", Err(SYNTAX)),
            ("1__0", Err(SYNTAX)),
            ("08", Err(SYNTAX)),
            ("0x", Err(SYNTAX)),
            ("é", Err(SYNTAX)),
        ] {
            assert_eq!(parse(text), wanted, "{text}");
        }
    }
}
