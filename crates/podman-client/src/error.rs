//! What can go wrong between here and Podman.

use std::path::PathBuf;

use http::StatusCode;
use serde::Deserialize;

/// An error of a call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody accepts connections there.
    #[error("unix://{}: {source}", socket.display())]
    Unreachable {
        /// The socket.
        socket: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The connection broke, or what came is not HTTP.
    #[error("the connection to Podman broke: {0}")]
    Broke(#[from] hyper::Error),
    /// Podman refused: its own message.
    #[error("{message}")]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its message.
        message: String,
    },
    /// Podman's answer cannot be meant.
    #[error("Podman's answer cannot be read: {0}")]
    BadAnswer(String),
    /// No answer in time.
    #[error("no answer from Podman within {0:?}")]
    Late(std::time::Duration),
}

/// An error body of either API.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

impl Error {
    /// What a refusal's body says.
    pub(crate) fn refused(status: StatusCode, body: &[u8]) -> Self {
        let message = serde_json::from_slice(body).map_or_else(
            |_| String::from_utf8_lossy(body).trim().to_owned(),
            |Refusal { message }| message,
        );
        Self::Refused { status, message }
    }
}
