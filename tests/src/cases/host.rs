//! Runs a case through the datapath as a library.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use lb_common::DropReason;
use lb_ebpf::{drops, frame::MemoryFrame, verdict::Verdict};
use lb_userspace::{
    plan::Snapshot,
    twin::{self, ListMemory},
};

use super::{Case, Observation, expect::Action};
use crate::{
    tables::{FlowMemory, SessionMemory, SnapshotTables, SynMemory},
    world::{World, route, socket},
};

/// What the headroom is full of, so that a byte of a header that is never written does not look right.
const POISON: u8 = 0xa5;
/// The second in which a case begins.
const BEGIN_S: u64 = 1_000_000;

/// Runs a case, after the packets that come before its own.
pub fn run(case: &Case, world: &World) -> Observation {
    let memories = Memories {
        flows: Rc::new(FlowMemory::new(1, BEGIN_S)),
        sessions: Rc::default(),
        fragments: Rc::new(FlowMemory::new(1, BEGIN_S)),
        syn: Rc::new(SynMemory::new(BEGIN_S * 1000)),
    };
    for before in &case.before {
        let alone = case.with_frame(before.frame.clone()).from(before.ingress);
        run_alone(&alone, &case.world_before().snapshot, &memories);
        memories.flows.pass(before.later.as_secs());
        memories.syn.pass(before.later.as_millis() as u64);
    }
    run_alone(case, &world.snapshot, &memories)
}

/// What the datapath remembers from packet to packet.
struct Memories {
    flows: Rc<FlowMemory>,
    sessions: Rc<SessionMemory>,
    fragments: Rc<FlowMemory>,
    syn: Rc<SynMemory>,
}

thread_local! {
    /// The lists that were met last.
    static LISTS: RefCell<Option<Rc<ListMemory>>> = const { RefCell::new(None) };
}

/// The lists of a snapshot: written anew only if they are others than those that were met last.
fn lists_of(snapshot: &Snapshot) -> Rc<ListMemory> {
    let is_same =
        |lists: &Rc<ListMemory>| Arc::ptr_eq(lists.held(), &snapshot.lists) && *lists.scopes() == snapshot.scopes;
    let met = LISTS.with_borrow(|met| met.clone().filter(is_same));
    let lists = met.unwrap_or_else(|| Rc::new(twin::lists(snapshot)));
    LISTS.set(Some(Rc::clone(&lists)));
    lists
}

fn run_alone(case: &Case, snapshot: &Snapshot, memories: &Memories) -> Observation {
    let tables = SnapshotTables::with_flows(snapshot, |packet| route(packet, case.ingress), Rc::clone(&memories.flows));
    // Where nothing is on any list, none is asked.
    let tables = if snapshot.lists.is_empty() { tables } else { tables.with_lists(lists_of(snapshot)) };
    let tables = tables
        .with_sessions(Rc::clone(&memories.sessions))
        .with_fragments(Rc::clone(&memories.fragments))
        .with_syn(Rc::clone(&memories.syn))
        .with_sockets(socket);
    if case.is_exhausted {
        tables.exhaust_complaints();
    }
    let mut buffer = vec![POISON; case.headroom];
    buffer.extend(&case.frame);
    let mut frame = MemoryFrame::new(&mut buffer, case.headroom, case.ingress).in_pieces(case.first_bytes());
    let verdict = match lb_ebpf::process(&mut frame, &tables) {
        Verdict::Pass => Action::Pass,
        Verdict::Transmit => Action::Transmit,
        // What the program's device map does.
        Verdict::Redirect(egress) if !snapshot.devices.contains(&egress) => {
            drops::note(&frame, DropReason::EgressUnknown, 0, &tables);
            Action::Drop
        }
        Verdict::Redirect(egress) => Action::Redirect(Some(egress)),
        Verdict::Drop => Action::Drop,
    };
    let frame = if verdict == Action::Drop { Vec::new() } else { frame.bytes().to_vec() };
    let mut counts = tables.counts();
    // A case does not know the time of the other side.
    counts.samples.iter_mut().for_each(|sample| sample.time_ns = 0);
    Observation { verdict, frame, counts }
}
