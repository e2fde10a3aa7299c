//! Points in time as clients write them.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, Zoned};
use model::{Error, duration};

use super::go_time;

/// Layouts of the times that events and logs take; one without a zone is UTC.
const INPUT_LAYOUTS: &[&str] = &[
    "2006-01-02T15:04:05.999999999Z07:00",
    "2006-01-02T15:04:05.999999999",
    "2006-01-02Z07:00",
    "2006-01-02",
];

/// The end of a span of time that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Its beginning: a duration counts back from now.
    Since,
    /// Its end: a duration counts from now on.
    Until,
}

/// A duration in Go's words (`250ms`, `1h30m`); `None` for what is none.
pub fn parse_duration(text: &str) -> Option<SignedDuration> {
    duration::parse(text)
}

/// The time of a filter `until`: a duration before now (`10m`, `1h30m`), a date or time as in RFC
/// 3339, shortened at will and without a zone meant in the daemon's, or Unix seconds with or
/// without a fraction (`common/pkg/timetype`).
///
/// # Errors
/// [`Error::Plain`] with Podman's text.
pub fn parse_when(text: &str, now: &Zoned) -> Result<Timestamp, Error> {
    if let Some(span) = duration::parse(text).filter(|_| text != "0") {
        let seconds = before(now.timestamp(), span).as_second();
        return Ok(Timestamp::from_second(seconds).unwrap_or(Timestamp::MIN));
    }
    match go_time::parse(layout(text), text, now.offset()) {
        Ok(time) => Ok(time),
        Err(error) if text.contains('-') => Err(Error::Plain(error)),
        Err(_) => unix(text).ok_or_else(|| {
            Error::Plain(format!(
                "failed to parse value as time or duration: {text:?}"
            ))
        }),
    }
}

/// `since` and `until` of events and logs: a time as in RFC 3339 or a date, UTC where no zone is
/// named, Unix seconds with or without a fraction, or a duration (`pkg/util`, `ParseInputTime`).
///
/// # Errors
/// [`Error::Plain`] `unable to interpret time value`; what Podman puts before it differs by request
/// (events: `failed to parse event filters: unable to convert since time of x: …`, 500).
pub fn parse_input_time(text: &str, now: Timestamp, side: Side) -> Result<Timestamp, Error> {
    if let Some(time) = INPUT_LAYOUTS
        .iter()
        .find_map(|layout| go_time::parse(layout, text, Offset::UTC).ok())
    {
        return Ok(time);
    }
    if let Some(time) = unix(text).or_else(|| unix_float(text)) {
        return Ok(time);
    }
    let Some(span) = duration::parse(text) else {
        return Err(Error::Plain("unable to interpret time value".to_owned()));
    };
    Ok(match side {
        Side::Since => before(now, span),
        Side::Until => before(now, -span),
    })
}

/// Clamped to what can be told apart: nothing is that old or that new.
fn before(now: Timestamp, span: SignedDuration) -> Timestamp {
    let end = if span.is_negative() {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    };
    now.checked_sub(span).unwrap_or(end)
}

/// The Go layout of a time, after what it holds.
fn layout(text: &str) -> &'static str {
    let local = !text.contains(['z', 'Z', '+']) && text.matches('-').count() != 3;
    if text.contains('.') {
        return if local {
            "2006-01-02T15:04:05.999999999"
        } else {
            "2006-01-02T15:04:05.999999999Z07:00"
        };
    }
    if !text.contains('T') {
        return if local {
            "2006-01-02"
        } else {
            "2006-01-02Z07:00"
        };
    }
    let colons = text.matches(':').count();
    // A zone such as +01:00 has a colon of its own.
    let of_zone = usize::from(!local && !text.contains(['z', 'Z']));
    match (colons.saturating_sub(of_zone), local) {
        (0, true) => "2006-01-02T15",
        (0, false) => "2006-01-02T15Z07:00",
        (1, true) => "2006-01-02T15:04",
        (1, false) => "2006-01-02T15:04Z07:00",
        (_, true) => "2006-01-02T15:04:05",
        (_, false) => "2006-01-02T15:04:05Z07:00",
    }
}

/// Unix seconds, with or without a fraction; what no time can be is as far off as can be.
fn unix(text: &str) -> Option<Timestamp> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds: i64 = seconds.parse().ok()?;
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: String = fraction
        .bytes()
        .chain(std::iter::repeat(b'0'))
        .take(9)
        .map(char::from)
        .collect();
    Some(Timestamp::new(seconds, nanos.parse().ok()?).unwrap_or_else(|_| far(seconds < 0)))
}

