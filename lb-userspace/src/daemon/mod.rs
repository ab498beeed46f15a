//! The daemon.

use std::path::PathBuf;

use crate::model::Paths;

/// What the daemon is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// Where it keeps its things.
    pub paths: Paths,
}

/// Why the daemon ended.
#[derive(Debug, thiserror::Error)]
#[error("this build has no daemon")]
pub struct DaemonError;

impl DaemonError {
    /// Whether the configuration is at fault (exit code 2) rather than the machine (exit code 1).
    pub fn is_usage(&self) -> bool {
        false
    }
}

/// Runs until it is told to stop.
pub async fn run(_options: Options) -> Result<(), DaemonError> {
    Err(DaemonError)
}
