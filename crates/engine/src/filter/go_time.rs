//! Go's `time.Parse` for the layouts that Podman uses, with its texts.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

/// The parts of a layout, as Go spells them; what is none of them stands for itself.
const PARTS: &[&str] = &["2006", "01", "02", "15", "04", "05", ".999999999", "Z07:00"];

/// Reads a time after a Go layout; one without a zone is meant at `offset`. The error is Go's text.
pub(super) fn parse(layout: &str, value: &str, offset: Offset) -> Result<Timestamp, String> {
    let mut read = Read {
        offset,
        ..Read::default()
    };
    let (mut layout_left, mut left) = (layout, value);
    while !layout_left.is_empty() {
        let part = next_part(layout_left);
        layout_left = layout_left.get(part.len()..).unwrap_or_default();
        left = read
            .part(part, left, layout_left)
            .map_err(|fault| match fault {
                Fault::Unreadable => {
                    format!(
                        "parsing time {} as {}: cannot parse {} as {}",
                        q(value),
                        q(layout),
                        q(left),
                        q(part)
                    )
                }
                Fault::OutOfRange(what) => out_of_range(value, what),
            })?;
    }
    if !left.is_empty() {
        return Err(format!(
            "parsing time {}: extra text: {}",
            q(value),
            q(left)
        ));
    }
    read.finish().ok_or_else(|| out_of_range(value, "day"))
}

fn out_of_range(value: &str, what: &str) -> String {
    format!("parsing time {}: {what} out of range", q(value))
}

fn next_part(layout: &str) -> &str {
    let known = PARTS
        .iter()
        .find(|part| layout.starts_with(**part))
        .map(|part| part.len());
    let len = known.unwrap_or_else(|| layout.chars().next().map_or(0, char::len_utf8));
    layout.get(..len).unwrap_or(layout)
}

/// Go's quoting in these errors: bytes that are not plain ASCII as `\xNN`.
fn q(text: &str) -> String {
    let mut quoted = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
            b' '..=b'~' => quoted.push(char::from(byte)),
            _ => quoted.extend(['\\', 'x', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    quoted.push('"');
    quoted
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0')
}

enum Fault {
    Unreadable,
    OutOfRange(&'static str),
}

struct Read {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    offset: Offset,
}

impl Default for Read {
    fn default() -> Self {
        Self {
            year: 0,
            month: 1,
            day: 1,
            hour: 0,
            minute: 0,
            second: 0,
            nanosecond: 0,
            offset: Offset::UTC,
        }
    }
}

impl Read {
    /// Reads one part from the beginning of `value` and answers what is left of it.
    fn part<'v>(
        &mut self,
        part: &str,
        value: &'v str,
        layout_left: &str,
    ) -> Result<&'v str, Fault> {
        let left = match part {
            "2006" => {
                let (year, left) = split(value, 4)?;
                self.year = digits(year)
                    .and_then(|year| i16::try_from(year).ok())
                    .ok_or(Fault::Unreadable)?;
                left
            }
            "01" => set(&mut self.month, two_digits(value)?, 1..=12, "month")?,
            // Whether the month has such a day is seen at the end.
            "02" => set(&mut self.day, two_digits(value)?, 0..=99, "day")?,
            "15" => set(
                &mut self.hour,
                two_digits(value).or_else(|_| one_digit(value))?,
                0..=23,
                "hour",
            )?,
            "04" => set(&mut self.minute, two_digits(value)?, 0..=59, "minute")?,
            "05" => {
                let left = set(&mut self.second, two_digits(value)?, 0..=59, "second")?;
                // A fraction is taken here where the layout has none.
                if layout_left.starts_with(".9") {
                    left
                } else {
                    self.fraction(left)
                }
            }
            ".999999999" => self.fraction(value),
            "Z07:00" => self.zone(value)?,
            literal => value.strip_prefix(literal).ok_or(Fault::Unreadable)?,
        };
        Ok(left)
    }

    /// A fraction of a second, where there is one; digits after the ninth do not count.
    fn fraction<'v>(&mut self, value: &'v str) -> &'v str {
        let Some(rest) = value.strip_prefix(['.', ',']) else {
            return value;
        };
        let len = rest.bytes().take_while(u8::is_ascii_digit).count();
        if len == 0 {
            return value;
        }
        let nanos: String = rest
            .bytes()
            .take(len)
            .chain(std::iter::repeat(b'0'))
            .take(9)
            .map(char::from)
            .collect();
        self.nanosecond = nanos.parse().unwrap_or(0);
        rest.get(len..).unwrap_or_default()
    }

    fn zone<'v>(&mut self, value: &'v str) -> Result<&'v str, Fault> {
        if let Some(left) = value.strip_prefix('Z') {
            self.offset = Offset::UTC;
            return Ok(left);
        }
        let (zone, left) = split(value, 6)?;
        let (sign, zone) = split(zone, 1)?;
        let (hours, minutes) = zone.split_once(':').ok_or(Fault::Unreadable)?;
        let sign = match sign {
            "+" => 1,
            "-" => -1,
            _ => return Err(Fault::Unreadable),
        };
        let (hours, _) = two_digits(hours)?;
        let (minutes, _) = two_digits(minutes)?;
        if hours > 24 {
            return Err(Fault::OutOfRange("time zone offset hour"));
        }
        if minutes > 60 {
            return Err(Fault::OutOfRange("time zone offset minute"));
        }
        let seconds = sign * (i32::from(hours) * 60 + i32::from(minutes)) * 60;
        self.offset = Offset::from_seconds(seconds)
            .map_err(|_| Fault::OutOfRange("time zone offset hour"))?;
        Ok(left)
    }

    fn finish(self) -> Option<Timestamp> {
        let date = Date::new(self.year, self.month, self.day).ok()?;
        let time = Time::new(self.hour, self.minute, self.second, self.nanosecond).ok()?;
        let zoned = date
            .to_datetime(time)
            .to_zoned(TimeZone::fixed(self.offset))
            .ok()?;
        Some(zoned.timestamp())
    }
}

