//! Packets that travel: a generator, the least that a forwarder can do, and a sink that counts.

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{DevMap, PerCpuArray},
    programs::XdpContext,
};
use lb_common::Hits;
use lb_ebpf::{frame::Frame, wire::ethernet::Ethernet};

use crate::{restore, xdp_frame::XdpFrame};

/// Where generator and bare forwarder send.
#[map(name = "outlet")]
static OUTLET: DevMap = DevMap::with_max_entries(1, 0);
/// What the sink has swallowed.
#[map(name = "arrived")]
static ARRIVED: PerCpuArray<Hits> = PerCpuArray::with_max_entries(1, 0);

/// Makes the packet and sends it. A frame that comes back from its journey to be used again still has the bytes that it
/// arrived with.
#[xdp]
fn sluice_generator(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let mut frame = unsafe { XdpFrame::new(context.ctx) };
    restore(&mut frame).map_or(xdp_action::XDP_ABORTED, |()| send())
}

/// The bare forwarder: swaps the MAC addresses and sends the packet on.
#[xdp]
fn sluice_bare(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let mut frame = unsafe { XdpFrame::new(context.ctx) };
    let Some(header) = frame.header_mut::<Ethernet>(0) else { return xdp_action::XDP_ABORTED };
    (header.destination, header.source) = (header.source, header.destination);
    send()
}

/// The sink: counts the packet and drops it.
#[xdp]
fn sluice_sink(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let bytes = unsafe { XdpFrame::new(context.ctx) }.length();
    if let Some(arrived) = ARRIVED.get_ptr_mut(0) {
        // SAFETY: the slot belongs to this CPU, and XDP programs do not interrupt each other on one CPU.
        let arrived = unsafe { &mut *arrived };
        arrived.packets += 1;
        arrived.bytes += u64::from(bytes);
    }
    xdp_action::XDP_DROP
}

/// Sends the packet by the outlet.
#[inline(always)]
pub(crate) fn send() -> u32 {
    OUTLET.redirect(0, 0).unwrap_or_else(|action| action)
}
