//! Sanity checks in the kernel, as a function of their own.

use aya_ebpf::{bindings::xdp_md, macros::map, maps::Array};
use lb_common::{DropReason, Sanity};
use lb_ebpf::{parse::Packet, sanity};

use crate::{
    maps::SETTINGS,
    screen::PacketWords,
    sessions::{pack, unpack},
    xdp_frame::XdpFrame,
};

/// Which checks packets meet, by service id; see [`Sanity::OF_NODE`].
#[map(name = "sanity")]
static SANITY: Array<u64> = Array::pinned(Sanity::ELEMENTS, 0);

/// [`sanity::judge`] as a global function: few packets come there, and each of its ways out would be followed through all of
/// delivery.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_sanity(context: *mut xdp_md, packet: *const PacketWords, element: u32) -> u64 {
    // SAFETY: the caller hands over the context of the running program.
    let frame = unsafe { XdpFrame::new(context) };
    // SAFETY: the only caller made the words from a packet that lives as long as the call. The verifier asks for the test.
    let Some(packet) = (unsafe { packet.cast::<Packet>().as_ref() }) else { return pack(Ok(0)) };
    let Some(settings) = SETTINGS.get(0) else { return pack(Ok(0)) };
    let checks = SANITY.get(element).copied().unwrap_or(0);
    pack(sanity::judge(&frame, packet, checks, settings).map(|()| 0))
}

/// Asks [`sluice_sanity`].
#[inline(always)]
pub(crate) fn judge(context: *mut xdp_md, packet: &Packet, element: u32) -> Result<(), DropReason> {
    unpack(sluice_sanity(context, core::ptr::from_ref(packet).cast(), element)).map(|_| ())
}
