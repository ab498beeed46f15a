//! The datapath's tables over a snapshot, for runs on the host.

mod flows;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    net::IpAddr,
    rc::Rc,
};

use lb_common::{
    Address, BackendValue, DropReason, EndpointKey, Hits, ListKind, MAX_BACKENDS, ReplyValue, Row, ServiceValue,
    Settings, Traffic,
};
use lb_ebpf::{
    aside::{self, Errand, Places},
    balance::{
        flows::{Arrival, FlowTable, look, steer},
        fragments::{recall, remember},
    },
    frame::Frame,
    parse::Packet,
    tables::{Route, Tables},
    too_big,
    verdict::Way,
};
use lb_userspace::plan::Snapshot;

pub use self::flows::FlowMemory;
use self::flows::Flows;

/// What the datapath has counted and asked for; only what is not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Traffic of services, by id.
    pub services: BTreeMap<u32, Traffic>,
    /// Traffic of backends, by slot.
    pub backends: BTreeMap<u16, Traffic>,
    /// Matches of lists.
    pub lists: BTreeMap<ListKind, Hits>,
    /// Drops.
    pub drops: BTreeMap<DropReason, u64>,
    /// Neighbours that the daemon is to ask the kernel for.
    pub wanted: Vec<(u32, Address)>,
}

/// [`Tables`] over a [`Snapshot`], with counters in memory.
pub struct SnapshotTables<'a> {
    snapshot: &'a Snapshot,
    route: Box<dyn Fn(&Packet) -> Route + 'a>,
    /// What an empty slot of the kernel's array holds.
    nobody: BackendValue,
    flows: Rc<FlowMemory>,
    fragments: FlowMemory,
    /// When the last complaint was due.
    complaint_due_ns: Cell<u64>,
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
            fragments: FlowMemory::new(1, 0),
            complaint_due_ns: Cell::default(),
            counts: RefCell::default(),
        }
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.flows.pass(seconds);
    }

    /// Has the node complain so often that it may not complain again for a long time.
    pub fn exhaust_complaints(&self) {
        self.complaint_due_ns.set(u64::MAX);
    }

    /// Forgets what was counted.
    pub fn reset_counts(&self) {
        self.counts.take();
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

impl Tables for SnapshotTables<'_> {
    fn settings(&self) -> Option<&Settings> {
        Some(&self.snapshot.settings)
    }

    fn service(&self, key: &EndpointKey) -> Option<&ServiceValue> {
        self.snapshot.services.get(key)
    }

    fn row(&self, ring: u32, row: u32) -> Option<Row> {
        self.snapshot.rings.get(&ring)?.get(row as usize).copied()
    }

    fn backend(&self, slot: u16) -> Option<&BackendValue> {
        let inside = u32::from(slot) < MAX_BACKENDS;
        self.snapshot.backends.get(&slot).or(inside.then_some(&self.nobody))
    }

    fn steer(&self, arrival: Arrival) -> u16 {
        steer(&arrival, &self.flow_table())
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

    fn aside(&self, frame: &mut impl Frame, errand: Errand) -> Way {
        aside::process(frame, errand, self, &mut Places::default())
    }

    fn refuse(&self, frame: &mut impl Frame, mtu: u16) -> Way {
        too_big::refuse(frame, mtu, self, &mut Places::default())
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
}
