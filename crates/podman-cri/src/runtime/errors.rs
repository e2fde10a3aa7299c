//! What a runtime's refusal means to the engine.

use cri_client::{Endpoint, Error as CriError, Refusal};
use model::Error;
use model::error::Kind;

/// The one place where `cri-client`'s errors become the engine's.
pub(super) fn runtime_error(endpoint: &Endpoint, error: CriError) -> Error {
    match error {
        CriError::NotFound(Refusal { call, message, .. }) => {
            Error::RuntimeNotFound { call, message }
        }
        CriError::UnknownImage(refusal) => Error::NotFound {
            kind: Kind::Image,
            message: match refusal.message.ends_with(Kind::Image.unknown()) {
                true => refusal.message, // CRI-O says it itself
                false => format!("{}: {}", refusal.message, Kind::Image.unknown()),
            },
        },
        CriError::CommandNotFound(refusal) => Error::command_not_found(oci_text(&refusal.message)),
        CriError::CommandNotExecutable(refusal) => {
            Error::command_not_executable(oci_text(&refusal.message))
        }
        CriError::NoSuchHandler { handler, .. } => no_such_handler(&handler, &[]),
        CriError::Unimplemented(Refusal { call, message, .. }) => Error::unsupported(
            call,
            format!("the container runtime does not offer it ({message})"),
        ),
        CriError::Unavailable { message, .. } => Error::RuntimeUnavailable {
            endpoint: endpoint.to_string(),
            message,
        },
        CriError::NoRuntime { .. } => Error::RuntimeUnavailable {
            endpoint: endpoint.to_string(),
            message: error.to_string(),
        },
        CriError::DeadlineExceeded { call, after, .. } => Error::Timeout {
            call,
            after_secs: after.as_secs(),
        },
        CriError::BadAnswer { call, message } => Error::Runtime { call, message },
        CriError::Stream {
            call,
            address,
            message,
        } => Error::Runtime {
            call,
            message: format!("the stream at {address}: {message}"),
        },
        CriError::NameReserved { refusal, .. }
        | CriError::InvalidArgument(refusal)
        | CriError::WrongState(refusal)
        | CriError::ResourceExhausted(refusal)
        | CriError::ImageInUse(refusal)
        | CriError::Unauthorized(refusal)
        | CriError::Other(refusal) => refused(refusal),
    }
}

/// The same for the image service, where an unknown image is the registry's answer and its text says why.
pub(super) fn image_error(endpoint: &Endpoint, error: CriError) -> Error {
    match error {
        CriError::UnknownImage(refusal) => refused(refusal),
        other => runtime_error(endpoint, other),
    }
}

/// Stopping or removing what is gone is done (containerd 1.6 says `NOT_FOUND` to a stop, the others OK).
pub(super) fn gone_is_done(result: Result<(), CriError>) -> Result<(), CriError> {
    match result {
        Err(CriError::NotFound(_)) => Ok(()),
        other => other,
    }
}

/// containerd's answer to a call on a container or sandbox whose shim ends at that moment (measured).
pub(super) fn shim_ended(error: &CriError) -> bool {
    matches!(error, CriError::Other(Refusal { code: "UNKNOWN", message, .. }) if message.contains("ttrpc: closed"))
}

/// An unknown runtime handler, told with those that exist.
pub(super) fn no_such_handler(handler: &str, known: &[String]) -> Error {
    let known = match known {
        [] => "the runtime does not say which it has".to_owned(),
        known => format!("the runtime has {}", known.join(", ")),
    };
    Error::InvalidArgument(format!(
        "runtime handler \"{handler}\" is not configured; {known}"
    ))
}

fn refused(Refusal { call, message, .. }: Refusal) -> Error {
    Error::Runtime { call, message }
}

/// A user or group that the image does not know, in Podman's words (recorded of 5.8.6). containerd names
/// neither; an image's own USER can be meant too, and then the runtime's text has to do.
pub(super) fn unknown_user(error: &CriError, asked: &str) -> Option<Error> {
    let CriError::Other(Refusal { message, .. }) = error else {
        return None;
    };
    let (user, group) = asked.split_once(':').unwrap_or((asked, ""));
    let says = |texts: [&str; 2]| texts.iter().any(|text| message.contains(text));
    // containerd, CRI-O
    let text = if !user.is_empty() && says(["no users found", "unable to find user "]) {
        format!("unable to find user {user}: no matching entries in passwd file")
    } else if !group.is_empty() && says(["no groups found", "unable to find group "]) {
        format!("unable to find group {group}: no matching entries in group file")
    } else {
        return None;
    };
    Some(Error::Plain(text))
}

