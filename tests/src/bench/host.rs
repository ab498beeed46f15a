//! The datapath's library on the host, on the tables that the kernel was given: what the kernel's answer must equal.

use std::net::IpAddr;

use lb_common::{Address, BackendValue, DropReason, EndpointKey, ListKind, ReplyValue, Row, ServiceValue, Settings};
use lb_ebpf::{
    frame::MemoryFrame,
    parse::Packet,
    tables::{Route, Tables},
    verdict::Verdict,
};
use lb_userspace::plan::Snapshot;

use super::sandbox::{INGRESS, Uplink};

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

/// What the datapath makes of a frame.
pub fn process(frame: &[u8], snapshot: &Snapshot, uplink: Uplink) -> Outcome {
    let mut buffer = vec![0; HEADROOM_BYTES];
    buffer.extend_from_slice(frame);
    let mut frame = MemoryFrame::new(&mut buffer, HEADROOM_BYTES, INGRESS);
    let verdict = lb_ebpf::process(&mut frame, &SnapshotTables { snapshot, uplink });
    Outcome { action: action(verdict), frame: frame.bytes().to_vec() }
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

/// A snapshot as the datapath's tables. Nothing is counted.
struct SnapshotTables<'a> {
    snapshot: &'a Snapshot,
    uplink: Uplink,
}

impl Tables for SnapshotTables<'_> {
    fn settings(&self) -> Option<&Settings> {
        Some(&self.snapshot.settings)
    }

    fn service(&self, key: &EndpointKey) -> Option<&ServiceValue> {
        self.snapshot.services.get(key)
    }

    fn row(&self, ring: u32, row: u32) -> Option<Row> {
        self.snapshot.rings.get(&ring)?.get(row as usize).copied()
    }

    fn backend(&self, slot: u16) -> Option<&BackendValue> {
        self.snapshot.backends.get(&slot)
    }

    fn reply(&self, key: &EndpointKey) -> Option<&ReplyValue> {
        self.snapshot.replies.get(key)
    }

    fn listed(&self, list: ListKind, address: &Address) -> bool {
        let address = IpAddr::from(*address);
        self.snapshot.prefixes.iter().any(|(kind, prefix)| *kind == list && prefix.contains(&address))
    }

    fn route(&self, _: &Packet) -> Route {
        Route::Neighbour { ifindex: self.uplink.ifindex, mac: self.uplink.neighbour, source_mac: self.uplink.mac }
    }

    fn want_neighbour(&self, _: u32, _: &Address) {}

    fn count_service(&self, _: u32, _: u64, _: u64) {}

    fn count_backend(&self, _: u16, _: u64, _: u64) {}

    fn count_list(&self, _: ListKind, _: u64) {}

    fn count_drop(&self, _: DropReason) {}
}
