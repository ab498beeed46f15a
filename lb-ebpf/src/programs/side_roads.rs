//! The side roads of the datapath, each as a global function of the context: the verifier looks at each once, and not again
//! behind every way by which a packet may have come there.

use aya_ebpf::bindings::xdp_md;
use lb_ebpf::{
    aside::{self, Errand},
    too_big,
    verdict::Way,
};

use crate::{maps::KernelTables, scratch, xdp_frame::XdpFrame};

/// [`aside::process`] for ICMP errors; returns the word of a [`Way`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_error(context: *mut xdp_md) -> u32 {
    aside(context, Errand::Error)
}

/// [`aside::process`] for fragments; returns the word of a [`Way`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_fragment(context: *mut xdp_md) -> u32 {
    aside(context, Errand::Fragment)
}

#[inline(always)]
fn aside(context: *mut xdp_md, errand: Errand) -> u32 {
    // SAFETY: the verifier makes sure that it is the running program's context; one side road is gone at a time.
    let (mut frame, tables, places) =
        unsafe { (XdpFrame::new(context), KernelTables::new(context), scratch::places()) };
    places.map_or(Way::PASS, |places| aside::process(&mut frame, errand, &tables, places)).word()
}

/// [`too_big::refuse`]; returns the word of a [`Way`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_refuse(context: *mut xdp_md, mtu: u32) -> u32 {
    // SAFETY: as in `aside`.
    let (mut frame, tables, places) =
        unsafe { (XdpFrame::new(context), KernelTables::new(context), scratch::places()) };
    places.map_or(Way::PASS, |places| too_big::refuse(&mut frame, mtu as u16, &tables, places)).word()
}
