//! The pinned maps of the load balancer, and [`Tables`] over them.

use aya_ebpf::{
    bindings::xdp_md,
    macros::map,
    maps::{Array, DevMapHash, HashMap, PerCpuArray, RingBuf},
};
use lb_common::{
    Address, BackendValue, ConnectionIds, DropReason, EndpointKey, Event, EventKind, Flow, ListMatch, Mac, ReplyValue,
    RingElement, Row, RuleBlock, RuleLine, ServiceValue, Settings, Subject, Traffic, Trail,
};
use lb_ebpf::{
    aside::Places,
    balance::{Access, flows::Arrival, quic::Named},
    drops,
    firewall::rules::Ruling,
    frame::Frame,
    parse::Packet,
    service::lookup::Endpoint,
    syn::{Contact, Judgement},
    tables::{Route, Socket, Tables},
    too_big,
    verdict::Way,
};

use crate::{
    buckets,
    clients::sluice_client_hash,
    flows::{nanoseconds, sluice_look, sluice_recall, sluice_remember, sluice_steer},
    lists,
    quic::sluice_quic,
    roads::{sluice_aside, sluice_back, sluice_deliver, sluice_is_receiver, sluice_node, sluice_refuse, sluice_road},
    routes,
    samples::sluice_sample,
    sanity, screen, services,
    sessions::{
        sluice_carry, sluice_carry_error, sluice_follow, sluice_open, sluice_session_error, sluice_sessions, unpack,
    },
    sockets,
    syn::{sluice_ask, sluice_syn, sluice_watch},
    xdp_frame::XdpFrame,
};

#[map(name = "settings")]
pub(crate) static SETTINGS: Array<Settings> = Array::pinned(1, 0);
#[map(name = "rings")]
static RINGS: Array<RingElement> = Array::pinned(lb_common::MAX_ROWS / lb_common::ROWS_PER_ELEMENT, 0);
#[map(name = "backends")]
pub(crate) static BACKENDS: Array<BackendValue> = Array::pinned(lb_common::MAX_BACKENDS, 0);
#[map(name = "replies")]
static REPLIES: HashMap<EndpointKey, ReplyValue> = HashMap::pinned(lb_common::MAX_REPLIES, 0);
#[map(name = "devices")]
static DEVICES: DevMapHash = DevMapHash::pinned(lb_common::MAX_DEVICES, 0);
#[map(name = "service_traffic")]
static SERVICE_TRAFFIC: PerCpuArray<Traffic> = PerCpuArray::pinned(lb_common::MAX_SERVICES, 0);
#[map(name = "backend_traffic")]
static BACKEND_TRAFFIC: PerCpuArray<Traffic> = PerCpuArray::pinned(lb_common::MAX_BACKENDS, 0);
#[map(name = "drops")]
static DROPS: PerCpuArray<u64> = PerCpuArray::pinned(DropReason::ALL.len() as u32, 0);
/// When the last answer to a packet that did not fit was due, in nanoseconds.
#[map(name = "complaints")]
static COMPLAINTS: PerCpuArray<u64> = PerCpuArray::pinned(1, 0);
#[map(name = "events")]
pub(crate) static EVENTS: RingBuf = RingBuf::pinned(lb_common::EVENT_BYTES, 0);

/// The maps, and the context that the kernel's route look-up wants.
pub(crate) struct KernelTables {
    context: *mut xdp_md,
}

impl KernelTables {
    /// # Safety
    ///
    /// `context` is what the kernel handed to the running XDP program.
    #[inline(always)]
    pub(crate) const unsafe fn new(context: *mut xdp_md) -> Self {
        Self { context }
    }

    /// The action that sends a frame out of an interface; drops it if the daemon has not put the interface into the map.
    #[inline(always)]
    pub(crate) fn redirect(&self, frame: &XdpFrame, ifindex: u32) -> u32 {
        DEVICES.redirect(ifindex, 0).unwrap_or_else(|_| {
            drops::note(frame, DropReason::EgressUnknown, 0, self);
            aya_ebpf::bindings::xdp_action::XDP_DROP
        })
    }
}

#[inline(always)]
fn add(map: &PerCpuArray<Traffic>, index: u32, bytes: u64, flows: u64) {
    if let Some(counter) = map.get_ptr_mut(index) {
        // SAFETY: the slot belongs to this CPU, and an XDP program is not interrupted by another on the same CPU.
        let counter = unsafe { &mut *counter };
        counter.packets += 1;
        counter.bytes += bytes;
        counter.flows += flows;
    }
}

impl Tables for KernelTables {
    #[inline(always)]
    fn settings(&self) -> Option<&Settings> {
        SETTINGS.get(0)
    }

