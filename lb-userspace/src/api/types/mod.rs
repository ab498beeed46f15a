//! What the API says: the JSON shapes that the daemon and the command line share.

mod drops;
mod explain;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub use self::{
    drops::{DropCount, DropEvent, DropFilter, Drops, TopDrops, TopEntry},
    explain::{ExplainProtocol, ExplainQuery, ExplainStep, Explanation},
};
use crate::model::{AdminState, Moment, Origin, Protocol};

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

/// `GET /v1/services`: an element.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// Its address, or its prefix.
    pub address: String,
    /// Its ports as they are written: `80`, `80,443,8000-8100` or `any`.
    pub port: String,
    /// Its protocol.
    pub protocol: Protocol,
    /// `l2`, `ipip`, `nat`, `gue` or `full-nat`.
    pub delivery: String,
    /// Rows of its ring.
    pub rows: u32,
    /// The pool that its backends are those of; none: they are its own.
    pub pool: Option<String>,
    /// The sources that may use it; none: all.
    pub allow_from: Vec<String>,
    /// How it is protected against floods of SYNs; none: it is not TCP.
    pub syn: Option<SynStatus>,
    /// Its counters.
    pub traffic: TrafficStatus,
    /// How many sessions it has, if it is delivered by `full-nat`.
    pub sessions: Option<u64>,
    /// Its backends.
    pub backends: Vec<BackendStatus>,
}

/// How a service is protected against floods of SYNs, and what was counted since it is in the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynStatus {
    /// What the configuration says: `off`, `auto`, `always` or `monitor`.
    pub mode: String,
    /// Whether protection is active; with `monitor`, whether it would be.
    pub active: bool,
    /// For how many seconds it has been so, where that is for Sluice to decide.
    pub seconds: Option<u64>,
    /// Handshakes a second that were not finished lately, where that is watched.
    pub unfinished: Option<u64>,
    /// SYNs answered with a cookie; with `monitor`, those that would have been.
    pub challenged: u64,
    /// Cookies that were brought back: their sources are let in.
    pub proved: u64,
    /// SYNs let in because they came again.
    pub retried: u64,
    /// SYNs of sources that had proved themselves.
    pub admitted: u64,
    /// SYNs of such sources that were dropped, because they were too many.
    pub limited: u64,
    /// SYNs dropped without an answer, because their prefix had got enough of them.
    pub unanswered: u64,
    /// Resets that proved nothing, and went on: forged or late ones, and those of open connections.
    pub refused: u64,
}

/// A backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendStatus {
    /// Its name.
    pub name: String,
    /// The service that it stands behind.
    pub service: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port, where it has one of its own.
    pub port: Option<u16>,
    /// Its weight.
    pub weight: u32,
    /// The weight that its share follows from now: 0 if it takes no new flows, less than `weight` while it starts slowly.
    pub effective_weight: u32,
    /// Its server id, where the service has `quic`: two hexadecimal digits for each byte.
    pub server_id: Option<String>,
    /// What the operator wants.
    pub admin: AdminState,
    /// What is the case.
    pub state: BackendState,
    /// The reason of the state, in words: the last failed check, or nothing.
    pub reason: String,
    /// How far its drain has come, if it drains.
    pub drain: Option<DrainStatus>,
    /// Its rows' share of the ring, 0 to 1.
    pub share: f64,
    /// Whether the way to it is known.
    pub resolved: bool,
    /// Whether it is this node itself.
    pub local: bool,
    /// Its counters.
    pub traffic: TrafficStatus,
    /// How many sessions it has, if its service is delivered by `full-nat`.
    pub sessions: Option<u64>,
}

/// How far a drain has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainStatus {
    /// Flows that are left, of those that have spoken since it began.
    pub flows: u64,
    /// For how many seconds there have been none.
    pub quiet_seconds: u64,
    /// Whether nothing is left, as far as can be told: no flow was seen for half a minute, or no row names the backend.
    pub drained: bool,
    /// When it is over, whatever is left.
    pub until: Option<Moment>,
    /// Seconds until then.
    pub seconds_left: Option<u64>,
}

/// What is the case with a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendState {
    /// Not yet checked often enough to be up.
    Starting,
    /// Takes traffic.
    Up,
    /// Takes no new flows, because the operator said so.
    Draining,
    /// Its checks fail.
    Down,
    /// Takes nothing, because the operator said so.
    Disabled,
}

impl BackendState {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Down => "down",
            Self::Disabled => "disabled",
        }
    }
}

/// Counters of a service or a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrafficStatus {
    /// Packets forwarded.
    pub packets: u64,
    /// Their bytes as received.
    pub bytes: u64,
    /// Connections opened: TCP, and QUIC where the service has `quic`.
    pub flows: u64,
}

