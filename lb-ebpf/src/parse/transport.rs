//! The transport layer: TCP, UDP and ICMP echo.

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
        protocol::ICMP if packet.is_v4() => echo(frame, packet, icmp::ECHO_REQUEST),
        protocol::ICMPV6 if !packet.is_v4() => echo(frame, packet, icmp::ECHO_REQUEST_V6),
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
    let fits = bytes <= transport_bytes(packet) || packet.fragmented;
    if bytes < udp::HEADER_BYTES as i32 || !fits || transport_bytes(packet) < udp::HEADER_BYTES as i32 {
        return None;
    }
    packet.source_port = u16::from_be(header.source_port);
    packet.destination_port = u16::from_be(header.destination_port);
    packet.transport = Transport::Udp;
    Some(())
}

#[inline(always)]
fn echo(frame: &impl Frame, packet: &mut Packet, request: u8) -> Option<()> {
    let header = frame.header::<Icmp>(packet.transport_offset)?;
    if transport_bytes(packet) < icmp::HEADER_BYTES as i32 {
        return None;
    }
    if header.kind() == request && header.code() == 0 && !packet.fragmented {
        packet.transport = Transport::EchoRequest;
    }
    Some(())
}
