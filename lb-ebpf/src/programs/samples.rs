//! Recording some drops while somebody looks, as a function of its own.

use aya_ebpf::{
    bindings::xdp_md,
    helpers::generated::{bpf_get_prandom_u32, bpf_ktime_get_coarse_ns},
    macros::map,
    maps::{PerCpuArray, RingBuf},
};
use lb_common::Sampler;
use lb_ebpf::drops::record;

use crate::{maps::SETTINGS, xdp_frame::XdpFrame};

// Neither is pinned: a daemon that takes over looks at nothing until somebody asks it to.
#[map(name = "samplers")]
static SAMPLERS: PerCpuArray<Sampler> = PerCpuArray::with_max_entries(1, 0);
#[map(name = "samples")]
static SAMPLES: RingBuf = RingBuf::with_byte_size(lb_common::SAMPLE_BYTES, 0);

/// Records a drop if it is its turn, as a global function, which the verifier checks once and not behind each way to a drop.
/// The result is 0 and says nothing.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_sample(context: *mut xdp_md, reason: u32, rule: u32) -> u32 {
    let (Some(settings), Some(sampler)) = (SETTINGS.get(0), SAMPLERS.get_ptr_mut(0)) else { return 0 };
    // SAFETY: the helper has no preconditions.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    if now_ns >= settings.sample_until_ns {
        return 0;
    }
    // SAFETY: the slot belongs to this CPU, and an XDP program is not interrupted by another on the same CPU.
    let sampler = unsafe { &mut *sampler };
    // SAFETY: the helper has no preconditions.
    let random = || unsafe { bpf_get_prandom_u32() };
    let weight = sampler.choose(now_ns, settings.samples_per_interval as u32, random);
    if weight == 0 {
        return 0;
    }
    // SAFETY: the caller passes on what the kernel handed to the running program.
    let frame = unsafe { XdpFrame::new(context) };
    if SAMPLES.output(&record(&frame, reason, rule, now_ns, weight), 0).is_err() {
        // Nobody has read the buffer for seconds.
        sampler.give_back(weight);
    }
    0
}
