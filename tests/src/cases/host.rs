//! Runs a case through the datapath as a library.

use std::rc::Rc;

use lb_common::DropReason;
use lb_ebpf::{frame::MemoryFrame, tables::Tables, verdict::Verdict};
use lb_userspace::plan::Snapshot;

use super::{Case, Observation, expect::Action};
use crate::{
    tables::{FlowMemory, SessionMemory, SnapshotTables},
    world::{World, route},
};

/// What the headroom is full of, so that a byte of a header that is never written does not look right.
const POISON: u8 = 0xa5;
/// The second in which a case begins.
const BEGIN_S: u64 = 1_000_000;

/// Runs a case, after the packets that come before its own.
pub fn run(case: &Case, world: &World) -> Observation {
    let (flows, sessions) = (Rc::new(FlowMemory::new(1, BEGIN_S)), Rc::new(SessionMemory::default()));
    let run = |case: &Case, world: &World| {
        let route = |packet: &_| route(packet, case.ingress);
        let tables = SnapshotTables::with_flows(&world.snapshot, route, Rc::clone(&flows));
        run_alone(case, &world.snapshot, &tables.with_sessions(Rc::clone(&sessions)))
    };
    let world_before = case.world_before();
    for before in &case.before {
        run(&case.with_frame(before.frame.clone()).from(before.ingress), &world_before);
        flows.pass(before.later_s);
    }
    run(case, world)
}

fn run_alone(case: &Case, snapshot: &Snapshot, tables: &SnapshotTables<'_>) -> Observation {
    let mut buffer = vec![POISON; case.headroom];
    buffer.extend(&case.frame);
    let mut frame = MemoryFrame::new(&mut buffer, case.headroom, case.ingress).in_pieces(case.first_bytes());
    let verdict = match lb_ebpf::process(&mut frame, tables) {
        Verdict::Pass => Action::Pass,
        Verdict::Transmit => Action::Transmit,
        // What the program's device map does.
        Verdict::Redirect(egress) if !snapshot.devices.contains(&egress) => {
            tables.count_drop(DropReason::EgressUnknown);
            Action::Drop
        }
        Verdict::Redirect(egress) => Action::Redirect(Some(egress)),
        Verdict::Drop => Action::Drop,
    };
    let frame = if verdict == Action::Drop { Vec::new() } else { frame.bytes().to_vec() };
    Observation { verdict, frame, counts: tables.counts() }
}
