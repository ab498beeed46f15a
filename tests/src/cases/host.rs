//! Runs a case through the datapath as a library.

use std::rc::Rc;

use lb_common::DropReason;
use lb_ebpf::{frame::MemoryFrame, tables::Tables, verdict::Verdict};

use super::{Case, Observation, expect::Action};
use crate::{
    tables::{SnapshotTables, SynMemory},
    world::{World, route},
};

/// What the headroom is full of, so that a byte of a header that is never written does not look right.
const POISON: u8 = 0xa5;

/// Runs a case.
pub fn run(case: &Case, world: &World) -> Observation {
    // A time that does not make the first moments of a machine's life a special case.
    let syn = Rc::new(SynMemory::new(1_000_000));
    let tables =
        || SnapshotTables::new(&world.snapshot, |packet| route(packet, case.ingress)).with_syn(Rc::clone(&syn));
    for (earlier, passed) in &case.before {
        let mut buffer = [&vec![POISON; case.headroom], earlier.as_slice()].concat();
        lb_ebpf::process(&mut MemoryFrame::new(&mut buffer, case.headroom, case.ingress), &tables());
        syn.pass(passed.as_millis() as u64);
    }
    let tables = tables();
    let mut buffer = vec![POISON; case.headroom];
    buffer.extend(&case.frame);
    let mut frame = MemoryFrame::new(&mut buffer, case.headroom, case.ingress).in_pieces(case.first_bytes());
    let verdict = match lb_ebpf::process(&mut frame, &tables) {
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
    let frame = if verdict == Action::Drop { Vec::new() } else { frame.bytes().to_vec() };
    Observation { verdict, frame, counts: tables.counts() }
}
