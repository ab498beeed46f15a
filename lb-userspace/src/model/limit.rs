//! The firewall's rate limits.

use std::{fmt, time::Duration};

use humantime::format_duration;
pub use lb_common::LimitMeasure;

/// How much of something may come in a second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The name that rules and commands use; unique.
    pub name: String,
    /// What has a bucket of its own.
    pub by: LimitBy,
    /// The services whose packets are held to it; empty: all packets are. Empty too if a rule names the limit.
    pub services: Vec<String>,
    /// What is counted.
    pub measure: LimitMeasure,
    /// How much a second.
    pub rate: u64,
    /// How much at once, after a rest.
    pub burst: u64,
    /// What becomes of what is over it.
    pub action: LimitAction,
}

/// What has a bucket of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitBy {
    /// Nothing: all packets together.
    All,
    /// Each service.
    Service,
    /// Each prefix of sources.
    Source {
        /// Its length in IPv4.
        v4: u8,
        /// Its length in IPv6.
        v6: u8,
    },
}

impl fmt::Display for LimitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Service => f.write_str("service"),
            Self::Source { v4, v6 } => write!(f, "source /{v4} /{v6}"),
        }
    }
}

/// What becomes of a packet over a limit. It is dropped in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitAction {
    /// No more than that.
    Drop,
    /// Its source is denied for so long.
    Ban(Duration),
}

impl fmt::Display for LimitAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Ban(duration) => write!(f, "ban {}", format_duration(*duration)),
        }
    }
}

/// The word for what is counted.
pub const fn measure_name(measure: LimitMeasure) -> &'static str {
    match measure {
        LimitMeasure::Packets => "packets",
        LimitMeasure::Bytes => "bytes",
        LimitMeasure::Connections => "connections",
    }
}
