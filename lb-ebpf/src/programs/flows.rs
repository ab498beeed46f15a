//! The flow table in the kernel, and the rules over it as a function of their own.

use core::intrinsics::AtomicOrdering;

use aya_ebpf::{bindings::BPF_F_MMAPABLE, helpers::generated::bpf_ktime_get_coarse_ns, macros::map, maps::Array};
use lb_common::{Entry, Row, Tick, Trail};
use lb_ebpf::balance::{
    flows::{Arrival, FlowSet, FlowTable, look, steer},
    fragments::{recall, remember},
};

use crate::maps::BACKENDS;

#[map(name = "flows")]
static FLOWS: Array<Set> = Array::pinned(lb_common::FLOW_SETS, BPF_F_MMAPABLE);

/// Where fragmented packets go.
#[map(name = "fragments")]
static FRAGMENTS: Array<Set> = Array::pinned(lb_common::FRAGMENT_SETS, 0);

/// By service id: the second in which a flow last found no room in the flow table.
#[map(name = "overflows")]
static OVERFLOWS: Array<u64> = Array::pinned(lb_common::MAX_SERVICES, 0);

/// [`steer`] as a global function: the verifier checks it once for any arguments, and callers know no more of its
/// answer than that it is a number. Inlined, each of its ways out would be followed through all of delivery. Bit 0 of
/// `bounds` says that the packet opens its flow, bit 1 that it ends it.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_steer(hash: u64, row: u32, service: u32, bounds: u32, by_client: u32) -> u32 {
    let (opens, closes) = (bounds & 1 != 0, bounds & 2 != 0);
    let row = Row::from_word(row);
    u32::from(steer(&Arrival { hash, row, service, opens, closes, by_client: by_client != 0 }, &KernelFlows))
}

/// [`look`] as a global function.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_look(hash: u64, row: u32) -> u32 {
    u32::from(look(hash, Row::from_word(row), &KernelFlows))
}

/// [`recall`] as a global function; the word of a [`Trail`].
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_recall(hash: u64) -> u32 {
    fragments(hash).map_or(Trail::NONE, |set| recall(&set, hash, KernelFlows.now())).word()
}

/// [`remember`] as a global function. Its answer means nothing; a global function has one.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_remember(hash: u64, trail: u32) -> u32 {
    if let Some(set) = fragments(hash) {
        remember(&set, hash, Trail::from_word(trail), KernelFlows.now());
    }
    0
}

/// The set of fragmented packets where one with this hash would be.
#[inline(always)]
fn fragments(hash: u64) -> Option<KernelSet> {
    FRAGMENTS.get_ptr_mut(hash as u32 & (lb_common::FRAGMENT_SETS - 1)).map(KernelSet)
}

struct KernelFlows;

impl FlowTable for KernelFlows {
    #[inline(always)]
    fn set(&self, hash: u64) -> Option<impl FlowSet> {
        FLOWS.get_ptr_mut(hash as u32 & (lb_common::FLOW_SETS - 1)).map(KernelSet)
    }

    #[inline(always)]
    fn now(&self) -> Tick {
        Tick::from_seconds(seconds())
    }

    #[inline(always)]
    fn note_overflow(&self, service: u32) {
        // A plain store: every writer writes about the same time.
        let _ = OVERFLOWS.set(service, &seconds(), 0);
    }

    #[inline(always)]
    fn duties(&self, slot: u16) -> u8 {
        BACKENDS.get(u32::from(slot)).map_or(0, |backend| backend.flags)
    }
}

/// Seconds since the machine started, by the coarse clock, which costs a seventh of the fine one.
#[inline(always)]
pub(crate) fn seconds() -> u64 {
    nanoseconds() / 1_000_000_000
}

/// The same in nanoseconds.
#[inline(always)]
pub(crate) fn nanoseconds() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_coarse_ns() }
}

/// A set's words as other CPUs and user space see them.
type Set = lb_common::FlowSet;

/// A set of the flow table in the kernel.
struct KernelSet(*mut Set);

impl KernelSet {
    /// The address of a way's word. The mask tells the verifier what the callers know.
    #[inline(always)]
    fn word(&self, way: u32) -> *mut u64 {
        // SAFETY: the map's element has that many words, and elements of an array map are never freed.
        unsafe { self.0.cast::<u64>().add(way as usize & (lb_common::FLOW_WAYS - 1)) }
    }
}

impl FlowSet for KernelSet {
    #[inline(always)]
    fn entry(&self, way: u32) -> Entry {
        // SAFETY: `word` is valid and aligned; one 64-bit load is atomic.
        Entry::from_word(unsafe { self.word(way).read_volatile() })
    }

    #[inline(always)]
    fn replace(&self, way: u32, old: Entry, new: Entry) -> bool {
        // SAFETY: `word` is valid and aligned.
        unsafe { exchange(self.word(way), old.word(), new.word()) }
    }
}

/// Replaces a word if it is still what it was. What this CPU has written before is seen before, as on every CPU.
///
/// # Safety
///
/// `word` is valid and aligned.
#[inline(always)]
pub(crate) unsafe fn exchange(word: *mut u64, old: u64, new: u64) -> bool {
    // SAFETY: the caller says so.
    let (seen, _) = unsafe {
        core::intrinsics::atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(word, old, new)
    };
    seen == old
}
