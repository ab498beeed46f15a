//! A command that did not do what it was asked to: the message and the exit code.

use std::{fmt, io, io::Write};

use crate::api::{ClientError, types::ApiError};

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is something to say about it; exit code 1, or 2 if the command line or the configuration is at fault.
    Said(ApiError),
    /// Nobody reads the output any more (`sluice backends | head -1`): nothing to say, and nothing wrong.
    Unread,
}

impl Failure {
    /// The command line or the configuration is at fault.
    pub(super) fn usage(message: impl fmt::Display) -> Self {
        Self::Said(ApiError::usage(message))
    }

    /// The machine is at fault.
    pub(super) fn machine(message: impl fmt::Display) -> Self {
        Self::Said(ApiError::failure(message))
    }

    /// Prints the failure and returns the exit code.
    pub(super) fn report(&self, json: bool, errors: &mut dyn Write) -> u8 {
        let Self::Said(error) = self else { return 0 };
        let text = if json { serde_json::to_string(error).ok() } else { None };
        // If standard error is closed, the exit code must be enough.
        drop(match text {
            Some(text) => writeln!(errors, "{text}"),
            None => writeln!(errors, "error: {error}"),
        });
        if error.usage { 2 } else { 1 }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        if error.is_usage() { Self::usage(error) } else { Self::machine(error) }
    }
}

/// Writing the output is the only input or output that verbs do without saying more about it.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::machine(format_args!("cannot write the output: {error}")),
        }
    }
}
