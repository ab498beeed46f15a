//! Netlink messages, translated to and from what [`super::table`] speaks of.

use std::net::IpAddr;

use lb_common::Mac;
use netlink_packet_route::{
    AddressFamily, RouteNetlinkMessage,
    link::{
        InfoData, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp, VlanProtocol,
        XdpAttached,
    },
    neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState},
    route::{RouteAddress, RouteAttribute, RouteMessage, RouteMetric, RouteType, RouteVia},
};

use super::{
    Interface, Vlan, XdpMode,
    table::{Neighbour, Resolved, Route},
};

/// What a notification says has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// A neighbour.
    Neighbour(Neighbour),
    /// An interface, an address, a rule or a route, or notifications were lost: any way may be another now.
    Everything,
}

/// The hint in a notification; none in those that concern bridges and the like.
pub(super) fn hint(message: &RouteNetlinkMessage) -> Option<Hint> {
    match message {
        RouteNetlinkMessage::NewNeighbour(message) | RouteNetlinkMessage::DelNeighbour(message) => {
            Some(Hint::Neighbour(neighbour(message)?))
        }
        RouteNetlinkMessage::NewLink(message) | RouteNetlinkMessage::DelLink(message) => {
            (message.header.interface_family == AddressFamily::Unspec).then_some(Hint::Everything)
        }
        _ => Some(Hint::Everything),
    }
}

/// An interface and its index.
pub(super) fn interface(message: &LinkMessage) -> (u32, Interface) {
    let (mut parent, mut tag, mut is_parent_here) = (None, None, true);
    let mut interface = Interface {
        name: String::new(),
        mac: Mac::default(),
        mtu: 0,
        up: is_up(message.header.flags),
        xdp: None,
        vlan: None,
        parent: None,
        controller: None,
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name.clone_from(name),
            LinkAttribute::Mtu(mtu) => interface.mtu = *mtu,
            LinkAttribute::Address(bytes) if message.header.link_layer_type == LinkLayerType::Ether => {
                interface.mac = mac(bytes).unwrap_or_default();
            }
            LinkAttribute::Link(index) => parent = Some(*index),
            // The index of an interface elsewhere says nothing here: a veth's other end may be in another namespace.
            LinkAttribute::LinkNetNsId(_) => is_parent_here = false,
            LinkAttribute::LinkInfo(info) => tag = info.iter().find_map(vlan_id),
            LinkAttribute::Controller(index) => interface.controller = Some(*index),
            LinkAttribute::Xdp(xdp) => interface.xdp = xdp.iter().find_map(xdp_mode),
            _ => {}
        }
    }
    interface.vlan = parent.zip(tag).map(|(parent, id)| Vlan { parent, id: id.filter(|_| is_parent_here) });
    interface.parent = parent.filter(|_| is_parent_here);
    (message.header.index, interface)
}

/// What the attribute says of the interface's VLAN: its number, if its tags are those of 802.1Q. Number 0 means priority
/// without a VLAN, and no tag that names one.
fn vlan_id(attribute: &LinkInfo) -> Option<Option<u16>> {
    let LinkInfo::Data(InfoData::Vlan(attributes)) = attribute else { return None };
    let (mut id, mut protocol) = (None, VlanProtocol::Ieee8021Q);
    for attribute in attributes {
        match attribute {
            InfoVlan::Id(number) => id = Some(*number),
            InfoVlan::Protocol(written) => protocol = *written,
            _ => {}
        }
    }
    Some(id.filter(|id| *id != 0 && protocol == VlanProtocol::Ieee8021Q))
}

fn xdp_mode(attribute: &LinkXdp) -> Option<XdpMode> {
    match attribute {
        LinkXdp::Attached(XdpAttached::Driver | XdpAttached::Hardware | XdpAttached::Multiple) => Some(XdpMode::Native),
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(XdpMode::Generic),
        _ => None,
    }
}

/// `Running` is the kernel's word for a carrier, and also holds where the driver cannot tell.
fn is_up(flags: LinkFlags) -> bool {
    flags.contains(LinkFlags::Up | LinkFlags::Running)
}

