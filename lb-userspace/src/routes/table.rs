//! What was read from the kernel, and the next hops that follow from it. Pure: no I/O, no clock.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use lb_common::Mac;

use super::{Interface, Interfaces, NextHop, NextHops, Vlan};

/// A neighbour's place: its MAC address is known under this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Neighbour {
    /// The interface that it is on.
    pub ifindex: u32,
    /// Its address.
    pub address: IpAddr,
}

/// A neighbour's MAC address, and how sure the kernel is of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The MAC address.
    pub mac: Mac,
    /// Nobody has confirmed it for a while, and the kernel will not ask again before somebody uses it.
    pub stale: bool,
}

/// The kernel's route to one destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The interface.
    pub ifindex: u32,
    /// The destination is one of this machine's own addresses.
    pub is_local: bool,
    /// The gateway, which may be of the other family (RFC 5549); without one the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// The preferred source address.
    pub source: Option<IpAddr>,
    /// The route's own or discovered MTU in bytes.
    pub mtu: Option<u32>,
}

/// What is known of the kernel's tables.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The interfaces by index.
    pub interfaces: Interfaces,
    /// The destinations, each with its route if there is one.
    pub routes: BTreeMap<IpAddr, Option<Route>>,
    /// The neighbours that the routes lead to, each with its MAC address if that is known.
    pub neighbours: BTreeMap<Neighbour, Option<Resolved>>,
}

impl Table {
    /// The neighbours that the routes lead to.
    pub(super) fn hops(&self) -> BTreeSet<Neighbour> {
        self.routes.iter().filter_map(|(&destination, route)| self.hop(destination, route.as_ref()?)).collect()
    }

    /// The neighbours whose MAC address is unknown.
    pub(super) fn unknown(&self) -> BTreeSet<Neighbour> {
        self.neighbours_that(|resolved| resolved.is_none())
    }

    /// The neighbours whose MAC address nobody has confirmed for a while.
    pub(super) fn stale(&self) -> BTreeSet<Neighbour> {
        self.neighbours_that(|resolved| resolved.is_some_and(|resolved| resolved.stale))
    }

    fn neighbours_that(&self, choose: impl Fn(Option<Resolved>) -> bool) -> BTreeSet<Neighbour> {
        self.neighbours.iter().filter(|&(_, &resolved)| choose(resolved)).map(|(&neighbour, _)| neighbour).collect()
    }

    /// The complete next hops.
    pub(super) fn next_hops(&self) -> NextHops {
        self.routes
            .iter()
            .filter_map(|(&destination, route)| Some((destination, self.next_hop(destination, route.as_ref()?)?)))
            .collect()
    }

    /// The neighbour that a route hands packets to, if its interface can send to one.
    fn hop(&self, destination: IpAddr, route: &Route) -> Option<Neighbour> {
        if route.is_local {
            return None;
        }
        let interface = self.interfaces.get(&route.ifindex)?;
        (interface.up && interface.mac != Mac::default())
            .then_some(Neighbour { ifindex: route.ifindex, address: route.gateway.unwrap_or(destination) })
    }

    fn next_hop(&self, destination: IpAddr, route: &Route) -> Option<NextHop> {
        let interface = self.interfaces.get(&route.ifindex)?;
        let mtu = route.mtu.map_or(interface.mtu, |mtu| mtu.min(interface.mtu));
        let (mac, (ifindex, vlan)) = if route.is_local {
            (Mac::default(), (route.ifindex, None))
        } else {
            let resolved = self.neighbours.get(&self.hop(destination, route)?)?.as_ref()?;
            (resolved.mac, self.exit(route.ifindex, interface)?)
        };
        Some(NextHop {
            ifindex,
            vlan,
            interface: interface.name.clone(),
            mac,
            source_mac: interface.mac,
            is_local: route.is_local,
            source: route.source.unwrap_or_else(|| unspecified(destination)),
            // An interface may have a larger one (the loopback's is 65,536), an IP packet is never longer.
            mtu: u16::try_from(mtu).unwrap_or(u16::MAX),
        })
    }

    /// The interface that packets must be handed to, and the VLAN whose tag they must have there. XDP cannot hand a packet
    /// to a VLAN interface, but to the one that carries the VLAN, if that is here and no VLAN interface itself.
    fn exit(&self, ifindex: u32, interface: &Interface) -> Option<(u32, Option<u16>)> {
        let Some(Vlan { parent, id }) = interface.vlan else { return Some((ifindex, None)) };
        let carrier = self.interfaces.get(&parent)?;
        (carrier.up && carrier.mac != Mac::default() && carrier.vlan.is_none()).then_some((parent, Some(id?)))
    }
}

