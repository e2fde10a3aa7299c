//! What a runtime's refusal means. CRI-O answers UNKNOWN to most, containerd differs by version, and the
//! difference lies in the text: [`from_status`] is the one place that knows. It reads the call, the
//! code and the text; the texts were measured (CRI-O 1.36.3, containerd 1.6.20, 1.7.24, 2.1.9, runc 1.1.5).
//!
//! Errors are not logged here: whoever handles one logs it once.

mod texts;

use std::error::Error as _;
use std::time::Duration;

use tonic::{Code, Status};

use crate::endpoint::Endpoint;

/// A refusal, and the runtime's own text for it, without gRPC's wrapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the call: `StartContainer`.
    pub call: &'static str,
    /// gRPC's code in words (`UNKNOWN`), or an HTTP status (`HTTP 404`).
    pub code: &'static str,
    /// The runtime's text.
    pub message: String,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The container or sandbox does not exist.
    #[error("{}", .0.message)]
    NotFound(Refusal),
    /// Another sandbox or container has this name and attempt (containerd; CRI-O answers the old id).
    #[error("{}", .refusal.message)]
    NameReserved {
        /// The refusal.
        refusal: Refusal,
        /// The id of the holder, where the text names it.
        by: Option<String>,
    },
    /// The runtime does not take this configuration.
    #[error("{}", .0.message)]
    InvalidArgument(Refusal),
    /// Not possible in the state that the container or sandbox is in.
    #[error("{}", .0.message)]
    WrongState(Refusal),
    /// This runtime does not have this call.
    #[error("{} is not offered by this runtime: {}", .0.call, .0.message)]
    Unimplemented(Refusal),
    /// The runtime does not answer: it is down, restarting, or ended during the call.
    #[error("the runtime cannot be reached: {message}")]
    Unavailable {
        /// The name of the call.
        call: &'static str,
        /// Whether the request left: then the runtime may have done what was asked.
        sent: bool,
        /// What happened.
        message: String,
    },
    /// No answer in time. The runtime may have done what was asked, or may still do it.
    #[error("{call}: {message}")]
    DeadlineExceeded {
        /// The name of the call.
        call: &'static str,
        /// The deadline.
        after: Duration,
        /// The runtime's text where it gave up itself.
        message: String,
    },
    /// Too large an answer or request, or the runtime is out of something.
    #[error("{}", .0.message)]
    ResourceExhausted(Refusal),
    /// No runtime handler of this name is configured.
    #[error("{}", .refusal.message)]
    NoSuchHandler {
        /// The refusal.
        refusal: Refusal,
        /// The name that was asked for.
        handler: String,
    },
    /// No such image, in the store or at its registry.
    #[error("{}", .0.message)]
    UnknownImage(Refusal),
    /// The image cannot be removed while a container uses it (CRI-O).
    #[error("{}", .0.message)]
    ImageInUse(Refusal),
    /// The registry wants other credentials.
    #[error("{}", .0.message)]
    Unauthorized(Refusal),
    /// The command does not exist in the container: Podman's 127.
    #[error("{}", .0.message)]
    CommandNotFound(Refusal),
    /// The command exists but cannot be executed: Podman's 126.
    #[error("{}", .0.message)]
    CommandNotExecutable(Refusal),
    /// The runtime answered something that cannot be.
    #[error("{call}: {message}")]
    BadAnswer {
        /// The name of the call.
        call: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// A stream to a process could not be opened, or broke before the process had ended.
    #[error("{call}: the stream at {address}: {message}")]
    Stream {
        /// The name of the call that handed out its address: `Exec`, `Attach`.
        call: &'static str,
        /// The address, without its token.
        address: String,
        /// What happened.
        message: String,
    },
    /// None of the sockets that were tried belongs to a runtime that answers.
    #[error("no CRI runtime answers; tried {}", tried_in_words(.tried))]
    NoRuntime {
        /// Each endpoint and why it was not taken.
        tried: Vec<(Endpoint, String)>,
    },
    /// Anything else.
    #[error("{}", .0.message)]
    Other(Refusal),
}

/// In the connector: no connection could be made, so nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint}: {source}")]
pub(crate) struct NotConnected {
    pub(crate) endpoint: Endpoint,
    pub(crate) source: std::io::Error,
}

