//! Health checks, of both faces: as asked for, and as shown.

use model::Error;
use model::container::ContainerRecord;
use model::health::{CheckRun, HealthCheck, HealthSpec, OnUnhealthy};
use podman_api::health::{HealthConfig, HealthLog, HealthResults, StartupHealthCheck};

use super::FILL_OUT;
use crate::human;
use crate::refuse::invalid;

/// What Podman's compat face takes where a time or a number is not above zero.
const COMPAT_INTERVAL_NS: i64 = 30_000_000_000;
const COMPAT_RETRIES: i64 = 3;

/// A check of libpod's create, taken as it is.
pub(crate) fn from_libpod(config: HealthConfig) -> HealthCheck {
    let HealthConfig {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
    } = config;
    HealthCheck {
        test,
        interval_ns: interval,
        timeout_ns: timeout,
        start_period_ns: start_period,
        start_interval_ns: start_interval,
        retries,
        successes: 0,
    }
}

/// The check of the start-up phase.
pub(super) fn startup(config: StartupHealthCheck) -> HealthCheck {
    let StartupHealthCheck {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
        successes,
    } = config;
    HealthCheck {
        test,
        interval_ns: interval,
        timeout_ns: timeout,
        start_period_ns: start_period,
        start_interval_ns: start_interval,
        retries,
        successes,
    }
}

/// The action of `health_check_on_failure_action`: a number, of which 1 is Podman's own "invalid".
pub(super) fn on_failure(number: i64) -> Result<OnUnhealthy, Error> {
    match number {
        0 => Ok(OnUnhealthy::None),
        2 => Ok(OnUnhealthy::Kill),
        3 => Ok(OnUnhealthy::Restart),
        4 => Ok(OnUnhealthy::Stop),
        other => Err(invalid(
            "health_check_on_failure_action",
            format!("{other} is none of 0 (none), 2 (kill), 3 (restart) and 4 (stop)"),
        )),
    }
}

/// A check of Docker's create, as Podman reads it (`MakeHealthCheckFromCli`): with its defaults, and a test without
/// one of Docker's words is a command or, where it is one word alone, a line for the shell.
///
/// # Errors
/// Podman's text for one without a test.
pub(super) fn from_compat(config: HealthConfig) -> Result<HealthSpec, Error> {
    let positive = |value: i64, default: i64| if value > 0 { value } else { default };
    let asked = from_libpod(config);
    let check = HealthCheck {
        test: compat_test(asked.test)?,
        interval_ns: positive(asked.interval_ns, COMPAT_INTERVAL_NS),
        timeout_ns: positive(asked.timeout_ns, COMPAT_INTERVAL_NS),
        start_period_ns: asked.start_period_ns.max(0),
        start_interval_ns: 0, // Podman's compat face does not read it
        retries: positive(asked.retries, COMPAT_RETRIES),
        successes: 0,
    };
    Ok(HealthSpec {
        check: Some(check),
        ..HealthSpec::default()
    })
}

fn compat_test(mut test: Vec<String>) -> Result<Vec<String>, Error> {
    let Some(first) = test.first().map(|word| word.to_ascii_uppercase()) else {
        let missing = "must define a healthcheck command for all healthchecks";
        return Err(Error::Plain(missing.to_owned()).behind(FILL_OUT));
    };
    match first.as_str() {
        "NONE" => return Ok(vec!["NONE".to_owned()]),
        "CMD" | "CMD-SHELL" => {}
        _ => {
            let way = if test.len() > 1 { "CMD" } else { "CMD-SHELL" };
            test.insert(0, way.to_owned());
        }
    }
    Ok(test)
}

/// A check as inspect shows it, and as an image does.
pub(crate) fn config(check: &HealthCheck) -> HealthConfig {
    let HealthCheck {
        test,
        interval_ns,
        timeout_ns,
        start_period_ns,
        start_interval_ns,
        retries,
        successes: _, // of a start-up check
    } = check;
    HealthConfig {
        test: test.clone(),
        interval: *interval_ns,
        timeout: *timeout_ns,
        start_period: *start_period_ns,
        start_interval: *start_interval_ns,
        retries: *retries,
    }
}

