//! What an update changes of a container's health checks, by Podman's rules (`GetNewHealthCheckConfig`).

use super::{
    DEFAULT_NS, DEFAULT_RETRIES, Health, HealthCheck, HealthSpec, HealthStatus, OnUnhealthy,
};
use crate::error::Error;

/// Podman's start period of a start-up check that an update changes.
const STARTUP_PERIOD_NS: i64 = 1_000_000_000;
/// Podman's refusal of times without a command, whichever check they are of.
const NO_COMMAND: &str = "startup healthcheck command is not set";

/// What is changed; what is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HealthUpdate {
    /// There is no check any more.
    pub none: bool,
    /// The check.
    pub check: CheckUpdate,
    /// The check of the start-up phase.
    pub startup: CheckUpdate,
    /// What happens when it turns unhealthy.
    pub on_failure: Option<OnUnhealthy>,
    /// How many runs are kept; 0 for no bound of the user's.
    pub log_count: Option<u64>,
    /// How many bytes of a run's output are kept; 0 for no bound of the user's.
    pub log_size: Option<u64>,
}

/// What is changed of one check; times are nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckUpdate {
    /// Its command, as [`HealthCheck::test`] has it.
    pub test: Option<Vec<String>>,
    /// Between two runs.
    pub interval_ns: Option<i64>,
    /// How long a run may take.
    pub timeout_ns: Option<i64>,
    /// How long failures do not count.
    pub start_period_ns: Option<i64>,
    /// Failures that count.
    pub retries: Option<i64>,
    /// Successes that end the start-up phase.
    pub successes: Option<i64>,
}

impl HealthUpdate {
    /// What is asked about a container's health from now on.
    ///
    /// # Errors
    /// Podman's texts: times without a command, no check and a check at once, times that are too short.
    pub fn applied_to(&self, old: &HealthSpec) -> Result<HealthSpec, Error> {
        let mut new = old.clone();
        let check = self
            .check
            .applied_to(old.check.as_ref(), defaults(DEFAULT_RETRIES))?;
        let startup = self.startup.applied_to(old.startup.as_ref(), defaults(0))?;
        if self.none && (check.is_some() || startup.is_some()) {
            let both = "cannot specify both --no-healthcheck and other HealthCheck flags";
            return Err(Error::Plain(both.to_owned()));
        }
        if self.none {
            new.check = Some(HealthCheck {
                test: vec!["NONE".to_owned()],
                ..HealthCheck::default()
            });
            new.startup = None;
        }
        if let Some(check) = check {
            new.check = Some(check);
        }
        if let Some(startup) = startup {
            new.startup = Some(HealthCheck {
                start_period_ns: STARTUP_PERIOD_NS,
                ..startup
            });
        }
        new.on_failure = self.on_failure.unwrap_or(old.on_failure);
        new.log_count = self.log_count.unwrap_or(old.log_count);
        new.log_size = self.log_size.unwrap_or(old.log_size);
        Ok(new)
    }
}

impl CheckUpdate {
    /// The check that follows; `None` where nothing is changed.
    fn applied_to(
        &self,
        old: Option<&HealthCheck>,
        defaults: HealthCheck,
    ) -> Result<Option<HealthCheck>, Error> {
        if *self == Self::default() {
            return Ok(None);
        }
        let base = match old {
            None if self.test.is_none() => return Err(Error::Plain(NO_COMMAND.to_owned())),
            None => defaults,
            // It was taken away with all its times; Podman then asks for a timeout first.
            Some(old) if old.timeout_ns == 0 && old.command().is_none() => HealthCheck {
                test: old.test.clone(),
                ..defaults
            },
            Some(old) => old.clone(),
        };
        let new = HealthCheck {
            test: self.test.clone().unwrap_or(base.test),
            interval_ns: self.interval_ns.unwrap_or(base.interval_ns),
            timeout_ns: self.timeout_ns.unwrap_or(base.timeout_ns),
            start_period_ns: self.start_period_ns.unwrap_or(base.start_period_ns),
            start_interval_ns: base.start_interval_ns,
            retries: self.retries.unwrap_or(base.retries),
            successes: self.successes.unwrap_or(base.successes),
        };
        let wrong = |text: &str| Err(Error::Plain(text.to_owned()));
        match new {
            _ if new.timeout_ns < 1 => wrong("healthcheck-timeout must be at least 1 second"),
            _ if new.start_period_ns < 0 => {
                wrong("healthcheck-start-period must be 0 seconds or greater")
            }
            new => Ok(Some(new)),
        }
    }
}

fn defaults(retries: i64) -> HealthCheck {
    HealthCheck {
        interval_ns: DEFAULT_NS,
        timeout_ns: DEFAULT_NS,
        retries,
        ..HealthCheck::default()
    }
}

