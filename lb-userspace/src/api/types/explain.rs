//! What the API says of a packet that somebody asks about.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A packet that is asked about: the query of `GET /v1/explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// The source address.
    pub from: IpAddr,
    /// The source port; one that clients choose, if it is left out.
    pub from_port: Option<u16>,
    /// The destination address.
    pub to: IpAddr,
    /// The destination port; an echo request has none.
    pub to_port: Option<u16>,
    /// The protocol.
    pub protocol: ExplainProtocol,
    /// A segment of an established TCP connection, instead of one that opens it.
    #[serde(default)]
    pub established: bool,
    /// The interface that it comes in by; any, if it is left out.
    pub interface: Option<String>,
}

/// What a packet that is asked about can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExplainProtocol {
    /// A TCP segment.
    Tcp,
    /// A UDP datagram.
    Udp,
    /// An echo request of either family.
    Icmp,
}

impl ExplainProtocol {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Icmp];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

/// The answer to `GET /v1/explain`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The packet in words.
    pub packet: String,
    /// What would become of it, in words.
    pub outcome: String,
    /// The name of the reason, if it would be dropped.
    pub reason: Option<String>,
    /// What to do about that.
    pub advice: Option<String>,
    /// What each stage that it comes to says of it, in their order.
    pub steps: Vec<ExplainStep>,
}

/// A stage of the datapath, and what it says of the packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainStep {
    /// The stage: `firewall`, `service`, `reply`, `syn`, `session`, `row` or `delivery`.
    pub stage: String,
    /// What it says.
    pub finding: String,
}
