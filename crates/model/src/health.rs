//! Health checks: what was asked, and what they have said.
//!
//! Durations are nanoseconds, as clients send them and inspect shows them.

mod update;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::Error;

pub use update::{CheckUpdate, HealthUpdate};

/// Podman's interval and timeout where none was asked for.
const DEFAULT_NS: i64 = 30_000_000_000;
/// Podman's retries where none were asked for.
const DEFAULT_RETRIES: i64 = 3;
/// Podman's bound on the kept runs of a check where none was asked for.
pub const DEFAULT_LOG_COUNT: u64 = 5;
/// Podman's bound on the kept bytes of a run's output where none was asked for.
pub const DEFAULT_LOG_SIZE: u64 = 500;

/// What was asked about a container's health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthSpec {
    /// The check. In a request without one, or with one that has no test, the image's; in a record what counts.
    pub check: Option<HealthCheck>,
    /// The check of the start-up phase, which goes before the other.
    pub startup: Option<HealthCheck>,
    /// What happens when it turns unhealthy.
    pub on_failure: OnUnhealthy,
    /// How many runs are kept; 0 for no bound of the user's.
    pub log_count: u64,
    /// How many bytes of a run's output are kept; 0 for no bound of the user's.
    pub log_size: u64,
}

impl Default for HealthSpec {
    fn default() -> Self {
        Self {
            check: None,
            startup: None,
            on_failure: OnUnhealthy::None,
            log_count: DEFAULT_LOG_COUNT,
            log_size: DEFAULT_LOG_SIZE,
        }
    }
}

/// A check: a command and its times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthCheck {
    /// `["CMD", …]`, `["CMD-SHELL", line]`, `["NONE"]`, or the command itself.
    pub test: Vec<String>,
    /// Between the end of a run and the next one; 0 for no runs but those a client asks for.
    pub interval_ns: i64,
    /// How long a run may take; 0 for no bound of the user's.
    pub timeout_ns: i64,
    /// After the start of the container, how long failures do not count.
    pub start_period_ns: i64,
    /// Docker's interval during the start period. Podman keeps and shows it, and goes by the other.
    pub start_interval_ns: i64,
    /// How many failures in a row make it unhealthy; of a start-up check, restart the container (0: none do).
    pub retries: i64,
    /// Of a start-up check, how many successes end the phase; 0 means one.
    pub successes: i64,
}

/// What happens when a container turns unhealthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnUnhealthy {
    /// Nothing.
    #[default]
    None,
    /// SIGKILL.
    Kill,
    /// It is stopped and started again.
    Restart,
    /// It is stopped.
    Stop,
}

impl OnUnhealthy {
    /// Podman's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Kill => "kill",
            Self::Restart => "restart",
            Self::Stop => "stop",
        }
    }
}

impl HealthCheck {
    /// The command to run; `None` where there is none.
    pub fn command(&self) -> Option<Vec<String>> {
        let (first, rest) = self.test.split_first()?;
        let command = match first.as_str() {
            "" | "NONE" => return None,
            "CMD" => rest.to_vec(),
            "CMD-SHELL" => {
                let line = rest.join(" ");
                ["/bin/sh", "-c", &line].map(str::to_owned).to_vec()
            }
            _ => self.test.clone(),
        };
        let is_one = command.first().is_some_and(|program| !program.is_empty());
        is_one.then_some(command)
    }

    /// Whether it is a check at all, and not the absence of one.
    fn checks(&self) -> bool {
        match self.test.as_slice() {
            [] => false,
            [only] => !only.eq_ignore_ascii_case("NONE"),
            _ => true,
        }
    }

    /// The image's check with what the request says of its times, and Podman's defaults for the rest.
    fn of_image(image: &Self, asked: Option<&Self>) -> Self {
        let number = |of: fn(&Self) -> i64| {
            let asked = asked.map_or(0, of);
            if asked == 0 { of(image) } else { asked }
        };
        let or_default = |value: i64, default: i64| if value == 0 { default } else { value };
        let interval = number(|check| check.interval_ns);
        Self {
            test: image.test.clone(),
            interval_ns: match interval {
                ..0 => 0,
                other => or_default(other, DEFAULT_NS),
            },
            timeout_ns: or_default(number(|check| check.timeout_ns), DEFAULT_NS),
            start_period_ns: number(|check| check.start_period_ns),
            start_interval_ns: image.start_interval_ns,
            retries: or_default(number(|check| check.retries), DEFAULT_RETRIES),
            successes: 0,
        }
    }
}

impl HealthSpec {
    /// The check that counts; `None` where there is none, or `NONE` was asked for.
    pub fn checked(&self) -> Option<&HealthCheck> {
        self.check.as_ref().filter(|check| check.checks())
    }

    /// Fills in the image's check where the request has none, as Podman does.
    ///
    /// # Errors
    /// Podman's texts for an action or a start-up check without a check.
    pub fn complete(&mut self, image: Option<&HealthCheck>) -> Result<(), Error> {
        if self
            .check
            .as_ref()
            .is_none_or(|check| check.test.is_empty())
        {
            self.check = image.map(|image| HealthCheck::of_image(image, self.check.as_ref()));
        }
        match (&self.check, self.on_failure, &self.startup) {
            (Some(_), _, _) | (None, OnUnhealthy::None, None) => Ok(()),
            (None, OnUnhealthy::None, Some(_)) => Err(Error::InvalidArgument(
                "cannot set a startup healthcheck when there is no regular healthcheck".to_owned(),
            )),
            (None, action, _) => Err(Error::Plain(format!(
                "cannot set on-failure action to {} without a health check",
                action.word()
            ))),
        }
    }
}