/// `GET /v1/lists`: an element; `GET /v1/lists/{name}` with its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct List {
    /// Its name.
    pub name: String,
    /// `allow` or `deny`.
    pub action: String,
    /// The services that it is for; none: all packets.
    pub services: Vec<String>,
    /// Prefixes on it: of its own entries and of its files, each once.
    pub prefixes: usize,
    /// Where prefixes come from of which no more is known.
    pub sources: Vec<ListSource>,
    /// Its own entries, sorted; only where one list is asked for.
    pub entries: Vec<ListEntry>,
    /// Packets that the list has matched.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Where prefixes of a list come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListSource {
    /// The file, or `import`.
    pub name: String,
    /// How many prefixes it has.
    pub prefixes: usize,
    /// How many of them stand there more than once.
    pub duplicates: usize,
    /// How many of them another one covers.
    pub covered: usize,
    /// When they were fetched, if they are from a server.
    #[serde(default)]
    pub fetched: Option<Moment>,
    /// Why they are not what the server has now.
    #[serde(default)]
    pub problem: Option<String>,
}

/// An entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListEntry {
    /// Its prefix.
    pub prefix: String,
    /// Why it is there.
    pub reason: Option<String>,
    /// Where it comes from.
    pub origin: Origin,
    /// When it expires; none: never.
    pub until: Option<Moment>,
    /// Seconds until then.
    pub seconds_left: Option<u64>,
    /// Packets that it has matched, if it counts by itself.
    pub packets: Option<u64>,
}

/// `GET /v1/lists/{name}/test?address=A`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListTest {
    /// The address that was asked about.
    pub address: IpAddr,
    /// The longest prefix in the list that covers it.
    pub matched: Option<String>,
    /// What happens to a packet from the address, over all lists, in words: `allowed by 192.0.2.0/24`.
    pub outcome: String,
    /// The longest prefix of each list that covers it, in the order in which the lists are asked.
    pub found: Vec<ListFound>,
}

/// A list that covers an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListFound {
    /// The list.
    pub list: String,
    /// `allow` or `deny`.
    pub action: String,
    /// The services that it is for; none: all packets.
    pub services: Vec<String>,
    /// The entry.
    pub entry: ListEntry,
}

/// The answer to an import: what the list has now from imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// What was imported.
    pub source: ListSource,
    /// Microseconds from the request to the last write into the kernel.
    pub microseconds: u64,
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

/// A change that a command asks for: the body of `POST /v1/change`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRequest {
    /// What to change.
    pub edit: Edit,
    /// Leave the configuration file alone.
    #[serde(default)]
    pub ephemeral: bool,
}

/// One edit of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// Add a backend to a service or a pool.
    BackendAdd {
        /// The name of the service or the pool.
        service: String,
        /// The new backend's name; the address if it is not given.
        name: Option<String>,
        /// The address.
        address: IpAddr,
        /// The port, for `nat`.
        port: Option<u16>,
        /// The weight.
        weight: Option<u32>,
        /// The server id, for a service with `quic`: two hexadecimal digits for each byte.
        #[serde(default)]
        server_id: Option<String>,
    },
    /// Remove a backend.
    BackendRemove {
        /// The name of the service or the pool.
        service: String,
        /// The backend's name or address.
        backend: String,
    },
    /// Change what the operator wants of a backend.
    BackendState {
        /// The name of the service or the pool.
        service: String,
        /// The backend's name or address.
        backend: String,
        /// The new state.
        state: AdminState,
        /// When a drain is over, whatever flows are left.
        #[serde(default)]
        drain_until: Option<Moment>,
    },
    /// Change a backend's weight.
    BackendWeight {
        /// The name of the service or the pool.
        service: String,
        /// The backend's name or address.
        backend: String,
        /// The new weight.
        weight: u32,
    },
    /// Add prefixes to a list.
    ListAdd {
        /// The list's name.
        list: String,
        /// Addresses or prefixes.
        prefixes: Vec<String>,
        /// For how long, and why.
        #[serde(default, skip_serializing_if = "ListTerms::is_default")]
        terms: ListTerms,
    },
    /// Remove prefixes from a list.
    ListRemove {
        /// The list's name.
        list: String,
        /// Addresses or prefixes.
        prefixes: Vec<String>,
    },
    /// Attach the program to one more interface.
    Attach {
        /// The interface.
        interface: String,
    },
    /// Detach the program from an interface.
    Detach {
        /// The interface.
        interface: String,
    },
}

/// For how long entries are on a list, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListTerms {
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how many seconds; without this, for good, and the entries are written into the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
    /// Add what covers services, backends, this node, or everything.
    pub force: bool,
    /// Who says so; kept of entries that expire.
    pub origin: Origin,
}

impl ListTerms {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A whole new configuration: the body of `POST /v1/apply`. Without a body the daemon reloads its own file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// What errors call the text: the path that the operator gave.
    pub origin: String,
    /// The configuration, as TOML.
    pub text: String,
    /// It is on trial for so many seconds: then what was before comes back, unless it has been confirmed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm_seconds: Option<u64>,
}

/// The end of a trial: the body of `POST /v1/confirm`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// Bring back what was before instead of keeping the configuration.
    #[serde(default)]
    pub undo: bool,
}

/// The answer to a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// What was done, a sentence each; empty if there was nothing to do.
    pub changes: Vec<String>,
    /// Microseconds from the request to the last write into the kernel.
    pub microseconds: u64,
    /// Things the operator should know.
    pub warnings: Vec<String>,
}

/// The body of an answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// What went wrong, where, and what to do: text for a person, several lines for a configuration with several errors.
    pub error: String,
    /// Whether the request or the configuration is at fault (exit code 2) rather than the machine (exit code 1).
    pub usage: bool,
}
