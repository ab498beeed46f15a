//! The load balancer's XDP program.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![allow(
    internal_features,
    reason = "the target has compare-and-exchange, but core's atomic types do not offer it there"
)]
#![allow(linker_messages, reason = "bpf-linker warns of an LLVM library that it does not need")]

mod buckets;
mod clients;
mod flows;
mod lists;
mod maps;
mod quic;
mod roads;
mod routes;
mod runtime;
mod samples;
mod sanity;
mod scratch;
mod screen;
mod services;
mod sessions;
mod sockets;
mod syn;
mod xdp_frame;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use lb_ebpf::verdict::Verdict;

use crate::{maps::KernelTables, xdp_frame::XdpFrame};

/// Entry point: one call for each frame.
#[xdp(frags)]
fn sluice_lb(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context.ctx), KernelTables::new(context.ctx)) };
    match lb_ebpf::process(&mut frame, &tables) {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Transmit => xdp_action::XDP_TX,
        Verdict::Redirect(ifindex) => tables.redirect(&frame, ifindex),
        Verdict::Drop => xdp_action::XDP_DROP,
    }
}