/// The unspecified address of the same family.
fn unspecified(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Mac = Mac::new([2, 0, 0, 0, 0, 1]);
    const PEER: Mac = Mac::new([2, 0, 0, 0, 0, 2]);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// One interface, and one destination on its link, stale.
    fn table() -> Table {
        let interface = Interface {
            name: "eth0".into(),
            mac: NODE,
            mtu: 1500,
            up: true,
            xdp: None,
            vlan: None,
            parent: None,
            controller: None,
        };
        let route = Route { ifindex: 7, is_local: false, gateway: None, source: Some(ip("10.0.0.1")), mtu: None };
        let neighbour = Neighbour { ifindex: 7, address: ip("10.0.0.2") };
        Table {
            interfaces: [(7, interface)].into(),
            routes: [(ip("10.0.0.2"), Some(route))].into(),
            neighbours: [(neighbour, Some(Resolved { mac: PEER, stale: true }))].into(),
        }
    }

    fn route(table: &mut Table) -> &mut Route {
        table.routes.values_mut().next().unwrap().as_mut().unwrap()
    }

    #[test]
    fn a_known_neighbour_is_a_next_hop() {
        let hop = NextHop {
            ifindex: 7,
            vlan: None,
            interface: "eth0".into(),
            mac: PEER,
            source_mac: NODE,
            source: ip("10.0.0.1"),
            mtu: 1500,
            is_local: false,
        };
        assert_eq!(table().next_hops(), NextHops::from([(ip("10.0.0.2"), hop)]));
        assert_eq!(table().stale().len(), 1);
        assert!(table().unknown().is_empty());
    }

    #[test]
    fn a_gateway_of_the_other_family_is_the_neighbour() {
        let mut table = table();
        route(&mut table).gateway = Some(ip("fe80::1"));
        let gateway = Neighbour { ifindex: 7, address: ip("fe80::1") };
        assert_eq!(table.hops(), [gateway].into());
        table.neighbours = [(gateway, None)].into();
        assert_eq!(table.unknown(), [gateway].into());
        assert!(table.next_hops().is_empty());
        table.neighbours = [(gateway, Some(Resolved { mac: PEER, stale: false }))].into();
        assert_eq!(table.next_hops()[&ip("10.0.0.2")].mac, PEER);
        assert!(table.stale().is_empty());
    }

    #[test]
    fn the_smaller_mtu_counts_and_fits_an_ip_packet() {
        let mut table = table();
        for (route_mtu, interface_mtu, expected) in
            [(Some(1400), 1500, 1400), (Some(9000), 1500, 1500), (None, 9000, 9000), (None, 65_536, 65_535)]
        {
            route(&mut table).mtu = route_mtu;
            table.interfaces.get_mut(&7).unwrap().mtu = interface_mtu;
            assert_eq!(table.next_hops()[&ip("10.0.0.2")].mtu, expected);
        }
    }

    #[test]
    fn what_cannot_be_sent_is_neither_a_next_hop_nor_looked_for() {
        let break_it: [fn(&mut Table); 4] = [
            |table| table.interfaces.get_mut(&7).unwrap().up = false,
            |table| table.interfaces.get_mut(&7).unwrap().mac = Mac::default(),
            |table| table.interfaces.clear(),
            |table| *table.routes.values_mut().next().unwrap() = None,
        ];
        for (case, break_it) in break_it.into_iter().enumerate() {
            let mut table = table();
            break_it(&mut table);
            assert!(table.next_hops().is_empty() && table.hops().is_empty(), "case {case}");
        }
    }

    /// The route leads out of a VLAN interface on top of another.
    fn trunk() -> Table {
        let mut table = table();
        let carrier = Interface {
            name: "trunk".into(),
            mac: PEER,
            mtu: 9000,
            up: true,
            xdp: None,
            vlan: None,
            parent: None,
            controller: None,
        };
        table.interfaces.insert(2, carrier);
        table.interfaces.get_mut(&7).unwrap().vlan = Some(Vlan { parent: 2, id: Some(100) });
        table
    }

    #[test]
    fn packets_to_a_vlan_leave_by_the_interface_that_carries_it() {
        let hop = NextHop {
            ifindex: 2,
            vlan: Some(100),
            interface: "eth0".into(),
            mac: PEER,
            source_mac: NODE,
            source: ip("10.0.0.1"),
            mtu: 1500,
            is_local: false,
        };
        assert_eq!(trunk().next_hops(), NextHops::from([(ip("10.0.0.2"), hop)]));
    }

    #[test]
    fn a_vlan_that_nobody_can_be_handed_packets_for_is_no_way() {
        let break_it: [fn(&mut Table); 5] = [
            |table| table.interfaces.get_mut(&2).unwrap().up = false,
            |table| table.interfaces.get_mut(&2).unwrap().mac = Mac::default(),
            |table| table.interfaces.get_mut(&2).unwrap().vlan = Some(Vlan { parent: 1, id: Some(5) }),
            |table| drop(table.interfaces.remove(&2)),
            |table| table.interfaces.get_mut(&7).unwrap().vlan = Some(Vlan { parent: 2, id: None }),
        ];
        for (case, break_it) in break_it.into_iter().enumerate() {
            let mut table = trunk();
            break_it(&mut table);
            assert!(table.next_hops().is_empty(), "case {case}");
        }
    }

    #[test]
    fn ones_own_address_needs_no_neighbour() {
        let mut table = table();
        route(&mut table).is_local = true;
        table.neighbours.clear();
        assert!(table.hops().is_empty());
        assert!(table.next_hops()[&ip("10.0.0.2")].is_local);
    }

    #[test]
    fn without_a_source_address_the_way_is_still_known() {
        let mut table = table();
        route(&mut table).source = None;
        assert_eq!(table.next_hops()[&ip("10.0.0.2")].source, ip("0.0.0.0"));
    }
}
