//! What the configuration means: valid by construction.
//!
//! A [`Model`] exists only if the document it came from had no error (see [`crate::config`]), so nothing behind it
//! checks again. It says what the operator wants, and knows neither health nor kernel.

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use ipnet::IpNet;
pub use lb_common::{Delivery, ListKind};
use serde::{Deserialize, Serialize};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// This machine.
    pub node: Node,
    /// The services, in the order of the document; names are unique, and so are address, port and protocol together.
    pub services: Vec<Service>,
    /// The firewall's lists.
    pub firewall: Firewall,
}

/// This machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The interfaces that the program is attached to.
    pub interfaces: Vec<String>,
    /// The flow hash's secret; without one the daemon makes one and keeps it in its state directory.
    pub secret: Option<[u64; 2]>,
    /// The outer source address of IPv4 encapsulation; without one the kernel's choice towards each backend.
    pub source_v4: Option<std::net::Ipv4Addr>,
    /// The outer source address of IPv6 encapsulation; without one the kernel's choice towards each backend.
    pub source_v6: Option<std::net::Ipv6Addr>,
    /// What `full-nat` sessions come from.
    pub full_nat: FullNat,
}

/// The ends of `full-nat` sessions on this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FullNat {
    /// The addresses, at most [`lb_common::MAX_NODE_ADDRESSES`]; none: the kernel's choice towards each backend.
    pub addresses: Vec<IpAddr>,
    /// The ports.
    pub ports: RangeInclusive<u16>,
}

impl Default for FullNat {
    /// Ports below those that the kernel gives to connections of the node's own (`net.ipv4.ip_local_port_range`).
    fn default() -> Self {
        Self { addresses: Vec::new(), ports: 1024..=32767 }
    }
}

/// A transport protocol that a service can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    /// The IP protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }

    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// An address, port and protocol that Sluice owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name that commands use.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// The port; `None` is any port.
    pub port: Option<u16>,
    /// The protocol.
    pub protocol: Protocol,
    /// How packets are brought to the backends.
    pub delivery: Delivery,
    /// The ring.
    pub ring: RingSettings,
    /// How the backends are checked; `None`: they are taken to be up.
    pub health: Option<HealthCheck>,
    /// The backends; names are unique within the service, and so are addresses and ports.
    pub backends: Vec<Backend>,
}

/// How a service's ring is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingSettings {
    /// The ring has `1 << bits` rows; within [`lb_common::RING_BITS`].
    pub bits: u32,
    /// The algorithm.
    pub algorithm: RingAlgorithm,
    /// How far above its share a backend's rows may be, in thousandths (20 is 2 %).
    pub tolerance_permille: u32,
}

impl Default for RingSettings {
    /// Tolerance is paid for twice: what one backend has above its share, others lack. At 2 % and three backends the
    /// least loaded one lacks up to 4.1 %, at 0.5 % up to 1.1 %; a change then moves 0.22 % of the rows beyond those
    /// that it must, instead of 0.09 % (see [`crate::ring`]), and moved rows break no connections.
    fn default() -> Self {
        Self { bits: 12, algorithm: RingAlgorithm::Quota, tolerance_permille: 5 }
    }
}

/// An algorithm that fills a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RingAlgorithm {
    /// Rendezvous hashing with quotas.
    Quota,
    /// Weighted Maglev.
    Maglev,
}

/// A server behind a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// The name that commands use; the ring's identity of the backend.
    pub name: String,
    /// The address.
    pub address: IpAddr,
    /// The port that `nat` and `full-nat` rewrite to and that checks connect to; `None`: the service's.
    pub port: Option<u16>,
    /// The share of flows relative to the other backends, 0 to [`Backend::MAX_WEIGHT`]; 0 takes no new flows.
    pub weight: u32,
    /// What the operator wants of it.
    pub state: AdminState,
}

impl Backend {
    /// The largest weight.
    pub const MAX_WEIGHT: u32 = 1000;
    /// The weight of a backend that does not name one.
    pub const DEFAULT_WEIGHT: u32 = 100;
}

/// What the operator wants of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdminState {
    /// Take traffic while the checks pass.
    Up,
    /// Take no new flows; keep those that there are.
    Drain,
    /// Take nothing.
    Disabled,
}

impl AdminState {
    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Drain => "drain",
            Self::Disabled => "disabled",
        }
    }
}

/// How a service's backends are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What a check does.
    pub probe: Probe,
    /// The port to connect to; `None`: the backend's, or else the service's.
    pub port: Option<u16>,
    /// The time between two checks of one backend.
    pub interval: Duration,
    /// Each interval is made longer or shorter at random by up to this many hundredths.
    pub jitter_percent: u32,
    /// After this time a check has failed.
    pub timeout: Duration,
    /// This many passed checks in a row bring a backend up.
    pub rise: u32,
    /// This many failed checks in a row take it down.
    pub fall: u32,
}

/// What a check does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Open a TCP connection.
    Tcp,
    /// Send an HTTP/1.1 GET and look at the status.
    Http {
        /// The path, with its leading slash.
        path: String,
        /// The Host header; `None`: the address.
        host: Option<String>,
        /// The statuses that pass, as inclusive ranges.
        status: Vec<(u16, u16)>,
    },
}

/// The firewall's lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Firewall {
    /// Sources that skip the rest of the firewall.
    pub allow: Vec<IpNet>,
    /// Sources whose packets are dropped.
    pub deny: Vec<IpNet>,
}

/// Where a running Sluice keeps its things; the same for the daemon and the commands that talk to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The Unix socket of the API.
    pub socket: PathBuf,
    /// The directory in a BPF file system below which maps and links are pinned.
    pub pins: PathBuf,
    /// The directory for what must outlive the daemon and a reboot: the secret.
    pub state: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self {
            socket: "/run/sluice/sluice.sock".into(),
            pins: "/sys/fs/bpf/sluice".into(),
            state: "/var/lib/sluice".into(),
        }
    }
}
