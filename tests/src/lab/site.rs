//! The network of most tests: a client, a node and servers on one switch, in both families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Namespace, Switch};

/// The switch carries more than Ethernet's 1500 bytes, so that a client's largest packet still fits with an IPv6 header
/// in front, and those of GUE: what an operator of `ipip` and `gue` has to provide for.
const MTU_BYTES: u32 = 1600;
const CLIENT_MTU_BYTES: u32 = 1500;

/// The families of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The address of the tests' service.
    pub const fn service(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 80)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80)),
        }
    }

    /// A host's address on network `network`.
    pub const fn host(self, network: u8, host: u8) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::new(10, network, 0, host)),
            Self::V6 => IpAddr::V6(Ipv6Addr::new(0xfd00, network as u16, 0, 0, 0, 0, 0, host as u16)),
        }
    }

    /// A server's address; the first is 0.
    pub const fn server(self, index: usize) -> IpAddr {
        self.host(NETWORK, FIRST_SERVER + index as u8)
    }

    /// The length of a host's prefix, and of an address.
    pub const fn prefix_lengths(self) -> (u8, u8) {
        match self {
            Self::V4 => (24, 32),
            Self::V6 => (64, 128),
        }
    }
}

/// The number of the switch's network.
const NETWORK: u8 = 9;
/// The host numbers of client, node and first server.
const CLIENT: u8 = 1;
const NODE: u8 = 2;
const FIRST_SERVER: u8 = 11;

/// Both addresses of a host on a network, as `ip` takes them.
pub fn addresses(network: u8, host: u8) -> [String; 2] {
    [Family::V4, Family::V6].map(|family| format!("{}/{}", family.host(network, host), family.prefix_lengths().0))
}

/// The hosts. The client reaches the services' addresses by way of the node.
#[derive(Debug)]
pub struct Site {
    /// Asks.
    pub client: Namespace,
    /// Runs Sluice, on `eth0`.
    pub node: Namespace,
    /// Answer; called `web1`, `web2` …
    pub servers: Vec<Namespace>,
    /// What they are plugged into.
    pub switch: Switch,
}

impl Site {
    /// A site with this many servers.
    pub fn new(servers: usize) -> anyhow::Result<Self> {
        Self::with_mtu(servers, MTU_BYTES, CLIENT_MTU_BYTES)
    }

    /// A site whose switch, and whose client, carry this many bytes.
    pub fn with_mtu(servers: usize, switch_bytes: u32, client_bytes: u32) -> anyhow::Result<Self> {
        let switch = Switch::with_mtu("switch", switch_bytes)?;
        let host =
            |name: &str, number: u8| switch.host(name, &addresses(NETWORK, number).each_ref().map(String::as_str));
        let client = host("client", CLIENT)?;
        client.ip(&format!("link set eth0 mtu {client_bytes}"))?;
        for family in [Family::V4, Family::V6] {
            client.ip(&format!("route add {} via {}", family.service(), family.host(NETWORK, NODE)))?;
        }
        let node = host("node", NODE)?;
        let server = |index: usize| host(&format!("web{}", index + 1), FIRST_SERVER + index as u8);
        let servers = (0..servers).map(server).collect::<Result<_, _>>()?;
        Ok(Self { client, node, servers, switch })
    }

    /// Names and addresses of the servers.
    pub fn backends(&self, family: Family) -> Vec<(String, IpAddr)> {
        let named = |(index, host): (usize, &Namespace)| (host.name().to_owned(), family.server(index));
        self.servers.iter().enumerate().map(named).collect()
    }
}

impl Namespace {
    /// Gives a host an address that others must not learn from it, as a backend has its service's.
    pub fn own(&self, address: IpAddr) -> anyhow::Result<()> {
        self.set("ipv4/conf/all/arp_ignore", "1")?;
        self.set("ipv4/conf/all/arp_announce", "2")?;
        // Otherwise an IPv6 address is tentative for a moment, and servers cannot listen on it.
        let nodad = if address.is_ipv6() { "nodad" } else { "" };
        self.ip(&format!("address add {address} dev lo {nodad}")).map(drop)
    }
}
