//! Health checks as a libpod update changes them.

use model::Error;
use model::duration;
use model::health::{CheckUpdate, HealthUpdate, OnUnhealthy};
use podman_api::container::libpod::UpdateHealth;

use crate::fields::HEALTH_LOG;

/// What an update asks for.
///
/// # Errors
/// Podman's texts for durations and actions that are none; another place of the log than the record.
pub(super) fn health_update(asked: UpdateHealth) -> Result<HealthUpdate, Error> {
    let UpdateHealth {
        health_log_destination,
        health_max_log_size,
        health_max_log_count,
        health_on_failure,
        no_healthcheck,
        health_cmd,
        health_interval,
        health_retries,
        health_timeout,
        health_start_period,
        health_startup_cmd,
        health_startup_interval,
        health_startup_retries,
        health_startup_timeout,
        health_startup_success,
    } = asked;
    if health_log_destination.is_some_and(|place| place != "local") {
        return Err(Error::unsupported("health_log_destination", HEALTH_LOG));
    }
    Ok(HealthUpdate {
        none: no_healthcheck == Some(true),
        check: CheckUpdate {
            test: command(health_cmd)?,
            interval_ns: interval(health_interval)?,
            timeout_ns: nanos("timeout", health_timeout)?,
            start_period_ns: nanos("start-period", health_start_period)?,
            retries: signed(health_retries),
            successes: None,
        },
        startup: CheckUpdate {
            test: command(health_startup_cmd)?,
            interval_ns: interval(health_startup_interval)?,
            timeout_ns: nanos("timeout", health_startup_timeout)?,
            start_period_ns: None,
            retries: signed(health_startup_retries),
            successes: signed(health_startup_success),
        },
        on_failure: health_on_failure
            .map(|word| on_failure(&word))
            .transpose()?,
        log_count: health_max_log_count,
        log_size: health_max_log_size,
    })
}

fn signed(number: Option<u64>) -> Option<i64> {
    number.map(|number| i64::try_from(number).unwrap_or(i64::MAX))
}

/// A command as podman's flag has it (`MakeHealthCheckFromCli`): a list of words as JSON, a line behind one of Docker's
/// words, or a line for the shell.
fn command(text: Option<String>) -> Result<Option<Vec<String>>, Error> {
    let Some(text) = text else { return Ok(None) };
    let list = serde_json::from_str::<Vec<String>>(&text);
    let mut words = match &list {
        Ok(words) => words.clone(),
        Err(_) => text.splitn(2, ' ').map(ToOwned::to_owned).collect(),
    };
    let Some(first) = words.first().map(|word| word.to_ascii_uppercase()) else {
        let missing = "must define a healthcheck command for all healthchecks";
        return Err(Error::Plain(missing.to_owned()));
    };
    Ok(Some(match (first.as_str(), list.is_ok()) {
        ("NONE", _) => vec!["NONE".to_owned()],
        ("CMD", false) => text.split_whitespace().map(ToOwned::to_owned).collect(),
        ("CMD" | "CMD-SHELL", _) => words,
        (_, true) if words.len() > 1 => {
            words.insert(0, "CMD".to_owned());
            words
        }
        _ => vec!["CMD-SHELL".to_owned(), words.join(" ")],
    }))
}

fn interval(text: Option<String>) -> Result<Option<i64>, Error> {
    let text = text.map(|text| {
        if text == "disable" {
            "0".to_owned()
        } else {
            text
        }
    });
    nanos("interval", text)
}

fn nanos(what: &str, text: Option<String>) -> Result<Option<i64>, Error> {
    let Some(text) = text else { return Ok(None) };
    let parsed = duration::parse(&text).and_then(|span| i64::try_from(span.as_nanos()).ok());
    let cause = format!("time: invalid duration {text:?}");
    let message = format!("invalid healthcheck-{what}: {cause}");
    parsed.map(Some).ok_or(Error::Failed { message, cause })
}

fn on_failure(word: &str) -> Result<OnUnhealthy, Error> {
    let all = [
        OnUnhealthy::None,
        OnUnhealthy::Kill,
        OnUnhealthy::Restart,
        OnUnhealthy::Stop,
    ];
    all.into_iter()
        .find(|action| action.word() == word)
        .ok_or_else(|| {
            let known = all.map(OnUnhealthy::word).join(",");
            Error::Plain(format!(
                "invalid on-failure action {word:?} for health check: supported actions are {known}"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_as_podmans_flag_is() {
        for (text, expected) in [
            ("true", vec!["CMD-SHELL", "true"]),
            ("echo a b", vec!["CMD-SHELL", "echo a b"]),
            ("CMD-SHELL echo a b", vec!["CMD-SHELL", "echo a b"]),
            ("CMD echo  a b", vec!["CMD", "echo", "a", "b"]),
            ("none", vec!["NONE"]),
            ("", vec!["CMD-SHELL", ""]),
            (r#"["CMD","a","b c"]"#, vec!["CMD", "a", "b c"]),
            (r#"["a","b"]"#, vec!["CMD", "a", "b"]),
            (r#"["a b"]"#, vec!["CMD-SHELL", "a b"]),
        ] {
            let found = command(Some(text.to_owned())).unwrap().unwrap();
            assert_eq!(found, expected, "{text}");
        }
        assert!(command(Some("[]".to_owned())).is_err());
    }

    #[test]
    fn words_become_numbers_or_podmans_refusal() {
        let asked = |json: &str| health_update(serde_json::from_str(json).unwrap());
        let update = asked(
            r#"{"health_interval": "disable", "health_timeout": "1m", "health_on_failure": "stop", "health_retries": 2}"#,
        );
        let update = update.unwrap();
        assert_eq!(update.check.interval_ns, Some(0));
        assert_eq!(update.check.timeout_ns, Some(60_000_000_000));
        assert_eq!(update.on_failure, Some(OnUnhealthy::Stop));
        assert_eq!(update.check.retries, Some(2));
        for (json, text) in [
            (
                r#"{"health_interval": "x"}"#,
                "invalid healthcheck-interval: time: invalid duration \"x\"",
            ),
            (
                r#"{"health_on_failure": "x"}"#,
                "invalid on-failure action \"x\" for health check: supported actions are none,kill,restart,stop",
            ),
        ] {
            assert_eq!(asked(json).unwrap_err().to_string(), text);
        }
        assert_eq!(asked("{}").unwrap(), HealthUpdate::default());
    }
}
