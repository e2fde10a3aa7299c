//! What can go wrong, in Podman's words.
//!
//! A variant is a cause with its data; its `Display` is the whole message as Podman words it
//! (recorded answers), and [`Error::cause`] the innermost part of it. The HTTP status belongs to
//! the `http` module of the program alone.

use crate::Id;

/// The kinds of objects that a name can be looked up among.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A container.
    Container,
    /// A pod.
    Pod,
    /// An image.
    Image,
    /// A named volume.
    Volume,
    /// A network.
    Network,
    /// An exec session.
    ExecSession,
    /// A path in a container.
    Path,
    /// A secret.
    Secret,
}

impl Kind {
    /// Podman's cause for an object of this kind that does not exist.
    pub fn unknown(self) -> &'static str {
        match self {
            Self::Container => "no such container",
            Self::Pod => "no such pod",
            Self::Image => "image not known",
            Self::Volume => "no such volume",
            Self::Network => "network not found",
            Self::ExecSession => "no such exec session",
            Self::Path => "no such file or directory",
            Self::Secret => "no such secret",
        }
    }
}

/// Podman's words for a command that is not there, and for a mount's missing source (recorded).
const NOT_FOUND: &str = "OCI runtime attempted to invoke a command that was not found";
/// Podman's words for a command that cannot be executed (recorded).
const NOT_EXECUTABLE: &str = "OCI permission denied";

/// Why something of somebody else stays as it is.
fn foreign_stays(managed: bool) -> &'static str {
    match managed {
        false => {
            "is not changed by it (with --manage-foreign it can be stopped, killed and removed)"
        }
        true => {
            "is not started or restarted by it: CRI starts a container once, and only who made it can make it anew"
        }
    }
}

/// The engine's error: what an operation could not do, and why.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// Nothing of that name or id. `message` is the whole text, which differs by operation.
    #[error("{message}")]
    NotFound {
        /// What was looked for.
        kind: Kind,
        /// The whole message, its cause included.
        message: String,
    },
    /// A short id or name that fits several objects.
    #[error("{0}")]
    Ambiguous(String),
    /// The name belongs to another object. `message` is the whole text.
    #[error("{message}")]
    NameInUse {
        /// What the name belongs to.
        kind: Kind,
        /// The whole message, its cause included.
        message: String,
    },
    /// The object is in a state that does not allow the operation, answered as 500 by Podman.
    #[error("{0}: container state improper")]
    WrongState(String),
    /// The same for operations that Podman answers with 409 (kill).
    #[error("{0}: container state improper")]
    WrongStateConflict(String),
    /// The exec session is in a state that does not allow the operation.
    #[error("{0}: exec session state improper")]
    WrongExecState(String),
    /// A conflict with what exists (409), the whole text given.
    #[error("{message}")]
    Conflict {
        /// The whole message.
        message: String,
        /// Its innermost part.
        cause: String,
    },
    /// A value that cannot be meant.
    #[error("{0}: invalid argument")]
    InvalidArgument(String),
    /// Text as Podman gives it, answered as 500.
    #[error("{0}")]
    Plain(String),
    /// The same with the cause apart, where the message goes on behind it.
    #[error("{message}")]
    Failed {
        /// The whole message.
        message: String,
        /// Its cause.
        cause: String,
    },
    /// JSON that cannot be read (a body, a query value), answered as 500; on events 400.
    #[error("{context}: {cause}")]
    Malformed {
        /// What Podman was reading: `decode()`, `failed to decode filter parameters for …`.
        context: String,
        /// Go's text.
        cause: String,
    },
    /// A request that Podman refuses with 400.
    #[error("{0}")]
    BadRequest(String),
    /// A field or an operation that is not carried out here, by name and with the reason.
    #[error("{what} is not supported: {why}")]
    Unsupported {
        /// The field as the client spells it, or the operation.
        what: String,
        /// Why not, in one sentence.
        why: String,
    },
    /// The object belongs to somebody else (a kubelet, crictl).
    #[error("{kind} {name} was not made by this daemon and {}", foreign_stays(*.managed))]
    Foreign {
        /// "container" or "pod".
        kind: &'static str,
        /// How the request named it.
        name: String,
        /// It may be stopped, killed and removed, which is not what was asked for.
        managed: bool,
    },
    /// The daemon's own configuration forbids it.
    #[error("{0}")]
    Forbidden(String),
    /// A kubelet serves this runtime: nothing is created or started there.
    #[error(
        "{kubelet} serves this runtime, and a kubelet removes what it does not know: nothing is created or \
             started here. Give podman-cri a runtime of its own, let that kubelet run a static pod, or force it with \
             --on-kubelet-node=allow"
    )]
    KubeletNode {
        /// Which, and how it was found.
        kubelet: String,
    },
    /// The command of a container is missing in its root file system (exit code 127).
    #[error("{0}")]
    CommandNotFound(String),
    /// The command of a container cannot be executed (exit code 126).
    #[error("{0}")]
    CommandNotExecutable(String),
    /// The builder does not answer.
    #[error(
        "building needs Podman, which does not answer ({message}): start its service with `systemctl start \
         podman.socket`, or name its socket with --podman"
    )]
    BuilderUnavailable {
        /// Its socket, and what came back.
        message: String,
    },
    /// The runtime does not answer.
    #[error("the container runtime at {endpoint} cannot be reached: {message}")]
    RuntimeUnavailable {
        /// Its socket.
        endpoint: String,
        /// What was tried and what came back.
        message: String,
    },
    /// The runtime knows no such object; the engine turns this into what it means there.
    #[error("{call}: {message}")]
    RuntimeNotFound {
        /// The CRI call.
        call: &'static str,
        /// The runtime's own text.
        message: String,
    },
    /// The runtime refused a call.
    #[error("{call}: {message}")]
    Runtime {
        /// The CRI call.
        call: &'static str,
        /// The runtime's own text.
        message: String,
    },
    /// The runtime did not answer in time.
    #[error("{call}: no answer from the runtime within {after_secs} s")]
    Timeout {
        /// The CRI call.
        call: &'static str,
        /// Its deadline in seconds.
        after_secs: u64,
    },
    /// Something here broke: the store, a file.
    #[error("{0}")]
    Internal(String),
    /// Pod operations that went wrong for some containers: Podman's report, answered as 409.
    #[error("{}", .errors.join(", "))]
    PodErrors {
        /// The pod.
        id: Id,
        /// One text for each container that failed.
        errors: Vec<String>,
    },
}

