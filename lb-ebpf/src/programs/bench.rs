//! XDP programs for bench and tests: a wrapper that restores a packet before each run of the program under test, the
//! floor that is subtracted, and a wrapper that poisons the headroom.
//!
//! `BPF_PROG_TEST_RUN` with `repeat` hands a program its own output, so an encapsulating program would meet an
//! encapsulated packet from its second run on. The wrapper restores the packet's length and first bytes, optionally walks the
//! source over 2^k flows, and tail-calls the program under test.
//!
//! Programs for frames in several buffers and others cannot call each other. The `linear` ones are for programs of the other
//! kind, which Sluice's are not.

#![no_std]
#![no_main]
#![allow(linker_messages, reason = "bpf-linker warns of an LLVM library that it does not need")]

mod road;
mod runtime;
mod sources;
mod xdp_frame;

use core::hint::black_box;

use aya_ebpf::{
    bindings::xdp_action,
    helpers::bpf_xdp_adjust_tail,
    macros::{map, xdp},
    maps::{Array, ProgramArray},
    programs::XdpContext,
};
use lb_common::{BENCH_HEAD_BYTES, BenchPacket};
use lb_ebpf::{
    frame::Frame,
    wire::{
        checksum::Update,
        ethernet,
        ipv4::{self, Ipv4},
        ipv6::{self, Ipv6},
        protocol,
        tcp::Tcp,
        udp::Udp,
    },
};

use crate::xdp_frame::XdpFrame;

/// The packet to restore.
#[map(name = "packet")]
pub(crate) static PACKET: Array<BenchPacket> = Array::with_max_entries(1, 0);
/// How many packets have been made: the flow's number.
#[map(name = "counter")]
pub(crate) static COUNTER: Array<u64> = Array::with_max_entries(1, 0);
/// The program under test.
#[map(name = "target")]
pub(crate) static TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);
/// The program under test, if it does not take frames in several buffers.
#[map(name = "linear_target")]
static LINEAR_TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// How many bytes in front of a packet are poisoned: more than any delivery adds.
const POISONED_WORDS: usize = 16;
/// What no header has so much of.
const POISON: u64 = 0xa5a5_a5a5_a5a5_a5a5;

/// The floor: a program that does nothing but transmit.
#[xdp(frags)]
fn sluice_floor(_: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

/// See [`sluice_floor`].
#[xdp]
fn sluice_linear_floor(_: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

/// Restores the packet and runs the program under test.
#[xdp(frags)]
fn sluice_wrapper(context: XdpContext) -> u32 {
    wrap(&context, &TARGET)
}

/// See [`sluice_wrapper`].
#[xdp]
fn sluice_linear_wrapper(context: XdpContext) -> u32 {
    wrap(&context, &LINEAR_TARGET)
}

/// Fills the headroom with poison and runs the program under test: a driver leaves there what it likes, a test run zeros,
/// and a byte of a header that is never written would look right.
#[xdp(frags)]
fn sluice_poison(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let mut frame = unsafe { XdpFrame::new(context.ctx) };
    if poison(&mut frame).is_none() {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: the array holds XDP programs only. The call returns only if there is none.
    unsafe { TARGET.tail_call(&context, 0) };
    xdp_action::XDP_ABORTED
}

#[inline(always)]
fn poison(frame: &mut XdpFrame) -> Option<()> {
    let bytes = size_of::<[u64; POISONED_WORDS]>() as i32;
    frame.resize_front(bytes)?;
    *frame.header_mut(0)? = [POISON; POISONED_WORDS];
    frame.resize_front(-bytes)
}

#[inline(always)]
fn wrap(context: &XdpContext, target: &ProgramArray) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let mut frame = unsafe { XdpFrame::new(context.ctx) };
    if lengthen(context, &frame).and_then(|()| restore(&mut frame)).is_none() {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: the array holds XDP programs only. The call returns only if there is none.
    unsafe { target.tail_call(context, 0) };
    xdp_action::XDP_ABORTED
}

/// Gives back what a program has cut off the end of the packet: at the front there would soon be no room left.
#[inline(always)]
fn lengthen(context: &XdpContext, frame: &XdpFrame) -> Option<()> {
    let missing = PACKET.get(0)?.frame_bytes as i32 - frame.total_length() as i32;
    // SAFETY: the helper checks the room, and no reference into the packet is kept.
    (missing <= 0 || unsafe { bpf_xdp_adjust_tail(context.ctx, missing) } == 0).then_some(())
}

/// Makes the packet anew, whatever became of the frame.
#[inline(always)]
pub(crate) fn restore(frame: &mut XdpFrame) -> Option<()> {
    let packet = PACKET.get(0)?;
    // Behind the barrier, or the two subtractions become one in 32 bits, which the verifier refuses for pointers.
    let grown = black_box(frame.length()) as i32 - packet.frame_bytes as i32;
    if grown != 0 {
        frame.resize_front(-grown)?;
    }
    *frame.header_mut(0)? = packet.first;
    *frame.header_mut(2)? = packet.head;
    if let Some(rest) = frame.header_mut(BENCH_HEAD_BYTES as u32) {
        *rest = packet.rest;
    }
    if packet.flow_bits != 0 {
        walk(frame, packet)?;
    }
    Some(())
}

/// Gives the packet the source of the next flow, and keeps its checksums valid.
#[inline(always)]
fn walk(frame: &mut XdpFrame, packet: &BenchPacket) -> Option<()> {
    let counter = COUNTER.get_ptr_mut(0)?;
    // SAFETY: the bench runs on one CPU.
    let (address, port) = unsafe {
        *counter = (*counter).wrapping_add(1);
        packet.step(*counter)
    };
    let offset = ethernet::HEADER_BYTES;
    if packet.is_v4 != 0 {
        let header = frame.header_mut::<Ipv4>(offset)?;
        let update = header.set_source(header.source().wrapping_add(address));
        let number = header.protocol();
        return add_to_port(frame, offset + ipv4::HEADER_BYTES, number, update, port);
    }
    let header = frame.header_mut::<Ipv6>(offset)?;
    let [a, b, c, d] = header.source();
    let update = header.set_source([a, b, c, d.wrapping_add(address)]);
    let number = header.next_header();
    add_to_port(frame, offset + ipv6::HEADER_BYTES, number, update, port)
}

#[inline(always)]
fn add_to_port(frame: &mut XdpFrame, offset: u32, number: u8, update: Update, step: u16) -> Option<()> {
    if number == protocol::TCP {
        let header = frame.header_mut::<Tcp>(offset)?;
        let port = added(header.source_port, step);
        header.checksum = update.word(header.source_port, port).apply(header.checksum);
        header.source_port = port;
    } else {
        let header = frame.header_mut::<Udp>(offset)?;
        let port = added(header.source_port, step);
        header.checksum = update.word(header.source_port, port).apply_udp(header.checksum);
        header.source_port = port;
    }
    Some(())
}

/// A port as it stands on the wire, some ports on.
#[inline(always)]
const fn added(port: u16, step: u16) -> u16 {
    u16::from_be(port).wrapping_add(step).to_be()
}
