//! All that the datapath knows and all that it may ask: BPF maps in the kernel, plain collections in tests.

use lb_common::{
    Address, BackendValue, ConnectionIds, DropReason, EndpointKey, Flow, ListKind, Mac, ReplyValue, Row, ServiceValue,
    Settings,
};

use crate::{
    balance::{flows::Arrival, quic::Named},
    frame::Frame,
    parse::Packet,
    service::lookup::Endpoint,
};

/// The datapath's view of the maps and of the kernel's routes.
///
/// Counting cannot fail as far as the datapath is concerned: no telemetry changes a verdict.
pub trait Tables {
    /// The settings; `None` only before the daemon has written them.
    fn settings(&self) -> Option<&Settings>;

    /// What there is at an endpoint: what [`crate::service::lookup::find`] says.
    ///
    /// Like [`Tables::steer`] it is asked of the tables so that the verifier looks at it once: it has many ways out.
    fn service_at(&self, endpoint: Endpoint<'_>) -> Option<ServiceValue>;

    /// Whether a service that is restricted allows a source.
    fn allows_source(&self, service: u16, source: &Address) -> bool;

    /// Whom a datagram of a QUIC service names: what [`crate::balance::quic::look`] says. It is asked of the tables for the
    /// same reason as [`Tables::steer`].
    fn named(&self, frame: &impl Frame, offset: u32, service: u16, ids: ConnectionIds) -> Named;

    /// The slot of the backend with a server id of a QUIC service.
    fn server(&self, service: u16, id: u64) -> Option<u16>;

    /// Row number `row` of the ring whose first element is `ring`.
    fn row(&self, ring: u32, row: u32) -> Option<Row>;

    /// The backend in a slot.
    fn backend(&self, slot: u16) -> Option<&BackendValue>;

    /// The hash of a flow to a service that tells flows apart by client: what [`ServiceValue::hash`] says.
    ///
    /// It is asked of the tables for the same reason as [`Tables::steer`].
    fn client_hash(&self, flow: &Flow, service: &ServiceValue) -> u64;

    /// The slot of the backend that a packet at an unsettled row goes to: what [`crate::balance::flows::steer`] says.
    ///
    /// It is asked of the tables so that the kernel's can make it a function that the verifier looks at by itself, once,
    /// and not again for every way in which a packet may have come there.
    fn steer(&self, arrival: Arrival) -> u16;

    /// The service that a `nat` backend's reply belongs to.
    fn reply(&self, key: &EndpointKey) -> Option<&ReplyValue>;

    /// Whether a list covers an address.
    fn listed(&self, list: ListKind, address: &Address) -> bool;

    /// The kernel's way to the packet's destination.
    fn route(&self, packet: &Packet) -> Route;

    /// Asks user space to find the MAC address of a neighbour.
    fn want_neighbour(&self, ifindex: u32, address: &Address);

    /// Counts a packet for a service; `flows` is 1 if it opens a flow.
    fn count_service(&self, id: u32, bytes: u64, flows: u64);

    /// Counts a packet for a backend; `flows` is 1 if it opens a flow.
    fn count_backend(&self, slot: u16, bytes: u64, flows: u64);

    /// Counts a packet that a list has matched.
    fn count_list(&self, list: ListKind, bytes: u64);

    /// Counts a drop.
    fn count_drop(&self, reason: DropReason);

    /// Records a drop if it is its turn: what [`crate::drops::record`] says. It is asked of the tables for the same reason as
    /// [`Tables::steer`].
    fn sample_drop(&self, frame: &impl Frame, reason: DropReason);
}

/// The kernel's answer to the question where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To this machine itself: not ours to forward.
    Local,
    /// To a neighbour.
    Neighbour {
        /// The interface that leads to it.
        ifindex: u32,
        /// Its MAC address.
        mac: Mac,
        /// That interface's MAC address.
        source_mac: Mac,
    },
    /// To a neighbour whose MAC address the kernel does not know.
    Unresolved {
        /// The interface that leads to it.
        ifindex: u32,
        /// Its address.
        address: Address,
    },
    /// It is larger than the way's MTU.
    TooBig,
    /// Nowhere: there is no route, or forwarding is off.
    Unreachable,
}
