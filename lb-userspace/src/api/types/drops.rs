//! What the API says of drops.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use crate::telemetry::By;

/// `GET /v1/drops`: drops by the reason's name, with every reason present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drops {
    /// Packets dropped.
    pub reasons: BTreeMap<String, DropCount>,
}

/// One reason's drops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DropCount {
    /// Packets.
    pub packets: u64,
    /// Packets a second, over the last ten seconds.
    pub per_second: f64,
    /// What happened.
    pub explanation: String,
    /// What to do about it.
    pub advice: String,
}

/// Which drops are asked for: the query of `GET /v1/drops/events`, all of whose parts may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropFilter {
    /// The names of reasons, with commas between them; empty for all.
    #[serde(default)]
    pub reason: String,
    /// The source is in this prefix, or is this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The packet was for this service, or is a reply of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A line of `GET /v1/drops/events`: a drop that was recorded, and how many it stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropEvent {
    /// When, as RFC 3339 writes it, in UTC.
    pub time: String,
    /// The reason's name.
    pub reason: String,
    /// The interface that the packet came in by.
    pub interface: String,
    /// The source address.
    pub source: IpAddr,
    /// The source port; `None` where there are no ports.
    pub source_port: Option<u16>,
    /// The destination address.
    pub destination: IpAddr,
    /// The destination port; `None` where there are no ports.
    pub destination_port: Option<u16>,
    /// The protocol: `tcp`, `udp`, `icmp`, `icmpv6`, or its number.
    pub protocol: String,
    /// The flags of a TCP segment, with commas between them: `syn`.
    pub tcp_flags: String,
    /// The length of the frame.
    pub frame_bytes: u32,
    /// The service that the packet was for, or is a reply of; `None` if it is not known to be for any.
    pub service: Option<String>,
    /// The name of the rule that dropped it; `None` if none did, or it is gone.
    pub rule: Option<String>,
    /// How many drops this one stands for, of all reasons and senders: drops that came since the last that was recorded.
    pub drops: u64,
    /// How many events this reader has missed before this one, because it was too slow.
    pub missed: u64,
}

/// `GET /v1/drops/top?by=BY&count=N`: who is behind most of the drops of the last five minutes, as far as drops were
/// recorded. To ask has them recorded for five minutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopDrops {
    /// What was asked for.
    pub by: By,
    /// For how many of the last minutes' seconds drops were recorded.
    pub seconds: u64,
    /// How many were dropped in them.
    pub drops: u64,
    /// How many of those were recorded.
    pub samples: u64,
    /// Those with the most, the first before the others.
    pub entries: Vec<TopEntry>,
}

/// One of those with the most drops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TopEntry {
    /// The source, its prefix, the port and protocol, or the reason.
    pub key: String,
    /// Its drops.
    pub drops: u64,
    /// How far from that the truth may be.
    pub plus_minus: u64,
    /// Its share of all of them.
    pub share: f64,
}
