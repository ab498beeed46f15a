//! The datapath's tables over a snapshot: what the loaded program would do with a packet, found out on the host.
//!
//! `sluice explain` asks it, and the tests hold it against the loaded program, case by case.

mod flows;
mod sessions;
mod syn;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::IpAddr,
    rc::Rc,
};

use lb_common::{
    Address, BackendValue, ConnectionIds, DropReason, DropSample, EndpointKey, Flow, Hits, ListKind, MAX_BACKENDS, Mac,
    ReplyValue, Row, Sampler, ServiceValue, Settings, SynEvent, Traffic,
};
use lb_ebpf::{
    aside::{self, Places},
    balance::{
        Access,
        flows::{Arrival, FlowTable, look, steer},
        fragments::{recall, remember},
        quic::{self, Named},
    },
    drops::record,
    frame::Frame,
    parse::Packet,
    receiver,
    service::lookup::{self, Endpoint, ServiceTable},
    sessions::{carry, carry_error, error_road, open, road},
    syn::{Contact, Judgement, ask, judge, watch},
    tables::{Route, Tables},
    too_big,
    verdict::Way,
};

pub use self::{flows::FlowMemory, sessions::SessionMemory, syn::SynMemory};
use self::{flows::Flows, syn::Syn};
use crate::plan::Snapshot;

/// What the datapath has counted and asked for; only what is not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Traffic of services, by id.
    pub services: BTreeMap<u32, Traffic>,
    /// Traffic of backends, by slot.
    pub backends: BTreeMap<u16, Traffic>,
    /// Matches of lists.
    pub lists: BTreeMap<ListKind, Hits>,
    /// What SYN protection counts, by service id.
    pub syn: BTreeMap<(u32, SynEvent), u64>,
    /// Drops.
    pub drops: BTreeMap<DropReason, u64>,
    /// Neighbours that the daemon is to ask the kernel for.
    pub wanted: Vec<(u32, Address)>,
    /// Drops that were recorded.
    pub samples: Vec<DropSample>,
}

/// [`Tables`] over a [`Snapshot`], with counters in memory.
pub struct SnapshotTables<'a> {
    snapshot: &'a Snapshot,
    route: Box<dyn Fn(&Packet) -> Route + 'a>,
    /// What an empty slot of the kernel's array holds.
    nobody: BackendValue,
    flows: Rc<FlowMemory>,
    fragments: Rc<FlowMemory>,
    places: RefCell<Places>,
    /// When the last complaint was due.
    complaint_due_ns: Cell<u64>,
    sessions: Rc<SessionMemory>,
    syn: Rc<SynMemory>,
    sampler: RefCell<Sampler>,
    counts: RefCell<Counts>,
}

impl<'a> SnapshotTables<'a> {
    /// Tables of a node whose kernel answers questions for routes like this, with a flow table of one set: a packet at a
    /// time needs no more.
    pub fn new(snapshot: &'a Snapshot, route: impl Fn(&Packet) -> Route + 'a) -> Self {
        Self::with_flows(snapshot, route, Rc::new(FlowMemory::new(1, 0)))
    }

    /// Tables with this flow table.
    pub fn with_flows(snapshot: &'a Snapshot, route: impl Fn(&Packet) -> Route + 'a, flows: Rc<FlowMemory>) -> Self {
        Self {
            snapshot,
            route: Box::new(route),
            nobody: BackendValue::default(),
            flows,
            fragments: Rc::new(FlowMemory::new(1, 0)),
            sessions: Rc::default(),
            syn: Rc::default(),
            places: RefCell::default(),
            complaint_due_ns: Cell::default(),
            sampler: RefCell::default(),
            counts: RefCell::default(),
        }
    }

    /// The same with these sessions.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Rc<SessionMemory>) -> Self {
        self.sessions = sessions;
        self
    }

    /// The same with this table of fragmented packets.
    #[must_use]
    pub fn with_fragments(mut self, fragments: Rc<FlowMemory>) -> Self {
        self.fragments = fragments;
        self
    }

    /// The same with what SYN protection remembers.
    #[must_use]
    pub fn with_syn(mut self, syn: Rc<SynMemory>) -> Self {
        self.syn = syn;
        self
    }

    fn syn_tables(&self) -> Syn<'_> {
        Syn { memory: &self.syn, settings: &self.snapshot.syn, counts: &self.counts }
    }

    /// Has the node complain so often that it may not complain again for a long time.
    pub fn exhaust_complaints(&self) {
        self.complaint_due_ns.set(u64::MAX);
    }

    fn flow_table(&self) -> Flows<'_> {
        Flows { memory: &self.flows, snapshot: self.snapshot }
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }
}

fn add(traffic: &mut Traffic, bytes: u64, flows: u64) {
    traffic.packets += 1;
    traffic.bytes += bytes;
    traffic.flows += flows;
}

impl ServiceTable for SnapshotTables<'_> {
    fn service(&self, key: &EndpointKey) -> Option<&ServiceValue> {
        self.snapshot.services.get(key)
    }

    fn service_in_block(&self, block: u16, port: u16) -> Option<ServiceValue> {
        ServiceValue::from_word(self.snapshot.port_blocks.get(&block)?.find(port))
    }
}

