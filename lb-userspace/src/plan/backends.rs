//! A backend in the tables: what it may be given, the way to it, and its replies.

use std::net::IpAddr;

use lb_common::{Address, BackendFlags, BackendValue, EndpointKey, ReplyValue};

use super::{Health, Inputs, Snapshot, ramps::Takes, services, sources::Sources};
use crate::{
    model::{AdminState, Backend, Delivery, Model, Service},
    ring,
};

/// Whether a backend may be given new flows.
pub(super) fn takes(service: &Service, backend: &Backend, inputs: Inputs<'_>) -> Takes {
    match (backend.state_at(inputs.now), (inputs.health)(&service.name, &backend.name)) {
        (AdminState::Up, Health::Up) => Takes::All,
        (AdminState::Up, Health::Starting) => Takes::NotYet,
        _ => Takes::Nothing,
    }
}

/// The [`BackendFlags`] that say what a backend may be given.
pub(super) fn duties(service: &Service, backend: &Backend, inputs: Inputs<'_>) -> u8 {
    let state = backend.state_at(inputs.now);
    if state == AdminState::Disabled {
        return 0;
    }
    match (inputs.health)(&service.name, &backend.name) {
        Health::Up if state == AdminState::Up => BackendFlags::ELIGIBLE | BackendFlags::SERVES,
        Health::Up | Health::Starting => BackendFlags::SERVES,
        Health::Suspect => BackendFlags::SERVES | BackendFlags::SUSPECT,
        Health::Gone => 0,
    }
}

/// Puts a backend into its slot, with all that leads to it and back.
pub(super) fn put(
    service: &Service,
    backend: &Backend,
    id: u32,
    slot: u16,
    inputs: Inputs<'_>,
    sources: &Sources,
    snapshot: &mut Snapshot,
) {
    let mut value = BackendValue {
        address: backend.address.into(),
        port: backend.port.unwrap_or(0),
        delivery: service.delivery as u8,
        gue_port: if service.delivery == Delivery::Gue { service.gue_port } else { 0 },
        service: id as u16,
        identity: ring::short_identity(&backend.name),
        flags: duties(service, backend, inputs),
        ..BackendValue::default()
    };
    match inputs.next_hops.get(&backend.address) {
        Some(hop) if hop.is_local && can_be_local(service.delivery) => {
            value.flags |= BackendFlags::RESOLVED | BackendFlags::LOCAL;
        }
        Some(hop) if !hop.is_local => {
            let source = match service.delivery {
                Delivery::FullNat => sources.towards(backend.address, hop),
                _ => Some(source(service, inputs.model, hop.source)),
            };
            // Without an address to come from there is no way to the backend.
            value.flags |= if source.is_some() { BackendFlags::RESOLVED } else { 0 };
            value.source = source.unwrap_or_default();
            value.mac = hop.mac;
            value.source_mac = hop.source_mac;
            value.ifindex = hop.ifindex;
            value.vlan = hop.vlan.unwrap_or(0);
            let overhead = service.delivery.overhead_bytes(backend.address.is_ipv4());
            value.max_bytes = hop.mtu.saturating_sub(overhead as u16);
            snapshot.devices.insert(hop.ifindex);
        }
        _ => {}
    }
    snapshot.backends.insert(slot, value);
    if let Some(server) = backend.server_id {
        snapshot.servers.insert((id as u16, server.number()), slot);
    }
    if service.delivery == Delivery::Nat {
        put_replies(service, backend, id, slot, snapshot);
    }
}

/// Puts the sources of a `nat` backend's replies into the snapshot. The model has made sure that no other service claims
/// them.
fn put_replies(service: &Service, backend: &Backend, id: u32, slot: u16, snapshot: &mut Snapshot) {
    let key = |port| EndpointKey::new(backend.address.into(), port, service.protocol.number());
    let value = ReplyValue {
        address: services::first_address(service),
        port: 0,
        backend: slot,
        service: id as u16,
        is_checked: u16::from(!service.ports.is_any()),
    };
    for port in service.ports.singles() {
        snapshot.replies.insert(key(backend.port.unwrap_or(port)), ReplyValue { port, is_checked: 0, ..value });
    }
    if service.ports.has_wide() {
        snapshot.replies.insert(key(0), value);
    }
}

/// Whether a backend may be this node itself: the service's address must be one that the server answers from. What is
/// rewritten would have to be rewritten back, and replies of the node's own never pass XDP.
pub const fn can_be_local(delivery: Delivery) -> bool {
    match delivery {
        Delivery::L2 | Delivery::Ipip | Delivery::Gue => true,
        Delivery::Nat | Delivery::FullNat => false,
    }
}

/// The source that a delivery writes: the service's address, for replies; or that of outer headers, which is the operator's
/// choice, or else the kernel's.
fn source(service: &Service, model: &Model, kernel: IpAddr) -> Address {
    match kernel {
        _ if service.delivery == Delivery::Nat => services::first_address(service),
        IpAddr::V4(_) => model.node.source_v4.map_or_else(|| kernel.into(), Address::from),
        IpAddr::V6(_) => model.node.source_v6.map_or_else(|| kernel.into(), Address::from),
    }
}
