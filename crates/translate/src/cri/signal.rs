//! Signals of this system as CRI's `Signal`.

use cri_api::v1;
use model::Error;
use model::signal::Signal;

/// CRI's name for a signal of Linux: the usual name, `+` and `-` spelt out.
///
/// # Errors
/// A refusal for the two that libc keeps for itself: CRI has no name for them.
pub(super) fn cri_signal(signal: Signal) -> Result<v1::Signal, Error> {
    let name = signal.name().replace('+', "PLUS").replace('-', "MINUS");
    v1::Signal::from_str_name(&name).ok_or_else(|| {
        let number = signal.number();
        Error::InvalidArgument(format!(
            "stop signal {number} is libc's own and has no name in CRI"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cri(number: i64) -> Result<v1::Signal, Error> {
        cri_signal(Signal::from_number(number).unwrap())
    }

    #[test]
    fn every_signal_of_linux_has_its_cri_name() {
        for number in (1..=64).filter(|number| ![32, 33].contains(number)) {
            assert_ne!(cri(number).unwrap(), v1::Signal::RuntimeDefault, "{number}");
        }
        let table = [
            (1, v1::Signal::Sighup),
            (9, v1::Signal::Sigkill),
            (10, v1::Signal::Sigusr1),
            (15, v1::Signal::Sigterm),
            (28, v1::Signal::Sigwinch),
            (31, v1::Signal::Sigsys),
            (34, v1::Signal::Sigrtmin),
            (37, v1::Signal::Sigrtminplus3),
            (49, v1::Signal::Sigrtminplus15),
            (50, v1::Signal::Sigrtmaxminus14),
            (63, v1::Signal::Sigrtmaxminus1),
            (64, v1::Signal::Sigrtmax),
        ];
        for (number, name) in table {
            assert_eq!(cri(number).unwrap(), name, "{number}");
        }
    }

    #[test]
    fn numbers_that_are_libcs_own_are_refused() {
        for number in [32, 33] {
            assert!(
                matches!(cri(number), Err(Error::InvalidArgument(_))),
                "{number}"
            );
        }
    }
}