/// Asks for the route to one destination.
pub(super) fn route_request(destination: IpAddr) -> RouteMessage {
    let prefix_length = if destination.is_ipv4() { 32 } else { 128 };
    let mut message = RouteMessage::default();
    message.header.address_family = family(destination);
    message.header.destination_prefix_length = prefix_length;
    message.attributes.push(RouteAttribute::Destination(destination.into()));
    message
}

/// The way that an answer names; none if it leads nowhere that a packet could be sent: to many machines, or into a black
/// hole.
pub(super) fn route(message: &RouteMessage) -> Option<Route> {
    let is_local = message.header.kind == RouteType::Local;
    if !is_local && message.header.kind != RouteType::Unicast {
        return None;
    }
    let (mut ifindex, mut gateway, mut source, mut mtu) = (None, None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => ifindex = Some(*index),
            RouteAttribute::Gateway(address) => gateway = route_address(address),
            RouteAttribute::Via(RouteVia::Inet(address)) => gateway = Some((*address).into()),
            RouteAttribute::Via(RouteVia::Inet6(address)) => gateway = Some((*address).into()),
            RouteAttribute::PrefSource(address) => source = route_address(address),
            RouteAttribute::Metrics(metrics) => mtu = metrics.iter().find_map(metric_mtu),
            _ => {}
        }
    }
    Some(Route { ifindex: ifindex?, is_local, gateway, source, mtu })
}

/// Asks for what is known of one neighbour. The kernel wants all other fields to be zero.
pub(super) fn neighbour_request(neighbour: Neighbour) -> NeighbourMessage {
    let address = match neighbour.address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    let mut message = NeighbourMessage::default();
    message.header.family = family(neighbour.address);
    message.header.ifindex = neighbour.ifindex;
    message.attributes.push(NeighbourAttribute::Destination(address));
    message
}

/// Asks the kernel to behave as if a packet were waiting for the neighbour.
pub(super) fn neighbour_use(neighbour: Neighbour) -> NeighbourMessage {
    let mut message = neighbour_request(neighbour);
    message.header.flags = NeighbourFlags::Use;
    message
}

/// The neighbour that a message speaks of.
pub(super) fn neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    message.attributes.iter().find_map(|attribute| {
        let address = match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => (*address).into(),
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => (*address).into(),
            _ => return None,
        };
        Some(Neighbour { ifindex: message.header.ifindex, address })
    })
}

