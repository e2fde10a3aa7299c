//! Durations as Go writes them.

use jiff::SignedDuration;

/// Go's `time.ParseDuration`: `1h2m3s`, `1.5h`, `-10ms`; `None` for anything else, and for what
/// does not fit into 64 bits of nanoseconds.
pub fn parse(text: &str) -> Option<SignedDuration> {
    let (negative, mut left) = match text.strip_prefix('-') {
        Some(left) => (true, left),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if left == "0" {
        return Some(SignedDuration::ZERO);
    }
    if left.is_empty() {
        return None;
    }
    let mut nanos: i128 = 0;
    while !left.is_empty() {
        let number_len = left
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .filter(|len| *len > 0)?;
        let (number, rest) = left.split_at_checked(number_len)?;
        let unit_len = rest
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(rest.len());
        let (unit, rest) = rest.split_at_checked(unit_len)?;
        nanos += amount(number, unit_nanos(unit)?)?;
        left = rest;
    }
    let nanos = if negative { -nanos } else { nanos };
    i64::try_from(nanos).ok().map(SignedDuration::from_nanos)
}

/// So many units, a fraction cut off at a nanosecond.
fn amount(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || whole.len() > 19 {
        return None;
    }
    // Hours have 3.6e12 nanoseconds: more digits of a fraction say nothing.
    let fraction = fraction.get(..fraction.len().min(18))?;
    let whole: i128 = if whole.is_empty() {
        0
    } else {
        whole.parse::<u64>().ok()?.into()
    };
    let part: i128 = if fraction.is_empty() {
        0
    } else {
        fraction.parse::<u64>().ok()?.into()
    };
    let scale = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    Some(whole * unit + part * unit / scale)
}

fn unit_nanos(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        for (text, nanos) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("1h2m3s", Some(3_723_000_000_000)),
            ("10m", Some(600_000_000_000)),
            ("1.5h", Some(5_400_000_000_000)),
            (".5s", Some(500_000_000)),
            ("5.s", Some(5_000_000_000)),
            ("-1h", Some(-3_600_000_000_000)),
            ("+1ms", Some(1_000_000)),
            ("1us1\u{b5}s1\u{3bc}s1ns", Some(3_001)),
            ("2562047h", Some(9_223_369_200_000_000_000)),
            ("2562048h", None),
            ("99999999999999999999h", None),
            ("", None),
            ("-", None),
            ("1", None),
            ("1h30", None),
            ("1d", None),
            (".h", None),
            ("1.2.3s", None),
            ("h", None),
            ("1 h", None),
        ] {
            assert_eq!(parse(text), nanos.map(SignedDuration::from_nanos), "{text}");
        }
    }
}