/// The OCI runtime's own words, headed by its name as Podman does, without what the CRI runtime and conmon
/// wrap round them.
fn oci_text(message: &str) -> String {
    const STARTS: [(&str, &str); 3] = [
        ("runc create failed", "runc: "),
        ("executable file `", "crun: "),
        ("exec: \"", ""),
    ];
    let plain = message.replace("\\\"", "\"");
    let found = STARTS
        .iter()
        .find_map(|(mark, head)| Some((plain.find(mark)?, head)));
    let text = match found {
        Some((at, head)) => format!("{head}{}", plain.get(at..).unwrap_or_default()),
        None => plain,
    };
    text.trim_end_matches(['\n', '"', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn endpoint() -> Endpoint {
        "/run/x.sock".parse().unwrap()
    }

    fn refusal(message: &str) -> Refusal {
        Refusal {
            call: "StartContainer",
            code: "UNKNOWN",
            message: message.to_owned(),
        }
    }

    #[test]
    fn what_is_gone_counts_as_stopped_and_removed_and_nothing_else_does() {
        assert!(gone_is_done(Err(CriError::NotFound(refusal("x")))).is_ok());
        assert!(gone_is_done(Err(CriError::Other(refusal("x")))).is_err());
    }

    #[test]
    fn a_missing_command_has_podmans_words_round_the_oci_runtimes() {
        let containerd = "failed to create containerd task: failed to create shim task: OCI runtime create failed: \
            runc create failed: unable to start container process: exec: \"nosuch\": executable file not found in $PATH";
        let crio = "container create failed: time=\"2026-11-23T19:00:00Z\" level=error msg=\"runc create failed: unable \
            to start container process: exec: \\\"nosuch\\\": executable file not found in $PATH\"\n";
        for text in [containerd, crio] {
            let error = runtime_error(&endpoint(), CriError::CommandNotFound(refusal(text)));
            assert!(matches!(error, Error::CommandNotFound(_)));
            let shown = error.to_string();
            let wanted = "runc: runc create failed: unable to start container process: exec: \"nosuch\": \
                executable file not found in $PATH: ";
            let words = "OCI runtime attempted to invoke a command that was not found";
            assert_eq!(shown, format!("{wanted}{words}"));
            assert_eq!(error.cause(), words);
        }
    }

    #[test]
    fn an_unknown_user_or_group_is_told_in_podmans_words_whatever_the_runtime_says() {
        let table = [
            (
                "mount callback failed on /x: no users found",
                "nosuch",
                Some("unable to find user nosuch: no matching entries in passwd file"),
            ),
            (
                "get exec user: unable to find user nosuch: no matching entries in passwd file",
                "nosuch:5",
                Some("unable to find user nosuch: no matching entries in passwd file"),
            ),
            (
                "mount callback failed on /x: no groups found",
                "web:nosuch",
                Some("unable to find group nosuch: no matching entries in group file"),
            ),
            (
                "get exec user: unable to find group nosuch: no matching entries in group file",
                "web:nosuch",
                Some("unable to find group nosuch: no matching entries in group file"),
            ),
            ("no users found", "", None),
            ("something else", "web", None),
        ];
        for (text, asked, wanted) in table {
            let made =
                unknown_user(&CriError::Other(refusal(text)), asked).map(|error| error.to_string());
            assert_eq!(made.as_deref(), wanted, "{text}");
        }
    }

    #[test]
    fn an_unknown_handler_is_told_with_those_that_exist() {
        assert_eq!(
            no_such_handler("kata", &["other".into(), "runc".into()]).to_string(),
            "runtime handler \"kata\" is not configured; the runtime has other, runc: invalid argument"
        );
        assert!(
            no_such_handler("kata", &[])
                .to_string()
                .contains("does not say")
        );
    }

    #[test]
    fn each_cause_becomes_the_engines_own() {
        let of = |error| runtime_error(&endpoint(), error);
        assert!(matches!(
            of(CriError::NotFound(refusal("x"))),
            Error::RuntimeNotFound { .. }
        ));
        assert!(matches!(
            of(CriError::UnknownImage(refusal("x"))),
            Error::NotFound {
                kind: Kind::Image,
                ..
            }
        ));
        assert!(matches!(
            of(CriError::Unimplemented(refusal("x"))),
            Error::Unsupported { .. }
        ));
        let down = CriError::Unavailable {
            call: "Version",
            sent: false,
            message: "gone".into(),
        };
        assert!(matches!(of(down), Error::RuntimeUnavailable { .. }));
        let slow = CriError::DeadlineExceeded {
            call: "StartContainer",
            after: Duration::from_secs(7),
            message: String::new(),
        };
        assert!(matches!(of(slow), Error::Timeout { after_secs: 7, .. }));
        let unknown = image_error(
            &endpoint(),
            CriError::UnknownImage(refusal("manifest unknown")),
        );
        assert_eq!(unknown.to_string(), "StartContainer: manifest unknown");
    }
}
