//! The datapath's tables over a snapshot, for runs on the host.

mod flows;
mod syn;

use std::{cell::RefCell, collections::BTreeMap, net::IpAddr, rc::Rc};

use lb_common::{
    Address, BackendValue, ConnectionIds, DropReason, EndpointKey, Flow, Hits, ListKind, MAX_BACKENDS, ReplyValue, Row,
    ServiceValue, Settings, SynEvent, Traffic,
};
use lb_ebpf::{
    balance::{
        flows::{Arrival, steer},
        quic::{Named, look},
    },
    frame::Frame,
    parse::Packet,
    service::lookup::{self, Endpoint, ServiceTable},
    syn::{Contact, Judgement, ask, judge, watch},
    tables::{Route, Tables},
};
use lb_userspace::plan::Snapshot;

pub use self::{flows::FlowMemory, syn::SynMemory};
use self::{flows::Flows, syn::Syn};

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
}

/// [`Tables`] over a [`Snapshot`], with counters in memory.
pub struct SnapshotTables<'a> {
    snapshot: &'a Snapshot,
    route: Box<dyn Fn(&Packet) -> Route + 'a>,
    /// What an empty slot of the kernel's array holds.
    nobody: BackendValue,
    flows: Rc<FlowMemory>,
    syn: Rc<SynMemory>,
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
            syn: Rc::default(),
            counts: RefCell::default(),
        }
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

    fn judge(&self, frame: &impl Frame, contact: Contact) -> Judgement {
        judge(frame, contact, &self.syn_tables(), self)
    }

    fn ask(&self, frame: &mut impl Frame, contact: Contact) -> bool {
        ask(frame, contact, &self.syn_tables())
    }

    fn watch(&self, mark: u64, service: u16, flags: u8) {
        watch(mark, service, flags, &self.syn_tables());
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