impl Tables for SnapshotTables<'_> {
    fn settings(&self) -> Option<&Settings> {
        Some(&self.snapshot.settings)
    }

    fn service_at(&self, endpoint: Endpoint<'_>) -> Option<ServiceValue> {
        lookup::find(endpoint, &self.snapshot.settings, self)
    }

    fn allows_source(&self, service: u16, source: &Address) -> bool {
        let source: IpAddr = (*source).into();
        self.snapshot.sources.iter().any(|(id, prefix)| *id == service && prefix.contains(&source))
    }

    fn named(&self, frame: &impl Frame, offset: u32, service: u16, ids: ConnectionIds, access: Access) -> Named {
        quic::look(frame, offset, service, ids, access, self)
    }

    fn server(&self, service: u16, id: u64) -> Option<u16> {
        self.snapshot.servers.get(&(service, id)).copied()
    }

    fn row(&self, ring: u32, row: u32) -> Option<Row> {
        self.snapshot.rings.get(&ring)?.get(row as usize).copied()
    }

    fn backend(&self, slot: u16) -> Option<&BackendValue> {
        let inside = u32::from(slot) < MAX_BACKENDS;
        self.snapshot.backends.get(&slot).or(inside.then_some(&self.nobody))
    }

    fn client_hash(&self, flow: &Flow, service: &ServiceValue) -> u64 {
        service.hash(flow, &self.snapshot.settings.hash_key)
    }

    fn steer(&self, arrival: Arrival) -> u16 {
        steer(&arrival, &self.flow_table())
    }

    fn judge(&self, frame: &impl Frame, contact: Contact) -> Judgement {
        judge(frame, contact, &self.syn_tables(), self)
    }

    fn ask(&self, frame: &mut impl Frame, contact: Contact) -> bool {
        ask(frame, contact, &self.syn_tables())
    }

    fn watch(&self, mark: u64, service: u16, flags: u8) {
        watch(mark, service, flags, &self.syn_tables());
    }

    fn look(&self, hash: u64, row: Row) -> u16 {
        look(hash, row, &self.flow_table())
    }

    fn fragment(&self, hash: u64) -> Option<u16> {
        recall(&self.fragments.set(hash), hash, self.flow_table().now())
    }

    fn note_fragment(&self, hash: u64, slot: u16) {
        remember(&self.fragments.set(hash), hash, slot, self.flow_table().now());
    }

    fn may_complain(&self) -> bool {
        let next = too_big::next_due_ns(self.complaint_due_ns.get(), self.flows.now_s() * 1_000_000_000);
        next.map(|next| self.complaint_due_ns.set(next)).is_some()
    }

    fn is_receiver(&self, mac: Mac) -> bool {
        receiver::is_one_of(mac, &self.snapshot.settings)
    }

    fn road(&self, frame: &mut impl Frame) -> Way {
        lb_ebpf::road(frame, self)
    }

    fn aside(&self, frame: &mut impl Frame) -> Way {
        aside::enter(frame, self, &mut self.places.borrow_mut())
    }

    fn deliver_aside(&self, frame: &mut impl Frame, places: &Places, slot: u16, hash: u64) -> Way {
        aside::deliver(frame, self, places, slot, hash)
    }

    fn back(&self, frame: &mut impl Frame) -> Way {
        aside::back(frame, self, &self.places.borrow())
    }

    fn refuse(&self, frame: &mut impl Frame, max_bytes: u16) -> Way {
        too_big::refuse(frame, max_bytes, self)
    }

    fn sessions(&self, frame: &mut impl Frame) -> Way {
        road(frame, self)
    }

    fn session_error(&self, frame: &mut impl Frame) -> Way {
        error_road(frame, self)
    }

    fn carry(&self, frame: &mut impl Frame, packet: &Packet, service: &ServiceValue) -> Result<Way, DropReason> {
        carry(frame, packet, service, self)
    }

    fn carry_error(
        &self,
        frame: &mut impl Frame,
        packet: &Packet,
        quoted: &Packet,
        service: &ServiceValue,
    ) -> Result<Way, DropReason> {
        carry_error(frame, packet, quoted, service, self)
    }

    fn open(&self, packet: &Packet, service: &ServiceValue) -> Result<(), DropReason> {
        open(packet, service, self)
    }

    fn reply(&self, key: &EndpointKey) -> Option<&ReplyValue> {
        self.snapshot.replies.get(key)
    }

    fn listed(&self, list: ListKind, address: &Address) -> bool {
        let address: IpAddr = (*address).into();
        self.snapshot.prefixes.iter().any(|(kind, prefix)| *kind == list && prefix.contains(&address))
    }

    fn route(&self, packet: &Packet) -> Route {
        (self.route)(packet)
    }

    fn want_neighbour(&self, ifindex: u32, address: &Address) {
        self.counts.borrow_mut().wanted.push((ifindex, *address));
    }

    fn count_service(&self, id: u32, bytes: u64, flows: u64) {
        add(self.counts.borrow_mut().services.entry(id).or_default(), bytes, flows);
    }

    fn count_backend(&self, slot: u16, bytes: u64, flows: u64) {
        add(self.counts.borrow_mut().backends.entry(slot).or_default(), bytes, flows);
    }

    fn count_list(&self, list: ListKind, bytes: u64) {
        let mut counts = self.counts.borrow_mut();
        let hits = counts.lists.entry(list).or_default();
        hits.packets += 1;
        hits.bytes += bytes;
    }

    fn count_drop(&self, reason: DropReason) {
        *self.counts.borrow_mut().drops.entry(reason).or_default() += 1;
    }

    fn sample_drop(&self, frame: &impl Frame, reason: DropReason) {
        let (settings, now_ns) = (&self.snapshot.settings, self.flows.now_s() * 1_000_000_000);
        if now_ns >= settings.sample_until_ns {
            return;
        }
        // Chance that is always the same.
        let weight = self.sampler.borrow_mut().choose(now_ns, settings.samples_per_interval as u32, || u32::MAX / 2);
        if weight > 0 {
            self.counts.borrow_mut().samples.push(record(frame, reason as u32, now_ns, weight));
        }
    }
}
