//! The transport layer: TCP, UDP and ICMP.

use lb_common::DropReason;

use super::{Packet, Transport};
use crate::{
    frame::Frame,
    wire::{
        icmp::{self, Icmp},
        protocol,
        tcp::{self, Tcp},
        udp::{self, Udp},
    },
};

/// What the transport header says, and whether the packet can be forwarded.
#[inline(always)]
pub(super) fn parse(frame: &impl Frame, packet: &mut Packet) -> Result<(), DropReason> {
    let parsed = match packet.protocol {
        protocol::TCP => tcp(frame, packet),
        protocol::UDP => udp(frame, packet),
        protocol::ICMP if packet.is_v4() => icmp(frame, packet, icmp::ECHO_REQUEST, is_error_v4),
        protocol::ICMPV6 if !packet.is_v4() => icmp(frame, packet, icmp::ECHO_REQUEST_V6, is_error_v6),
        _ => Some(()),
    };
    parsed.ok_or(DropReason::MalformedTransport)
}

/// How many bytes of the IP packet lie behind its network headers; negative if those were said to be longer than it.
#[inline(always)]
const fn transport_bytes(packet: &Packet) -> i32 {
    (packet.network_offset + packet.ip_bytes) as i32 - packet.transport_offset as i32
}

#[inline(always)]
fn tcp(frame: &impl Frame, packet: &mut Packet) -> Option<()> {
    let header = frame.header::<Tcp>(packet.transport_offset)?;
    let header_bytes = header.header_bytes();
    if header_bytes < tcp::HEADER_BYTES || (header_bytes as i32) > transport_bytes(packet) {
        return None;
    }
    packet.source_port = u16::from_be(header.source_port);
    packet.destination_port = u16::from_be(header.destination_port);
    packet.transport = Transport::Tcp { flags: header.flags() };
    Some(())
}

#[inline(always)]
fn udp(frame: &impl Frame, packet: &mut Packet) -> Option<()> {
    let header = frame.header::<Udp>(packet.transport_offset)?;
    let bytes = header.bytes() as i32;
    // The first of several fragments holds less than its datagram's length says.
    let fits = bytes <= transport_bytes(packet) || packet.is_fragment();
    if bytes < udp::HEADER_BYTES as i32 || !fits || transport_bytes(packet) < udp::HEADER_BYTES as i32 {
        return None;
    }
    packet.source_port = u16::from_be(header.source_port);
    packet.destination_port = u16::from_be(header.destination_port);
    packet.transport = Transport::Udp;
    Some(())
}

#[inline(always)]
fn icmp(frame: &impl Frame, packet: &mut Packet, request: u8, is_error: impl Fn(u8) -> bool) -> Option<()> {
    let header = frame.header::<Icmp>(packet.transport_offset)?;
    if transport_bytes(packet) < icmp::HEADER_BYTES as i32 {
        return None;
    }
    if packet.is_fragment() {
        return Some(());
    }
    if header.kind() == request && header.code() == 0 {
        packet.transport = Transport::EchoRequest;
    } else if is_error(header.kind()) {
        packet.transport = Transport::Error;
        packet.rare = packet.transport_offset as u16;
    }
    Some(())
}

/// The errors of ICMP that routers and hosts send today; source quench is not among them (RFC 6633).
#[inline(always)]
const fn is_error_v4(kind: u8) -> bool {
    matches!(kind, icmp::UNREACHABLE | icmp::TIME_EXCEEDED | icmp::PARAMETER_PROBLEM)
}

/// The errors of ICMPv6 (RFC 4443, section 2.1).
#[inline(always)]
const fn is_error_v6(kind: u8) -> bool {
    matches!(kind, icmp::UNREACHABLE_V6..=icmp::PARAMETER_PROBLEM_V6)
}
