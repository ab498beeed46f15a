//! Interfaces, routes and neighbours of the world, in one list that is both the host's answer to the question where a
//! packet goes and the set-up of the kernel's tables.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use lb_common::{Address, Mac};
use lb_ebpf::{parse::Packet, tables::Route};

use super::{BACK, FAR, FRONT, SIDE, interface_mac, mac_of};

/// One of the node's interfaces.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: &'static str,
    /// The node's address on its IPv4 network, a /24.
    pub v4: Ipv4Addr,
    /// The node's address on its IPv6 network, a /64.
    pub v6: Ipv6Addr,
    /// Whether the kernel forwards what comes in by it.
    pub forwards: bool,
}

/// The node's interfaces.
pub const INTERFACES: [Interface; 4] = [
    Interface::new(FRONT, "front", Ipv4Addr::new(10, 9, 0, 1), 0, true),
    Interface::new(BACK, "back", Ipv4Addr::new(10, 9, 1, 1), 1, true),
    Interface::new(SIDE, "side", Ipv4Addr::new(10, 9, 2, 1), 2, false),
    Interface::new(FAR, "far", Ipv4Addr::new(10, 9, 3, 1), 3, true),
];

impl Interface {
    const fn new(ifindex: u32, name: &'static str, v4: Ipv4Addr, network: u16, forwards: bool) -> Self {
        Self { ifindex, name, v4, v6: Ipv6Addr::new(0xfd09, network, 0, 0, 0, 0, 0, 1), forwards }
    }
}

/// Where the kernel sends packets to a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the node itself.
    Local,
    /// Straight to it; it is on the network of the interface, and its MAC address is known or not.
    Direct {
        /// The interface.
        ifindex: u32,
        /// Whether its MAC address is known.
        known: bool,
    },
    /// Through a router.
    Via {
        /// The interface.
        ifindex: u32,
        /// The router's address.
        router: &'static str,
        /// Whether the router's MAC address is known.
        known: bool,
        /// The largest packet of this route, in bytes.
        mtu: u32,
    },
    /// To nobody, on purpose.
    Unreachable,
}

/// The largest IP packet that an interface carries, in bytes.
const INTERFACE_MTU: u32 = 1500;

/// The ways, the longest prefix first; there is no default route. What no prefix covers has no way.
pub const WAYS: &[(&str, Way)] = &[
    ("10.9.0.1/32", Way::Local),
    ("fd09::1/128", Way::Local),
    // A network's broadcast address, and its routers' anycast address (RFC 4291, section 2.6.1).
    ("10.9.0.255/32", Way::Local),
    ("fd09::/128", Way::Local),
    ("10.9.1.1/32", Way::Local),
    ("fd09:1::1/128", Way::Local),
    ("10.9.1.255/32", Way::Local),
    ("fd09:1::/128", Way::Local),
    ("10.9.2.1/32", Way::Local),
    ("fd09:2::1/128", Way::Local),
    ("10.9.2.255/32", Way::Local),
    ("fd09:2::/128", Way::Local),
    ("10.9.3.1/32", Way::Local),
    ("fd09:3::1/128", Way::Local),
    ("10.9.3.255/32", Way::Local),
    ("fd09:3::/128", Way::Local),
    ("10.9.0.7/32", Way::Direct { ifindex: FRONT, known: true }),
    ("fd09::7/128", Way::Direct { ifindex: FRONT, known: true }),
    ("10.9.1.7/32", Way::Direct { ifindex: BACK, known: true }),
    ("10.9.3.7/32", Way::Direct { ifindex: FAR, known: true }),
    ("10.9.0.0/24", Way::Direct { ifindex: FRONT, known: false }),
    ("fd09::/64", Way::Direct { ifindex: FRONT, known: false }),
    ("10.9.1.0/24", Way::Direct { ifindex: BACK, known: false }),
    ("fd09:1::/64", Way::Direct { ifindex: BACK, known: false }),
    ("10.9.2.0/24", Way::Direct { ifindex: SIDE, known: false }),
    ("fd09:2::/64", Way::Direct { ifindex: SIDE, known: false }),
    ("10.9.3.0/24", Way::Direct { ifindex: FAR, known: false }),
    ("fd09:3::/64", Way::Direct { ifindex: FAR, known: false }),
    ("192.0.2.0/24", Way::Via { ifindex: FRONT, router: "10.9.0.254", known: true, mtu: 1500 }),
    ("2001:db8:1::/48", Way::Via { ifindex: FRONT, router: "fd09::fe", known: true, mtu: 1500 }),
    ("198.51.100.0/24", Way::Via { ifindex: FRONT, router: "10.9.0.253", known: false, mtu: 1500 }),
    ("2001:db8:2::/48", Way::Via { ifindex: FRONT, router: "fd09::fd", known: false, mtu: 1500 }),
    ("198.18.0.0/15", Way::Via { ifindex: FRONT, router: "10.9.0.254", known: true, mtu: 100 }),
    ("2001:db8:3::/48", Way::Via { ifindex: FRONT, router: "fd09::fe", known: true, mtu: 1280 }),
    ("192.88.99.0/24", Way::Via { ifindex: FRONT, router: "fd09::fe", known: true, mtu: 1500 }),
    ("192.88.98.0/24", Way::Via { ifindex: FRONT, router: "fd09::fd", known: false, mtu: 1500 }),
    ("203.0.113.0/24", Way::Unreachable),
    ("2001:db8:4::/48", Way::Unreachable),
];

