//! Signals by name and number, as Podman takes and shows them.

use serde::{Deserialize, Serialize};

/// Numbers and names on the processors that containers run on (x86, ARM, POWER, s390, RISC-V);
/// where a number has two names, the usual one comes first.
const NAMES: [(&str, u8); 34] = [
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
/// The first real-time signal that programs may use: the C library keeps 32 and 33.
const RTMIN: u8 = 34;
/// The last one.
const RTMAX: u8 = 64;
/// How far names count from each end: `RTMIN+15` is followed by `RTMAX-14`.
const RT_FROM_MIN: u8 = 15;
const RT_FROM_MAX: u8 = 14;

/// A signal's number, 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signal(u8);

impl Signal {
    /// Ends a process that does not catch it.
    pub const TERM: Self = Self(15);
    /// Ends any process.
    pub const KILL: Self = Self(9);

    /// From a number, 1 to 64.
    pub fn from_number(number: i64) -> Option<Self> {
        let number = u8::try_from(number).ok()?;
        (1..=RTMAX).contains(&number).then_some(Self(number))
    }

    /// From a name or number as Podman takes it: `SIGTERM`, `term`, `15`, `-15`, `RTMIN+3`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let text = text.strip_prefix('-').unwrap_or(text);
        let invalid = || ParseError::Invalid(text.to_owned());
        if let Ok(number) = text.parse::<i64>() {
            return match number {
                0 => Err(invalid()),
                number => Self::from_number(number).ok_or(ParseError::OutOfRange),
            };
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        named(name)
            .or_else(|| real_time(name))
            .map(Self)
            .ok_or_else(invalid)
    }

    /// The number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The name with `SIG`, as Podman's inspect shows it; the number where it has none (32, 33).
    /// (Of two names for one number Podman shows any; this is the usual one.)
    pub fn name(self) -> String {
        if let Some((name, _)) = NAMES.iter().find(|(_, number)| *number == self.0) {
            return format!("SIG{name}");
        }
        match self.0 {
            RTMIN => "SIGRTMIN".to_owned(),
            RTMAX => "SIGRTMAX".to_owned(),
            number if number > RTMIN + RT_FROM_MIN => format!("SIGRTMAX-{}", RTMAX - number),
            number if number > RTMIN => format!("SIGRTMIN+{}", number - RTMIN),
            number => number.to_string(),
        }
    }
}

fn named(name: &str) -> Option<u8> {
    NAMES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, number)| *number)
}

fn real_time(name: &str) -> Option<u8> {
    let offset = |text: &str, most| {
        let canonical = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        let number: u8 = text.parse().ok().filter(|_| canonical)?;
        (number <= most).then_some(number)
    };
    match name {
        "RTMIN" => Some(RTMIN),
        "RTMAX" => Some(RTMAX),
        _ => match (name.strip_prefix("RTMIN+"), name.strip_prefix("RTMAX-")) {
            (Some(above), _) => offset(above, RT_FROM_MIN).map(|number| RTMIN + number),
            (_, Some(below)) => offset(below, RT_FROM_MAX).map(|number| RTMAX - number),
            _ => None,
        },
    }
}

/// Why a text is no signal, in Podman's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// No such name, or 0.
    #[error("invalid signal: {0}")]
    Invalid(String),
    /// A number that no signal has.
    #[error("valid signals are 1 through 64")]
    OutOfRange,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Result<u8, String> {
        Signal::parse(text)
            .map(Signal::number)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn names_and_numbers_are_taken_as_podman_takes_them() {
        for text in ["TERM", "SIGTERM", "sigterm", "15", "+15", "-15", "-TERM"] {
            assert_eq!(number(text), Ok(15), "{text}");
        }
        assert_eq!(number("RTMIN+3"), Ok(37));
        assert_eq!(number("sigrtmin+15"), Ok(49));
        assert_eq!(number("SIGRTMAX-2"), Ok(62));
        assert_eq!(number("CLD"), Ok(17));
        assert_eq!(number("POLL"), Ok(29));
        assert_eq!(number("IOT"), Ok(6));
        assert_eq!(number("STKFLT"), Ok(16));
        assert_eq!(number("64"), Ok(64));
        assert_eq!(number("32"), Ok(32));
    }

    #[test]
    fn other_texts_are_refused_in_podmans_words() {
        assert_eq!(number("NOSUCH"), Err("invalid signal: NOSUCH".to_owned()));
        assert_eq!(number("-NOSUCH"), Err("invalid signal: NOSUCH".to_owned()));
        for text in [
            "",
            "0",
            " 9",
            "UNUSED",
            "SIGSIGTERM",
            "RTMIN+16",
            "RTMIN-1",
            "RTMIN+0",
            "RTMIN+03",
            "RTMIN++3",
            "RTMAX-15",
            "99999999999999999999",
        ] {
            assert_eq!(number(text), Err(format!("invalid signal: {text}")));
        }
        for text in ["65", "--9", "99999999999"] {
            let words = "valid signals are 1 through 64";
            assert_eq!(number(text), Err(words.to_owned()), "{text}");
        }
    }

    #[test]
    fn every_number_has_a_name_that_means_it() {
        for number in 1..=64 {
            let signal = Signal::from_number(number).unwrap();
            assert_eq!(Signal::parse(&signal.name()), Ok(signal));
        }
        let name = |number| Signal::from_number(number).unwrap().name();
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(17), "SIGCHLD");
        assert_eq!(name(32), "32");
        assert_eq!(name(34), "SIGRTMIN");
        assert_eq!(name(49), "SIGRTMIN+15");
        assert_eq!(name(50), "SIGRTMAX-14");
        assert_eq!(name(64), "SIGRTMAX");
        assert_eq!(Signal::from_number(65), None);
        assert_eq!(Signal::from_number(0), None);
    }
}
