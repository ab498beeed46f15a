//! What decides where a packet goes, as the simulation sees it.

use std::fmt;

use super::{maglev::Stateless, operation::Operation, ours::Ours, two_nodes::TwoNodes};
use crate::sim::Kind;

/// A server's number.
pub(super) type Server = u16;

/// A way to steer packets.
pub(super) trait Scheme {
    /// Something happens to the servers.
    fn operate(&mut self, operation: Operation);

    /// A second passes.
    fn second(&mut self);

    /// Where a packet goes; nowhere if nobody may take it.
    fn packet(&mut self, flow: u32, kind: Kind) -> Option<Server>;
}

/// A way to steer packets, before it has met any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// A ring filled by Maglev, and nothing else.
    Stateless,
    /// The same, and on each of two nodes a table that remembers the flows used last.
    TwoNodes {
        /// How many.
        entries: usize,
    },
    /// The product's, on one node.
    Ours {
        /// How long rows move, in seconds.
        flip_s: u64,
        /// Whether a backend whose check has just failed is suspect, as in the product, or gone at once.
        has_suspects: bool,
        /// Sets of the flow table.
        sets: usize,
    },
}

impl Rules {
    pub(super) fn scheme(self) -> Box<dyn Scheme> {
        match self {
            Self::Stateless => Box::new(Stateless::new()),
            Self::TwoNodes { entries } => Box::new(TwoNodes::new(entries)),
            Self::Ours { flip_s, has_suspects, sets } => Box::new(Ours::new(flip_s, has_suspects, sets)),
        }
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stateless => formatter.write_str("ring without state (Maglev)"),
            Self::TwoNodes { entries } => write!(formatter, "Maglev, and a table of {entries} on each of two nodes"),
            Self::Ours { flip_s, has_suspects, .. } => {
                let minutes = flip_s / 60;
                let health = if *has_suspects { "" } else { ", without suspects" };
                write!(formatter, "these rules, one node, flip after {minutes} min{health}")
            }
        }
    }
}
