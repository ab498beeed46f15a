//! What is told of services and backends.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{AdminState, Moment, Protocol};

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
