//! The addresses of the node that `full-nat` sessions come from.
//!
//! A session is found by its address's number, so an address keeps its number for as long as it is used.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_common::{Address, EndpointKey, MAX_NODE_ADDRESSES, NodeAddress, ServiceFlags, ServiceValue};

use super::{Snapshot, desired::Inputs};
use crate::{
    model::{Delivery, Model, Protocol},
    routes::NextHop,
};

/// The addresses, by number.
pub(super) struct Sources {
    numbered: BTreeMap<u32, NodeAddress>,
}

impl Sources {
    /// The addresses that the operator names, or else the kernel's choice towards each backend; of the latter those that no
    /// service needs and for which there is a number.
    pub(super) fn new(inputs: Inputs<'_>, current: &Snapshot) -> Self {
        let full_nat = &inputs.model.node.full_nat;
        let mut addresses = wanted(inputs);
        let mut numbered = BTreeMap::new();
        let value = |address: IpAddr| NodeAddress {
            address: address.into(),
            first_port: *full_nat.ports.start(),
            last_port: *full_nat.ports.end(),
            is_shared: (!full_nat.addresses.is_empty()).into(),
        };
        for (&number, present) in &current.node_addresses {
            if addresses.remove(&present.address.into()) {
                numbered.insert(number, value(present.address.into()));
            }
        }
        let free: Vec<u32> = (0..MAX_NODE_ADDRESSES).filter(|number| !numbered.contains_key(number)).collect();
        numbered.extend(free.into_iter().zip(addresses.into_iter().map(value)));
        Self { numbered }
    }

    /// The address towards a backend. Sessions may also have others, if these are shared.
    pub(super) fn towards(&self, backend: IpAddr, hop: &NextHop) -> Option<Address> {
        let preferred: Address = hop.source.into();
        let serves = |node: &&NodeAddress| {
            node.address == preferred || (node.is_shared != 0 && node.address.is_v4() == backend.is_ipv4())
        };
        self.numbered.values().find(serves).map(|node| node.address)
    }

    /// Lets the datapath know them.
    pub(super) fn put(self, snapshot: &mut Snapshot) {
        for (&number, node) in &self.numbered {
            let value = ServiceValue { id: number as u16, flags: ServiceFlags::SESSIONS, ..ServiceValue::default() };
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                snapshot.services.insert(EndpointKey::new(node.address, 0, protocol.number()), value);
            }
        }
        snapshot.node_addresses = self.numbered;
    }
}

/// The addresses that are wanted, if there is a service that needs any.
fn wanted(inputs: Inputs<'_>) -> BTreeSet<IpAddr> {
    let full_nat = &inputs.model.node.full_nat;
    let mut services = inputs.model.services.iter().filter(|service| service.delivery == Delivery::FullNat).peekable();
    if services.peek().is_some() && !full_nat.addresses.is_empty() {
        return full_nat.addresses.iter().copied().collect();
    }
    let backends = services.flat_map(|service| &service.backends);
    let hops = backends.filter_map(|backend| inputs.next_hops.get(&backend.address));
    let chosen = hops.map(|hop| hop.source).filter(|source| !source.is_unspecified());
    chosen.filter(|source| !has_service(inputs.model, *source)).collect()
}

/// Whether a service needs one of the ports of an address.
fn has_service(model: &Model, address: IpAddr) -> bool {
    let is_needed = |port: Option<u16>| port.is_none_or(|port| model.node.full_nat.ports.contains(&port));
    model.services.iter().any(|service| service.address == address && is_needed(service.port))
}

#[cfg(test)]
mod tests {
    use lb_common::{HashKey, Mac};