impl Error {
    /// The name of the call that failed; empty where no single one did.
    pub fn call(&self) -> &'static str {
        match self {
            Self::Unavailable { call, .. }
            | Self::DeadlineExceeded { call, .. }
            | Self::BadAnswer { call, .. }
            | Self::Stream { call, .. } => call,
            Self::NoRuntime { .. } => "",
            other => other.refusal().map_or("", |refusal| refusal.call),
        }
    }

    /// The code in words, for spans and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } | Self::NoRuntime { .. } => "UNAVAILABLE",
            Self::DeadlineExceeded { .. } => "DEADLINE_EXCEEDED",
            Self::BadAnswer { .. } => "BAD_ANSWER",
            Self::Stream { .. } => "STREAM",
            other => other.refusal().map_or("", |refusal| refusal.code),
        }
    }

    /// The runtime's answer, where it gave one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::NotFound(refusal)
            | Self::NameReserved { refusal, .. }
            | Self::InvalidArgument(refusal)
            | Self::WrongState(refusal)
            | Self::Unimplemented(refusal)
            | Self::ResourceExhausted(refusal)
            | Self::NoSuchHandler { refusal, .. }
            | Self::UnknownImage(refusal)
            | Self::ImageInUse(refusal)
            | Self::Unauthorized(refusal)
            | Self::CommandNotFound(refusal)
            | Self::CommandNotExecutable(refusal)
            | Self::Other(refusal) => Some(refusal),
            Self::Unavailable { .. }
            | Self::DeadlineExceeded { .. }
            | Self::BadAnswer { .. }
            | Self::Stream { .. }
            | Self::NoRuntime { .. } => None,
        }
    }

    /// Whether the runtime may have done what was asked although the call failed.
    pub fn maybe_done(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { sent: true, .. } | Self::DeadlineExceeded { .. }
        )
    }
}

/// The error of a status that came back from `call`, whose deadline was `after`.
pub(crate) fn from_status(call: &'static str, status: &Status, after: Duration) -> Error {
    if let Some(error) = from_transport(call, status) {
        return error;
    }
    let refusal = Refusal {
        call,
        code: code_in_words(status.code()),
        message: texts::clean(status.message()),
    };
    let refusal = match texts::by_text(refusal) {
        Ok(error) => return error,
        Err(refusal) => refusal,
    };
    match status.code() {
        Code::NotFound if call == "PullImage" => Error::UnknownImage(refusal),
        Code::NotFound => Error::NotFound(refusal),
        Code::AlreadyExists => Error::NameReserved { refusal, by: None },
        Code::InvalidArgument => Error::InvalidArgument(refusal),
        Code::FailedPrecondition => Error::WrongState(refusal),
        Code::Unimplemented => Error::Unimplemented(refusal),
        Code::ResourceExhausted => Error::ResourceExhausted(refusal),
        Code::Unauthenticated | Code::PermissionDenied => Error::Unauthorized(refusal),
        // the runtime's own word for "not now": what it did before saying so is unknown
        Code::Unavailable => Error::Unavailable {
            call,
            sent: true,
            message: refusal.message,
        },
        Code::DeadlineExceeded => Error::DeadlineExceeded {
            call,
            after,
            message: refusal.message,
        },
        // tonic's own word for a message above our limits
        Code::OutOfRange if refusal.message.contains("message length too large") => {
            Error::ResourceExhausted(refusal)
        }
        _ => Error::Other(refusal),
    }
}

/// A status made on this side, of a connection that could not be made or that broke: only those have a
/// source.
fn from_transport(call: &'static str, status: &Status) -> Option<Error> {
    let mut source = Some(status.source()?);
    let mut message = status.message().to_owned();
    while let Some(error) = source {
        if let Some(not_connected) = find_not_connected(error) {
            return Some(Error::Unavailable {
                call,
                sent: false,
                message: not_connected.to_string(),
            });
        }
        message = error.to_string(); // the innermost says most
        source = error.source();
    }
    Some(Error::Unavailable {
        call,
        sent: true,
        message: format!("the connection broke: {message}"),
    })
}

fn find_not_connected<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> Option<&'a NotConnected> {
    error.downcast_ref().or_else(|| {
        let io = error.downcast_ref::<std::io::Error>()?;
        io.get_ref()?.downcast_ref()
    })
}

/// The error of an HTTP answer of CRI-O's own API.
pub(crate) fn from_http(call: &'static str, status: u16, text: &str) -> Error {
    let code = match status {
        400 => "HTTP 400",
        404 => "HTTP 404",
        409 => "HTTP 409",
        500 => "HTTP 500",
        _ => "HTTP",
    };
    let refusal = Refusal {
        call,
        code,
        message: texts::clean(text.trim()),
    };
    match texts::by_text(refusal) {
        Ok(error) => error,
        // Go's own answer where no such path is served: an older CRI-O, or none
        Err(refusal) if refusal.message == "404 page not found" => Error::Unimplemented(refusal),
        Err(refusal) if status == 404 => Error::NotFound(refusal),
        Err(refusal) if status == 409 => Error::WrongState(refusal),
        Err(refusal) => Error::Other(refusal),
    }
}

/// The error that a stream's end tells, without the words that Kubernetes' servers put before each.
pub(crate) fn from_stream(call: &'static str, text: &str) -> Error {
    let text = text
        .strip_prefix("Internal error occurred: ")
        .unwrap_or(text);
    let refusal = Refusal {
        call,
        code: "FAILED",
        message: texts::clean(text),
    };
    texts::by_text(refusal).unwrap_or_else(Error::Other)
}

fn code_in_words(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

fn tried_in_words(tried: &[(Endpoint, String)]) -> String {
    let tried: Vec<_> = tried
        .iter()
        .map(|(endpoint, why)| format!("{endpoint} ({why})"))
        .collect();
    tried.join(", ")
}

#[cfg(test)]
mod tests;