/// The same in other spellings of a number (`1e9`, `.5`).
fn unix_float(text: &str) -> Option<Timestamp> {
    let seconds: f64 = text
        .parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite())?;
    let since = SignedDuration::try_from_secs_f64(seconds).ok();
    Some(
        since
            .and_then(|since| Timestamp::from_duration(since).ok())
            .unwrap_or_else(|| far(seconds < 0.0)),
    )
}

fn far(past: bool) -> Timestamp {
    if past { Timestamp::MIN } else { Timestamp::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        "2026-11-23T19:00:00.75+02:00[+02:00]".parse().unwrap()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_until_is_a_duration_before_now_a_time_or_unix_seconds() {
        for (text, time) in [
            ("10m", "2026-11-23T16:50:00Z"),
            ("-1h", "2026-11-23T18:00:00Z"),
            ("-0", "2026-11-23T17:00:00Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("2035-01-01", "2034-12-31T22:00:00Z"),
            ("2035-01-01Z", "2035-01-01T00:00:00Z"),
            ("2035-01-01+01:00", "2034-12-31T23:00:00Z"),
            ("2035-01-01T5", "2035-01-01T03:00:00Z"),
            ("2035-01-01T05Z", "2035-01-01T05:00:00Z"),
            ("2035-01-01T05:06", "2035-01-01T03:06:00Z"),
            ("2035-01-01T05:06+01:00", "2035-01-01T04:06:00Z"),
            ("2035-01-01T05:06:07", "2035-01-01T03:06:07Z"),
            ("2035-01-01T05:06:07-01:00", "2035-01-01T06:06:07Z"),
            ("2035-01-01T05:06:07.5-01:00", "2035-01-01T06:06:07.5Z"),
            (
                "2035-01-01T05:06:07.123456789",
                "2035-01-01T03:06:07.123456789Z",
            ),
            ("1700000000", "2023-11-14T22:13:20Z"),
            ("1700000000.000000001", "2023-11-14T22:13:20.000000001Z"),
            ("1700000000.5", "2023-11-14T22:13:20.5Z"),
        ] {
            assert_eq!(parse_when(text, &now()).unwrap(), at(time), "{text}");
        }
        assert_eq!(parse_when("9999999999999", &now()).unwrap(), Timestamp::MAX);
    }

    #[test]
    fn a_bad_until_is_refused_in_podmans_words() {
        for (text, error) in [
            ("", r#"failed to parse value as time or duration: """#),
            (
                "nosuch",
                r#"failed to parse value as time or duration: "nosuch""#,
            ),
            ("1h2", r#"failed to parse value as time or duration: "1h2""#),
            ("1.x", r#"failed to parse value as time or duration: "1.x""#),
            (
                "99999999999h",
                r#"failed to parse value as time or duration: "99999999999h""#,
            ),
            (
                "99999999999999999999",
                r#"failed to parse value as time or duration: "99999999999999999999""#,
            ),
            (
                "-5",
                r#"parsing time "-5" as "2006-01-02": cannot parse "-5" as "2006""#,
            ),
            (
                "2035-13-01",
                r#"parsing time "2035-13-01": month out of range"#,
            ),
        ] {
            assert_eq!(parse_when(text, &now()).unwrap_err().to_string(), error);
        }
    }

    #[test]
    fn the_times_of_events_are_utc_and_a_duration_goes_back_for_since_and_on_for_until() {
        for (text, time) in [
            ("2026-11-23", "2026-11-23T00:00:00Z"),
            ("2026-11-23Z", "2026-11-23T00:00:00Z"),
            ("2026-11-23T18:00:00", "2026-11-23T18:00:00Z"),
            ("2026-11-23T18:00:00.5", "2026-11-23T18:00:00.5Z"),
            ("2026-11-23T18:00:00+01:00", "2026-11-23T17:00:00Z"),
            ("1700000000.123456789", "2023-11-14T22:13:20.123456789Z"),
            ("-5", "1969-12-31T23:59:55Z"),
            ("1e3", "1970-01-01T00:16:40Z"),
            ("0", "1970-01-01T00:00:00Z"),
            ("1h", "2026-11-23T16:00:00.75Z"),
            ("-1.5h", "2026-11-23T18:30:00.75Z"),
        ] {
            assert_eq!(
                parse_input_time(text, now().timestamp(), Side::Since).unwrap(),
                at(time),
                "{text}"
            );
        }
        let until = parse_input_time("1h", now().timestamp(), Side::Until).unwrap();
        assert_eq!(until, at("2026-11-23T18:00:00.75Z"));
        for text in [
            "",
            "x",
            "1d",
            "0x10",
            "nan",
            "inf",
            "2026-11-23T18",
            "2026-11-23T18:00",
        ] {
            let error = parse_input_time(text, now().timestamp(), Side::Since).unwrap_err();
            assert_eq!(
                error.to_string(),
                "unable to interpret time value",
                "{text}"
            );
        }
    }
}
