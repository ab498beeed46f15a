//! The datapath's tables over a snapshot: what the loaded program would do with a packet, found out on the host.
//!
//! `sluice explain` asks it, and the tests hold it against the loaded program, case by case.

mod buckets;
mod counts;
mod flows;
mod sessions;
mod syn;

use std::{
    cell::{Cell, OnceCell, RefCell},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
};

use lb_common::{
    Address, BackendValue, ConnectionIds, DropReason, EndpointKey, Flow, ListMatch, MAX_BACKENDS, Mac, ReplyValue, Row,
    RuleBlock, RuleLine, Sampler, ServiceValue, Settings, Subject, Trail,
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
    firewall::{
        self,
        limits::{self, Buckets, LimitTable},
        rules::Ruling,
    },
    frame::Frame,
    node,
    parse::Packet,
    receiver, sanity,
    service::lookup::{self, Endpoint, ServiceTable},
    sessions::{carry, carry_error, error_road, follow, open, road},
    syn::{Contact, Judgement, ask, judge, watch},
    tables::{Route, Socket, Tables},
    too_big,
    verdict::Way,
};

use self::{
    buckets::{SetMemory, TotalMemory},
    counts::{add, hit},
    flows::Flows,
    syn::Syn,
};
pub use self::{counts::Counts, flows::FlowMemory, sessions::SessionMemory, syn::SynMemory};
use crate::{
    lists::{Heap, ListTables, Memory, Reader, Region, Sizes, Slots},
    plan::Snapshot,
};

/// The firewall's lists as the datapath reads them.
pub type ListMemory = ListTables<Heap>;

/// The lists of a snapshot.
///
/// # Panics
///
/// Tables that are made for these lists are too small for them, which is a fault.
pub fn lists(snapshot: &Snapshot) -> ListMemory {
    let sizes = Sizes::of(&snapshot.lists);
    let memory = Heap::new(&sizes);
    let slots = Slots::read(memory.words(Region::Labels));
    let mut tables = ListTables::new(memory, sizes, [1, 2], slots, Arc::default());
    tables.set_scopes(&snapshot.scopes);
    tables.bring_to(&snapshot.lists).expect("tables that are made for these lists");
    tables
}

/// The time, for entries of lists that expire.
const NOW_S: u32 = 1_000_000;

/// The same for limits, whose buckets are full then, in nanoseconds.
const NOW_NS: u64 = NOW_S as u64 * 1_000_000_000;

/// [`Tables`] over a [`Snapshot`], with counters in memory.
pub struct SnapshotTables<'a> {
    snapshot: &'a Snapshot,
    route: Box<dyn Fn(&Packet) -> Route + 'a>,
    socket: Box<dyn Fn(&Packet) -> Socket + 'a>,
    /// What an empty slot of the kernel's array holds.
    nobody: BackendValue,
    flows: Rc<FlowMemory>,
    fragments: Rc<FlowMemory>,
    places: RefCell<Places>,
    /// When the last complaint was due.
    complaint_due_ns: Cell<u64>,
    sessions: Rc<SessionMemory>,
    lists: OnceCell<Rc<ListMemory>>,
    syn: Rc<SynMemory>,
    sampler: RefCell<Sampler>,
    set: SetMemory,
    totals: TotalMemory,
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
            socket: Box::new(|_| Socket::None),
            nobody: BackendValue::default(),
            flows,
            fragments: Rc::new(FlowMemory::new(1, 0)),
            sessions: Rc::default(),
            syn: Rc::default(),
            places: RefCell::default(),
            complaint_due_ns: Cell::default(),
            lists: OnceCell::new(),
            sampler: RefCell::default(),
            set: SetMemory::default(),
            totals: TotalMemory::default(),
            counts: RefCell::default(),
        }
    }

    /// The same of a node with these sockets.
    #[must_use]
    pub fn with_sockets(mut self, socket: impl Fn(&Packet) -> Socket + 'a) -> Self {
        self.socket = Box::new(socket);
        self
    }

    /// The same with these sessions.
    #[must_use]
    pub fn with_sessions(mut self, sessions: Rc<SessionMemory>) -> Self {
        self.sessions = sessions;
        self
    }

    /// The same with these lists, which are the snapshot's: they take megabytes, and many packets meet the same.
    #[must_use]
    pub fn with_lists(mut self, lists: Rc<ListMemory>) -> Self {
        self.lists = OnceCell::from(lists);
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

    /// The lists, written when they are first asked.
    fn lists(&self) -> &ListMemory {
        self.lists.get_or_init(|| Rc::new(lists(self.snapshot)))
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.counts.borrow().clone()
    }
}