    #[inline(always)]
    fn service_at(&self, endpoint: Endpoint<'_>) -> Option<ServiceValue> {
        services::at(endpoint)
    }

    #[inline(always)]
    fn allows_source(&self, service: u16, source: &Address) -> bool {
        services::allows(service, source)
    }

    #[inline(always)]
    fn judge_sanity(&self, _: &impl Frame, packet: &Packet, element: u32) -> Result<(), DropReason> {
        sanity::judge(self.context, packet, element)
    }

    #[inline(always)]
    fn named(&self, _: &impl Frame, offset: u32, service: u16, ids: ConnectionIds, access: Access) -> Named {
        let looks = u32::from(access == Access::Look);
        Named::from_word(sluice_quic(self.context, offset, u32::from(service), u32::from(ids.to_byte()), looks))
    }

    #[inline(always)]
    fn server(&self, service: u16, id: u64) -> Option<u16> {
        services::server(service, id)
    }

    #[inline(always)]
    fn row(&self, ring: u32, row: u32) -> Option<Row> {
        let element = RINGS.get(ring.wrapping_add(row / lb_common::ROWS_PER_ELEMENT))?;
        element.0.get((row % lb_common::ROWS_PER_ELEMENT) as usize).copied().map(Row::from_word)
    }

    #[inline(always)]
    fn backend(&self, slot: u16) -> Option<&BackendValue> {
        BACKENDS.get(u32::from(slot))
    }

    #[inline(always)]
    fn client_hash(&self, flow: &Flow, service: &ServiceValue) -> u64 {
        let (source, destination) = (flow.source.halves(), flow.destination.halves());
        let rest = u64::from(flow.destination_port) << 32
            | u64::from(flow.protocol) << 24
            | u64::from(service.client_bits) << 16
            | u64::from(service.flags);
        sluice_client_hash(source[0], source[1], destination[0], destination[1], rest)
    }

    #[inline(always)]
    fn steer(&self, arrival: Arrival) -> u16 {
        let Arrival { hash, row, service, opens, closes, by_client } = arrival;
        sluice_steer(hash, row.word(), service, u32::from(opens) | u32::from(closes) << 1, u32::from(by_client)) as u16
    }

    #[inline(always)]
    fn sessions(&self, _: &mut impl Frame) -> Way {
        Way::from_word(sluice_sessions(self.context))
    }

    #[inline(always)]
    fn session_error(&self, _: &mut impl Frame) -> Way {
        Way::from_word(sluice_session_error(self.context))
    }

    #[inline(always)]
    fn carry(&self, _: &mut impl Frame, packet: &Packet, service: &ServiceValue) -> Result<Way, DropReason> {
        unpack(sluice_carry(self.context, packet, service.word())).map(Way::from_word)
    }

    #[inline(always)]
    fn carry_error(
        &self,
        _: &mut impl Frame,
        packet: &Packet,
        quoted: &Packet,
        service: &ServiceValue,
    ) -> Result<Way, DropReason> {
        unpack(sluice_carry_error(self.context, packet, quoted, service.word())).map(Way::from_word)
    }

    #[inline(always)]
    fn follow(&self, _: &mut impl Frame, packet: &Packet) -> Result<Way, DropReason> {
        unpack(sluice_follow(self.context, packet)).map(Way::from_word)
    }

    #[inline(always)]
    fn open(&self, packet: &Packet, service: &ServiceValue) -> Result<(), DropReason> {
        unpack(sluice_open(packet, service.word())).map(|_| ())
    }

    #[inline(always)]
    fn look(&self, hash: u64, row: Row) -> u16 {
        sluice_look(hash, row.word()) as u16
    }

    #[inline(always)]
    fn fragment(&self, hash: u64) -> Trail {
        Trail::from_word(sluice_recall(hash))
    }

    #[inline(always)]
    fn note_fragment(&self, hash: u64, trail: Trail) {
        sluice_remember(hash, trail.word());
    }

    #[inline(always)]
    fn may_complain(&self) -> bool {
        let Some(due) = COMPLAINTS.get_ptr_mut(0) else { return false };
        // SAFETY: as in `add`.
        let due = unsafe { &mut *due };
        too_big::next_due_ns(*due, nanoseconds()).map(|next| *due = next).is_some()
    }

    #[inline(always)]
    fn is_receiver(&self, mac: Mac) -> bool {
        let [a, b, c] = mac.0;
        sluice_is_receiver(a.into(), b.into(), c.into()) != 0
    }

    #[inline(always)]
    fn road(&self, _: &mut impl Frame) -> Way {
        Way::from_word(sluice_road(self.context))
    }

