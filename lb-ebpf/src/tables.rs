//! All that the datapath knows and all that it may ask: BPF maps in the kernel, plain collections in tests.

use lb_common::{
    Address, BackendValue, ConnectionIds, DropReason, EndpointKey, Flow, ListMatch, Mac, ReplyValue, Row, RuleBlock,
    RuleLine, ServiceValue, Settings, Subject, Trail,
};

use crate::{
    aside::Places,
    balance::{Access, flows::Arrival, quic::Named},
    firewall::rules::Ruling,
    frame::Frame,
    parse::Packet,
    service::lookup::Endpoint,
    syn::{Contact, Judgement},
    verdict::Way,
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

    /// What is wrong with a packet that may make no sense, if its check is switched on in an element of the `sanity` array: what
    /// [`crate::sanity::judge`] says. It is asked of the tables for the same reason as [`Tables::steer`].
    ///
    /// # Errors
    ///
    /// The reason to drop it.
    fn judge_sanity(&self, frame: &impl Frame, packet: &Packet, element: u32) -> Result<(), DropReason>;

    /// Whom a datagram of a QUIC service names: what [`crate::balance::quic::look`] says. It is asked of the tables for the
    /// same reason as [`Tables::steer`].
    fn named(&self, frame: &impl Frame, offset: u32, service: u16, ids: ConnectionIds, access: Access) -> Named;

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

    /// The slot of the backend that a flow at an unsettled row is on, for what may not leave a trace in the flow table:
    /// what [`crate::balance::flows::look`] says.
    fn look(&self, hash: u64, row: Row) -> u16;

    /// Where the first fragment of the packet with this hash went: [`crate::balance::fragments::recall`].
    fn fragment(&self, hash: u64) -> Trail;

    /// Notes where a first fragment goes: [`crate::balance::fragments::remember`].
    fn note_fragment(&self, hash: u64, trail: Trail);

    /// Whether one more error may be sent now; see [`crate::too_big`].
    fn may_complain(&self) -> bool;

    /// Whether the node has a MAC address, or takes frames for any: what [`crate::receiver::is_one_of`] says.
    fn is_receiver(&self, mac: Mac) -> bool;

    /// The main road: [`crate::road`]. Like all roads it is asked of the tables so that the kernel's can make it a function
    /// of its own, which the verifier looks at once, and whose stack is free again for the next one.
    fn road(&self, frame: &mut impl Frame) -> Way;

    /// The side road of rare packets: [`crate::aside::enter`].
    fn aside(&self, frame: &mut impl Frame) -> Way;

    /// The part of it that leads to a backend: [`crate::aside::deliver`].
    fn deliver_aside(&self, frame: &mut impl Frame, places: &Places, slot: u16, hash: u64) -> Way;

    /// The part of it that leads back to clients: [`crate::aside::back`], with what the former has read.
    fn back(&self, frame: &mut impl Frame) -> Way;

    /// The road of packets for the protected node: [`crate::node::road`].
    fn node(&self, frame: &mut impl Frame) -> Way;

    /// Tells the sender of a packet that its way carries only so many bytes: [`crate::too_big::refuse`].
    fn refuse(&self, frame: &mut impl Frame, max_bytes: u16) -> Way;

    /// The road of services with sessions: [`crate::sessions::road`].
    fn sessions(&self, frame: &mut impl Frame) -> Way;

    /// The road of ICMP errors about sessions: [`crate::sessions::error_road`].
    fn session_error(&self, frame: &mut impl Frame) -> Way;

    /// Brings a packet to where its session says: what [`crate::sessions::carry`] does. It is asked of the tables for the same
    /// reason, and so that the road of the other deliveries stays as short as it is without this one.
    ///
    /// # Errors
    ///
    /// The reason to drop the packet; [`DropReason::SessionUnknown`] if it has no session.
    fn carry(&self, frame: &mut impl Frame, packet: &Packet, service: &ServiceValue) -> Result<Way, DropReason>;

    /// Brings an ICMP error about a session to where it belongs: what [`crate::sessions::carry_error`] does.
    ///
    /// # Errors
    ///
    /// The reason to drop it.
    fn carry_error(
        &self,
        frame: &mut impl Frame,
        packet: &Packet,
        quoted: &Packet,
        service: &ServiceValue,
    ) -> Result<Way, DropReason>;

    /// Brings a later fragment to where its packet's session says: what [`crate::sessions::follow`] does.
    ///
    /// # Errors
    ///
    /// The reason to drop it.
    fn follow(&self, frame: &mut impl Frame, packet: &Packet) -> Result<Way, DropReason>;

    /// Opens the session of a packet that has none: what [`crate::sessions::open`] does.
    ///
    /// # Errors
    ///
    /// The reason to drop the packet.
    fn open(&self, packet: &Packet, service: &ServiceValue) -> Result<(), DropReason>;
    /// What becomes of a segment that SYN protection is concerned with: what [`crate::syn::judge`] says. It is asked of the
    /// tables for the same reason as [`Tables::steer`].
    fn judge(&self, frame: &impl Frame, contact: Contact) -> Judgement;

    /// Makes a SYN the question to its sender: what [`crate::syn::ask`] does.
    fn ask(&self, frame: &mut impl Frame, contact: Contact) -> bool;

    /// Notes a TCP segment of a sampled flow: what [`crate::syn::watch`] does.
    fn watch(&self, mark: u64, service: u16, flags: u8);

    /// The service that a `nat` backend's reply belongs to.
    fn reply(&self, key: &EndpointKey) -> Option<&ReplyValue>;

    /// What the firewall's lists say of a source, if only some of them are asked: what [`crate::firewall::lists::find`] says.
    ///
    /// It is asked of the tables for the same reason as [`Tables::steer`].
    fn listed(&self, source: &Address, lists: u64) -> ListMatch;

    /// The lists that apply to packets for a service, or for none.
    fn lists_for(&self, service: Option<u16>) -> u64;

    /// What the rest of the firewall says of a packet: what [`crate::firewall::screen`] says. It is asked of the tables for the
    /// same reason as [`Tables::steer`].
    ///
    /// # Errors
    ///
    /// What becomes of a packet that may not go on.
    fn screen(&self, frame: &impl Frame, packet: &Packet) -> Result<Ruling, Way>;

    /// A block of rules and limits.
    fn rules(&self, bank: u32) -> Option<&RuleBlock>;

    /// Whether a packet matches a line of a rule: what [`RuleLine::matches`] says. It is asked of the tables for the same reason as
    /// [`Tables::steer`].
    fn matches(&self, line: &RuleLine, subject: &Subject) -> bool;

    /// Charges a packet of a service, or of none, to the limit with a number in a block: what [`crate::firewall::limits::charge`]
    /// says. It is asked of the tables for the same reason as [`Tables::steer`].
    fn charge(&self, packet: &Packet, bank: u16, limit: u32, service: Option<u32>) -> bool;

    /// The socket of the node's that the packet, of TCP or UDP, is for.
    fn socket(&self, packet: &Packet) -> Socket;

    /// The kernel's way to the packet's destination.
    fn route(&self, packet: &Packet) -> Route;

    /// Asks user space to find the MAC address of a neighbour.
    fn want_neighbour(&self, ifindex: u32, address: &Address);

    /// Counts a packet for a service; `flows` is 1 if it opens a flow.
    fn count_service(&self, id: u32, bytes: u64, flows: u64);

    /// Counts a packet for a backend; `flows` is 1 if it opens a flow.
    fn count_backend(&self, slot: u16, bytes: u64, flows: u64);

    /// Counts a packet that a list has matched.
    fn count_list(&self, found: ListMatch, bytes: u64);

    /// Counts a packet that a rule has matched.
    fn count_rule(&self, rule: u32, bytes: u64);

    /// Counts a drop.
    fn count_drop(&self, reason: DropReason);

    /// Records a drop if it is its turn: what [`crate::drops::record`] says. It is asked of the tables for the same reason as
    /// [`Tables::steer`].
    fn sample_drop(&self, frame: &impl Frame, reason: DropReason, rule: u32);
}

/// The kernel's answer to the question whom a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// Nobody.
    None,
    /// A socket that takes packets of anybody: it listens, or is not connected.
    Open,
    /// A connection with the packet's sender.
    Connected,
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
    /// It is larger than the way carries.
    TooBig {
        /// The largest packet that it carries, in bytes.
        mtu: u16,
    },
    /// Nowhere: there is no route, or forwarding is off.
    Unreachable,
}