impl Health {
    /// What an update makes of a container's health while it runs: with another interval its checks begin anew, and a
    /// start-up check that comes now is one for its next start.
    pub fn updated(&mut self, old: &HealthSpec, new: &HealthSpec) {
        let interval = |check: Option<&HealthCheck>| check.map(|check| check.interval_ns);
        if interval(old.startup.as_ref()) != interval(new.startup.as_ref()) && !self.startup_passed
        {
            self.startup_passed = old.startup.is_none();
            self.startup_successes = 0;
            self.startup_failures = 0;
        }
        let checked = interval(new.checked());
        if checked.is_some() && checked != interval(old.checked()) {
            self.status = HealthStatus::Reset;
            self.checked_at = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn shell(line: &str) -> Vec<String> {
        vec!["CMD-SHELL".to_owned(), line.to_owned()]
    }

    fn asked(check: CheckUpdate) -> HealthUpdate {
        HealthUpdate {
            check,
            ..HealthUpdate::default()
        }
    }

    fn command() -> CheckUpdate {
        CheckUpdate {
            test: Some(shell("true")),
            ..CheckUpdate::default()
        }
    }

    fn interval(seconds: i64) -> CheckUpdate {
        CheckUpdate {
            interval_ns: Some(seconds * SECOND),
            ..CheckUpdate::default()
        }
    }

    #[test]
    fn a_new_check_has_podmans_defaults_and_times_change_one_by_one() {
        let first = asked(command()).applied_to(&HealthSpec::default()).unwrap();
        let check = first.check.clone().unwrap();
        assert_eq!(
            (check.interval_ns, check.timeout_ns, check.retries),
            (30 * SECOND, 30 * SECOND, 3)
        );
        let second = asked(interval(7))
            .applied_to(&first)
            .unwrap()
            .check
            .unwrap();
        assert_eq!(
            (second.interval_ns, second.test),
            (7 * SECOND, shell("true"))
        );
    }

    #[test]
    fn a_startup_check_has_its_own_defaults() {
        let update = HealthUpdate {
            startup: CheckUpdate {
                successes: Some(3),
                ..command()
            },
            ..HealthUpdate::default()
        };
        let startup = update.applied_to(&HealthSpec::default()).unwrap().startup;
        let startup = startup.unwrap();
        assert_eq!(
            (startup.retries, startup.successes, startup.start_period_ns),
            (0, 3, SECOND)
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused_in_podmans_words() {
        let none = HealthSpec::default();
        let text = |update: HealthUpdate| update.applied_to(&none).unwrap_err().to_string();
        assert_eq!(text(asked(interval(5))), NO_COMMAND);
        let both = HealthUpdate {
            none: true,
            ..asked(command())
        };
        assert!(text(both).starts_with("cannot specify both"));
        let short = CheckUpdate {
            timeout_ns: Some(0),
            ..command()
        };
        assert_eq!(
            text(asked(short)),
            "healthcheck-timeout must be at least 1 second"
        );
        let early = CheckUpdate {
            start_period_ns: Some(-1),
            ..command()
        };
        assert!(text(asked(early)).starts_with("healthcheck-start-period"));
    }

    #[test]
    fn a_check_that_was_taken_away_comes_back_with_the_defaults() {
        let gone = HealthUpdate {
            none: true,
            ..HealthUpdate::default()
        };
        let gone = gone.applied_to(&HealthSpec::default()).unwrap();
        assert_eq!((gone.checked(), gone.startup.clone()), (None, None));
        let still = asked(interval(5)).applied_to(&gone).unwrap();
        assert_eq!(still.checked(), None);
        let back = asked(command()).applied_to(&gone).unwrap();
        assert_eq!(back.checked().unwrap().timeout_ns, 30 * SECOND);
    }

    #[test]
    fn checks_begin_anew_with_another_interval_alone() {
        let old = asked(command()).applied_to(&HealthSpec::default()).unwrap();
        let health = || Health {
            status: HealthStatus::Healthy,
            ..Health::default()
        };
        let status = |update: HealthUpdate| {
            let mut health = health();
            health.updated(&old, &update.applied_to(&old).unwrap());
            health.status
        };
        assert_eq!(status(asked(interval(5))), HealthStatus::Reset);
        assert_eq!(status(asked(interval(30))), HealthStatus::Healthy);
        let startup = HealthUpdate {
            startup: command(),
            ..HealthUpdate::default()
        };
        let mut running = health();
        running.updated(&old, &startup.applied_to(&old).unwrap());
        assert!(running.startup_passed);
    }
}