    #[inline(always)]
    fn aside(&self, _: &mut impl Frame) -> Way {
        Way::from_word(sluice_aside(self.context))
    }

    #[inline(always)]
    fn deliver_aside(&self, _: &mut impl Frame, _: &Places, slot: u16, hash: u64) -> Way {
        Way::from_word(sluice_deliver(self.context, slot.into(), hash))
    }

    #[inline(always)]
    fn back(&self, _: &mut impl Frame) -> Way {
        Way::from_word(sluice_back(self.context))
    }

    #[inline(always)]
    fn node(&self, _: &mut impl Frame) -> Way {
        Way::from_word(sluice_node(self.context))
    }

    #[inline(always)]
    fn refuse(&self, _: &mut impl Frame, max_bytes: u16) -> Way {
        Way::from_word(sluice_refuse(self.context, max_bytes.into()))
    }

    #[inline(always)]
    fn judge(&self, _: &impl Frame, contact: Contact) -> Judgement {
        let kind = u32::from(contact.is_v4) | u32::from(contact.is_observed) << 1;
        let (network, transport) = (contact.network_offset, contact.transport_offset);
        Judgement::from_word(sluice_syn(self.context, network, transport, contact.service.into(), kind))
    }

    #[inline(always)]
    fn ask(&self, _: &mut impl Frame, contact: Contact) -> bool {
        let (network, transport) = (contact.network_offset, contact.transport_offset);
        sluice_ask(self.context, network, transport, contact.service.into(), contact.is_v4.into()) != 0
    }

    #[inline(always)]
    fn watch(&self, mark: u64, service: u16, flags: u8) {
        sluice_watch(mark, service.into(), flags.into());
    }

    #[inline(always)]
    fn reply(&self, key: &EndpointKey) -> Option<&ReplyValue> {
        // SAFETY: an entry that is removed and reused while it is read can send one packet astray, never out of bounds:
        // what its words are used for is checked again.
        unsafe { REPLIES.get(key) }
    }

    #[inline(always)]
    fn listed(&self, source: &Address, lists: u64) -> ListMatch {
        lists::listed(source, lists)
    }

    #[inline(always)]
    fn lists_for(&self, service: Option<u16>) -> u64 {
        lists::for_service(service)
    }

    #[inline(always)]
    fn screen(&self, _: &impl Frame, packet: &Packet) -> Result<Ruling, Way> {
        screen::screen(self.context, packet)
    }

    #[inline(always)]
    fn rules(&self, bank: u32) -> Option<&RuleBlock> {
        screen::rules(bank)
    }

    #[inline(always)]
    fn matches(&self, line: &RuleLine, subject: &Subject) -> bool {
        screen::matches(line, subject)
    }

    #[inline(always)]
    fn charge(&self, packet: &Packet, bank: u16, limit: u32, service: Option<u32>) -> bool {
        buckets::charge(packet, bank, limit, service)
    }

    #[inline(always)]
    fn socket(&self, packet: &Packet) -> Socket {
        // SAFETY: the context is the running program's.
        unsafe { sockets::find(self.context, packet) }
    }

    #[inline(always)]
    fn route(&self, packet: &Packet) -> Route {
        // SAFETY: the context is the running program's, and the query is used there only.
        unsafe { routes::find(self.context, packet) }
    }

    #[inline(always)]
    fn want_neighbour(&self, ifindex: u32, address: &Address) {
        let event = Event { kind: EventKind::NeighbourWanted as u32, ifindex, address: *address };
        // A full buffer means that the daemon has been asked often enough.
        let _ = EVENTS.output(&event, 0);
    }

    #[inline(always)]
    fn count_service(&self, id: u32, bytes: u64, flows: u64) {
        add(&SERVICE_TRAFFIC, id, bytes, flows);
    }

    #[inline(always)]
    fn count_backend(&self, slot: u16, bytes: u64, flows: u64) {
        add(&BACKEND_TRAFFIC, u32::from(slot), bytes, flows);
    }

    #[inline(always)]
    fn count_list(&self, found: ListMatch, bytes: u64) {
        lists::count(found, bytes);
    }

    #[inline(always)]
    fn count_rule(&self, rule: u32, bytes: u64) {
        screen::count_rule(rule, bytes);
    }

    #[inline(always)]
    fn count_drop(&self, reason: DropReason) {
        if let Some(count) = DROPS.get_ptr_mut(reason as u32) {
            // SAFETY: as in `add`.
            unsafe { *count += 1 };
        }
    }

    #[inline(always)]
    fn sample_drop(&self, _: &impl Frame, reason: DropReason, rule: u32) {
        sluice_sample(self.context, reason as u32, rule);
    }
}
