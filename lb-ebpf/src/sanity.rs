//! Sanity: packets that no honest sender sends.
//!
//! All packets to a service meet one test, which tells those that may be such. Only for them is the exact reason
//! looked for, and whether its check is switched on for the service ([`judge`]).
//!
//! Wrong checksums are no reason: to check them would mean to read every byte. They are carried on, changed only by as
//! much as what they cover has changed, so that the receiver still sees that they are wrong.

use lb_common::{Address, DropReason, Sanity, ServiceValue, Settings};

use crate::{
    frame::Frame,
    parse::{Packet, Transport, source_route},
    tables::Tables,
    wire::{
        ipv4::Ipv4,
        ipv6::Fragment,
        protocol,
        tcp::flags::{ACK, FIN, RST, SYN},
    },
};

/// Refuses a packet that makes no sense, if its check is switched on in this element of the `sanity` array.
#[inline(always)]
pub(crate) fn check(
    frame: &impl Frame,
    packet: &Packet,
    element: u32,
    settings: &Settings,
    tables: &impl Tables,
) -> Result<(), DropReason> {
    if !is_suspect(packet, settings) {
        return Ok(());
    }
    tables.judge_sanity(frame, packet, element)
}

/// The element of the `sanity` array that is for packets to a service, or to an address.
#[inline(always)]
pub(crate) const fn element(service: &ServiceValue) -> u32 {
    if service.is_address() { Sanity::OF_NODE } else { service.id as u32 }
}

/// Whether a packet may make no sense: its source, its TCP flags or its ports; and every fragment, and whatever has options or
/// extension headers.
///
/// Each question is put as a number that is negative if the answer is yes, and all of them are answered by one test: every
/// test of its own would have the verifier follow what comes behind it once more.
#[inline(always)]
fn is_suspect(packet: &Packet, settings: &Settings) -> bool {
    let (mask, bit) = match packet.transport {
        Transport::Tcp { flags } => (NONSENSE, flags as u16 & 0x3f),
        Transport::Udp => (settings.amplifiers.filter(), packet.source_port >> 10),
        Transport::EchoRequest | Transport::Error | Transport::Other => (0, 0),
    };
    let by_transport = -((mask >> bit & 1) as i64);
    let by_network = martian(packet) | land(packet) | source_route::has_extensions(packet) | -i64::from(packet.rare);
    (by_network | by_transport | port_zero(packet)) < 0
}

/// What is wrong with a packet, if one of the checks that are switched on (bits of [`Sanity`]) finds something.
///
/// # Errors
///
/// The reason to drop it.
#[inline(always)]
pub fn judge(frame: &impl Frame, packet: &Packet, checks: u64, settings: &Settings) -> Result<(), DropReason> {
    if checks & Sanity::MARTIANS != 0 && martian(packet) < 0 {
        return Err(DropReason::MartianSource);
    }
    if checks & Sanity::LAND != 0 && land(packet) < 0 {
        return Err(DropReason::Land);
    }
    if checks & Sanity::TINY_FRAGMENTS != 0 && packet.is_fragment() && is_tiny(frame, packet) {
        return Err(DropReason::TinyFragment);
    }
    if checks & Sanity::SOURCE_ROUTES != 0 && source_route::is_in(frame, packet) {
        return Err(DropReason::SourceRoute);
    }
    match packet.transport {
        Transport::Tcp { .. } | Transport::Udp if checks & Sanity::PORT_ZERO != 0 && port_zero(packet) < 0 => {
            Err(DropReason::PortZero)
        }
        Transport::Tcp { flags } if checks & Sanity::TCP_FLAGS != 0 && NONSENSE >> (flags & 0x3f) & 1 != 0 => {
            Err(DropReason::TcpFlags)
        }
        Transport::Udp if checks & Sanity::AMPLIFIERS != 0 && is_amplified(packet, settings) => {
            Err(DropReason::Amplifier)
        }
        _ => Ok(()),
    }
}

/// Negative if nobody can have the packet's source address (RFC 6890).
#[inline(always)]
fn martian(packet: &Packet) -> i64 {
    let Address([a, b, c, d]) = packet.source;
    if packet.is_v4() {
        let first = i64::from(d >> 24);
        // This network, loopback; multicast and what is reserved for ever.
        is_zero(first * (first ^ 127)) | (223 - first)
    } else {
        // Unspecified, loopback; multicast.
        is_zero(i64::from(a | b | c | d >> 1)) | (0xfeff_ffff - i64::from(a))
    }
}

/// Negative if the packet's source is its destination.
#[inline(always)]
fn land(packet: &Packet) -> i64 {
    let (Address(source), Address(destination)) = (packet.source, packet.destination);
    let differs = (source[0] ^ destination[0])
        | (source[1] ^ destination[1])
        | (source[2] ^ destination[2])
        | (source[3] ^ destination[3]);
    is_zero(differs.into())
}

/// Negative if one of the packet's ports is 0, which is nobody's; and if it has no ports.
#[inline(always)]
fn port_zero(packet: &Packet) -> i64 {
    is_zero(i64::from(packet.source_port) * i64::from(packet.destination_port))
}

/// Negative if a number that is not negative is zero.
#[inline(always)]
const fn is_zero(number: i64) -> i64 {
    number - 1
}

/// Whether a datagram comes from a port that amplifiers answer from. Peers that use the same port at both ends are none.
#[inline(always)]
fn is_amplified(packet: &Packet, settings: &Settings) -> bool {
    packet.source_port != packet.destination_port && settings.amplifiers.has(packet.source_port)
}

/// What every network carries in one piece, in bytes (RFC 791, section 3.2); no fragment but the last need be smaller.
const LEAST_MTU: u32 = 68;

/// Whether a fragment is smaller than any network needs it to be, or overlays the TCP header behind its ports (RFC 1858,
/// RFC 3128). A first one without all of its transport header has a defect.
#[inline(always)]
fn is_tiny(frame: &impl Frame, packet: &Packet) -> bool {
    let header = u32::from(packet.rare);
    let position = if packet.is_v4() {
        frame.header::<Ipv4>(header).map(|header| (header.fragment_offset(), header.has_more_fragments()))
    } else {
        frame.header::<Fragment>(header).map(|header| (header.offset(), header.has_more()))
    };
    position.is_some_and(|(offset, has_more)| {
        (has_more && packet.ip_bytes < LEAST_MTU) || (offset == 8 && packet.protocol == protocol::TCP)
    })
}

/// A bit for each combination of the six flags of RFC 9293 that makes no sense.
const NONSENSE: u64 = {
    let mut mask = 0;
    let mut flags = 0;
    while flags < 64 {
        if is_nonsense(flags) {
            mask |= 1 << flags;
        }
        flags += 1;
    }
    mask
};

/// Neither opening nor resetting nor acknowledging ("null" and "Xmas tree" scans among them), opening and ending at once,
/// or ending a connection without an acknowledgement.
const fn is_nonsense(flags: u8) -> bool {
    flags & (SYN | ACK | RST) == 0
        || (flags & SYN != 0 && flags & (FIN | RST) != 0)
        || (flags & FIN != 0 && flags & ACK == 0)
}
