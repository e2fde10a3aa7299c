//! Signals by name and number, Podman's `pkg/signal`.

use model::Error;

const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

/// Linux names, without `SIG`; where two share a number the first is the one shown.
const NAMES: &[(&str, i32)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("IOT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("CHLD", 17),
    ("CLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("TSTP", 20),
    ("TTIN", 21),
    ("TTOU", 22),
    ("URG", 23),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("WINCH", 28),
    ("IO", 29),
    ("POLL", 29),
    ("PWR", 30),
    ("SYS", 31),
];

/// SIGTERM, Podman's stop signal where neither request nor image names one.
pub const TERM: i32 = 15;

/// A signal from its name (`KILL`, `SIGKILL`, `sigkill`, `RTMIN+3`) or number.
///
/// # Errors
/// [`Error::Plain`] with Podman's text.
pub fn parse(text: &str) -> Result<i32, Error> {
    let unknown = || Error::Plain(format!("invalid signal: {text}"));
    if let Ok(number) = text.parse::<i32>() {
        return if (1..=RTMAX).contains(&number) {
            Ok(number)
        } else {
            Err(unknown())
        };
    }
    let upper = text.to_uppercase();
    let bare = upper.strip_prefix("SIG").unwrap_or(&upper);
    if let Some((_, number)) = NAMES.iter().find(|(name, _)| *name == bare) {
        return Ok(*number);
    }
    realtime(bare).ok_or_else(unknown)
}

fn realtime(bare: &str) -> Option<i32> {
    let number = if let Some(rest) = bare.strip_prefix("RTMIN") {
        RTMIN + offset(rest, '+')?
    } else {
        RTMAX - offset(bare.strip_prefix("RTMAX")?, '-')?
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

fn offset(rest: &str, sign: char) -> Option<i32> {
    if rest.is_empty() {
        return Some(0);
    }
    rest.strip_prefix(sign)?.parse::<u8>().ok().map(i32::from)
}

/// The name Podman shows (`SIGTERM`); a number without a name as it is.
pub fn name(number: i32) -> String {
    if let Some((name, _)) = NAMES.iter().find(|(_, known)| *known == number) {
        return format!("SIG{name}");
    }
    match number {
        RTMIN => "SIGRTMIN".to_owned(),
        RTMAX => "SIGRTMAX".to_owned(),
        35..=49 => format!("SIGRTMIN+{}", number - RTMIN),
        50..RTMAX => format!("SIGRTMAX-{}", RTMAX - number),
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_mean_the_same() {
        for (text, number) in [
            ("9", 9),
            ("KILL", 9),
            ("SIGKILL", 9),
            ("sigterm", 15),
            ("USR1", 10),
            ("RTMIN", 34),
            ("SIGRTMIN+3", 37),
            ("RTMAX-14", 50),
            ("64", 64),
        ] {
            assert_eq!(parse(text).unwrap(), number, "{text}");
        }
    }

    #[test]
    fn what_is_no_signal_is_refused_in_podmans_words() {
        for text in ["", "0", "65", "-1", "NOSUCH", "SIG", "RTMIN+99", "RTMAX+1"] {
            assert_eq!(
                parse(text).unwrap_err().to_string(),
                format!("invalid signal: {text}")
            );
        }
    }

    #[test]
    fn a_shown_name_reads_back_as_its_number() {
        for number in (1..=31).chain(34..=64) {
            assert_eq!(parse(&name(number)).unwrap(), number);
        }
        assert_eq!(name(15), "SIGTERM");
    }
}