impl Error {
    /// `no container with name or ID "x" found: no such container` and its sisters.
    pub fn not_found(kind: Kind, name: &str) -> Self {
        let message = match kind {
            Kind::Container => {
                format!("no container with name or ID \"{name}\" found: no such container")
            }
            Kind::Pod => format!("no pod with name or ID {name} found: no such pod"),
            Kind::Image => format!("failed to find image {name}: {name}: image not known"),
            Kind::Volume => format!("no volume with name \"{name}\" found: no such volume"),
            Kind::Network => {
                format!("unable to find network with name or ID {name}: network not found")
            }
            Kind::ExecSession => {
                format!("no exec session with ID {name} found: no such exec session")
            }
            Kind::Path => format!("{name}: no such file or directory"),
            Kind::Secret => format!("no secret with name or id \"{name}\": no such secret"),
        };
        Self::NotFound { kind, message }
    }

    /// A refusal of a field by name.
    pub fn unsupported(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Unsupported {
            what: what.into(),
            why: why.into(),
        }
    }

    /// JSON that cannot be read, with what Podman was reading.
    pub fn malformed(context: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::Malformed {
            context: context.into(),
            cause: cause.into(),
        }
    }

    /// A command, or the source of a mount, that is not there: the OCI runtime's text and Podman's.
    pub fn command_not_found(text: impl std::fmt::Display) -> Self {
        Self::CommandNotFound(format!("{text}: {NOT_FOUND}"))
    }

    /// A command that cannot be executed: the OCI runtime's text and Podman's.
    pub fn command_not_executable(text: impl std::fmt::Display) -> Self {
        Self::CommandNotExecutable(format!("{text}: {NOT_EXECUTABLE}"))
    }

    /// An internal error from whatever failed.
    pub fn internal(error: impl std::fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// The same behind what was being done, as Podman wraps its errors: 500 with the cause as it is.
    #[must_use]
    pub fn behind(self, doing: &str) -> Self {
        Self::Failed {
            message: format!("{doing}: {self}"),
            cause: self.cause(),
        }
    }

    /// The innermost part of the message, Podman's `cause`.
    pub fn cause(&self) -> String {
        match self {
            Self::NotFound { kind, message } => match message.ends_with(kind.unknown()) {
                true => kind.unknown().to_owned(),
                false => message.clone(),
            },
            Self::NameInUse { kind, .. } => match kind {
                Kind::Pod => "pod already exists".to_owned(),
                Kind::Volume => "volume already exists".to_owned(),
                Kind::Secret => "secret name in use".to_owned(),
                Kind::Container | Kind::Image | Kind::Network | Kind::ExecSession | Kind::Path => {
                    "that name is already in use".to_owned()
                }
            },
            Self::WrongState(_) | Self::WrongStateConflict(_) => {
                "container state improper".to_owned()
            }
            Self::WrongExecState(_) => "exec session state improper".to_owned(),
            Self::Conflict { cause, .. }
            | Self::Failed { cause, .. }
            | Self::Malformed { cause, .. } => cause.clone(),
            Self::InvalidArgument(_) => "invalid argument".to_owned(),
            Self::Unsupported { why, .. } => why.clone(),
            Self::Runtime { message, .. } | Self::RuntimeNotFound { message, .. } => {
                message.clone()
            }
            // Podman's own words stand last, after the OCI runtime's
            Self::CommandNotFound(text) | Self::CommandNotExecutable(text) => {
                text.rsplit(": ").next().unwrap_or(text).to_owned()
            }
            Self::KubeletNode { .. } => "a kubelet serves this runtime".to_owned(),
            Self::Ambiguous(_)
            | Self::Forbidden(_)
            | Self::Plain(_)
            | Self::BadRequest(_)
            | Self::Foreign { .. }
            | Self::BuilderUnavailable { .. }
            | Self::RuntimeUnavailable { .. }
            | Self::Timeout { .. }
            | Self::Internal(_)
            | Self::PodErrors { .. } => self.to_string(),
        }
    }
}
