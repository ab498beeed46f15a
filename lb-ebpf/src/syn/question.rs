//! What a stranger is asked with: a bare ACK, which a real stack resets.

use lb_common::Address;

use super::{Contact, Segment};
use crate::{
    frame::Frame,
    wire::{
        ethernet::Ethernet,
        ipv4::{self, Ipv4},
        ipv6::{self, Ipv6},
        protocol,
        tcp::{self, Tcp},
    },
};

/// No frame on Ethernet is shorter, in bytes, without its checksum.
const LEAST_FRAME_BYTES: u32 = 60;

/// Turns the SYN into the question. It goes back the way the SYN came, with its tags; it has no options and no payload,
/// so it is never longer than the SYN.
#[inline(always)]
pub(super) fn write(frame: &mut impl Frame, contact: &Contact, segment: &Segment, cookie: u32) -> Option<()> {
    let (from, to) = (&segment.destination, &segment.source);
    let tcp_offset = if contact.is_v4 {
        let header = frame.header_mut::<Ipv4>(contact.network_offset)?;
        *header = Ipv4::encapsulation(from.low(), to.low(), protocol::TCP, tcp::HEADER_BYTES as u16, 0);
        contact.network_offset + ipv4::HEADER_BYTES
    } else {
        let header = frame.header_mut::<Ipv6>(contact.network_offset)?;
        *header = Ipv6::encapsulation(from.0, to.0, protocol::TCP, tcp::HEADER_BYTES as u16, 0, 0);
        contact.network_offset + ipv6::HEADER_BYTES
    };
    let addresses = sum(from).wrapping_add(sum(to));
    *frame.header_mut::<Tcp>(tcp_offset)? =
        Tcp::bare_ack(segment.destination_port, segment.source_port, cookie, addresses);
    let link = frame.header_mut::<Ethernet>(0)?;
    (link.destination, link.source) = (link.source, link.destination);
    end(frame, tcp_offset + tcp::HEADER_BYTES)
}

/// Ends the frame behind the question; what Ethernet asks for beyond is zeros.
#[inline(always)]
fn end(frame: &mut impl Frame, bytes: u32) -> Option<()> {
    for padding in [bytes, bytes + 2, bytes + 4] {
        if padding < LEAST_FRAME_BYTES
            && let Some(padding) = frame.header_mut::<[u8; 2]>(padding)
        {
            *padding = [0; 2];
        }
    }
    let bytes = if bytes < LEAST_FRAME_BYTES { LEAST_FRAME_BYTES } else { bytes };
    if bytes < frame.total_length() { frame.truncate(bytes) } else { Some(()) }
}

/// The sum of an address's words as a checksum takes them.
#[inline(always)]
fn sum(address: &Address) -> u64 {
    let [a, b, c, d] = address.0.map(|word| u64::from(word.to_be()));
    if address.is_v4() { d } else { a + b + c + d }
}