/// The neighbour's MAC address, if the kernel would send to it now.
pub(super) fn resolved(message: &NeighbourMessage) -> Option<Resolved> {
    let stale = match message.header.state {
        NeighbourState::Stale => true,
        NeighbourState::Reachable
        | NeighbourState::Delay
        | NeighbourState::Probe
        | NeighbourState::Permanent
        | NeighbourState::Noarp => false,
        _ => return None,
    };
    message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(bytes) => Some(Resolved { mac: mac(bytes)?, stale }),
        _ => None,
    })
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn route_address(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn metric_mtu(metric: &RouteMetric) -> Option<u32> {
    match metric {
        RouteMetric::Mtu(mtu) => Some(*mtu),
        _ => None,
    }
}

fn mac(bytes: &[u8]) -> Option<Mac> {
    Some(Mac::new(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::Parseable;

    use super::*;

    fn entry(state: NeighbourState, mac: &[u8]) -> NeighbourMessage {
        let mut message = neighbour_request(Neighbour { ifindex: 3, address: "10.0.0.2".parse().unwrap() });
        message.header.state = state;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.to_vec()));
        message
    }

    #[test]
    fn only_states_that_the_kernel_sends_in_are_known() {
        use NeighbourState::*;
        let mac = [2, 0, 0, 0, 0, 9];
        for (state, stale) in
            [(Reachable, false), (Stale, true), (Delay, false), (Probe, false), (Permanent, false), (Noarp, false)]
        {
            assert_eq!(resolved(&entry(state, &mac)), Some(Resolved { mac: Mac::new(mac), stale }), "{state}");
        }
        for state in [Failed, Incomplete, None] {
            assert_eq!(resolved(&entry(state, &mac)), Option::None, "{state}");
        }
        assert_eq!(resolved(&entry(Reachable, &[1, 2, 3, 4])), Option::None, "not an Ethernet address");
    }

    #[test]
    fn a_route_to_nowhere_is_no_way() {
        let mut message = route_request("10.0.0.2".parse().unwrap());
        message.attributes.push(RouteAttribute::Oif(3));
        for kind in [RouteType::Broadcast, RouteType::Multicast, RouteType::BlackHole] {
            message.header.kind = kind;
            assert_eq!(route(&message), None, "{kind:?}");
        }
        for (kind, is_local) in [(RouteType::Unicast, false), (RouteType::Local, true)] {
            message.header.kind = kind;
            assert_eq!(route(&message), Some(Route { ifindex: 3, is_local, gateway: None, source: None, mtu: None }));
        }
    }

    /// The attribute `number` with these bytes, which are a multiple of four long but for their padding.
    fn attribute(number: u16, bytes: &[u8]) -> Vec<u8> {
        let mut attribute = [(bytes.len() as u16 + 4).to_ne_bytes(), number.to_ne_bytes()].concat();
        attribute.extend(bytes);
        attribute.resize(attribute.len().next_multiple_of(4), 0);
        attribute
    }

    /// What the kernel says of `eth0.100` (rtnl_fill_ifinfo in net/core/rtnetlink.c, vlan_fill_info in
    /// net/8021q/vlan_netlink.c): an `ifinfomsg`, then attributes. Numbers are the machine's, the tag's protocol is the wire's.
    fn vlan_message(kind: &[u8], id: u16, protocol: u16, more: &[u8]) -> (u32, Interface) {
        const IFLA_VLAN_ID: u16 = 1;
        const IFLA_VLAN_PROTOCOL: u16 = 5;
        let data = [attribute(IFLA_VLAN_PROTOCOL, &protocol.to_be_bytes()), attribute(IFLA_VLAN_ID, &id.to_ne_bytes())];
        let info = [attribute(1, kind), attribute(2, &data.concat())].concat();
        let ethernet = 1u16;
        let up_and_running = 0x0041_u32;
        let header =
            [&[0, 0][..], &ethernet.to_ne_bytes(), &9u32.to_ne_bytes(), &up_and_running.to_ne_bytes(), &[0; 4]];
        let attributes = [
            attribute(3, b"eth0.100\0"),
            attribute(4, &1500u32.to_ne_bytes()),
            attribute(5, &2u32.to_ne_bytes()),
            attribute(1, &[2, 0, 0, 0, 0, 9]),
            attribute(18, &info),
        ];
        let bytes = [header.concat(), attributes.concat(), more.to_vec()].concat();
        let message = LinkMessage::parse(&bytes).unwrap();
        interface(&message)
    }

    #[test]
    fn a_vlan_interface_names_its_number_and_what_carries_it() {
        let expected = Interface {
            name: "eth0.100".into(),
            mac: Mac::new([2, 0, 0, 0, 0, 9]),
            mtu: 1500,
            up: true,
            xdp: None,
            vlan: Some(Vlan { parent: 2, id: Some(100) }),
            parent: Some(2),
            controller: None,
        };
        assert_eq!(vlan_message(b"vlan\0", 100, 0x8100, &[]), (9, expected));
    }

    #[test]
    fn vlans_of_another_kind_or_namespace_have_no_number() {
        let elsewhere = attribute(37, &0u32.to_ne_bytes());
        for (id, protocol, more) in [(100, 0x88a8, &[][..]), (0, 0x8100, &[]), (100, 0x8100, &elsewhere)] {
            let (_, interface) = vlan_message(b"vlan\0", id, protocol, more);
            assert_eq!(interface.vlan, Some(Vlan { parent: 2, id: None }), "{id} {protocol:x} {more:?}");
        }
        // Both ends of a veth name the other one as their link, too.
        assert_eq!(vlan_message(b"dummy\0", 100, 0x8100, &[]).1.vlan, None);
    }

    #[test]
    fn bridges_give_no_hints() {
        let mut link = LinkMessage::default();
        assert_eq!(hint(&RouteNetlinkMessage::NewLink(link.clone())), Some(Hint::Everything));
        link.header.interface_family = AddressFamily::Bridge;
        assert_eq!(hint(&RouteNetlinkMessage::DelLink(link)), None);
        assert_eq!(hint(&RouteNetlinkMessage::NewNeighbour(NeighbourMessage::default())), None);
    }
}
