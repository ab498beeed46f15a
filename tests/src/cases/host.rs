//! Runs a case through the datapath as a library.

use lb_common::DropReason;
use lb_ebpf::{drops, frame::MemoryFrame, verdict::Verdict};

use super::{Case, Observation, expect::Action};
use crate::{
    tables::SnapshotTables,
    world::{World, route},
};

/// What the headroom is full of, so that a byte of a header that is never written does not look right.
const POISON: u8 = 0xa5;

/// Runs a case.
pub fn run(case: &Case, world: &World) -> Observation {
    let tables = SnapshotTables::new(&world.snapshot, |packet| route(packet, case.ingress));
    let mut buffer = vec![POISON; case.headroom];
    buffer.extend(&case.frame);
    let mut frame = MemoryFrame::new(&mut buffer, case.headroom, case.ingress).in_pieces(case.first_bytes());
    let verdict = match lb_ebpf::process(&mut frame, &tables) {
        Verdict::Pass => Action::Pass,
        Verdict::Transmit => Action::Transmit,
        // What the program's device map does.
        Verdict::Redirect(egress) if !world.snapshot.devices.contains(&egress) => {
            drops::note(&frame, DropReason::EgressUnknown, &tables);
            Action::Drop
        }
        Verdict::Redirect(egress) => Action::Redirect(Some(egress)),
        Verdict::Drop => Action::Drop,
    };
    let frame = if verdict == Action::Drop { Vec::new() } else { frame.bytes().to_vec() };
    Observation { verdict, frame, counts: tables.counts() }
}
