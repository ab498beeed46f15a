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

/// The second in which a case begins.
const BEGIN_S: u64 = 1_000_000;

/// Runs a case.
pub fn run(case: &Case, world: &World) -> Observation {
    let (flows, sessions) = (Rc::new(FlowMemory::new(1, BEGIN_S)), Rc::new(SessionMemory::default()));
    let run = |frame: &[u8], headroom, ingress, world: &World| {
        let route = |packet: &_| route(packet, ingress);
        let tables = SnapshotTables::with_flows(&world.snapshot, route, Rc::clone(&flows));
        run_frame(frame, headroom, ingress, &world.snapshot, &tables.with_sessions(Rc::clone(&sessions)))
    };
    let world_before = case.world_before();
    for before in &case.before {
        run(&before.frame, case.headroom, before.ingress, &world_before);
        flows.pass(before.later_s);
    }
    run(&case.frame, case.headroom, case.ingress, world)
}

fn run_frame(
    frame: &[u8],
    headroom: usize,
    ingress: u32,
    snapshot: &Snapshot,
    tables: &SnapshotTables<'_>,
) -> Observation {
    let mut buffer = vec![0xee; headroom];
    buffer.extend(frame);
    let mut frame = MemoryFrame::new(&mut buffer, headroom, ingress);
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
