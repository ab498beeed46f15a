//! The datapath's tables over a snapshot, for runs on the host.

mod buckets;
mod flows;

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, rc::Rc};

use lb_common::{
    Address, BackendValue, ConnectionIds, DropReason, EndpointKey, Flow, Hits, LimitHits, ListKind, MAX_BACKENDS,
    ReplyValue, Row, RuleBlock, ServiceValue, Settings, Traffic,
};
use lb_ebpf::{
    balance::{
        flows::{Arrival, steer},
        quic::{Named, look},
    },
    firewall::{
        self,
        limits::{self, Buckets, LimitTable},
    },
    frame::Frame,
    parse::Packet,
    service::lookup::{self, Endpoint, ServiceTable},
    tables::{Route, Tables},
};
use lb_userspace::plan::Snapshot;

pub use self::flows::FlowMemory;
use self::{
    buckets::{SetMemory, TotalMemory},
    flows::Flows,
};

/// The time of a packet. Buckets are full then.
const NOW_NS: u64 = 1_000_000_000_000;

/// What the datapath has counted and asked for; only what is not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Traffic of services, by id.
    pub services: BTreeMap<u32, Traffic>,
    /// Traffic of backends, by slot.
    pub backends: BTreeMap<u16, Traffic>,
    /// Matches of lists.
    pub lists: BTreeMap<ListKind, Hits>,
    /// Matches of rules, by number.
    pub rules: BTreeMap<u32, Hits>,
    /// What limits did, by number.
    pub limits: BTreeMap<u32, LimitHits>,
    /// Sources over a limit that the daemon was told of.
    pub excesses: Vec<(u32, Address)>,
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
            nobody: BackendValue::default(),
            flows,
            set: SetMemory::default(),
            totals: TotalMemory::default(),
            counts: RefCell::default(),
        }
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

fn hit(hits: &mut Hits, bytes: u64) {
    hits.packets += 1;
    hits.bytes += bytes;
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

    fn named(&self, frame: &impl Frame, offset: u32, service: u16, ids: ConnectionIds) -> Named {
        look(frame, offset, service, ids, self)
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
        steer(&arrival, &Flows { memory: &self.flows, snapshot: self.snapshot })
    }

    fn reply(&self, key: &EndpointKey) -> Option<&ReplyValue> {
        self.snapshot.replies.get(key)
    }

    fn listed(&self, list: ListKind, address: &Address) -> bool {
        let address: IpAddr = (*address).into();
        self.snapshot.prefixes.iter().any(|(kind, prefix)| *kind == list && prefix.contains(&address))
    }

    fn screen(&self, frame: &impl Frame, packet: &Packet) -> Result<(), DropReason> {
        firewall::screen(frame, packet, &self.snapshot.settings, self)
    }

    fn rules(&self, bank: u32) -> Option<&RuleBlock> {
        self.snapshot.rules.get(&(bank as u16))
    }

    fn charge(&self, packet: &Packet, limit: u32, service: Option<u32>) -> bool {
        let settings = &self.snapshot.settings;
        let line = self.rules(settings.rules.bank.into()).and_then(|block| block.limits.get(limit as usize));
        line.is_none_or(|line| limits::charge(packet, line, limit, service, &settings.hash_key, self))
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
        hit(self.counts.borrow_mut().lists.entry(list).or_default(), bytes);
    }

    fn count_rule(&self, rule: u32, bytes: u64) {
        hit(self.counts.borrow_mut().rules.entry(rule).or_default(), bytes);
    }

    fn count_drop(&self, reason: DropReason) {
        *self.counts.borrow_mut().drops.entry(reason).or_default() += 1;
    }
}
