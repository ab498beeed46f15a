//! The packet table: what the datapath does, one packet at a time.
//!
//! A [`Case`] says which packet meets which tables and what must become of it: the verdict, every byte that leaves, and
//! everything that is counted. The table is run twice, by [`host`] through the datapath as a library and by [`kernel`]
//! through the loaded program; both must do what the table says. What a case expects is written with the packet builder
//! and never computed by the datapath.

mod affinity;
pub mod agent;
pub mod agent_run;
mod cookie;
mod drops;
mod echo;
mod errors;
mod expect;
mod extensions;
mod firewall;
mod fragments;
mod full_nat;
mod gue;
mod hairpin;
pub mod host;
mod ipip;
mod ipv4;
mod ipv6;
mod jumbo;
pub mod kernel;
mod l2;
mod limits;
mod lines;
mod link;
mod lists;
mod local;
mod nat_reply;
mod nat_request;
mod network;
mod node;
mod nonsense;
mod poison;
mod ports;
mod prefixes;
mod quic;
mod rare;
mod receivers;
mod rules;
pub mod samples;
mod sanity;
mod service;
mod sockets;
mod source_routes;
mod sources;
mod syn;
mod syn_memory;
mod too_big;
mod transport;
mod truncated;
mod vlan;

use std::{
    net::IpAddr,
    sync::{Arc, LazyLock, OnceLock},
    time::Duration,
};

use ipnet::IpNet;
use lb_common::{DropReason, DropSample, ListKind, SynEvent};
use lb_userspace::{model::Protect, plan::Snapshot};

pub use self::expect::{Action, Observation, Outcome};
use crate::{
    packet::{Damage, Packet, RECEIVER, SENDER},
    world::{FRONT, Setup, World, interface_mac, mac_of},
};

/// How many bytes a frame may grow at its front: what the kernel leaves a test run.
const HEADROOM: usize = 256;

