//! Times and durations as Podman words them.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// What Go shows for a time that is not set.
pub const ZERO_TIME: &str = "0001-01-01T00:00:00Z";
/// The same as Unix seconds.
pub const ZERO_UNIX: i64 = -62_135_596_800;

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

/// `go-units.HumanDuration`: "Less than a second", "About a minute", "3 weeks". A negative duration
/// (a clock that was set back) is less than a second.
pub fn duration(seconds: i64) -> String {
    let hours = (seconds + HOUR / 2) / HOUR;
    match seconds {
        ..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..MINUTE => format!("{seconds} seconds"),
        _ if seconds / MINUTE == 1 => "About a minute".to_owned(),
        MINUTE..HOUR => format!("{} minutes", seconds / MINUTE),
        _ => match hours {
            ..=1 => "About an hour".to_owned(),
            2..48 => format!("{hours} hours"),
            48..336 => format!("{} days", hours / 24),
            336..1440 => format!("{} weeks", hours / 24 / 7),
            1440..17_520 => format!("{} months", hours / 24 / 30),
            _ => format!("{} years", seconds / HOUR / 24 / 365),
        },
    }
}

/// A duration as Go writes it: `1h0m2.5s`, `881.974888ms`, `0s`.
pub fn go_duration(duration: SignedDuration) -> String {
    let nanos = duration.as_nanos();
    let sign = if nanos < 0 { "-" } else { "" };
    let nanos = nanos.unsigned_abs();
    let text = match nanos {
        0 => "0s".to_owned(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", decimal(nanos, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(nanos, 6)),
        _ => {
            let minutes = nanos / 60_000_000_000;
            let seconds = decimal(nanos % 60_000_000_000, 9);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    };
    format!("{sign}{text}")
}

/// A number with so many digits behind the point, without zeros at its end.
fn decimal(value: u128, digits: u32) -> String {
    let unit = 10_u128.pow(digits);
    let (whole, part) = (value / unit, value % unit);
    let text = format!("{whole}.{part:0>width$}", width = digits as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Bytes in powers of 1000, four digits at most: `225.3kB` (go-units, `HumanSize`).
pub fn size(bytes: u64) -> String {
    in_units(bytes, 1000.0, ["B", "kB", "MB", "GB", "TB", "PB", "EB"])
}

/// The same in powers of 1024: `23.54GiB` (go-units, `BytesSize`).
pub fn binary_size(bytes: u64) -> String {
    in_units(
        bytes,
        1024.0,
        ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"],
    )
}

/// The number as Go's `%.4g` writes it, then the unit.
fn in_units(bytes: u64, base: f64, units: [&str; 7]) -> String {
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= base && unit + 1 < units.len() {
        size /= base;
        unit += 1;
    }
    let digits = match size {
        size if size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        _ => 3,
    };
    let text = format!("{size:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{}", units.get(unit).copied().unwrap_or_default())
}

/// The human duration from `then` to `now`.
pub fn since(then: Timestamp, now: Timestamp) -> String {
    duration(
        now.as_second()
            - then.as_second()
            - i64::from(now.subsec_nanosecond() < then.subsec_nanosecond()),
    )
}

/// RFC 3339 with as many digits of the second as are not zero, as Go writes times in UTC.
pub fn rfc3339(time: Timestamp) -> String {
    time.to_string()
}

/// The same for a time that may not be set.
pub fn rfc3339_or_zero(time: Option<Timestamp>) -> String {
    time.map_or_else(|| ZERO_TIME.to_owned(), rfc3339)
}

/// RFC 3339 to the second, as the compat face shows volumes.
pub fn rfc3339_seconds(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).map_or_else(|_| rfc3339(time), rfc3339)
}

/// Unix seconds of a time that may not be set.
pub fn unix_or_zero(time: Option<Timestamp>) -> i64 {
    time.map_or(ZERO_UNIX, Timestamp::as_second)
}

/// `Mon Oct 12 00:19:24 2026`, Go's `time.ANSIC`.
pub fn ansic(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC)
        .strftime("%a %b %e %H:%M:%S %Y")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_in_go() {
        for (nanos, expected) in [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5µs"),
            (881_974_888, "881.974888ms"),
            (2_485_821_450, "2.48582145s"),
            (60_000_000_000, "1m0s"),
            (3_600_000_000_000, "1h0m0s"),
            (90_061_000_000_001, "25h1m1.000000001s"),
            (-1_000_000, "-1ms"),
        ] {
            assert_eq!(go_duration(SignedDuration::from_nanos(nanos)), expected);
        }
    }

    #[test]
    fn durations_read_as_in_go_units() {
        for (seconds, text) in [
            (-5, "Less than a second"),
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5399, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86_400, "2 weeks"),
            (60 * 86_400, "2 months"),
            (730 * 86_400, "2 years"),
        ] {
            assert_eq!(duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn sizes_read_as_in_go_units() {
        for (bytes, decimal, binary) in [
            (0, "0B", "0B"),
            (90, "90B", "90B"),
            (1_488, "1.488kB", "1.453KiB"),
            (430_080, "430.1kB", "420KiB"),
            (1_047_552, "1.048MB", "1023KiB"),
            (25_280_000_000, "25.28GB", "23.54GiB"),
        ] {
            assert_eq!(
                (size(bytes), binary_size(bytes)),
                (decimal.to_owned(), binary.to_owned())
            );
        }
    }

    #[test]
    fn times_are_written_as_go_writes_them() {
        let time: Timestamp = "2026-11-23T16:51:50.638629430Z".parse().unwrap();
        assert_eq!(rfc3339(time), "2026-11-23T16:51:50.63862943Z");
        assert_eq!(rfc3339_seconds(time), "2026-11-23T16:51:50Z");
        assert_eq!(rfc3339_or_zero(None), "0001-01-01T00:00:00Z");
        let built: Timestamp = "2026-10-02T00:19:24Z".parse().unwrap();
        assert_eq!(ansic(built), "Fri Oct  2 00:19:24 2026");
    }

    #[test]
    fn a_second_counts_when_it_is_full() {
        let then: Timestamp = "2026-11-23T16:51:50.9Z".parse().unwrap();
        let now: Timestamp = "2026-11-23T16:51:51.1Z".parse().unwrap();
        assert_eq!(since(then, now), "Less than a second");
    }
}