/// The same of Docker's inspect, which Podman fills without the interval of the start period.
pub(super) fn compat_config(check: &HealthCheck) -> HealthConfig {
    HealthConfig {
        start_interval: 0,
        ..config(check)
    }
}

/// A start-up check as inspect shows it.
pub(super) fn startup_config(check: &HealthCheck) -> StartupHealthCheck {
    let HealthConfig {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
    } = config(check);
    StartupHealthCheck {
        test,
        interval,
        timeout,
        start_period,
        start_interval,
        retries,
        successes: check.successes,
    }
}

/// `State.Health`, where the container has a check.
pub(super) fn results(record: &ContainerRecord) -> Option<HealthResults> {
    record.spec.health.checked()?;
    let health = &record.progress.health;
    let log: Vec<_> = health.log.iter().map(log).collect();
    Some(HealthResults {
        status: health.status.word().to_owned(),
        failing_streak: health.failing_streak,
        log: Some(log).filter(|log| !log.is_empty()),
    })
}

fn log(run: &CheckRun) -> HealthLog {
    let CheckRun {
        start,
        end,
        exit_code,
        output,
    } = run;
    HealthLog {
        start: human::rfc3339(*start),
        end: human::rfc3339(*end),
        exit_code: i64::from(*exit_code),
        output: output.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test_of(test: &[&str]) -> Result<Vec<String>, String> {
        let config = HealthConfig {
            test: test.iter().map(|&word| word.to_owned()).collect(),
            ..HealthConfig::default()
        };
        let spec = from_compat(config).map_err(|error| error.to_string())?;
        Ok(spec.check.unwrap().test)
    }

    /// Each as Podman 5.8.6 showed it.
    #[test]
    fn a_compat_test_is_read_as_podman_reads_it() {
        let table: &[(&[&str], &[&str])] = &[
            (&["CMD-SHELL", "true"], &["CMD-SHELL", "true"]),
            (&["NONE"], &["NONE"]),
            (&["none", "x"], &["NONE"]),
            (&["CMD", "a b", "c"], &["CMD", "a b", "c"]),
            (&["echo a", "b"], &["CMD", "echo a", "b"]),
            (&["echo a"], &["CMD-SHELL", "echo a"]),
            (&["cmd-shell", "echo a", "b"], &["cmd-shell", "echo a", "b"]),
            (&[""], &["CMD-SHELL", ""]),
        ];
        for (asked, wanted) in table {
            assert_eq!(test_of(asked).unwrap(), *wanted, "{asked:?}");
        }
        assert_eq!(
            test_of(&[]).unwrap_err(),
            "fill out specgen: must define a healthcheck command for all healthchecks"
        );
    }

    #[test]
    fn a_compat_check_has_podmans_defaults_for_what_is_not_above_zero() {
        let config = HealthConfig {
            test: vec!["CMD".to_owned(), "true".to_owned()],
            interval: -2,
            timeout: 1,
            start_interval: 5,
            ..HealthConfig::default()
        };
        let check = from_compat(config).unwrap().check.unwrap();
        assert_eq!(
            (check.interval_ns, check.timeout_ns, check.retries),
            (30_000_000_000, 1, 3)
        );
        assert_eq!((check.start_period_ns, check.start_interval_ns), (0, 0));
    }

    #[test]
    fn an_action_is_one_of_podmans_numbers() {
        for (number, wanted) in [(0, "none"), (2, "kill"), (3, "restart"), (4, "stop")] {
            assert_eq!(on_failure(number).unwrap().word(), wanted);
        }
        for number in [1, 5, -1] {
            let error = on_failure(number).unwrap_err().to_string();
            assert!(error.contains("health_check_on_failure_action"), "{error}");
        }
    }
}
