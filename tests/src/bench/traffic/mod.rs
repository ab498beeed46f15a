//! `bench traffic`: packets and requests from end to end.
//!
//! Problem: nanoseconds in a test run ([`super`]) leave out what receiving and sending cost, and say nothing of how others
//! would do on the same machine. Mechanism: first packets as fast as the kernel can make them, through a veth, a forwarder and
//! another veth into a sink (`packets`), where Sluice is compared with a forwarder that only swaps MAC addresses; then real
//! clients and servers, with Sluice and with others between them (`clients`). Everything is in namespaces that end with
//! this process, and subjects take turns in rounds. Trade-off: veth is not a card, senders leave nothing to it (no
//! segmentation, no checksums), and on a machine of two processors client and servers compete with the balancer.

mod balancer;
mod clients;
mod mode;
mod napi;
mod packets;
mod report;
mod road;

use std::time::Duration;

use anyhow::Result;

pub use self::{clients::Clients, packets::Packets, report::Report};
pub(super) use self::{
    napi::Receiver,
    road::{FRAME_BYTES, attach, link, program, send_live, set_outlet},
};

/// How long something may take to be there.
const PATIENCE: Duration = Duration::from_secs(5);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds of everything.
    pub rounds: usize,
    /// How long packets are sent to one subject in a round.
    pub packets: Duration,
    /// How long clients ask one subject in a round.
    pub requests: Duration,
    /// How long bytes are sent in each direction in a round.
    pub bulk: Duration,
}

impl Effort {
    /// Some minutes.
    pub const FULL: Self = Self {
        rounds: 5,
        packets: Duration::from_millis(500),
        requests: Duration::from_millis(1200),
        bulk: Duration::from_millis(600),
    };
    /// Half a minute.
    pub const QUICK: Self = Self {
        rounds: 1,
        packets: Duration::from_millis(200),
        requests: Duration::from_millis(400),
        bulk: Duration::from_millis(200),
    };
}

/// Measures everything.
///
/// # Errors
///
/// No permission, a program that is not there, or packets that did not arrive as they should.
pub fn run(effort: Effort) -> Result<Report> {
    Ok(Report { rounds: effort.rounds, packets: packets::measure(effort)?, clients: clients::measure(effort)? })
}
