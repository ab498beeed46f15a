//! The side roads of the datapath, each as a global function of the context: the verifier looks at each once, and not again
//! behind every way by which a packet may have come there.

use aya_ebpf::bindings::xdp_md;
use lb_ebpf::{aside, too_big};

use crate::{maps::KernelTables, xdp_frame::XdpFrame};

/// [`aside::process`]; returns the word of a [`lb_ebpf::verdict::Way`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_aside(context: *mut xdp_md) -> u32 {
    // SAFETY: the verifier makes sure that it is the running program's context.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    aside::process(&mut frame, &tables).word()
}

/// [`too_big::refuse`]; returns the word of a [`lb_ebpf::verdict::Way`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_refuse(context: *mut xdp_md, mtu: u32) -> u32 {
    // SAFETY: as in `sluice_aside`.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    too_big::refuse(&mut frame, mtu as u16, &tables).word()
}
