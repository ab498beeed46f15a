//! The buckets of rate limits in the kernel.

use core::intrinsics::AtomicOrdering;

use aya_ebpf::{
    helpers::generated::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns},
    macros::map,
    maps::{Array, PerCpuArray},
};
use lb_common::{Address, Bucket, BucketSet, Event, EventKind, LIMIT_SETS, LIMIT_TOTALS, LIMIT_WAYS, LimitHits};
use lb_ebpf::{
    firewall::limits::{self, Buckets, LimitTable},
    parse::Packet,
};

use crate::{
    maps::{EVENTS, SETTINGS},
    screen::{self, PacketWords},
};

/// Sources' buckets.
#[map(name = "buckets")]
static BUCKETS: Array<BucketSet> = Array::pinned(LIMIT_SETS, 0);
/// Buckets that sources share: by limit and service, and one for notices.
#[map(name = "totals")]
static TOTALS: Array<u64> = Array::pinned(LIMIT_TOTALS, 0);

#[map(name = "limit_hits")]
static LIMIT_HITS: PerCpuArray<LimitHits> = PerCpuArray::pinned(lb_common::MAX_LIMITS as u32, 0);

/// No service has this id.
const NO_SERVICE: u32 = u32::MAX;

/// [`limits::charge`] as a global function, for the same reason as `flows::sluice_steer`. 1 if the packet is within.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_charge(packet: *const PacketWords, bank: u32, limit: u32, service: u32) -> u32 {
    // SAFETY: the only caller made the words from a packet that lives as long as the call. The verifier asks for the test.
    let packet = unsafe { packet.cast::<Packet>().as_ref() };
    let (Some(packet), Some(settings)) = (packet, SETTINGS.get(0)) else { return 1 };
    // The mask tells the verifier what the callers know.
    let limit = limit & (lb_common::MAX_LIMITS as u32 - 1);
    let Some(line) = screen::rules(bank).and_then(|block| block.limits.get(limit as usize)) else { return 1 };
    let service = (service != NO_SERVICE).then_some(service);
    u32::from(limits::charge(packet, line, limit, service, &settings.hash_key, &KernelLimits))
}

/// Asks [`sluice_charge`].
#[inline(always)]
pub(crate) fn charge(packet: &Packet, bank: u16, limit: u32, service: Option<u32>) -> bool {
    sluice_charge(core::ptr::from_ref(packet).cast(), bank.into(), limit, service.unwrap_or(NO_SERVICE)) != 0
}

struct KernelLimits;

impl LimitTable for KernelLimits {
    #[inline(always)]
    fn buckets(&self, hash: u64) -> Option<impl Buckets> {
        BUCKETS.get_ptr_mut(hash as u32 & (LIMIT_SETS - 1)).map(|set| Words::<{ LIMIT_WAYS as u32 - 1 }>(set.cast()))
    }

    #[inline(always)]
    fn total(&self, index: u32) -> Option<impl Buckets> {
        TOTALS.get_ptr_mut(index).map(Words::<0>)
    }

    #[inline(always)]
    fn nanoseconds(&self, fine: bool) -> u64 {
        // SAFETY: the helpers have no preconditions.
        unsafe { if fine { bpf_ktime_get_ns() } else { bpf_ktime_get_coarse_ns() } }
    }

    #[inline(always)]
    fn notice_excess(&self, limit: u32, source: &Address) {
        let event = Event { kind: EventKind::LimitExceeded as u32, ifindex: limit, address: *source };
        // A full buffer means that the daemon has been told often enough.
        let _ = EVENTS.output(&event, 0);
    }

    #[inline(always)]
    fn count_limit(&self, limit: u32, is_within: bool, bytes: u64) {
        if let Some(hits) = LIMIT_HITS.get_ptr_mut(limit) {
            // SAFETY: the slot belongs to this CPU, and an XDP program is not interrupted by another on the same CPU.
            let hits = unsafe { &mut *hits };
            if is_within {
                hits.passed += 1;
            } else {
                hits.limited += 1;
                hits.limited_bytes += bytes;
            }
        }
    }
}

/// Words of a map's element, of which `MASK` is the last one's number.
struct Words<const MASK: u32>(*mut u64);

impl<const MASK: u32> Words<MASK> {
    /// The address of a word. The mask tells the verifier what the callers know.
    #[inline(always)]
    fn word(&self, number: u32) -> *mut u64 {
        // SAFETY: the map's element has that many words, and elements of an array map are never freed.
        unsafe { self.0.add((number & MASK) as usize) }
    }
}

impl<const MASK: u32> Buckets for Words<MASK> {
    #[inline(always)]
    fn bucket(&self, number: u32) -> Bucket {
        // SAFETY: `word` is valid and aligned; one 64-bit load is atomic.
        Bucket::from_word(unsafe { self.word(number).read_volatile() })
    }

    #[inline(always)]
    fn replace(&self, number: u32, old: Bucket, new: Bucket) -> bool {
        // SAFETY: `word` is valid and aligned.
        let (seen, _) = unsafe {
            core::intrinsics::atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                self.word(number),
                old.word(),
                new.word(),
            )
        };
        seen == old.word()
    }
}
