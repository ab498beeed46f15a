//! The addresses of the node that `full-nat` sessions come from.
//!
//! A session is found by its address's number, so an address keeps its number for as long as it is used.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_common::{Address, EndpointKey, MAX_NODE_ADDRESSES, NodeAddress, ServiceValue};

use super::{Snapshot, desired::Inputs};
use crate::{
    model::{Delivery, Model, Protocol, Service},
    routes::NextHop,
};

/// The addresses, by number.
pub(super) struct Sources {
    numbered: BTreeMap<u32, NodeAddress>,
}

impl Sources {
    /// The addresses that the operator names, or else the kernel's choice towards each backend; of the latter those that no
    /// service needs and for which there is a number.
    ///
    /// A choice that no way leads to any more keeps its number while nobody else wants it: the way may come back, and
    /// sessions wait for it.
    pub(super) fn new(inputs: Inputs<'_>, current: &Snapshot) -> Self {
        let mut addresses = wanted(inputs);
        let (mut numbered, mut waiting) = (BTreeMap::new(), BTreeMap::new());
        for (&number, present) in &current.node_addresses {
            let address = present.address.into();
            if addresses.remove(&address) {
                numbered.insert(number, value(inputs, address));
            } else if present.is_shared == 0 && may_be_chosen(inputs, address) {
                waiting.insert(number, value(inputs, address));
            }
        }
        let mut free: Vec<u32> = (0..MAX_NODE_ADDRESSES).filter(|number| !numbered.contains_key(number)).collect();
        free.sort_by_key(|number| waiting.contains_key(number));
        numbered.extend(free.into_iter().zip(addresses.into_iter().map(|address| value(inputs, address))));
        for (number, address) in waiting {
            numbered.entry(number).or_insert(address);
        }
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
            let value = ServiceValue::node_address(number as u16);
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                snapshot.services.insert(EndpointKey::new(node.address, 0, protocol.number()), value);
            }
        }
        snapshot.node_addresses = self.numbered;
    }
}

fn value(inputs: Inputs<'_>, address: IpAddr) -> NodeAddress {
    let full_nat = &inputs.model.node.full_nat;
    NodeAddress {
        address: address.into(),
        first_port: *full_nat.ports.start(),
        last_port: *full_nat.ports.end(),
        is_shared: (!full_nat.addresses.is_empty()).into(),
    }
}

/// The services that need addresses.
fn services(model: &Model) -> impl Iterator<Item = &Service> {
    model.services.iter().filter(|service| service.delivery == Delivery::FullNat)
}

/// The addresses that are wanted, if there is a service that needs any.
fn wanted(inputs: Inputs<'_>) -> BTreeSet<IpAddr> {
    let full_nat = &inputs.model.node.full_nat;
    if !full_nat.addresses.is_empty() && services(inputs.model).next().is_some() {
        return full_nat.addresses.iter().copied().collect();
    }
    let backends = services(inputs.model).flat_map(|service| &service.backends);
    let hops = backends.filter_map(|backend| inputs.next_hops.get(&backend.address)).filter(|hop| !hop.is_local);
    hops.map(|hop| hop.source).filter(|source| may_be_chosen(inputs, *source)).collect()
}

/// Whether the kernel may choose an address.
fn may_be_chosen(inputs: Inputs<'_>, address: IpAddr) -> bool {
    let is_left_to_it = inputs.model.node.full_nat.addresses.is_empty() && services(inputs.model).next().is_some();
    is_left_to_it && !address.is_unspecified() && !has_service(inputs.model, address)
}

