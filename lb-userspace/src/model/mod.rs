//! What the configuration means: valid by construction.
//!
//! A [`Model`] exists only if the document it came from had no error (see [`crate::config`]), so nothing behind it
//! checks again. It says what the operator wants, and knows neither health nor kernel.

mod affinity;
mod bogons;
mod firewall;
mod limit;
mod moment;
mod network;
mod ports;
mod rule;
mod sanity;
mod server_id;
mod syn;

use std::{net::IpAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use ipnet::IpNet;
pub use lb_common::{ConnectionIds, Delivery, ListKind, PortSpan};
use serde::{Deserialize, Serialize};

pub use self::{
    affinity::{Affinity, Clients, Track},
    bogons::BOGONS,
    firewall::{CrowdSec, CrowdSecKey, Feed, Firewall, NamedList, Origin, Protect, Remark},
    limit::{Limit, LimitAction, LimitBy, LimitMeasure, measure_name},
    moment::Moment,
    network::{is_prefix, mapped_bits},
    ports::Ports,
    rule::{Fragments, Lengths, PROTOCOLS, Rule, RuleAction, TcpFlags, protocol_name},
    sanity::{Exceptions, Sanity, SanityCheck},
    server_id::ServerId,
    syn::{Syn, SynProtection},
};

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// This machine.
    pub node: Node,
    /// The services, in the order of the document; names are unique, and no two have the same address, protocol and port,
    /// except that a single port may be in another's range.
    pub services: Vec<Service>,
    /// The firewall.
    pub firewall: Firewall,
    /// SYN protection.
    pub syn: Syn,
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

impl FullNat {
    /// Whether a service is in the way of sessions that come from an address: it has a port of theirs; or all that comes to
    /// the address is its, except what has an entry of its own, and sessions are such an exception to it.
    pub fn collides(&self, address: IpAddr, service: IpNet, ports: &Ports) -> bool {
        let takes_what_is_left = is_prefix(service) || ports.has_wide();
        service.contains(&address) && (takes_what_is_left || ports.singles().any(|port| self.ports.contains(&port)))
    }
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

/// An address, ports and a protocol that Sluice owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The name that commands use.
    pub name: String,
    /// The addresses: one, as a prefix of its full length, or all of a shorter prefix.
    pub address: IpNet,
    /// The ports.
    pub ports: Ports,
    /// The protocol.
    pub protocol: Protocol,
    /// How packets are brought to the backends.
    pub delivery: Delivery,
    /// The UDP port that `gue` sends to.
    pub gue_port: u16,
    /// The ring.
    pub ring: RingSettings,
    /// What tells flows apart.
    pub affinity: Affinity,
    /// Which flows the flow table remembers; none where the sessions of `full-nat` do.
    pub track: Track,
    /// For how long a backend that comes up takes less than its share; zero: it takes it at once.
    pub slow_start: Duration,
    /// How the servers form their connection ids, if the service speaks QUIC and connections follow them; UDP only.
    pub quic: Option<ConnectionIds>,
    /// The sources that may use the service; empty: all.
    pub allow_from: Vec<IpNet>,
    /// When the service is protected against floods of SYNs; TCP only.
    pub syn_protection: SynProtection,
    /// The sanity checks that it has otherwise than the node.
    pub sanity: Exceptions,
    /// How the backends are checked; `None`: they are taken to be up.
    pub health: Option<HealthCheck>,
    /// The pool that the backends are those of; `None`: they are the service's own.
    pub pool: Option<String>,
    /// The backends; names are unique within the service, and so are addresses and ports.
    pub backends: Vec<Backend>,
}

impl Service {
    /// The port at which GUE packets arrive, as IANA has it for the protocol.
    pub const DEFAULT_GUE_PORT: u16 = 6080;

    /// The name of whom the backends belong to: the pool, or the service. No service is called like a pool.
    ///
    /// Rings are seeded by it, so that equal hashes lead to the same backend in all services of a pool.
    pub fn owner(&self) -> &str {
        self.pool.as_deref().unwrap_or(&self.name)
    }

    /// The port that a backend is checked at; `None` if nobody says which.
    pub fn check_port(&self, check: &HealthCheck, backend: &Backend) -> Option<u16> {
        check.port.or(backend.port).or_else(|| self.ports.first_single())
    }
}

/// How a service's ring is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingSettings {
    /// The ring has `1 << bits` rows; within [`lb_common::RING_BITS`].
    pub bits: u32,
    /// The algorithm.
    pub algorithm: RingAlgorithm,
    /// How far above its share a backend's rows may be, in thousandths (20 is 2 %).
    pub tolerance_permille: u32,
    /// What the order of backends in each row follows from: rings of the same seed, size and backends are the same.
    /// `None`: the name of whom the backends belong to, see [`Service::owner`].
    pub seed: Option<u64>,
}

impl Default for RingSettings {
    /// Tolerance is paid for twice: what one backend has above its share, others lack. At 2 % and three backends the
    /// least loaded one lacks up to 4.1 %, at 0.5 % up to 1.1 %; a change then moves 0.22 % of the rows beyond those
    /// that it must, instead of 0.09 % (see [`crate::ring`]), and moved rows break no connections.
    fn default() -> Self {
        Self { bits: 12, algorithm: RingAlgorithm::Quota, tolerance_permille: 5, seed: None }
    }
}

impl RingSettings {
    /// The seed of a ring whose backends belong to `owner`, see [`Service::owner`].
    pub fn seed_of(&self, owner: &str) -> u64 {
        self.seed.unwrap_or_else(|| crate::ring::identity(owner))
    }
}

/// An algorithm that fills a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
    /// The port that `nat` and `full-nat` rewrite to and that checks connect to; `None`: that of the packet.
    pub port: Option<u16>,
    /// The share of flows relative to the other backends, 0 to [`Backend::MAX_WEIGHT`]; 0 takes no new flows.
    pub weight: u32,
    /// What the operator wants of it.
    pub state: AdminState,
    /// When a drain is over, whatever flows are left; only of a backend that drains.
    pub drain_until: Option<Moment>,
    /// What its connection ids say of it; there is one if the service has `quic`, unique within the service.
    pub server_id: Option<ServerId>,
}

impl Backend {
    /// The largest weight.
    pub const MAX_WEIGHT: u32 = 1000;
    /// The weight of a backend that does not name one.
    pub const DEFAULT_WEIGHT: u32 = 100;

    /// What the operator wants of it at a time: after its deadline, a backend that drains is disabled.
    pub fn state_at(&self, now: Moment) -> AdminState {
        match self.drain_until {
            Some(until) if until <= now => AdminState::Disabled,
            _ => self.state,
        }
    }
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HealthCheck {
    /// What a check does.
    pub probe: Probe,
    /// The port to connect to; `None`: the backend's, or else the service's first single one.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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
