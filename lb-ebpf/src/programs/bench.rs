//! The bench's XDP programs: a wrapper that restores a packet before each run of the program under test, and the
//! floor that is subtracted.
//!
//! `BPF_PROG_TEST_RUN` with `repeat` hands a program its own output, so an encapsulating program would meet an
//! encapsulated packet from its second run on. The wrapper restores the packet's length and first bytes, optionally walks the
//! source over 2^k flows, and tail-calls the program under test.

#![no_std]
#![no_main]
#![allow(linker_messages, reason = "bpf-linker warns of an LLVM library that it does not need")]

mod xdp_frame;

use aya_ebpf::{
    bindings::xdp_action,
    macros::{map, xdp},
    maps::{Array, ProgramArray},
    programs::XdpContext,
};
use lb_common::{BENCH_RESTORED_BYTES, BenchPacket};
use lb_ebpf::{
    frame::Frame,
    wire::{checksum::Update, ethernet, ipv4::Ipv4, ipv6::Ipv6, protocol, tcp::Tcp, udp::Udp},
};

use crate::xdp_frame::XdpFrame;

/// The packet to restore.
#[map(name = "packet")]
static PACKET: Array<BenchPacket> = Array::with_max_entries(1, 0);
/// How many packets have been made: the flow's number.
#[map(name = "counter")]
static COUNTER: Array<u64> = Array::with_max_entries(1, 0);
/// The program under test.
#[map(name = "target")]
static TARGET: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// The floor: a program that does nothing but transmit.
#[xdp]
fn sluice_floor(_: XdpContext) -> u32 {
    xdp_action::XDP_TX
}

/// Restores the packet and runs the program under test.
#[xdp]
fn sluice_wrapper(context: XdpContext) -> u32 {
    // SAFETY: the kernel made the context for this run.
    let mut frame = unsafe { XdpFrame::new(context.ctx) };
    if restore(&mut frame).is_none() {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: the array holds XDP programs only. The call returns only if there is none.
    let _ = unsafe { TARGET.tail_call(&context, 0) };
    xdp_action::XDP_ABORTED
}

#[inline(always)]
fn restore(frame: &mut XdpFrame) -> Option<()> {
    let packet = PACKET.get(0)?;
    let grown = frame.length() as i32 - packet.frame_bytes as i32;
    if grown != 0 {
        frame.resize_front(-grown)?;
    }
    *frame.header_mut::<[u64; BENCH_RESTORED_BYTES / 8]>(0)? = packet.bytes;
    if packet.flow_bits != 0 {
        walk(frame, packet)?;
    }
    Some(())
}

/// Gives the packet the source of the next flow, in a permuted order, and keeps its checksums valid.
#[inline(always)]
fn walk(frame: &mut XdpFrame, packet: &BenchPacket) -> Option<()> {
    let counter = COUNTER.get_ptr_mut(0)?;
    // SAFETY: the bench runs on one CPU.
    let number = unsafe {
        *counter = (*counter).wrapping_add(1);
        *counter
    };
    // An odd factor permutes the numbers below a power of two.
    let flow = (number.wrapping_mul(0x9e37_79b1) & ((1 << (packet.flow_bits & 31)) - 1)) as u32;
    let offset = ethernet::HEADER_BYTES;
    let (update, transport, number) = if packet.is_v4 != 0 {
        let header = frame.header_mut::<Ipv4>(offset)?;
        let update = header.set_source(header.source().wrapping_add(flow >> 12));
        (update, offset + 20, header.protocol())
    } else {
        let header = frame.header_mut::<Ipv6>(offset)?;
        let [a, b, c, d] = header.source();
        let update = header.set_source([a, b, c, d.wrapping_add(flow >> 12)]);
        (update, offset + 40, header.next_header())
    };
    set_source_port(frame, transport, number, update, 1024 + (flow & 0xfff) as u16)
}

#[inline(always)]
fn set_source_port(frame: &mut XdpFrame, offset: u32, number: u8, update: Update, port: u16) -> Option<()> {
    if number == protocol::TCP {
        let header = frame.header_mut::<Tcp>(offset)?;
        header.checksum = update.word(header.source_port, port.to_be()).apply(header.checksum);
        header.source_port = port.to_be();
    } else {
        let header = frame.header_mut::<Udp>(offset)?;
        header.checksum = update.word(header.source_port, port.to_be()).apply_udp(header.checksum);
        header.source_port = port.to_be();
    }
    Some(())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // Never reached: the verifier would refuse a program in which it could be.
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 4] = *b"GPL\0";
