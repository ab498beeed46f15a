//! What the API says: the JSON shapes that the daemon and the command line share.

mod changes;
mod drops;
mod explain;
mod lists;
mod services;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use self::{
    changes::{ApplyRequest, ChangeRequest, Changed, ConfirmRequest, Edit, ListTerms},
    drops::{DropCount, DropEvent, DropFilter, Drops, TopDrops, TopEntry},
    explain::{ExplainProtocol, ExplainQuery, ExplainStep, Explanation},
    lists::{Imported, List, ListEntry, ListFound, ListSource, ListTest, Refreshed},
    services::{BackendState, BackendStatus, DrainStatus, ServiceStatus, SynStatus, TrafficStatus},
};
use crate::model::Moment;

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// The daemon's process id.
    pub pid: u32,
    /// Seconds since the daemon started.
    pub uptime_seconds: u64,
    /// The configuration file.
    pub config: String,
    /// Whether the running configuration differs from the file (after `--ephemeral`).
    pub ephemeral_changes: bool,
    /// Where the program is attached.
    pub interfaces: Vec<Interface>,
    /// How many services there are.
    pub services: usize,
    /// How many backends there are.
    pub backends: usize,
    /// How many of them take traffic.
    pub backends_up: usize,
    /// Whether the node itself is protected, and not services alone.
    pub node_protected: bool,
    /// The addresses of this node that `full-nat` sessions come from.
    pub node_addresses: Vec<NodeAddressStatus>,
    /// Things the operator should know, in words.
    pub warnings: Vec<String>,
}

/// An address of the node that `full-nat` sessions come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeAddressStatus {
    /// The address.
    pub address: IpAddr,
    /// How many ports it has for sessions of one protocol.
    pub ports: u32,
    /// How many of them sessions of TCP have.
    pub tcp_sessions: u32,
    /// How many of them sessions of UDP have.
    pub udp_sessions: u32,
}

/// An interface that the program is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// `native` or `generic`.
    pub mode: String,
}

/// `GET /v1/rules`: an element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleStatus {
    /// Its name.
    pub name: String,
    /// `drop`, `pass` or `count`.
    pub action: String,
    /// What it asks for, in words.
    pub matches: String,
    /// Packets that it has matched.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// `GET /v1/limits`: an element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitStatus {
    /// Its name.
    pub name: String,
    /// What has a bucket of its own: `all`, `service`, or `source` with the lengths of its prefixes.
    pub by: String,
    /// `packets`, `bytes` or `connections`.
    pub measure: String,
    /// How much a second.
    pub rate: u64,
    /// How much at once.
    pub burst: u64,
    /// The services whose packets are held to it; none: all packets, or those that a rule matches.
    pub services: Vec<String>,
    /// `drop`, or `ban` and for how long.
    pub action: String,
    /// Packets within it.
    pub passed: u64,
    /// Packets over it, which were dropped.
    pub limited: u64,
    /// The bytes of the latter.
    pub limited_bytes: u64,
    /// The sources that it has banned.
    pub bans: Vec<BanStatus>,
}

/// A source that is denied for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanStatus {
    /// Its prefix.
    pub source: String,
    /// When the ban is over.
    pub until: Moment,
    /// Seconds until then.
    pub seconds_left: u64,
}

/// The body of an answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// What went wrong, where, and what to do: text for a person, several lines for a configuration with several errors.
    pub error: String,
    /// Whether the request or the configuration is at fault (exit code 2) rather than the machine (exit code 1).
    pub usage: bool,
}