/// The interface with an index.
pub(super) fn interface(ifindex: u32) -> Interface {
    INTERFACES.into_iter().find(|interface| interface.ifindex == ifindex).expect("an interface of the world")
}

/// Whether an address is on the front network.
pub(super) fn is_front(address: IpAddr) -> bool {
    ["10.9.0.0/24", "fd09::/64"].iter().any(|prefix| covers(prefix, address))
}

fn covers(prefix: &str, address: IpAddr) -> bool {
    prefix.parse::<IpNet>().expect("a prefix").contains(&address)
}

/// What the kernel answers about a packet's destination.
pub fn route(packet: &Packet, ingress: u32) -> Route {
    if [packet.source, packet.destination].into_iter().any(stays_on_link) {
        return Route::Local;
    }
    if !interface(ingress).forwards {
        return Route::Unreachable;
    }
    let destination = packet.destination.into();
    let way = WAYS.iter().find(|(prefix, _)| covers(prefix, destination)).map(|(_, way)| *way);
    match way {
        // The kernel's look-up says the same of what it has no route to: its stack is to deal with it.
        None | Some(Way::Local) => Route::Local,
        Some(Way::Unreachable) => Route::Unreachable,
        Some(Way::Direct { .. }) if packet.ip_bytes > INTERFACE_MTU => Route::TooBig { mtu: INTERFACE_MTU as u16 },
        Some(Way::Direct { ifindex, known }) => neighbour(ifindex, destination, known),
        Some(Way::Via { mtu, .. }) if packet.ip_bytes > mtu => Route::TooBig { mtu: mtu as u16 },
        Some(Way::Via { ifindex, router, known, .. }) => neighbour(ifindex, router.parse().expect("a router"), known),
    }
}

/// Whether an address is one of those of IPv6 from or to which the kernel forwards nothing: multicast, of a link, or loopback.
fn stays_on_link(address: Address) -> bool {
    match address.into() {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_multicast() || address.is_unicast_link_local() || address.is_loopback(),
    }
}

fn neighbour(ifindex: u32, address: IpAddr, known: bool) -> Route {
    if !known {
        return Route::Unresolved { ifindex, address: address.into() };
    }
    Route::Neighbour {
        ifindex,
        mac: Mac::new(mac_of(&address.to_string())),
        source_mac: Mac::new(interface_mac(ifindex)),
    }
}
