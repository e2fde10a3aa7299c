//! Errors as Podman answers them. Status codes live here and nowhere else.

use http::StatusCode;
use model::Error;
use model::error::Kind;
use podman_api::error::{DockerMessage, ErrorModel, PodConflict};

use super::body::{self, Reply};

/// What a request that failed is answered with.
#[derive(Debug)]
pub(crate) struct Failure {
    status: StatusCode,
    body: FailureBody,
    /// Something broke that the client did not cause.
    grave: bool,
}

#[derive(Debug)]
enum FailureBody {
    /// Podman's form.
    Model { cause: String, message: String },
    /// What happened to a pod's containers.
    Pod { id: String, errors: Vec<String> },
    /// A message alone: a compat pull that failed before it began.
    Message(String),
    /// A path of Docker's that Podman itself does not serve: no cause, and 0 for a response.
    Path(String),
}

impl Failure {
    /// A failure in Podman's form whose cause is its whole message.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::caused(status, message.clone(), message)
    }

    /// A failure in Podman's form.
    pub(crate) fn caused(
        status: StatusCode,
        message: impl Into<String>,
        cause: impl Into<String>,
    ) -> Self {
        let body = FailureBody::Model {
            cause: cause.into(),
            message: message.into(),
        };
        Self {
            status,
            body,
            grave: false,
        }
    }

    /// 400, the cause being the whole message.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// Something broke here.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self {
            grave: true,
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
        }
    }

    /// A path of Docker's that Podman does not serve either.
    pub(crate) fn unknown_path(message: String) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            body: FailureBody::Path(message),
            grave: false,
        }
    }

    /// A route of Podman that is not served: 501 says so before anything is done.
    pub(crate) fn not_served(what: &str) -> Self {
        let why = "this daemon does not carry it out yet";
        Self::from(Error::unsupported(what, why))
    }

    /// An error of a create request: of all that can be missing only a missing image is 404, and a
    /// field that is not carried out is the request's fault.
    pub(crate) fn of_create(error: &Error) -> Self {
        let failure = Self::of_update(error);
        match error {
            Error::NotFound {
                kind: Kind::Image, ..
            } => failure,
            Error::NotFound { .. } => failure.with_status(StatusCode::INTERNAL_SERVER_ERROR),
            _ => failure,
        }
    }

    /// An error of an update: a field that is not carried out is the request's fault.
    pub(crate) fn of_update(error: &Error) -> Self {
        let failure = Self::of(error);
        match error {
            Error::Unsupported { .. } => failure.with_status(StatusCode::BAD_REQUEST),
            _ => failure,
        }
    }

    fn of(error: &Error) -> Self {
        let body = match error {
            Error::PodErrors { id, errors } => FailureBody::Pod {
                id: id.to_string(),
                errors: errors.clone(),
            },
            other => FailureBody::Model {
                cause: other.cause(),
                message: other.to_string(),
            },
        };
        Self {
            status: status(error),
            body,
            grave: grave(error),
        }
    }

    /// The same with another status, where Podman answers this route differently.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    /// The same as a message alone.
    pub(crate) fn message_alone(self) -> Self {
        let message = self.message();
        Self {
            body: FailureBody::Message(message),
            ..self
        }
    }

    /// The status.
    #[cfg(test)]
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The whole message.
    pub(crate) fn message(&self) -> String {
        match &self.body {
            FailureBody::Model { message, .. }
            | FailureBody::Message(message)
            | FailureBody::Path(message) => message.clone(),
            FailureBody::Pod { errors, .. } => errors.join(", "),
        }
    }

    /// Writes it to the log where nobody else would: what broke here or at the runtime as an error,
    /// other answers of 500 and above (Podman's for many a user's mistake) as a warning.
    pub(crate) fn log(&self) {
        let (status, message) = (self.status.as_u16(), self.message());
        match &self.body {
            FailureBody::Model { cause, .. } if self.grave => {
                tracing::error!(status, cause, message, "request failed");
            }
            _ if self.grave => tracing::error!(status, message, "request failed"),
            _ if self.status.is_server_error() => tracing::warn!(status, message, "request failed"),
            _ => tracing::debug!(status, message, "request refused"),
        }
    }

    /// The answer.
    pub(crate) fn into_reply(self) -> Reply {
        let status = self.status;
        let written = match self.body {
            FailureBody::Model { cause, message } => body::json(
                status,
                &ErrorModel {
                    cause,
                    message,
                    response: status.as_u16(),
                },
            ),
            FailureBody::Pod { id, errors } => {
                body::json(status, &PodConflict { errs: errors, id })
            }
            FailureBody::Message(message) => body::json(status, &DockerMessage { message }),
            FailureBody::Path(message) => body::json(
                status,
                &ErrorModel {
                    message,
                    ..ErrorModel::default()
                },
            ),
        };
        written.unwrap_or_else(|_| body::empty(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::of(&error)
    }
}

/// Podman's status of each error.
fn status(error: &Error) -> StatusCode {
    match error {
        Error::NotFound { .. } => StatusCode::NOT_FOUND,
        Error::NameInUse { kind, .. } => match kind {
            Kind::Container | Kind::Volume | Kind::Secret => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::Pod | Kind::Image | Kind::Network | Kind::ExecSession | Kind::Path => {
                StatusCode::CONFLICT
            }
        },
        Error::WrongStateConflict(_) | Error::Conflict { .. } | Error::PodErrors { .. } => {
            StatusCode::CONFLICT
        }
        Error::BadRequest(_) => StatusCode::BAD_REQUEST,
        Error::Foreign { .. } | Error::Forbidden(_) | Error::KubeletNode { .. } => {
            StatusCode::FORBIDDEN
        }
        Error::Unsupported { .. } => StatusCode::NOT_IMPLEMENTED,
        Error::BuilderUnavailable { .. } | Error::RuntimeUnavailable { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        Error::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
        Error::Ambiguous(_)
        | Error::WrongState(_)
        | Error::WrongExecState(_)
        | Error::InvalidArgument(_)
        | Error::Plain(_)
        | Error::Failed { .. }
        | Error::Malformed { .. }
        | Error::CommandNotFound(_)
        | Error::CommandNotExecutable(_)
        | Error::RuntimeNotFound { .. }
        | Error::Runtime { .. }
        | Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The client did not cause it.
fn grave(error: &Error) -> bool {
    matches!(
        error,
        Error::RuntimeUnavailable { .. }
            | Error::RuntimeNotFound { .. }
            | Error::Runtime { .. }
            | Error::Timeout { .. }
            | Error::Internal(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Id;

    fn in_use(kind: Kind) -> Error {
        Error::NameInUse {
            kind,
            message: "m".to_owned(),
        }
    }

    fn check(rows: impl IntoIterator<Item = (Error, u16)>) {
        for (error, expected) in rows {
            assert_eq!(Failure::of(&error).status().as_u16(), expected, "{error:?}");
        }
    }

    fn text() -> String {
        "x".to_owned()
    }

    #[test]
    fn names_have_podmans_status() {
        let kinds = [
            (Kind::Container, 500),
            (Kind::Pod, 409),
            (Kind::Volume, 500),
            (Kind::Image, 409),
            (Kind::Network, 409),
        ];
        check(kinds.map(|(kind, status)| (in_use(kind), status)));
        check(kinds.map(|(kind, _)| (Error::not_found(kind, "x"), 404)));
        check([(Error::Ambiguous(text()), 500)]);
    }

    #[test]
    fn states_have_podmans_status() {
        let (message, cause) = (text(), text());
        let (id, errors) = (Id::generate(), Vec::new());
        check([
            (Error::WrongState(text()), 500),
            (Error::WrongExecState(text()), 500),
            (Error::WrongStateConflict(text()), 409),
            (Error::Conflict { message, cause }, 409),
            (Error::PodErrors { id, errors }, 409),
            (Error::CommandNotFound(text()), 500),
            (Error::CommandNotExecutable(text()), 500),
        ]);
    }

    #[test]
    fn requests_that_cannot_be_meant_have_podmans_status() {
        let (context, cause) = (text(), text());
        let (kind, name) = ("container", text());
        check([
            (Error::InvalidArgument(text()), 500),
            (Error::Plain(text()), 500),
            (Error::Malformed { context, cause }, 500),
            (Error::BadRequest(text()), 400),
            (Error::unsupported("x", "y"), 501),
            (
                Error::Foreign {
                    kind,
                    name,
                    managed: false,
                },
                403,
            ),
            (Error::KubeletNode { kubelet: text() }, 403),
        ]);
    }

    #[test]
    fn what_broke_has_its_status_and_is_grave() {
        let (call, endpoint, message) = ("x", text(), text);
        let rows = [
            (
                Error::RuntimeUnavailable {
                    endpoint,
                    message: message(),
                },
                503,
            ),
            (
                Error::RuntimeNotFound {
                    call,
                    message: message(),
                },
                500,
            ),
            (
                Error::Runtime {
                    call,
                    message: message(),
                },
                500,
            ),
            (
                Error::Timeout {
                    call,
                    after_secs: 1,
                },
                504,
            ),
            (Error::Internal(message()), 500),
        ];
        assert!(rows.iter().all(|(error, _)| grave(error)));
        check(rows);
    }

    #[test]
    fn at_create_only_a_missing_image_is_404() {
        let rows = [
            (Error::not_found(Kind::Image, "x"), 404),
            (Error::not_found(Kind::Pod, "x"), 500),
            (Error::not_found(Kind::Network, "x"), 500),
            (Error::unsupported("secrets", "they come later"), 400),
            (in_use(Kind::Pod), 409),
        ];
        for (error, expected) in rows {
            assert_eq!(
                Failure::of_create(&error).status().as_u16(),
                expected,
                "{error:?}"
            );
        }
    }
}
