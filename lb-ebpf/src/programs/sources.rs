//! Packets from many sources, and the kernel's own structure for prefixes: what the firewall's lists are measured with.

use core::hint::black_box;

use aya_ebpf::{
    bindings::{BPF_F_NO_PREALLOC, xdp_action},
    macros::{map, xdp},
    maps::{Array, LpmTrie, lpm_trie::Key},
    programs::XdpContext,
};
use lb_ebpf::{
    frame::Frame,
    wire::{ethernet, ipv4::Ipv4, ipv6::Ipv6},
};

use crate::{COUNTER, PACKET, TARGET, restore, road::send, xdp_frame::XdpFrame};

/// The sources, in the order of the numbers in a header; of IPv4, the last number. How many there are, a power of two, is set
/// when they are loaded.
#[map(name = "sources")]
static SOURCES: Array<[u32; 4]> = Array::with_max_entries(1, 0);
/// How many there are, less one.
#[map(name = "source_mask")]
static MASK: Array<u64> = Array::with_max_entries(1, 0);
/// Prefixes, in network byte order; of IPv4, the first 32 bits.
#[map(name = "trie")]
static TRIE: LpmTrie<[u32; 4], u32> = LpmTrie::with_max_entries(1, BPF_F_NO_PREALLOC);

/// Restores the packet, gives it the next source, and runs the program under test. Transport checksums are left as they are.
#[xdp(frags)]
fn sluice_sources(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let mut frame = unsafe { XdpFrame::new(context.ctx) };
    if restore(&mut frame).is_none() || set_source(&mut frame).is_none() {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: the array holds XDP programs only. The call returns only if there is none.
    unsafe { TARGET.tail_call(&context, 0) };
    xdp_action::XDP_ABORTED
}

/// Sends the packet with the next source.
#[xdp]
fn sluice_crowd(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let mut frame = unsafe { XdpFrame::new(context.ctx) };
    match restore(&mut frame).and_then(|()| set_source(&mut frame)) {
        Some(()) => send(),
        None => xdp_action::XDP_ABORTED,
    }
}

#[inline(always)]
fn set_source(frame: &mut XdpFrame) -> Option<()> {
    let counter = COUNTER.get_ptr_mut(0)?;
    // SAFETY: the bench runs on one CPU.
    let number = unsafe {
        *counter = (*counter).wrapping_add(1);
        *counter
    };
    let source = *SOURCES.get((number & *MASK.get(0)?) as u32)?;
    if PACKET.get(0)?.is_v4 != 0 {
        frame.header_mut::<Ipv4>(ethernet::HEADER_BYTES)?.set_source(source[3]);
    } else {
        frame.header_mut::<Ipv6>(ethernet::HEADER_BYTES)?.set_source(source);
    }
    Some(())
}

/// Drops what comes from a source in the trie.
#[xdp(frags)]
fn sluice_trie(context: XdpContext) -> u32 {
    match source(&context) {
        Some(key) if TRIE.get(&key).is_some() => xdp_action::XDP_DROP,
        Some(_) => xdp_action::XDP_PASS,
        None => xdp_action::XDP_ABORTED,
    }
}

/// Reads the source, and drops the packet.
#[xdp]
fn sluice_source_sink(context: XdpContext) -> u32 {
    if let Some(key) = source(&context) {
        black_box(key);
    }
    xdp_action::XDP_DROP
}

/// Asks the trie, and drops what is not in it, too.
#[xdp]
fn sluice_trie_sink(context: XdpContext) -> u32 {
    if let Some(key) = source(&context) {
        black_box(TRIE.get(&key).is_some());
    }
    xdp_action::XDP_DROP
}

/// [`sluice_trie`] without the look-up.
#[xdp(frags)]
fn sluice_trie_floor(context: XdpContext) -> u32 {
    match source(&context) {
        Some(key) => {
            black_box(key);
            xdp_action::XDP_PASS
        }
        None => xdp_action::XDP_ABORTED,
    }
}

#[inline(always)]
fn source(context: &XdpContext) -> Option<Key<[u32; 4]>> {
    // SAFETY: the kernel made the context for this run.
    let frame = unsafe { XdpFrame::new(context.ctx) };
    let packet = PACKET.get(0)?;
    if packet.is_v4 != 0 {
        let source = frame.header::<Ipv4>(ethernet::HEADER_BYTES)?.source();
        return Some(Key::new(32, [source.to_be(), 0, 0, 0]));
    }
    let [a, b, c, d] = frame.header::<Ipv6>(ethernet::HEADER_BYTES)?.source();
    Some(Key::new(128, [a.to_be(), b.to_be(), c.to_be(), d.to_be()]))
}
