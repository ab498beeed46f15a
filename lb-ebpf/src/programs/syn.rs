//! SYN protection in the kernel: what it remembers, and its rules as functions of their own.

use core::intrinsics::AtomicOrdering;

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, xdp_md},
    helpers::generated::bpf_ktime_get_coarse_ns,
    macros::map,
    maps::{Array, PerCpuArray},
};
use lb_common::{SYN_LINE_WORDS, SynEvent, SynLine, SynSettings, SynTraffic};
use lb_ebpf::syn::{self, Contact, Line, Memory, SynTables};

use crate::{maps::KernelTables, xdp_frame::XdpFrame};

#[map(name = "syn")]
static SYN: Array<SynSettings> = Array::pinned(1, 0);
#[map(name = "syn_sources")]
static SOURCES: Array<SynLine> = Array::pinned(Memory::Sources.lines(), BPF_F_MMAPABLE);
#[map(name = "syn_retries")]
static RETRIES: Array<SynLine> = Array::pinned(Memory::Retries.lines(), BPF_F_MMAPABLE);
#[map(name = "syn_answers")]
static ANSWERS: Array<SynLine> = Array::pinned(Memory::Answers.lines(), BPF_F_MMAPABLE);
#[map(name = "syn_paces")]
static PACES: Array<SynLine> = Array::pinned(Memory::Paces.lines(), BPF_F_MMAPABLE);
#[map(name = "syn_samples")]
static SAMPLES: Array<SynLine> = Array::pinned(Memory::Samples.lines(), BPF_F_MMAPABLE);
#[map(name = "syn_traffic")]
static TRAFFIC: PerCpuArray<SynTraffic> = PerCpuArray::pinned(lb_common::MAX_SERVICES, 0);

/// [`syn::judge`] as a global function, which the verifier checks once: few packets come there, and each of its ways out
/// would be followed through all of delivery. Bit 0 of `kind` says that it is IPv4, bit 1 that nothing is to be done.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_syn(
    context: *mut xdp_md,
    network_offset: u32,
    transport_offset: u32,
    service: u32,
    kind: u32,
) -> u32 {
    // SAFETY: the caller passes on what the kernel handed to the running program.
    let (frame, tables) = unsafe { (XdpFrame::new(context), KernelTables::new(context)) };
    let contact = contact(network_offset, transport_offset, service, kind);
    syn::judge(&frame, contact, &KernelSyn, &tables).word()
}

/// [`syn::ask`] as a global function of its own, because the stacks of functions that call each other have 512 bytes together.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_ask(
    context: *mut xdp_md,
    network_offset: u32,
    transport_offset: u32,
    service: u32,
    kind: u32,
) -> u32 {
    // SAFETY: as in `sluice_syn`.
    let mut frame = unsafe { XdpFrame::new(context) };
    u32::from(syn::ask(&mut frame, contact(network_offset, transport_offset, service, kind), &KernelSyn))
}

#[inline(always)]
fn contact(network_offset: u32, transport_offset: u32, service: u32, kind: u32) -> Contact {
    Contact {
        network_offset,
        transport_offset,
        is_v4: kind & 1 != 0,
        service: service as u16,
        is_observed: kind & 2 != 0,
    }
}

/// [`syn::watch`] as a global function, for the same reason.
#[unsafe(no_mangle)]
#[inline(never)]
pub(crate) extern "C" fn sluice_watch(mark: u64, service: u32, flags: u32) -> u32 {
    syn::watch(mark, service as u16, flags as u8, &KernelSyn);
    0
}

struct KernelSyn;

impl SynTables for KernelSyn {
    #[inline(always)]
    fn syn_settings(&self) -> Option<&SynSettings> {
        SYN.get(0)
    }

    #[inline(always)]
    fn now_ms(&self) -> u64 {
        // SAFETY: the helper has no preconditions.
        let nanoseconds = unsafe { bpf_ktime_get_coarse_ns() };
        nanoseconds / 1_000_000
    }

    #[inline(always)]
    fn line(&self, memory: Memory, number: u32) -> Option<impl Line> {
        let map = match memory {
            Memory::Sources => &SOURCES,
            Memory::Retries => &RETRIES,
            Memory::Answers => &ANSWERS,
            Memory::Paces => &PACES,
            Memory::Samples => &SAMPLES,
        };
        map.get_ptr_mut(number & (memory.lines() - 1)).map(KernelLine)
    }

    #[inline(always)]
    fn count_syn(&self, service: u16, event: SynEvent) {
        if let Some(traffic) = TRAFFIC.get_ptr_mut(u32::from(service)) {
            // SAFETY: the element has a word for each event; the slot belongs to this CPU, and an XDP program is not
            // interrupted by another on the same CPU.
            unsafe { *traffic.cast::<u64>().add(event as usize) += 1 };
        }
    }
}

/// A line in the kernel.
struct KernelLine(*mut SynLine);

impl KernelLine {
    /// The address of a word. The mask tells the verifier what the callers know.
    #[inline(always)]
    fn word(&self, word: u32) -> *mut u64 {
        // SAFETY: the map's element has that many words, and elements of an array map are never freed.
        unsafe { self.0.cast::<u64>().add(word as usize & (SYN_LINE_WORDS - 1)) }
    }
}

impl Line for KernelLine {
    #[inline(always)]
    fn load(&self, word: u32) -> u64 {
        // SAFETY: `word` is valid and aligned; one 64-bit load is atomic.
        unsafe { self.word(word).read_volatile() }
    }

    #[inline(always)]
    fn store(&self, word: u32, value: u64) {
        // SAFETY: as in `load`.
        unsafe { self.word(word).write_volatile(value) };
    }

    #[inline(always)]
    fn replace(&self, word: u32, old: u64, new: u64) -> bool {
        // SAFETY: `word` is valid and aligned.
        let (seen, _) = unsafe {
            core::intrinsics::atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                self.word(word),
                old,
                new,
            )
        };
        seen == old
    }
}
