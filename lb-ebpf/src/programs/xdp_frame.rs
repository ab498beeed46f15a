//! A [`Frame`] over an XDP context.

use core::ptr::NonNull;

use aya_ebpf::{
    bindings::xdp_md,
    helpers::{bpf_xdp_adjust_head, bpf_xdp_adjust_tail, generated::bpf_xdp_get_buff_len},
};
use lb_ebpf::frame::{Frame, Header};

/// No header begins so far from the start of a frame. The verifier does not let an offset into the packet that it knows
/// nothing of, as it does not of one that was kept in memory.
const MAX_OFFSET: u32 = 0x3fff;

/// The packet of the running XDP program.
pub(crate) struct XdpFrame {
    context: *mut xdp_md,
}

impl XdpFrame {
    /// # Safety
    ///
    /// `context` is what the kernel handed to the running XDP program.
    #[inline(always)]
    pub(crate) const unsafe fn new(context: *mut xdp_md) -> Self {
        Self { context }
    }

    /// Where the packet begins and ends.
    #[inline(always)]
    fn bounds(&self) -> (usize, usize) {
        // SAFETY: the context is valid for as long as the program runs (see `new`).
        unsafe { ((*self.context).data as usize, (*self.context).data_end as usize) }
    }

    /// The address of a `T` at an offset, if it lies within the packet. These comparisons are what the verifier looks for.
    #[inline(always)]
    fn address_of<T>(&self, offset: u32) -> Option<NonNull<T>> {
        let (start, end) = self.bounds();
        if offset > MAX_OFFSET {
            return None;
        }
        let address = start + offset as usize;
        if address + size_of::<T>() > end {
            return None;
        }
        // SAFETY: a packet does not begin at address 0; the compiler would test for it.
        Some(unsafe { NonNull::new_unchecked(address as *mut T) })
    }
}

impl Frame for XdpFrame {
    #[inline(always)]
    fn length(&self) -> u32 {
        let (start, end) = self.bounds();
        (end - start) as u32
    }

    #[inline(always)]
    fn total_length(&self) -> u32 {
        // SAFETY: see `bounds`.
        unsafe { bpf_xdp_get_buff_len(self.context) as u32 }
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        // SAFETY: see `bounds`.
        unsafe { (*self.context).ingress_ifindex }
    }

    #[inline(always)]
    fn header<T: Header>(&self, offset: u32) -> Option<&T> {
        // SAFETY: in bounds, any bytes are a `T`, and resizing needs the exclusive borrow that this one forbids.
        // The kernel tolerates misaligned access on every machine that BPF's JIT supports.
        self.address_of(offset).map(|address| unsafe { address.as_ref() })
    }

    #[inline(always)]
    fn header_mut<T: Header>(&mut self, offset: u32) -> Option<&mut T> {
        // SAFETY: as in `header`; the borrow is exclusive.
        self.address_of(offset).map(|mut address| unsafe { address.as_mut() })
    }

    #[inline(always)]
    fn resize_front(&mut self, bytes: i32) -> Option<()> {
        // SAFETY: the helper checks the room; no reference into the packet outlives the exclusive borrow.
        (unsafe { bpf_xdp_adjust_head(self.context, -bytes) } == 0).then_some(())
    }

    #[inline(always)]
    fn truncate(&mut self, bytes: u32) -> Option<()> {
        let excess = self.total_length() as i32 - bytes as i32;
        // SAFETY: as in `resize_front`; the helper would lengthen the packet by a negative excess, and checks the room too.
        (excess >= 0 && unsafe { bpf_xdp_adjust_tail(self.context, -excess) } == 0).then_some(())
    }
}
