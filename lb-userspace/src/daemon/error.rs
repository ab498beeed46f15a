//! Why the daemon did not start, or ended.

use std::{io, path::PathBuf};

use lb_common::DropReason;

use super::{guard::Covered, listed::FileError};
use crate::{
    api::{BindError, Operator, types::ApiError},
    config::ReadError,
    dataplane::DataplaneError,
    lists::ComposeError,
    plan::PlanError,
    routes::RoutesError,
};

/// Why the daemon did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The configuration cannot be read or is wrong.
    #[error(transparent)]
    Config(#[from] ReadError),
    /// An interface of the configuration does not exist.
    #[error("there is no interface `{name}` (there are: {present}); correct `interfaces` in the configuration")]
    NoInterface {
        /// The name.
        name: String,
        /// The interfaces that exist.
        present: String,
    },
    /// The tables are too small for the configuration.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The lists cannot be made so.
    #[error(transparent)]
    Lists(#[from] ComposeError),
    /// The file of a list cannot be used.
    #[error(transparent)]
    ListFile(#[from] FileError),
    /// A deny list would cut something off.
    #[error(transparent)]
    Covered(#[from] Covered),
    /// Whoever asks would cut himself off.
    #[error(
        "this would {consequence}, from {} to {} ({}: {}): let it in first, with the allow list or a rule that passes it, \
         or insist with --force; nothing was changed",
        operator.client.ip(), operator.server, reason.name(), reason.explanation()
    )]
    CutOff {
        /// What it would do to him.
        consequence: &'static str,
        /// His connection.
        operator: Operator,
        /// Why its packets would be dropped.
        reason: DropReason,
    },
    /// The datapath could not be tried out.
    #[error(transparent)]
    Explain(#[from] ApiError),
    /// The kernel refused something.
    #[error(transparent)]
    Dataplane(#[from] DataplaneError),
    /// Netlink refused something.
    #[error(transparent)]
    Routes(#[from] RoutesError),
    /// The socket could not be made.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Another daemon has the pins.
    #[error("another Sluice daemon uses the pins in {}: stop it, or give this one its own --pins and --socket", .0.display())]
    PinsInUse(PathBuf),
    /// A file or directory of the daemon's cannot be used.
    #[error("could not use {}", path.display())]
    State {
        /// The file or directory.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// The configuration file could not be written; the change was taken back.
    #[error("could not write {}; the change was taken back", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// There are no random numbers for the keys of SYN protection.
    #[error("could not read /dev/urandom")]
    Random(#[source] io::Error),
    /// Signals cannot be caught.
    #[error("could not listen for signals")]
    Signal(#[source] io::Error),
    /// The API's server failed.
    #[error("the API's server failed")]
    Api(#[source] io::Error),
}

impl DaemonError {
    /// Whether the configuration is at fault (exit code 2) rather than the machine (exit code 1).
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Config(_)
                | Self::NoInterface { .. }
                | Self::Plan(_)
                | Self::Lists(_)
                | Self::ListFile(_)
                | Self::Covered(_)
                | Self::CutOff { .. }
        )
    }
}