/// Whether a service is in the way of sessions that come from an address.
fn has_service(model: &Model, address: IpAddr) -> bool {
    let full_nat = &model.node.full_nat;
    model.services.iter().any(|service| full_nat.collides(address, service.address, &service.ports))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use lb_common::{HashKey, Mac};

    use super::*;
    use crate::{
        model::{
            AdminState, Affinity, Backend, Exceptions, Firewall, FullNat, Moment, Node, PortSpan, Ports, RingSettings,
            Syn, SynProtection, Track,
        },
        plan::{Guard, Health, Patience},
        routes::NextHops,
    };

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// A service for each address or prefix and ports, each with a backend `10.1.0.N`.
    fn model(full_nat: FullNat, services: &[(&str, Ports)]) -> Model {
        let backend = |number| Backend {
            name: format!("b{number}"),
            address: ip(&format!("10.1.0.{number}")),
            port: None,
            weight: 1,
            state: AdminState::Up,
            drain_until: None,
            server_id: None,
        };
        let service = |(number, (address, ports)): (usize, &(&str, Ports))| Service {
            name: format!("s{number}"),
            address: address.parse().unwrap_or_else(|_| ip(address).into()),
            ports: ports.clone(),
            protocol: Protocol::Tcp,
            delivery: Delivery::FullNat,
            gue_port: Service::DEFAULT_GUE_PORT,
            ring: RingSettings::default(),
            affinity: Affinity::default(),
            track: Track::Never,
            slow_start: Duration::ZERO,
            quic: None,
            allow_from: Vec::new(),
            syn_protection: SynProtection::Off,
            sanity: Exceptions::new(),
            health: None,
            pool: None,
            backends: vec![backend(number)],
        };
        let node = Node { interfaces: Vec::new(), secret: None, source_v4: None, source_v6: None, full_nat };
        let services = services.iter().enumerate().map(service).collect();
        Model { node, services, firewall: Firewall::default(), syn: Syn::default() }
    }

    /// Backend `10.1.0.N` is reached from the Nth of these addresses.
    fn hops(sources: &[&str]) -> NextHops {
        let hop = |source| NextHop {
            ifindex: 1,
            interface: "eth0".to_owned(),
            mac: Mac::default(),
            source_mac: Mac::default(),
            source,
            vlan: None,
            mtu: 1500,
            is_local: false,
        };
        let hops = sources.iter().enumerate();
        hops.map(|(number, source)| (ip(&format!("10.1.0.{number}")), hop(ip(source)))).collect()
    }

    fn sources(model: &Model, next_hops: &NextHops, current: &Snapshot) -> (Sources, Vec<(u32, IpAddr)>) {
        let inputs = Inputs {
            lists: &Arc::default(),
            model,
            health: &|_, _| Health::Up,
            next_hops,
            hash_key: HashKey::default(),
            devices: &BTreeSet::new(),
            patience: Patience::default(),
            macs: &[],
            interfaces: &BTreeMap::new(),
            ephemeral: crate::plan::EPHEMERAL,
            guard: &Guard::default(),
            census: None,
            now_s: 0,
            now: Moment::from_seconds(0),
        };
        let sources = Sources::new(inputs, current);
        let listed = sources.numbered.iter().map(|(&number, node)| (number, node.address.into())).collect();
        (sources, listed)
    }

    fn web() -> (&'static str, Ports) {
        ("192.0.2.80", 80.into())
    }

    #[test]
    fn the_kernels_choice_serves_whose_it_is() {
        let (model, hops) =
            (model(FullNat::default(), &[web(), web(), web()]), hops(&["10.0.0.2", "10.0.0.2", "10.0.0.1"]));
        let (sources, listed) = sources(&model, &hops, &Snapshot::default());
        assert_eq!(listed, [(0, ip("10.0.0.1")), (1, ip("10.0.0.2"))]);
        for (backend, hop) in &hops {
            assert_eq!(sources.towards(*backend, hop), Some(hop.source.into()));
        }
    }

    #[test]
    fn what_is_named_serves_all_of_its_family() {
        let named = FullNat { addresses: vec![ip("2001:db8::1"), ip("10.0.0.9")], ports: 5..=9 };
        let (model, hops) = (model(named, &[web()]), hops(&["10.0.0.1"]));
        let (sources, listed) = sources(&model, &hops, &Snapshot::default());
        assert_eq!(listed, [(0, ip("10.0.0.9")), (1, ip("2001:db8::1"))]);
        assert_eq!(sources.towards(ip("10.1.0.0"), &hops[&ip("10.1.0.0")]), Some(ip("10.0.0.9").into()));
        let node = sources.numbered[&0];
        assert_eq!((node.first_port, node.last_port, node.is_shared), (5, 9, 1));
    }

    /// The addresses that are wanted, and those that there are then, by number.
    type Step<'a> = (&'a [&'a str], &'a [(u32, &'a str)]);

    #[test]
    fn an_address_keeps_its_number_while_others_come_and_go() {
        let named = |texts: &[&str]| {
            let addresses = texts.iter().map(|text| ip(text)).collect();
            model(FullNat { addresses, ..FullNat::default() }, &[web()])
        };
        let mut current = Snapshot::default();
        let steps: [Step<'_>; 3] = [
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
        let (model, hops) = (model(FullNat::default(), &std::array::from_fn::<_, 5, _>(|_| web())), hops(&chosen));
        let (sources, listed) = sources(&model, &hops, &Snapshot::default());
        assert_eq!(listed.len(), 4);
        assert_eq!(sources.towards(ip("10.1.0.4"), &hops[&ip("10.1.0.4")]), None);
    }

    #[test]
    fn what_is_a_services_is_not_given_to_sessions() {
        let range = |first, last| Ports::new(vec![PortSpan { first, last }]);
        let cases = [
            ("10.0.0.1", Ports::from(80), 1),
            ("10.0.0.1", Ports::from(8080), 0),
            ("10.0.0.1", Ports::ANY, 0),
            // Ranges have the address's entry for all ports that have none of their own, and so would the sessions.
            ("10.0.0.1", range(80, 90), 0),
            ("10.0.0.2", range(80, 90), 1),
            ("10.0.0.0/24", Ports::from(80), 0),
            ("10.0.1.0/24", Ports::from(8080), 1),
        ];
        for (address, ports, expected) in cases {
            let (model, hops) = (model(FullNat::default(), &[(address, ports.clone())]), hops(&["10.0.0.1"]));
            assert_eq!(sources(&model, &hops, &Snapshot::default()).1.len(), expected, "{address} {ports}");
        }
    }

    /// A backend that does not answer ARP for a while must not cost its sessions their address.
    #[test]
    fn the_kernels_choice_waits_for_a_way_that_is_gone() {
        let model = model(FullNat::default(), &[web(), web()]);
        let mut current = Snapshot::default();
        let steps: [Step<'_>; 5] = [
            (&["10.0.0.1", "10.0.0.2"], &[(0, "10.0.0.1"), (1, "10.0.0.2")]),
            (&[], &[(0, "10.0.0.1"), (1, "10.0.0.2")]),
            (&["10.0.0.2"], &[(0, "10.0.0.1"), (1, "10.0.0.2")]),
            (&["10.0.0.3", "10.0.0.4"], &[(0, "10.0.0.1"), (1, "10.0.0.2"), (2, "10.0.0.3"), (3, "10.0.0.4")]),
            // There are no more than four numbers.
            (&["10.0.0.5", "10.0.0.4"], &[(0, "10.0.0.5"), (1, "10.0.0.2"), (2, "10.0.0.3"), (3, "10.0.0.4")]),
        ];
        for (chosen, expected) in steps {
            let (sources, listed) = sources(&model, &hops(chosen), &current);
            assert_eq!(listed, expected.iter().map(|&(number, text)| (number, ip(text))).collect::<Vec<_>>());
            current = Snapshot::default();
            sources.put(&mut current);
        }
        let mut used = model.clone();
        used.services[0].address = ip("10.0.0.2").into();
        used.services[0].ports = Ports::ANY;
        assert!(!sources(&used, &NextHops::new(), &current).1.contains(&(1, ip("10.0.0.2"))), "it is a service's now");
        used.services.clear();
        assert!(sources(&used, &NextHops::new(), &current).1.is_empty(), "nobody needs addresses any more");
    }

    #[test]
    fn an_address_that_the_node_does_not_have_is_none() {
        let (model, hops) = (model(FullNat::default(), &[web()]), hops(&["0.0.0.0"]));
        assert!(sources(&model, &hops, &Snapshot::default()).1.is_empty());
    }

    #[test]
    fn without_a_service_nothing_is_taken() {
        let mut model = model(FullNat { addresses: vec![ip("10.0.0.9")], ..FullNat::default() }, &[web()]);
        model.services[0].delivery = Delivery::Nat;
        assert!(sources(&model, &hops(&["10.0.0.1"]), &Snapshot::default()).1.is_empty());
    }
}
