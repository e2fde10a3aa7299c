//! Signal numbers of this system as CRI's `Signal`.

use cri_api::v1::Signal;
use model::Error;

/// CRI's name for a signal of Linux (asm-generic numbers).
///
/// # Errors
/// Podman's text for a number above SIGRTMAX; a refusal for the two that libc keeps for itself.
pub(super) fn cri_signal(number: i32) -> Result<Signal, Error> {
    let name = match number {
        0 => return Ok(Signal::RuntimeDefault),
        32 | 33 => {
            return Err(Error::InvalidArgument(format!(
                "stop signal {number} is libc's own and has no name in CRI"
            )));
        }
        1..=31 => low_name(number),
        34..=49 => realtime_name("SIGRTMIN", "PLUS", number - 34),
        50..=64 => realtime_name("SIGRTMAX", "MINUS", 64 - number),
        65.. => {
            return Err(Error::InvalidArgument(
                "running container create option: stop signal cannot be greater than 64 (SIGRTMAX)"
                    .to_owned(),
            ));
        }
        _ => {
            return Err(Error::InvalidArgument(format!(
                "stop signal {number} is negative"
            )));
        }
    };
    Signal::from_str_name(&name).ok_or_else(|| Error::internal(format!("CRI has no signal {name}")))
}

fn realtime_name(base: &str, word: &str, distance: i32) -> String {
    match distance {
        0 => base.to_owned(),
        n => format!("{base}{word}{n}"),
    }
}

fn low_name(number: i32) -> String {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    let at = usize::try_from(number - 1).unwrap_or_default();
    format!("SIG{}", NAMES.get(at).unwrap_or(&"TERM"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signal_of_linux_has_its_cri_name() {
        for number in (1..=64).filter(|number| ![32, 33].contains(number)) {
            assert_ne!(
                cri_signal(number).unwrap(),
                Signal::RuntimeDefault,
                "{number}"
            );
        }
        let table = [
            (0, Signal::RuntimeDefault),
            (1, Signal::Sighup),
            (9, Signal::Sigkill),
            (10, Signal::Sigusr1),
            (15, Signal::Sigterm),
            (28, Signal::Sigwinch),
            (31, Signal::Sigsys),
            (34, Signal::Sigrtmin),
            (37, Signal::Sigrtminplus3),
            (49, Signal::Sigrtminplus15),
            (50, Signal::Sigrtmaxminus14),
            (63, Signal::Sigrtmaxminus1),
            (64, Signal::Sigrtmax),
        ];
        for (number, signal) in table {
            assert_eq!(cri_signal(number).unwrap(), signal, "{number}");
        }
    }

    #[test]
    fn a_number_beyond_the_last_signal_is_refused_in_podmans_words() {
        assert_eq!(
            cri_signal(99).unwrap_err().to_string(),
            "running container create option: stop signal cannot be greater than 64 (SIGRTMAX): invalid argument"
        );
        for number in [32, 33, -1] {
            assert!(cri_signal(number).is_err(), "{number}");
        }
    }
}
