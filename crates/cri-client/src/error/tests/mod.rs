mod tables;

use super::*;

/// What is left of an error for a table.
fn kind(error: &Error) -> &'static str {
    match error {
        Error::NotFound(_) => "NotFound",
        Error::NameReserved { .. } => "NameReserved",
        Error::InvalidArgument(_) => "InvalidArgument",
        Error::WrongState(_) => "WrongState",
        Error::Unimplemented(_) => "Unimplemented",
        Error::Unavailable { .. } => "Unavailable",
        Error::DeadlineExceeded { .. } => "DeadlineExceeded",
        Error::ResourceExhausted(_) => "ResourceExhausted",
        Error::NoSuchHandler { .. } => "NoSuchHandler",
        Error::UnknownImage(_) => "UnknownImage",
        Error::ImageInUse(_) => "ImageInUse",
        Error::Unauthorized(_) => "Unauthorized",
        Error::CommandNotFound(_) => "CommandNotFound",
        Error::CommandNotExecutable(_) => "CommandNotExecutable",
        Error::BadAnswer { .. } => "BadAnswer",
        Error::NoRuntime { .. } => "NoRuntime",
        Error::Stream { .. } => "Stream",
        Error::Other(_) => "Other",
    }
}

fn error(call: &'static str, code: Code, text: &str) -> Error {
    from_status(call, &Status::new(code, text), Duration::from_secs(1))
}

#[test]
fn the_text_is_the_innermost_one() {
    let message = |text: &str| {
        let error = error("StartContainer", Code::Unknown, text);
        error.refusal().map(|refusal| refusal.message.clone())
    };
    let table = [
        ("plain", "plain"),
        ("rpc error: code = Unknown desc = inner", "inner"),
        (
            "outer: rpc error: code = Unknown desc = rpc error: code = NotFound desc = inner: unknown",
            "outer: inner",
        ),
        (
            "container create failed: time=\"2026\" level=warning msg=\"a\"\ntime=\"2026\" level=error msg=\"exec: \\\"x\\\": not\\\\found\"\n",
            "container create failed: exec: \"x\": not\\found",
        ),
        (
            "time=\"2026\" level=error msg=\"never closed",
            "time=\"2026\" level=error msg=\"never closed",
        ),
        ("rpc error: code = cut", "rpc error: code = cut"),
        (
            "the file nosuch was not found\n\nStack backtrace:\n   0: rustjail::process\n",
            "the file nosuch was not found",
        ),
    ];
    for (text, wanted) in table {
        assert_eq!(message(text).as_deref(), Some(wanted), "{text}");
    }
}

#[test]
fn a_refusal_says_which_handler_is_missing_and_who_holds_the_name() {
    for text in [
        "failed to find runtime handler kata from runtime list map[runc:0x1]",
        "unable to get OCI runtime for sandbox \"ec90\": no runtime for \"kata\" is configured",
    ] {
        let Error::NoSuchHandler { handler, .. } = error("RunPodSandbox", Code::Unknown, text)
        else {
            panic!("{text}");
        };
        assert_eq!(handler, "kata");
    }
    let text = "failed to reserve container name \"c\"; check if another CreateContainer request is in progress: name \"c\" is reserved for \"3b83\"";
    let Error::NameReserved { by, .. } = error("CreateContainer", Code::FailedPrecondition, text)
    else {
        panic!("{text}");
    };
    assert_eq!(by.as_deref(), Some("3b83"));
}

#[test]
fn an_error_names_its_call_and_code_and_whether_the_change_may_have_happened() {
    let late = error(
        "StopContainer",
        Code::DeadlineExceeded,
        "context deadline exceeded",
    );
    assert_eq!(
        (late.call(), late.code()),
        ("StopContainer", "DEADLINE_EXCEEDED")
    );
    assert!(late.maybe_done());
    let refused = error("StopContainer", Code::NotFound, "not found");
    assert_eq!(
        (refused.call(), refused.code()),
        ("StopContainer", "NOT_FOUND")
    );
    assert!(!refused.maybe_done());
}

#[test]
fn crio_http_answers_become_the_same_errors() {
    let table = [
        (
            404,
            "can't find the container with id deadbeef\n",
            "NotFound",
        ),
        (404, "404 page not found\n", "Unimplemented"),
        (
            409,
            "container is not in paused state, now is running\n",
            "WrongState",
        ),
        (500, "no space left on device", "Other"),
    ];
    for (status, text, wanted) in table {
        assert_eq!(
            kind(&from_http("CrioPause", status, text)),
            wanted,
            "{text}"
        );
    }
}
