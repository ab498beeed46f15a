//! The datapath's library on the host, on the tables that the kernel was given: what the kernel's answer must equal.

use std::rc::Rc;

use lb_ebpf::{frame::MemoryFrame, tables::Route, verdict::Verdict};
use lb_userspace::plan::Snapshot;

use super::sandbox::{INGRESS, Uplink};
use crate::tables::{FlowMemory, SnapshotTables};

/// Room in front of a packet for an outer header, in bytes.
const HEADROOM_BYTES: usize = 64;

/// A verdict and the frame that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The XDP action's number.
    pub action: u32,
    /// The frame, as it leaves.
    pub frame: Vec<u8>,
}

/// What the datapath makes of the last of some frames, one after the other, and notes in the flow table.
pub fn process(frames: &[Vec<u8>], snapshot: &Snapshot, flows: &Rc<FlowMemory>, uplink: Uplink) -> Outcome {
    let route = Route::Neighbour { ifindex: uplink.ifindex, mac: uplink.neighbour, source_mac: uplink.mac };
    let tables = SnapshotTables::with_flows(snapshot, |_| route, Rc::clone(flows));
    let mut outcome = Outcome { action: 0, frame: Vec::new() };
    for frame in frames {
        let mut buffer = vec![0; HEADROOM_BYTES];
        buffer.extend_from_slice(frame);
        let mut frame = MemoryFrame::new(&mut buffer, HEADROOM_BYTES, INGRESS);
        let verdict = lb_ebpf::process(&mut frame, &tables);
        outcome = Outcome { action: action(verdict), frame: frame.bytes().to_vec() };
    }
    outcome
}

/// The number of an XDP action (`enum xdp_action` in linux/bpf.h).
const fn action(verdict: Verdict) -> u32 {
    match verdict {
        Verdict::Drop => 1,
        Verdict::Pass => 2,
        Verdict::Transmit => 3,
        Verdict::Redirect(_) => 4,
    }
}

/// The name of an XDP action.
pub const fn action_name(action: u32) -> &'static str {
    match action {
        0 => "ABORTED",
        1 => "DROP",
        2 => "PASS",
        3 => "TX",
        4 => "REDIRECT",
        _ => "UNKNOWN",
    }
}