fn set<'v>(
    field: &mut i8,
    (value, left): (i8, &'v str),
    range: std::ops::RangeInclusive<i8>,
    name: &'static str,
) -> Result<&'v str, Fault> {
    if !range.contains(&value) {
        return Err(Fault::OutOfRange(name));
    }
    *field = value;
    Ok(left)
}

fn split(value: &str, len: usize) -> Result<(&str, &str), Fault> {
    value.split_at_checked(len).ok_or(Fault::Unreadable)
}

fn digits(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

fn two_digits(value: &str) -> Result<(i8, &str), Fault> {
    number(value, 2)
}

fn one_digit(value: &str) -> Result<(i8, &str), Fault> {
    number(value, 1)
}

fn number(value: &str, len: usize) -> Result<(i8, &str), Fault> {
    let (number, left) = split(value, len)?;
    let number = digits(number)
        .and_then(|number| i8::try_from(number).ok())
        .ok_or(Fault::Unreadable)?;
    Ok((number, left))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_times_are_refused_in_gos_words() {
        let full = "2006-01-02T15:04:05Z07:00";
        for (layout, value, error) in [
            (
                "2006-01-02",
                "2035-13-01",
                r#"parsing time "2035-13-01": month out of range"#,
            ),
            (
                "2006-01-02",
                "2035-02-30",
                r#"parsing time "2035-02-30": day out of range"#,
            ),
            (
                "2006-01-02",
                "2035-01-01 05:00",
                r#"parsing time "2035-01-01 05:00": extra text: " 05:00""#,
            ),
            (
                "2006-01-02",
                "x-y",
                r#"parsing time "x-y" as "2006-01-02": cannot parse "x-y" as "2006""#,
            ),
            (
                "2006-01-02",
                "2035-1-1",
                r#"parsing time "2035-1-1" as "2006-01-02": cannot parse "1-1" as "01""#,
            ),
            (
                "2006-01-02",
                "2035/01",
                r#"parsing time "2035/01" as "2006-01-02": cannot parse "/01" as "-""#,
            ),
            (
                full,
                "2035-01-01T25:00:00Z",
                r#"parsing time "2035-01-01T25:00:00Z": hour out of range"#,
            ),
            (
                full,
                "2035-01-01T00:00:00Zx",
                r#"parsing time "2035-01-01T00:00:00Zx": extra text: "x""#,
            ),
            (
                full,
                "2035-01-01T00:00:00z",
                r#"parsing time "2035-01-01T00:00:00z" as "2006-01-02T15:04:05Z07:00": cannot parse "z" as "Z07:00""#,
            ),
            (
                "2006",
                "\u{fc}",
                r#"parsing time "\xc3\xbc" as "2006": cannot parse "\xc3\xbc" as "2006""#,
            ),
        ] {
            assert_eq!(parse(layout, value, Offset::UTC).unwrap_err(), error);
        }
    }
}
