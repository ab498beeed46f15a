//! What is noted of a drop: the reason's counter, and, if somebody looks, a record of some of the drops.
//!
//! A record is made of the frame as it is at that moment, read once more: what becomes of packets that are not dropped
//! must not pay for it, and few drops are recorded. So a packet that was rewritten before it turned out that it cannot leave is
//! shown rewritten.

use lb_common::{DropReason, DropSample, Features};

use crate::{
    frame::Frame,
    parse::{self, Transport},
    tables::Tables,
};

/// Notes that a frame is dropped, by the rule with this number or by none ([`DropSample::rule`]).
#[inline(always)]
pub fn note(frame: &impl Frame, reason: DropReason, rule: u32, tables: &impl Tables) {
    tables.count_drop(reason);
    if tables.settings().is_some_and(|settings| settings.features & Features::SAMPLE != 0) {
        tables.sample_drop(frame, reason, rule);
    }
}

/// The record of a drop that stands for `weight` of them.
#[inline(always)]
pub fn record(frame: &impl Frame, reason: u32, rule: u32, time_ns: u64, weight: u64) -> DropSample {
    let mut sample = DropSample { time_ns, weight, reason, rule, ifindex: frame.ingress(), ..DropSample::default() };
    sample.frame_bytes = frame.total_length();
    let mut place = None;
    let Some(packet) = parse::packet(frame, &mut place) else { return sample };
    sample.source = packet.source;
    sample.destination = packet.destination;
    sample.source_port = packet.source_port;
    sample.destination_port = packet.destination_port;
    sample.protocol = packet.protocol;
    if let Transport::Tcp { flags } = packet.transport {
        sample.tcp_flags = flags;
    }
    sample
}
