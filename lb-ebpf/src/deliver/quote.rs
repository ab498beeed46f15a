//! An ICMP error, delivered by `nat`: whoever gets it must recognise the packet that it quotes (RFC 5508, section 4.2).
//!
//! The error goes against the packet that it is about, so the end that is translated is the destination in one and the
//! source in the other.

use lb_common::Address;

use super::nat::{End, rewrite_address};
use crate::{
    frame::Frame,
    parse::{Packet, Transport, quoted::end as quote_end},
    wire::{checksum::Update, icmp::Icmp, ports::Ports},
};

/// Where the checksum stands in a TCP header, in bytes.
const TCP_CHECKSUM: u32 = 16;
/// Where it stands in a UDP header.
const UDP_CHECKSUM: u32 = 6;

/// Gives `end` of the error, and the other end of the packet that it quotes, another address, the latter also another port
/// (0 keeps it). Corrects all checksums that are there.
///
/// The error's source is replaced only if it is the end that is translated itself: a router between may have sent it.
#[inline(always)]
pub(super) fn rewrite(
    frame: &mut impl Frame,
    outer: &Packet,
    quoted: &Packet,
    end: End,
    address: &Address,
    port: u16,
) -> Option<()> {
    // `quoted` is turned round, so what is read of it stands at the same end as in the error.
    let (other, former, old_port) = match end {
        End::Source => (End::Destination, &quoted.source, quoted.source_port),
        End::Destination => (End::Source, &quoted.destination, quoted.destination_port),
    };
    let port = if port == 0 { old_port } else { port };
    let mut change = rewrite_quote(frame, outer, quoted, other, address, port.to_be())?;
    if end == End::Destination || outer.source == *former {
        let pseudo = rewrite_address(frame, outer, end, address)?;
        if !outer.is_v4() {
            change = change.and(pseudo);
        }
    }
    let header = frame.header_mut::<Icmp>(outer.transport_offset)?;
    header.checksum = change.apply(header.checksum);
    Some(())
}

/// Gives the error another source, whoever has sent it.
#[inline(always)]
pub(super) fn replace_source(frame: &mut impl Frame, outer: &Packet, address: &Address) -> Option<()> {
    let pseudo = rewrite_address(frame, outer, End::Source, address)?;
    if !outer.is_v4() {
        let header = frame.header_mut::<Icmp>(outer.transport_offset)?;
        header.checksum = pseudo.apply(header.checksum);
    }
    Some(())
}

/// Returns what has changed for the error's own checksum.
#[inline(always)]
fn rewrite_quote(
    frame: &mut impl Frame,
    outer: &Packet,
    quoted: &Packet,
    end: End,
    address: &Address,
    port: u16,
) -> Option<Update> {
    let pseudo = rewrite_address(frame, quoted, end, address)?;
    // An IPv4 header sums up to the same as before, because its own checksum has made good for the address.
    let change = if outer.is_v4() { Update::new() } else { pseudo };
    let header = frame.header_mut::<Ports>(quoted.transport_offset)?;
    let place = if end == End::Source { &mut header.source } else { &mut header.destination };
    let ports = Update::new().word(*place, port);
    *place = port;
    let offset =
        quoted.transport_offset + if matches!(quoted.transport, Transport::Udp) { UDP_CHECKSUM } else { TCP_CHECKSUM };
    if offset + 2 > quote_end(outer) {
        return Some(change.and(ports));
    }
    let checksum = frame.header_mut::<u16>(offset)?;
    let old = *checksum;
    *checksum = match quoted.transport {
        Transport::Udp => pseudo.and(ports).apply_udp(old),
        _ => pseudo.and(ports).apply(old),
    };
    Some(change.and(ports).word(old, *checksum))
}
