//! Memory of a run that is too large for the stack: 512 bytes are all that the main road, a side road and what that calls
//! have together.

use core::mem::MaybeUninit;

use aya_ebpf::{bindings::bpf_fib_lookup as FibLookup, macros::map, maps::PerCpuArray};
use lb_ebpf::aside::Places;

#[map(name = "places")]
static PLACES: PerCpuArray<MaybeUninit<Places>> = PerCpuArray::with_max_entries(1, 0);
#[map(name = "query")]
static QUERY: PerCpuArray<FibLookup> = PerCpuArray::with_max_entries(1, 0);

/// Room for what a side road reads of a frame, with nothing in it.
///
/// # Safety
///
/// Nothing else of the run uses it.
#[inline(always)]
pub(crate) unsafe fn new_places() -> Option<&'static mut Places> {
    let places = PLACES.get_ptr_mut(0)?;
    // SAFETY: the slot belongs to this CPU, an XDP program is not interrupted by another on the same CPU, and the rest is the
    // caller's promise.
    Some(unsafe { (*places).write(Places::default()) })
}

/// The same room, with what was read.
///
/// # Safety
///
/// It has been filled in this run, and nothing writes it any more.
#[inline(always)]
pub(crate) unsafe fn places() -> Option<&'static Places> {
    // SAFETY: as in `new_places`.
    PLACES.get_ptr_mut(0).map(|places| unsafe { (*places).assume_init_ref() })
}

/// Room for a question to the kernel's routes.
///
/// # Safety
///
/// Nothing else of the run uses it.
#[inline(always)]
pub(crate) unsafe fn query() -> Option<&'static mut FibLookup> {
    // SAFETY: as in `places`; the structure is plain integers.
    QUERY.get_ptr_mut(0).map(|query| unsafe { &mut *query })
}