impl ServiceTable for SnapshotTables<'_> {
    fn service(&self, key: &EndpointKey) -> Option<&ServiceValue> {
        self.snapshot.services.get(key)
    }

    fn service_in_block(&self, block: u16, port: u16) -> Option<ServiceValue> {
        ServiceValue::from_word(self.snapshot.port_blocks.get(&block)?.find(port))
    }
}

impl LimitTable for SnapshotTables<'_> {
    fn buckets(&self, _: u64) -> Option<impl Buckets> {
        Some(&self.set)
    }

    fn total(&self, index: u32) -> Option<impl Buckets> {
        Some(self.totals.at(index))
    }

    fn nanoseconds(&self, _: bool) -> u64 {
        NOW_NS
    }

    fn notice_excess(&self, limit: u32, source: &Address) {
        self.counts.borrow_mut().excesses.push((limit, *source));
    }

    fn count_limit(&self, limit: u32, is_within: bool, bytes: u64) {
        let mut counts = self.counts.borrow_mut();
        let hits = counts.limits.entry(limit).or_default();
        if is_within {
            hits.passed += 1;
        } else {
            hits.limited += 1;
            hits.limited_bytes += bytes;
        }
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

    fn judge_sanity(&self, frame: &impl Frame, packet: &Packet, element: u32) -> Result<(), DropReason> {
        let checks = self.snapshot.sanity.get(&element).copied().unwrap_or(0);
        sanity::judge(frame, packet, checks, &self.snapshot.settings)
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

    fn fragment(&self, hash: u64) -> Trail {
        recall(&self.fragments.set(hash), hash, self.flow_table().now())
    }

    fn note_fragment(&self, hash: u64, trail: Trail) {
        remember(&self.fragments.set(hash), hash, trail, self.flow_table().now());
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

    fn node(&self, frame: &mut impl Frame) -> Way {
        node::road(frame, self)
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

    fn follow(&self, frame: &mut impl Frame, packet: &Packet) -> Result<Way, DropReason> {
        follow(frame, packet, self)
    }

    fn open(&self, packet: &Packet, service: &ServiceValue) -> Result<(), DropReason> {
        open(packet, service, self)
    }

    fn reply(&self, key: &EndpointKey) -> Option<&ReplyValue> {
        self.snapshot.replies.get(key)
    }

    fn listed(&self, source: &Address, lists: u64) -> ListMatch {
        Reader::new(self.lists().memory(), NOW_S).find(source, lists)
    }

    fn lists_for(&self, service: Option<u16>) -> u64 {
        Reader::new(self.lists().memory(), NOW_S).lists_for(service)
    }

    fn screen(&self, frame: &impl Frame, packet: &Packet) -> Result<Ruling, Way> {
        firewall::screen(frame, packet, &self.snapshot.settings, self)
    }

    fn rules(&self, bank: u32) -> Option<&RuleBlock> {
        self.snapshot.rules.get(&(bank as u16))
    }

    fn matches(&self, line: &RuleLine, subject: &Subject) -> bool {
        line.matches(subject)
    }

    fn charge(&self, packet: &Packet, bank: u16, limit: u32, service: Option<u32>) -> bool {
        let line = self.rules(bank.into()).and_then(|block| block.limits.get(limit as usize));
        line.is_none_or(|line| limits::charge(packet, line, limit, service, &self.snapshot.settings.hash_key, self))
    }

    fn socket(&self, packet: &Packet) -> Socket {
        (self.socket)(packet)
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

    fn count_list(&self, found: ListMatch, bytes: u64) {
        let mut counts = self.counts.borrow_mut();
        hit(counts.lists.entry(found.list()).or_default(), bytes);
        if let Some(entry) = self.lists().counted().owner(found.class()) {
            hit(counts.list_entries.entry(entry).or_default(), bytes);
        }
    }

    fn count_rule(&self, rule: u32, bytes: u64) {
        hit(self.counts.borrow_mut().rules.entry(rule).or_default(), bytes);
    }

    fn count_drop(&self, reason: DropReason) {
        *self.counts.borrow_mut().drops.entry(reason).or_default() += 1;
    }

    fn sample_drop(&self, frame: &impl Frame, reason: DropReason, rule: u32) {
        let (settings, now_ns) = (&self.snapshot.settings, self.flows.now_s() * 1_000_000_000);
        if now_ns >= settings.sample_until_ns {
            return;
        }
        // Chance that is always the same.
        let weight = self.sampler.borrow_mut().choose(now_ns, settings.samples_per_interval as u32, || u32::MAX / 2);
        if weight > 0 {
            self.counts.borrow_mut().samples.push(record(frame, reason as u32, rule, now_ns, weight));
        }
    }
}