    use super::*;
    use crate::{
        model::{AdminState, Backend, Firewall, FullNat, Node, RingSettings, Service},
        plan::{Health, Patience},
        routes::NextHops,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A service for each address and port, each with a backend `10.1.0.N`.
    fn model(full_nat: FullNat, services: &[(&str, Option<u16>)]) -> Model {
        let backend = |number| Backend {
            name: format!("b{number}"),
            address: ip(&format!("10.1.0.{number}")),
            port: None,
            weight: 1,
            state: AdminState::Up,
        };
        let service = |(number, &(address, port)): (usize, &(&str, Option<u16>))| Service {
            name: format!("s{number}"),
            address: ip(address),
            port,
            protocol: Protocol::Tcp,
            delivery: Delivery::FullNat,
            ring: RingSettings::default(),
            health: None,
            backends: vec![backend(number)],
        };
        let node = Node { interfaces: Vec::new(), secret: None, source_v4: None, source_v6: None, full_nat };
        Model { node, services: services.iter().enumerate().map(service).collect(), firewall: Firewall::default() }
    }

    /// Backend `10.1.0.N` is reached from the Nth of these addresses.
    fn hops(sources: &[&str]) -> NextHops {
        let hop = |source| NextHop {
            ifindex: 1,
            interface: "eth0".to_owned(),
            mac: Mac::default(),
            source_mac: Mac::default(),
            source,
            mtu: 1500,
        };
        let hops = sources.iter().enumerate();
        hops.map(|(number, source)| (ip(&format!("10.1.0.{number}")), hop(ip(source)))).collect()
    }

    fn sources(model: &Model, next_hops: &NextHops, current: &Snapshot) -> (Sources, Vec<(u32, IpAddr)>) {
        let inputs = Inputs {
            model,
            health: &|_, _| Health::Up,
            next_hops,
            hash_key: HashKey::default(),
            devices: &BTreeSet::new(),
            patience: Patience::default(),
            census: None,
            now_s: 0,
        };
        let sources = Sources::new(inputs, current);
        let listed = sources.numbered.iter().map(|(&number, node)| (number, node.address.into())).collect();
        (sources, listed)
    }

    const WEB: (&str, Option<u16>) = ("192.0.2.80", Some(80));

    #[test]
    fn the_kernels_choice_serves_whose_it_is() {
        let (model, hops) = (model(FullNat::default(), &[WEB; 3]), hops(&["10.0.0.2", "10.0.0.2", "10.0.0.1"]));
        let (sources, listed) = sources(&model, &hops, &Snapshot::default());
        assert_eq!(listed, [(0, ip("10.0.0.1")), (1, ip("10.0.0.2"))]);
        for (backend, hop) in &hops {
            assert_eq!(sources.towards(*backend, hop), Some(hop.source.into()));
        }
    }

    #[test]
    fn what_is_named_serves_all_of_its_family() {
        let named = FullNat { addresses: vec![ip("2001:db8::1"), ip("10.0.0.9")], ports: 5..=9 };
        let (model, hops) = (model(named, &[WEB]), hops(&["10.0.0.1"]));
        let (sources, listed) = sources(&model, &hops, &Snapshot::default());
        assert_eq!(listed, [(0, ip("10.0.0.9")), (1, ip("2001:db8::1"))]);
        assert_eq!(sources.towards(ip("10.1.0.0"), &hops[&ip("10.1.0.0")]), Some(ip("10.0.0.9").into()));
        let node = sources.numbered[&0];
        assert_eq!((node.first_port, node.last_port, node.is_shared), (5, 9, 1));
    }

    #[test]
    fn an_address_keeps_its_number_while_others_come_and_go() {
        let named = |texts: &[&str]| {
            let addresses = texts.iter().map(|text| ip(text)).collect();
            model(FullNat { addresses, ..FullNat::default() }, &[WEB])
        };
        let mut current = Snapshot::default();
        let steps: [(&[&str], &[(u32, &str)]); 3] = [
            (&["10.0.0.5", "10.0.0.7"], &[(0, "10.0.0.5"), (1, "10.0.0.7")]),
            (&["10.0.0.7"], &[(1, "10.0.0.7")]),
            (&["10.0.0.1", "10.0.0.7", "10.0.0.9"], &[(0, "10.0.0.1"), (1, "10.0.0.7"), (2, "10.0.0.9")]),
        ];
        for (addresses, expected) in steps {
            let (sources, listed) = sources(&named(addresses), &NextHops::new(), &current);
            assert_eq!(listed, expected.iter().map(|&(number, text)| (number, ip(text))).collect::<Vec<_>>());
            current = Snapshot::default();
            sources.put(&mut current);
        }
    }

    #[test]
    fn there_are_four_numbers_and_no_more() {
        let chosen = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"];
        let (model, hops) = (model(FullNat::default(), &[WEB; 5]), hops(&chosen));
        let (sources, listed) = sources(&model, &hops, &Snapshot::default());
        assert_eq!(listed.len(), 4);
        assert_eq!(sources.towards(ip("10.1.0.4"), &hops[&ip("10.1.0.4")]), None);
    }

    #[test]
    fn the_ports_of_a_service_are_not_given_to_sessions() {
        for (port, expected) in [(Some(80), 1), (Some(8080), 0), (None, 0)] {
            let (model, hops) = (model(FullNat::default(), &[("10.0.0.1", port)]), hops(&["10.0.0.1"]));
            assert_eq!(sources(&model, &hops, &Snapshot::default()).1.len(), expected, "{port:?}");
        }
    }

    #[test]
    fn an_address_that_the_node_does_not_have_is_none() {
        let (model, hops) = (model(FullNat::default(), &[WEB]), hops(&["0.0.0.0"]));
        assert!(sources(&model, &hops, &Snapshot::default()).1.is_empty());
    }

    #[test]
    fn without_a_service_nothing_is_taken() {
        let mut model = model(FullNat { addresses: vec![ip("10.0.0.9")], ..FullNat::default() }, &[WEB]);
        model.services[0].delivery = Delivery::Nat;
        assert!(sources(&model, &hops(&["10.0.0.1"]), &Snapshot::default()).1.is_empty());
    }
}
