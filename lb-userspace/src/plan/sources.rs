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
