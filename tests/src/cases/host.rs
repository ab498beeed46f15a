//! Runs a case through the datapath as a library.

use std::cell::Cell;

use lb_common::DropReason;
use lb_ebpf::{frame::MemoryFrame, tables::Tables, verdict::Verdict};

use super::{Case, Observation, expect::Action};
use crate::{
    tables::SnapshotTables,
    world::{World, route},
};

/// What the headroom is full of, so that a byte of a header that is never written does not look right.
const POISON: u8 = 0xa5;

/// Runs a case.
pub fn run(case: &Case, world: &World) -> Observation {
    let ingress = Cell::new(case.ingress);
    let tables = SnapshotTables::new(&world.snapshot, |packet| route(packet, ingress.get()));
    for (interface, bytes) in &case.earlier {
        ingress.set(*interface);
        process(bytes, bytes.len(), *interface, case.headroom, &tables);
    }
    tables.pass(case.waited_s);
    tables.reset_counts();
    if case.is_exhausted {
        tables.exhaust_complaints();
    }
    ingress.set(case.ingress);
    let (verdict, frame) = process(&case.frame, case.first_bytes(), case.ingress, case.headroom, &tables);
    let verdict = match verdict {
        Verdict::Pass => Action::Pass,
        Verdict::Transmit => Action::Transmit,
        // What the program's device map does.
        Verdict::Redirect(egress) if !world.snapshot.devices.contains(&egress) => {
            tables.count_drop(DropReason::EgressUnknown);
            Action::Drop
        }
        Verdict::Redirect(egress) => Action::Redirect(Some(egress)),
        Verdict::Drop => Action::Drop,
    };
    let frame = if verdict == Action::Drop { Vec::new() } else { frame };
    Observation { verdict, frame, counts: tables.counts() }
}

/// What becomes of one frame.
fn process(
    bytes: &[u8],
    first_bytes: usize,
    ingress: u32,
    headroom: usize,
    tables: &SnapshotTables<'_>,
) -> (Verdict, Vec<u8>) {
    let mut buffer = vec![POISON; headroom];
    buffer.extend(bytes);
    let mut frame = MemoryFrame::new(&mut buffer, headroom, ingress).in_pieces(first_bytes);
    let verdict = lb_ebpf::process(&mut frame, tables);
    (verdict, frame.bytes().to_vec())
}
