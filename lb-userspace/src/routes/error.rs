//! What can go wrong between Sluice and the kernel's routing tables.

use std::{io, time::Duration};

/// Routes or neighbours could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RoutesError {
    /// No netlink socket could be made.
    #[error("cannot open a netlink socket to read the kernel's routes and neighbours: {0}")]
    Open(#[source] io::Error),
    /// The netlink socket broke while it was in use.
    #[error("the netlink connection to the kernel broke; it is made anew within a second, so try again")]
    Broken,
    /// The kernel owes an answer.
    #[error("the kernel has not answered a netlink request within {0:?}; the connection is made anew, so try again")]
    NoAnswer(Duration),
    /// The kernel said no.
    #[error("the kernel refused to {request}: {source}")]
    Refused {
        /// What it was asked to do.
        request: &'static str,
        /// Its reason.
        source: io::Error,
    },
    /// The task that follows the kernel has ended.
    #[error("routes are no longer followed, because the daemon is stopping")]
    Stopped,
}

impl RoutesError {
    /// Whether the connection is of no further use.
    pub(super) fn is_fatal(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}
