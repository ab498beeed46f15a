//! The `services` table: which entries a service has, and which service an entry is.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use lb_common::{Address, EndpointKey, MAX_PORT_BLOCKS, PortBlock, PortSpan, ServiceFlags, ServiceValue};

use super::{PlanError, Snapshot, allocate::Regions};
use crate::model::{Model, Service, is_prefix, mapped_bits};

/// The key of a service at one port; 0 stands for all ports that have no key of their own.
pub fn service_key(service: &Service, port: u16) -> EndpointKey {
    key(service.address, port, service.protocol.number())
}

/// The key that says that an address is ours, and answers echo requests.
fn address_key(address: IpNet) -> EndpointKey {
    const ICMP: u8 = 1;
    const ICMPV6: u8 = 58;
    key(address, 0, if address.addr().is_ipv4() { ICMP } else { ICMPV6 })
}

fn key(address: IpNet, port: u16, protocol: u8) -> EndpointKey {
    // A single address is none of a prefix's.
    let prefix_bits = if is_prefix(address) { mapped_bits(address) } else { 0 };
    EndpointKey::in_network(address.network().into(), prefix_bits, port, protocol)
}

/// How an entry of the tables is taken for one of a service's ports.
type Match = fn(PortSpan, PortSpan) -> bool;

/// What the tables say of the services of a model, by name: those that were there before.
///
/// A service is known by its address, its protocol and any of its ports, so that it stays the same one when ports are
/// added and removed. Where one of the tables could be several of the model's, it is the one whose first port it has, or
/// else one that has the same port or range, or else one whose ranges overlap; of these the first in the document.
pub fn present<'m>(model: &'m Model, current: &Snapshot) -> BTreeMap<&'m str, ServiceValue> {
    let same: Match = |a, b| a == b;
    let overlapping: Match = |a, b| a.overlaps(&b) && b != PortSpan::ANY;
    let mut found = BTreeMap::new();
    let mut taken = BTreeSet::new();
    for (ports, is_it) in [(1, same), (usize::MAX, same), (usize::MAX, overlapping)] {
        for service in &model.services {
            if found.contains_key(service.name.as_str()) {
                continue;
            }
            let spans = service.ports.spans().iter().take(ports);
            let mut standing = spans.flat_map(|span| standing(service, *span, is_it, current));
            if let Some(value) = standing.find(|value| !taken.contains(&value.id)) {
                taken.insert(value.id);
                found.insert(service.name.as_str(), value);
            }
        }
    }
    found
}

/// What stands at a service's address where one of its ranges is.
fn standing(service: &Service, span: PortSpan, is_it: Match, current: &Snapshot) -> Vec<ServiceValue> {
    let exact = (span.first > 0).then_some(PortSpan::single(span.first)).filter(|port| is_it(span, *port));
    let exact = exact.and_then(|port| current.services.get(&service_key(service, port.first)));
    let others = current.services.get(&service_key(service, 0)).map(|value| current.behind(value)).unwrap_or_default();
    let others = others.into_iter().filter(|(other, _)| is_it(span, *other)).map(|(_, value)| value);
    exact.copied().into_iter().chain(others).collect()
}

impl Snapshot {
    /// The services, as their entries have them: one that has several comes several times.
    pub(super) fn each_service(&self) -> impl Iterator<Item = ServiceValue> {
        let entries = self.services.values().filter(|value| !value.is_address());
        entries.flat_map(|value| self.behind(value)).map(|(_, value)| value)
    }

    /// The services by id, each once.
    pub fn services_by_id(&self) -> BTreeMap<u16, ServiceValue> {
        self.each_service().map(|value| (value.id, value)).collect()
    }

    /// The service with an id.
    pub fn service(&self, id: u32) -> Option<ServiceValue> {
        self.each_service().find(|value| u32::from(value.id) == id)
    }

    /// The services that an entry without a port stands for: none, if it is an address of the node.
    fn behind(&self, value: &ServiceValue) -> Vec<(PortSpan, ServiceValue)> {
        if value.is_node_address() {
            return Vec::new();
        }
        if !value.is_block() {
            return vec![(PortSpan::ANY, *value)];
        }
        self.port_blocks.get(&value.ring).map(|block| block.iter().collect()).unwrap_or_default()
    }

    /// The lengths of the prefixes in the table, the longest first.
    pub(super) fn prefix_lengths<const N: usize>(&self, is_v4: bool) -> [u8; N] {
        let prefixes = self.services.keys().filter(|key| key.prefix_bits > 0 && key.address.is_v4() == is_v4);
        let lengths: BTreeSet<u8> = prefixes.map(|key| key.prefix_bits as u8).collect();
        let mut all = [0; N];
        for (place, length) in all.iter_mut().zip(lengths.into_iter().rev()) {
            *place = length;
        }
        all
    }
}

/// Puts the entries of all services into the snapshot.
pub(super) fn put(
    services: &[(&Service, ServiceValue)],
    current: &Snapshot,
    blocks: &mut Regions,
    snapshot: &mut Snapshot,
) -> Result<(), PlanError> {
    let mut others: BTreeMap<EndpointKey, Vec<(PortSpan, ServiceValue)>> = BTreeMap::new();
    for &(service, value) in services {
        let address = ServiceValue { flags: ServiceFlags::ADDRESS, ..ServiceValue::default() };
        snapshot.services.insert(address_key(service.address), address);
        for port in service.ports.singles() {
            snapshot.services.insert(service_key(service, port), value);
        }
        let any = service.ports.is_any().then_some(PortSpan::ANY);
        for span in service.ports.ranges().chain(any) {
            others.entry(service_key(service, 0)).or_default().push((span, value));
        }
    }
    for (key, mut ranges) in others {
        let value = match ranges.as_slice() {
            [(PortSpan::ANY, value)] => *value,
            _ => {
                ranges.sort_by_key(|(span, _)| (*span == PortSpan::ANY, span.first));
                put_block(key, PortBlock::new(ranges), current, blocks, snapshot)?
            }
        };
        snapshot.services.insert(key, value);
    }
    Ok(())
}

/// Puts a block into the snapshot: where it is if it is the same, in a free place otherwise.
fn put_block(
    key: EndpointKey,
    block: PortBlock,
    current: &Snapshot,
    blocks: &mut Regions,
    snapshot: &mut Snapshot,
) -> Result<ServiceValue, PlanError> {
    let there = current.services.get(&key).filter(|value| value.is_block()).map(|value| value.ring);
    let index = match there.filter(|index| current.port_blocks.get(index) == Some(&block)) {
        Some(index) => index,
        None => {
            let used = current.port_blocks.keys().chain(snapshot.port_blocks.keys()).map(|&index| u32::from(index));
            let used: Vec<_> = used.map(|index| index..index + 1).collect();
            blocks.take(1, &used, MAX_PORT_BLOCKS).ok_or(PlanError::PortBlocks)? as u16
        }
    };
    snapshot.port_blocks.insert(index, block);
    Ok(ServiceValue::block(index))
}

/// The first address of a service, which is the only one of a `nat` service.
pub(super) fn first_address(service: &Service) -> Address {
    service.address.network().into()
}
