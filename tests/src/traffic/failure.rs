//! How a request fails.

use std::{error::Error, fmt, io};

/// What a client saw instead of an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// No connection within the time allowed.
    ConnectTimeout,
    /// The connection was refused: nobody listens there.
    Refused,
    /// There is no way to the address.
    Unreachable,
    /// A connection, and then no answer within the time allowed.
    AnswerTimeout,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer was complete.
    Closed,
    /// An answer that says that the request failed, with its status.
    Status(u16),
    /// An answer that is not what was sent for.
    Wrong,
    /// Something else, in the system's words.
    Other(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectTimeout => write!(formatter, "no connection in time"),
            Self::Refused => write!(formatter, "refused"),
            Self::Unreachable => write!(formatter, "unreachable"),
            Self::AnswerTimeout => write!(formatter, "no answer in time"),
            Self::Reset => write!(formatter, "reset"),
            Self::Closed => write!(formatter, "closed early"),
            Self::Status(status) => write!(formatter, "status {status}"),
            Self::Wrong => write!(formatter, "wrong answer"),
            Self::Other(words) => write!(formatter, "{words}"),
        }
    }
}

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Self::Unreachable,
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Reset,
            io::ErrorKind::TimedOut => Self::ConnectTimeout,
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        if let Some(cause) = error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
            return Self::from(cause);
        }
        if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
            return Self::Closed;
        }
        Self::Other(error.to_string())
    }
}
