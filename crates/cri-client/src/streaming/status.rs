//! What is said at the end of a stream: Kubernetes' Status object in JSON, version 4 of the protocol.

use serde::Deserialize;

use crate::error::{Error, from_stream};

/// The longest text of an end. It carries what the OCI runtime wrote, some KiB.
pub(super) const MAX_STATUS: usize = 256 << 10;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    #[serde(rename = "status")]
    word: String,
    message: String,
    details: Option<Details>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    causes: Option<Vec<Cause>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Cause {
    reason: String,
    message: String,
}

/// The exit code, or what the runtime says went wrong.
pub(super) fn outcome(call: &'static str, json: &[u8]) -> Result<i32, Error> {
    let bad = |message: String| Error::BadAnswer { call, message };
    let status: Status = serde_json::from_slice(json).map_err(|error| {
        let text = String::from_utf8_lossy(json.get(..json.len().min(200)).unwrap_or_default());
        bad(format!("the stream ended with {text:?}: {error}"))
    })?;
    if status.word == "Success" {
        return Ok(0);
    }
    let causes = status.details.unwrap_or_default().causes;
    let code = causes
        .unwrap_or_default()
        .into_iter()
        .find(|cause| cause.reason == "ExitCode");
    match code {
        Some(code) => code
            .message
            .parse()
            .map_err(|_| bad(format!("an exit code of {:?}", code.message))),
        None => Err(from_stream(call, &status.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_as_measured_of_crio_and_containerd() {
        let of = |json: &str| outcome("Exec", json.as_bytes());
        assert_eq!(of(r#"{"metadata":{},"status":"Success"}"#), Ok(0));
        assert_eq!(of(r#"{"status":"Success"}"#), Ok(0));
        let code = r#"{"metadata":{},"status":"Failure","message":"command terminated with non-zero exit code: exit status 3",
            "reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"3"}]}}"#;
        assert_eq!(of(code), Ok(3));
        let missing = r#"{"status":"Failure","message":"Internal error occurred: error executing command in container: failed to exec in container: failed to start exec \"1\": OCI runtime exec failed: exec failed: unable to start container process: exec: \"nosuch\": executable file not found in $PATH: unknown","reason":"InternalError","code":500}"#;
        assert!(matches!(of(missing), Err(Error::CommandNotFound(_))));
        let failed = r#"{"status":"Failure","message":"Internal error occurred: error attaching to container: no"}"#;
        let Err(Error::Other(refusal)) = of(failed) else {
            panic!("{:?}", of(failed));
        };
        assert_eq!(refusal.message, "error attaching to container: no");
        assert_eq!(refusal.call, "Exec");
    }

    #[test]
    fn what_is_no_status_is_said_and_not_taken_for_success() {
        for json in ["", "{}", "[]", "x", r#"{"status":"Failure"}"#] {
            assert!(outcome("Exec", json.as_bytes()).is_err(), "{json}");
        }
        let odd =
            r#"{"status":"Failure","details":{"causes":[{"reason":"ExitCode","message":"x"}]}}"#;
        assert!(outcome("Exec", odd.as_bytes()).is_err());
        let null = r#"{"status":"Failure","message":"m","details":{"causes":null}}"#;
        assert!(matches!(
            outcome("Exec", null.as_bytes()),
            Err(Error::Other(_))
        ));
    }
}
