//! QUIC connection ids, read by a function of its own.

use aya_ebpf::bindings::xdp_md;
use lb_common::ConnectionIds;
use lb_ebpf::balance::{Access, quic::look};

use crate::{maps::KernelTables, xdp_frame::XdpFrame};

/// [`look`] as a global function, which the verifier checks once: inlined, each form of a packet and each end of the
/// look-up would be followed through all of delivery.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_quic(context: *mut xdp_md, offset: u32, service: u32, ids: u32, looks: u32) -> u32 {
    // SAFETY: the caller passes on what the kernel handed to the running program.
    let (frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    let access = if looks == 0 { Access::Track } else { Access::Look };
    look(&frame, offset, service as u16, ConnectionIds::from_byte(ids as u8), access, &tables).word()
}
