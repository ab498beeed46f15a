//! Echo requests to a service's address are answered here, so that an address can be pinged although no host owns it.

use crate::{
    frame::Frame,
    parse::Packet,
    verdict::Way,
    wire::{
        ethernet::Ethernet,
        icmp::{self, Icmp},
        ipv4::Ipv4,
        ipv6::Ipv6,
    },
};

/// The TTL of an answer.
const TTL: u8 = 64;

/// Turns the request into its answer and sends it back the way it came (RFC 792, RFC 4443 section 4.2).
#[inline(always)]
pub(crate) fn answer(frame: &mut impl Frame, packet: &Packet) -> Way {
    match turn(frame, packet) {
        Some(()) => Way::TRANSMIT,
        None => Way::PASS,
    }
}

#[inline(always)]
fn turn(frame: &mut impl Frame, packet: &Packet) -> Option<()> {
    if packet.is_v4() {
        let header = frame.header_mut::<Ipv4>(packet.network_offset)?;
        header.swap_addresses();
        header.set_ttl(TTL);
    } else {
        let header = frame.header_mut::<Ipv6>(packet.network_offset)?;
        header.swap_addresses();
        header.set_hop_limit(TTL);
    }
    let reply = if packet.is_v4() { icmp::ECHO_REPLY } else { icmp::ECHO_REPLY_V6 };
    frame.header_mut::<Icmp>(packet.transport_offset)?.set_kind(reply);
    let link = frame.header_mut::<Ethernet>(0)?;
    (link.destination, link.source) = (link.source, link.destination);
    Some(())
}