/// One packet and what must become of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the case shows; unique.
    pub name: String,
    /// The interface that the packet comes in by.
    pub ingress: u32,
    /// The packet.
    pub frame: Vec<u8>,
    /// How many bytes the driver left before the packet.
    pub headroom: usize,
    /// How many bytes of the packet lie in its first buffer, if not all.
    in_first_buffer: Option<usize>,
    /// What must become of it.
    pub outcome: Outcome,
    /// Whether the node has complained of packets so often that it may not complain again.
    pub is_exhausted: bool,
    /// Why the kernel cannot run this case.
    pub host_only: Option<&'static str>,
    /// What came before, and is not looked at.
    before: Vec<Before>,
    /// The tables that it met, planned when they are first wanted.
    world_before: Arc<OnceLock<World>>,
    /// `None` for the world as it is by default.
    setup: Option<Setup>,
    /// What has become of that since the packets before; `None`: nothing.
    changed: Option<Setup>,
    edit: fn(&mut Snapshot),
    counted: Option<Counted>,
    /// The list that counts the packet, and its entry if that counts by itself.
    listed: Option<(u32, Option<IpNet>)>,
    /// Whether the kernel remembers the packet, so that a second one like it would fare otherwise.
    pub is_remembered: bool,
    /// The rules that count the packet.
    matched: Vec<&'static str>,
    limited: Vec<(&'static str, bool)>,
    excess: Option<IpAddr>,
    wanted: Option<(u32, IpAddr)>,
    /// It is counted as dropped for this reason although an answer leaves.
    refused: Option<DropReason>,
    recorded: Option<DropSample>,
    syn: Option<(&'static str, SynEvent)>,
}

/// A packet before the one that a case is about.
#[derive(Clone, Debug)]
struct Before {
    ingress: u32,
    frame: Vec<u8>,
    /// How much time passes then.
    later: Duration,
}

/// For whom a packet is counted.
#[derive(Clone, Debug)]
struct Counted {
    service: &'static str,
    backend: Option<&'static str>,
    flows: u64,
}

impl Case {
    /// A packet about which the table says nothing.
    pub fn bare(frame: Vec<u8>, ingress: u32) -> Self {
        Self::new("bare", frame).from(ingress)
    }

    /// Another packet that meets the same tables and comes in by the same interface, about which the table says nothing.
    pub fn with_frame(&self, frame: Vec<u8>) -> Self {
        let in_first_buffer = self.in_first_buffer.map(|bytes| bytes.min(frame.len()));
        Self { frame, in_first_buffer, ..self.clone() }
    }

    /// A packet that comes in by the front and is passed on to the kernel's stack, until another method says otherwise.
    fn new(name: impl Into<String>, packet: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            ingress: FRONT,
            frame: packet.into(),
            headroom: HEADROOM,
            in_first_buffer: None,
            outcome: Outcome::Pass,
            is_exhausted: false,
            host_only: None,
            before: Vec::new(),
            world_before: Arc::default(),
            setup: None,
            changed: None,
            edit: |_| {},
            counted: None,
            listed: None,
            is_remembered: false,
            matched: Vec::new(),
            limited: Vec::new(),
            excess: None,
            wanted: None,
            refused: None,
            recorded: None,
            syn: None,
        }
    }

    /// The packet comes in by another interface.
    const fn from(mut self, ingress: u32) -> Self {
        self.ingress = ingress;
        self
    }

    /// The configuration or the next hops are others.
    fn with(mut self, change: impl FnOnce(&mut Setup)) -> Self {
        change(self.setup.get_or_insert_default());
        self.world_before = Arc::default();
        self
    }

    /// Another packet came before, by the same interface, and at the same time.
    fn after(self, packet: impl Into<Vec<u8>>) -> Self {
        let ingress = self.ingress;
        self.after_from(ingress, packet)
    }

    /// Another packet came before, by an interface, and at the same time.
    fn after_from(mut self, ingress: u32, packet: impl Into<Vec<u8>>) -> Self {
        self.before.push(Before { ingress, frame: packet.into(), later: Duration::ZERO });
        self
    }

    /// So many seconds have passed since the last of the packets before.
    fn later(self, seconds: u64) -> Self {
        self.later_by(Duration::from_secs(seconds))
    }

    /// So much time has passed since the last of the packets before.
    fn later_by(mut self, passed: Duration) -> Self {
        self.before.last_mut().expect("after comes first").later += passed;
        self
    }

    /// Something has changed since the packets before.
    fn then(mut self, change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = self.setup.clone().unwrap_or_default();
        change(&mut setup);
        self.changed = Some(setup);
        self
    }

    /// The tables hold what the planner would never write.
    fn with_tables(mut self, edit: fn(&mut Snapshot)) -> Self {
        self.edit = edit;
        self.world_before = Arc::default();
        self
    }

    /// The kernel cannot run this case.
    const fn host_only(mut self, reason: &'static str) -> Self {
        self.host_only = Some(reason);
        self
    }

    /// The driver left this many bytes before the packet.
    const fn headroom(mut self, bytes: usize) -> Self {
        self.headroom = bytes;
        self
    }

    /// Only this many bytes of the packet lie in its first buffer.
    const fn in_pieces(mut self, first_bytes: usize) -> Self {
        self.in_first_buffer = Some(first_bytes);
        self
    }

    /// How many bytes of the packet lie in its first buffer.
    pub fn first_bytes(&self) -> usize {
        self.in_first_buffer.unwrap_or(self.frame.len()).min(poison::FIRST_BUFFER_BYTES)
    }

    /// This packet leaves by the interface of ingress to a neighbour.
    fn transmits(mut self, neighbour: &str, packet: impl Into<Vec<u8>>) -> Self {
        self.outcome = Outcome::Transmit(addressed(packet, self.ingress, neighbour));
        self
    }

    /// This packet leaves by another interface to a neighbour.
    fn redirects(mut self, egress: u32, neighbour: &str, packet: impl Into<Vec<u8>>) -> Self {
        self.outcome = Outcome::Redirect(egress, addressed(packet, egress, neighbour));
        self
    }

    /// This packet goes back to where the question came from.
    fn answers(mut self, packet: Packet) -> Self {
        self.outcome = Outcome::Transmit(packet.link(RECEIVER, SENDER).bytes());
        self
    }

    /// So many seconds have passed since the last of the packets before, of which the kernel's tables cannot be told.
    fn waited(self, seconds: u64) -> Self {
        self.later(seconds).host_only("nobody can set the kernel's clock")
    }

    /// The node may not complain of packets for now.
    const fn exhausted(mut self) -> Self {
        self.is_exhausted = true;
        self
    }

    /// The packet is dropped because it does not fit, and the sender gets this.
    fn refuses(mut self, answer: impl Into<Vec<u8>>) -> Self {
        self.refused = Some(DropReason::MtuExceeded);
        self.outcome = Outcome::Transmit(answer.into().set(0, &SENDER).set(6, &RECEIVER));
        self
    }

    /// The packet is dropped.
    fn drops(mut self, reason: DropReason) -> Self {
        self.outcome = Outcome::Drop(reason);
        self
    }

    /// The packet is counted for a service and its backend.
    fn counts(mut self, service: &'static str, backend: &'static str) -> Self {
        self.counted = Some(Counted { service, backend: Some(backend), flows: 0 });
        self
    }

    /// The packet is counted for a service, but for no backend.
    fn counts_service(mut self, service: &'static str) -> Self {
        self.counted = Some(Counted { service, backend: None, flows: 0 });
        self
    }

    /// The packet is also counted as the opening of a flow.
    fn opens_flow(mut self) -> Self {
        self.counted.as_mut().expect("counts comes first").flows = 1;
        self
    }

    /// The list that is called like its kind counts the packet, and so does this entry of it.
    fn listed(self, list: ListKind, entry: &str) -> Self {
        self.counted_by(list.numbers().start, Some(entry))
    }

    /// A list counts the packet, and so does this entry of it if one does.
    fn counted_by(mut self, list: u32, entry: Option<&str>) -> Self {
        self.listed = Some((list, entry.map(|entry| entry.parse().expect("a prefix"))));
        self
    }

    /// The kernel remembers the packet: a second one like it would fare otherwise.
    const fn remembered(mut self) -> Self {
        self.is_remembered = true;
        self
    }

    /// Rules count the packet.
    fn matches(mut self, rules: &[&'static str]) -> Self {
        self.matched = rules.to_vec();
        self
    }

    /// The packet is over a limit.
    fn limited(mut self, limit: &'static str) -> Self {
        self.limited.push((limit, false));
        self
    }

    /// The packet is within a limit.
    fn within(mut self, limit: &'static str) -> Self {
        self.limited.push((limit, true));
        self
    }

    /// The daemon is told of a source over a limit.
    fn tells_excess(mut self, source: &str) -> Self {
        self.excess = Some(source.parse().expect("an address"));
        self
    }

    /// SYN protection of a service counts the packet.
    const fn notes(mut self, service: &'static str, event: SynEvent) -> Self {
        self.syn = Some((service, event));
        self
    }

    /// The daemon is asked to find a neighbour.
    fn wants(mut self, ifindex: u32, neighbour: &str) -> Self {
        self.wanted = Some((ifindex, neighbour.parse().expect("an address")));
        self
    }

    /// The drop is recorded like this, by the interface of ingress.
    const fn records(mut self, sample: DropSample) -> Self {
        self.recorded = Some(sample);
        self
    }

    /// The node itself is protected.
    #[must_use]
    pub fn protected(self) -> Self {
        self.with(|setup| setup.model.firewall.protect = Protect::Node)
    }

    /// Whether the packet is dropped, even if an answer to it leaves.
    pub const fn is_dropped(&self) -> bool {
        matches!(self.outcome, Outcome::Drop(_)) || self.refused.is_some()
    }

    /// The tables that the packet meets.
    pub fn world(&self) -> World {
        self.planned(self.changed.as_ref().or(self.setup.as_ref()))
    }

    /// The tables that the packets before it met.
    fn world_before(&self) -> &World {
        self.world_before.get_or_init(|| self.planned(self.setup.as_ref()))
    }

    fn planned(&self, setup: Option<&Setup>) -> World {
        static DEFAULT: LazyLock<World> = LazyLock::new(|| World::new(&Setup::default()));
        let mut world = setup.map_or_else(|| DEFAULT.clone(), World::new);
        (self.edit)(&mut world.snapshot);
        world
    }
}

/// A packet with the MAC addresses of an interface and a neighbour there.
fn addressed(packet: impl Into<Vec<u8>>, egress: u32, neighbour: &str) -> Vec<u8> {
    packet.into().set(0, &mac_of(neighbour)).set(6, &interface_mac(egress))
}

/// The whole table.
pub fn table() -> Vec<Case> {
    let subjects = [
        link::cases(),
        ipv4::cases(),
        ipv6::cases(),
        extensions::cases(),
        transport::cases(),
        truncated::cases(),
        fragments::cases(),
        firewall::cases(),
        lists::cases(),
        service::cases(),
        l2::cases(),
        ipip::cases(),
        gue::cases(),
        vlan::cases(),
        local::cases(),
        jumbo::cases(),
        hairpin::cases(),
        nat_request::cases(),
        nat_reply::cases(),
        full_nat::cases(),
        echo::cases(),
        drops::cases(),
        quic::cases(),
        ports::cases(),
        prefixes::cases(),
        sources::cases(),
        affinity::cases(),
        errors::cases(),
        rare::cases(),
        too_big::cases(),
        nonsense::cases(),
        sanity::cases(),
        receivers::cases(),
        samples::cases(),
        rules::cases(),
        limits::cases(),
        syn::cases(),
        node::cases(),
    ];
    subjects.into_iter().flatten().collect()
}