/// What the checks of a container have said since its start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// The status.
    pub status: HealthStatus,
    /// Failures in a row.
    pub failing_streak: i64,
    /// The last runs, oldest first.
    pub log: Vec<CheckRun>,
    /// The end of the last run; `None` where the next one is due at once.
    pub checked_at: Option<Timestamp>,
    /// The start-up phase is over.
    pub startup_passed: bool,
    /// Successes of the start-up check.
    pub startup_successes: i64,
    /// Failures of the start-up check.
    pub startup_failures: i64,
}

impl Health {
    /// That of a container which has just started.
    pub fn starting() -> Self {
        Self {
            status: HealthStatus::Starting,
            ..Self::default()
        }
    }
}

/// Podman's words for a container's health.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HealthStatus {
    /// Never started.
    #[default]
    None,
    /// Started, and no run of the check has counted yet.
    Starting,
    /// The last run that counted went well, or too few have failed.
    Healthy,
    /// Too many runs have failed.
    Unhealthy,
    /// It goes on after a pause, and has not been checked since.
    Reset,
    /// It ended while it was checked.
    Stopped,
}

impl HealthStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Reset => "reset",
            Self::Stopped => "stopped",
        }
    }
}

/// One run of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRun {
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// 0 for success, 1 for failure, 125 where it could not be run or took too long: Podman's codes.
    pub exit_code: i32,
    /// What it wrote, cut.
    pub output: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(test: &[&str]) -> HealthCheck {
        HealthCheck {
            test: test.iter().map(|&word| word.to_owned()).collect(),
            ..HealthCheck::default()
        }
    }

    #[test]
    fn a_test_is_a_command_by_its_first_word() {
        let table: &[(&[&str], Option<&[&str]>)] = &[
            (&[], None),
            (&["NONE"], None),
            (&[""], None),
            (&["CMD"], None),
            (&["CMD", ""], None),
            (&["CMD", "a", "b"], Some(&["a", "b"])),
            (
                &["CMD-SHELL", "a b", "c"],
                Some(&["/bin/sh", "-c", "a b c"]),
            ),
            (&["true"], Some(&["true"])),
        ];
        for (test, wanted) in table {
            let wanted = wanted.map(|words| words.iter().map(|&word| word.to_owned()).collect());
            assert_eq!(check(test).command(), wanted, "{test:?}");
        }
    }

    #[test]
    fn none_is_no_check_whatever_its_case() {
        for (test, wanted) in [
            (&["none"][..], false),
            (&["NONE"], false),
            (&[], false),
            (&["CMD"], true),
            (&["NONE", "x"], true),
        ] {
            let spec = HealthSpec {
                check: Some(check(test)),
                ..HealthSpec::default()
            };
            assert_eq!(spec.checked().is_some(), wanted, "{test:?}");
        }
    }

    #[test]
    fn without_a_test_the_images_check_counts_with_the_times_asked_for() {
        let image = HealthCheck {
            interval_ns: 5,
            retries: 7,
            ..check(&["CMD", "true"])
        };
        let asked = |interval_ns, test: &[&str]| HealthSpec {
            check: Some(HealthCheck {
                interval_ns,
                ..check(test)
            }),
            ..HealthSpec::default()
        };
        let interval = |mut spec: HealthSpec, image: Option<&HealthCheck>| {
            spec.complete(image).unwrap();
            spec.check.map(|check| (check.interval_ns, check.retries))
        };
        assert_eq!(interval(asked(9, &[]), Some(&image)), Some((9, 7)));
        assert_eq!(interval(asked(-1, &[]), Some(&image)), Some((0, 7)));
        assert_eq!(interval(HealthSpec::default(), Some(&image)), Some((5, 7)));
        let plain = check(&["CMD", "true"]);
        let defaults = Some((DEFAULT_NS, DEFAULT_RETRIES));
        assert_eq!(interval(HealthSpec::default(), Some(&plain)), defaults);
        assert_eq!(interval(asked(9, &[]), None), None);
        // a request with a test is taken as it is
        assert_eq!(interval(asked(0, &["NONE"]), Some(&image)), Some((0, 0)));
    }

    #[test]
    fn what_needs_a_check_is_refused_without_one() {
        let refused = |mut spec: HealthSpec| spec.complete(None).unwrap_err().to_string();
        let action = HealthSpec {
            on_failure: OnUnhealthy::Kill,
            ..HealthSpec::default()
        };
        assert_eq!(
            refused(action),
            "cannot set on-failure action to kill without a health check"
        );
        let startup = HealthSpec {
            startup: Some(check(&["CMD", "true"])),
            ..HealthSpec::default()
        };
        assert_eq!(
            refused(startup),
            "cannot set a startup healthcheck when there is no regular healthcheck: invalid argument"
        );
    }
}
