//! Why a request to the daemon was not answered, in words that say what to do.

use std::{error::Error, io, path::PathBuf, time::Duration};

use super::types::ApiError;

/// Why there is no answer, or not the one asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no socket, or nobody listens on it.
    #[error(
        "no Sluice daemon answers at {} ({reason}): start one with `sluice run --config FILE`, or name its socket with \
         --socket", socket.display()
    )]
    NoDaemon {
        /// The socket.
        socket: PathBuf,
        /// What was found instead.
        reason: &'static str,
    },
    /// The socket's permissions refuse the user.
    #[error(
        "permission denied on {}: only root and the socket's group may talk to the daemon. Use sudo, or join that group",
        socket.display()
    )]
    Denied {
        /// The socket.
        socket: PathBuf,
    },
    /// The operating system refused for another reason.
    #[error("cannot connect to {}: {source}", socket.display())]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The daemon did not answer in time.
    #[error(
        "the Sluice daemon at {} did not answer within {} s: is it stopped, or the machine overloaded? A change may \
         still take effect; look with `sluice status`", socket.display(), timeout.as_secs_f64()
    )]
    Timeout {
        /// The socket.
        socket: PathBuf,
        /// How long the client waited.
        timeout: Duration,
    },
    /// The connection broke before the answer was complete.
    #[error(
        "the Sluice daemon at {} broke the connection: {}. Its log says why", socket.display(), chain(source)
    )]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What the HTTP library saw.
        source: hyper::Error,
    },
    /// The answer is not one of this API's.
    #[error(
        "what answers at {} does not speak this version of Sluice's API: {reason}. Are `sluice` and the daemon of the \
         same version?", socket.display()
    )]
    Foreign {
        /// The socket.
        socket: PathBuf,
        /// What is wrong with the answer.
        reason: String,
    },
    /// The daemon refused.
    #[error(transparent)]
    Refused(#[from] ApiError),
}

impl ClientError {
    /// Whether the request is at fault (exit code 2) rather than the machine (exit code 1).
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Refused(error) if error.usage)
    }

    /// Whether there was no daemon to ask.
    pub fn is_no_daemon(&self) -> bool {
        matches!(self, Self::NoDaemon { .. })
    }

    pub(super) fn connect(socket: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => Self::NoDaemon { socket, reason: "there is no such socket" },
            io::ErrorKind::ConnectionRefused => {
                Self::NoDaemon { socket, reason: "nobody listens there: the daemon was killed, or it is not a socket" }
            }
            io::ErrorKind::PermissionDenied => Self::Denied { socket },
            _ => Self::Connect { socket, source },
        }
    }
}

/// An error with its causes: hyper's own text leaves them out.
fn chain(error: &dyn Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
