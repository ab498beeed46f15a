//! The roads of the datapath, each as a global function: the verifier looks at each once, and not again behind every way
//! by which a packet may have come there. Where a side road leads on to another, what was read of the packet is in
//! [`scratch::places`].

use aya_ebpf::bindings::xdp_md;
use lb_common::{DropReason, Mac};
use lb_ebpf::{aside, node, receiver::is_one_of, too_big, verdict::Way};

use crate::{
    maps::{KernelTables, SETTINGS},
    scratch,
    xdp_frame::XdpFrame,
};

/// [`is_one_of`], for the three words of a MAC address.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_is_receiver(a: u32, b: u32, c: u32) -> u32 {
    let mac = Mac([a as u16, b as u16, c as u16]);
    u32::from(SETTINGS.get(0).is_some_and(|settings| is_one_of(mac, settings)))
}

/// [`lb_ebpf::road`]; returns the word of a [`Way`], as all that follow.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_road(context: *mut xdp_md) -> u32 {
    // SAFETY: the verifier makes sure that it is the running program's context.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    lb_ebpf::road(&mut frame, &tables).word()
}

/// [`aside::enter`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_aside(context: *mut xdp_md) -> u32 {
    // SAFETY: as in `sluice_road`; a run goes this road once at the most.
    let (mut frame, tables, places) =
        unsafe { (XdpFrame::new(context), KernelTables::new(context), scratch::new_places()) };
    places.map_or(Way::PASS, |places| aside::enter(&mut frame, &tables, places)).word()
}

/// [`aside::deliver`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_deliver(context: *mut xdp_md, slot: u32, hash: u64) -> u32 {
    // SAFETY: as in `sluice_aside`, which is where this is called and has filled the places.
    let (mut frame, tables, places) =
        unsafe { (XdpFrame::new(context), KernelTables::new(context), scratch::places()) };
    places
        .map_or(Way::drop_for(DropReason::Inconsistent), |places| {
            aside::deliver(&mut frame, &tables, places, slot as u16, hash)
        })
        .word()
}

/// [`aside::back`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_back(context: *mut xdp_md) -> u32 {
    // SAFETY: as in `sluice_aside`, which has been called before and has filled the places.
    let (mut frame, tables, places) =
        unsafe { (XdpFrame::new(context), KernelTables::new(context), scratch::places()) };
    places.map_or(Way::PASS, |places| aside::back(&mut frame, &tables, places)).word()
}

/// [`node::road`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_node(context: *mut xdp_md) -> u32 {
    // SAFETY: as in `sluice_road`.
    let (frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    node::road(&frame, &tables).word()
}

/// [`too_big::refuse`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_refuse(context: *mut xdp_md, max_bytes: u32) -> u32 {
    // SAFETY: as in `sluice_aside`.
    let (mut frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    too_big::refuse(&mut frame, max_bytes as u16, &tables).word()
}
