//! Source routes: packets that say themselves which way they take.
//!
//! The headers that may say so are read once more, because few packets have any and what is read of all others must not grow.

use core::hint::black_box;

use super::{
    Packet,
    ip::{MAX_EXTENSIONS, extension_bytes},
};
use crate::{
    frame::Frame,
    wire::{
        ipv4::{self, Ipv4, OptionHead},
        ipv6::{self, Extension, Ipv6, Routing},
        protocol,
    },
};

/// Negative if there is something between the packet's network header and its transport header.
#[inline(always)]
pub(crate) fn has_extensions(packet: &Packet) -> i64 {
    let plain = if packet.is_v4() { ipv4::HEADER_BYTES } else { ipv6::HEADER_BYTES };
    i64::from(packet.network_offset + plain) - i64::from(packet.transport_offset)
}

/// Whether the packet has a loose or strict source route (RFC 791, section 3.1), or IPv6's routing header of type 0, which
/// RFC 5095 has abolished. What is wrong otherwise about options is for the receiver to find out.
#[inline(always)]
pub(crate) fn is_in(frame: &impl Frame, packet: &Packet) -> bool {
    if packet.is_v4() { is_option(frame, packet) } else { is_header(frame, packet) }.unwrap_or(false)
}

/// Whether a source route is among the options of an IPv4 packet.
#[inline(always)]
fn is_option(frame: &impl Frame, packet: &Packet) -> Option<bool> {
    let end = frame.header::<Ipv4>(packet.network_offset)?.header_bytes();
    let mut position = ipv4::HEADER_BYTES;
    for _ in 0..ipv4::MAX_OPTION_BYTES {
        if position >= end {
            break;
        }
        let &OptionHead { kind, length } = frame.header(packet.network_offset + position)?;
        if matches!(kind, OptionHead::LOOSE_ROUTE | OptionHead::STRICT_ROUTE) {
            return Some(true);
        }
        let gap = is_gap(kind);
        let bytes = gap | u32::from(length) & gap.wrapping_sub(1);
        if kind == OptionHead::END || bytes + gap < 2 {
            break;
        }
        position += bytes;
    }
    Some(false)
}

/// 1 if an option is the byte that fills a gap, which has no length, and otherwise 0.
///
/// It is worked out without a test: the verifier would follow both ways anew from every byte on.
#[inline(always)]
fn is_gap(kind: u8) -> u32 {
    black_box(u32::from(kind ^ OptionHead::NOTHING)).wrapping_sub(1) >> 31
}

/// Whether a routing header of type 0 is among the extension headers of an IPv6 packet.
#[inline(always)]
fn is_header(frame: &impl Frame, packet: &Packet) -> Option<bool> {
    let mut number = frame.header::<Ipv6>(packet.network_offset)?.next_header();
    let mut offset = packet.network_offset + ipv6::HEADER_BYTES;
    for _ in 0..MAX_EXTENSIONS {
        // A later fragment ends with its fragment header, whatever that says of the first one.
        if offset >= packet.transport_offset {
            break;
        }
        if number == protocol::ROUTING && frame.header::<Routing>(offset)?.kind == Routing::SOURCE_ROUTE {
            return Some(true);
        }
        let extension = frame.header::<Extension>(offset)?;
        offset += extension_bytes(number, extension);
        number = extension.next_header;
    }
    Some(false)
}
