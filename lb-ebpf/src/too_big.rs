//! A packet that fits no way to its receiver is dropped, and its sender told what would fit: ICMP "fragmentation needed" (RFC
//! 1191), ICMPv6 "packet too big" (RFC 8201).
//!
//! IPv4 packets that allow fragmentation are answered too. The datapath does not fragment, and a sender that is told does
//! so itself from then on.

use lb_common::DropReason;

use crate::{
    aside::Places,
    frame::Frame,
    parse::{self, Packet},
    tables::Tables,
    verdict::Way,
    wire::{
        checksum::{Word, fold},
        ethernet::{self, Ethernet},
        icmp::{self, Icmp},
        ipv4::{self, Ipv4},
        ipv6::{self, Ipv6},
        protocol,
    },
};

/// The 32-bit words of an ICMP message: with the packet that it quotes, as many as leave the answer at 576 bytes (RFC 1812,
/// section 4.3.2.3). A packet of which there is less fits every way that there is.
const WORDS_V4: usize = (576 - ipv4::HEADER_BYTES as usize) / 4;
/// As many as leave the answer at the least MTU of IPv6 (RFC 4443, section 2.4 (c)).
const WORDS_V6: usize = (MIN_MTU_V6 as usize - ipv6::HEADER_BYTES as usize) / 4;

/// What every IPv6 link carries. A host would not believe less (RFC 8201, section 4).
const MIN_MTU_V6: u16 = 1280;

/// Nanoseconds between two answers of a processor at the highest rate, a thousand a second.
const INTERVAL_NS: u64 = 1_000_000;
/// How far a processor may be ahead of that rate: a hundred answers at once.
const BURST_NS: u64 = 100 * INTERVAL_NS;

/// Drops a packet that does not fit, and answers it unless that has been done too often.
#[inline(always)]
pub fn refuse(frame: &mut impl Frame, mtu: u16, tables: &impl Tables, places: &mut Places) -> Way {
    tables.count_drop(DropReason::MtuExceeded);
    match parse::packet(frame, &mut places.packet) {
        Some(packet) if tables.may_complain() => answer(frame, packet, mtu).map_or(Way::DROP, |()| Way::TRANSMIT),
        _ => Way::DROP,
    }
}

/// The limit on answers: whether there may be one more at a time, in nanoseconds, given when the last one was due; and if so
/// when the new one is. A virtual schedule is a token bucket in one word (the generic cell rate algorithm of ITU-T I.371).
#[inline(always)]
pub const fn next_due_ns(last_due_ns: u64, now_ns: u64) -> Option<u64> {
    if last_due_ns > now_ns.saturating_add(BURST_NS - INTERVAL_NS) {
        return None;
    }
    Some(INTERVAL_NS + if last_due_ns > now_ns { last_due_ns } else { now_ns })
}

/// Turns the frame into the answer. If that fails the frame is spoiled, which is no matter: it is dropped.
#[inline(always)]
fn answer(frame: &mut impl Frame, packet: &Packet, mtu: u16) -> Option<()> {
    let offset = packet.network_offset;
    if packet.is_v4() {
        let bytes = 4 * WORDS_V4 as u32;
        turn(frame, packet, ipv4::HEADER_BYTES, bytes)?;
        *frame.header_mut(offset)? =
            Ipv4::encapsulation(packet.destination.low(), packet.source.low(), protocol::ICMP, bytes as u16, 0);
        let message = Icmp::new(icmp::UNREACHABLE, icmp::FRAGMENTATION_NEEDED, mtu.into());
        put::<WORDS_V4>(frame, offset + ipv4::HEADER_BYTES, message, 0)
    } else {
        let bytes = 4 * WORDS_V6 as u32;
        turn(frame, packet, ipv6::HEADER_BYTES, bytes)?;
        let header = Ipv6::encapsulation(packet.destination.0, packet.source.0, protocol::ICMPV6, bytes as u16, 0, 0);
        *frame.header_mut(offset)? = header;
        let mtu = if mtu < MIN_MTU_V6 { MIN_MTU_V6 } else { mtu };
        let message = Icmp::new(icmp::PACKET_TOO_BIG_V6, 0, mtu.into());
        put::<WORDS_V6>(frame, offset + ipv6::HEADER_BYTES, message, header.pseudo_sum(bytes))
    }
}

/// Makes the frame one that goes back to its sender with the same tags, with room in front of the packet for an IP and an
/// ICMP header, and so many bytes behind the former. The IP header goes where the packet's was.
#[inline(always)]
fn turn(frame: &mut impl Frame, packet: &Packet, header_bytes: u32, bytes: u32) -> Option<()> {
    if packet.ip_bytes < bytes - icmp::HEADER_BYTES {
        return None;
    }
    let [mut first, mut second] = [Word::default(); 2];
    let (first_offset, second_offset) = (ethernet::HEADER_BYTES, ethernet::HEADER_BYTES + ethernet::TAG_BYTES);
    let link: Ethernet = *frame.header(0)?;
    if packet.network_offset > first_offset {
        first = *frame.header(first_offset)?;
    }
    if packet.network_offset > second_offset {
        second = *frame.header(second_offset)?;
    }
    frame.resize_front((header_bytes + icmp::HEADER_BYTES) as i32)?;
    *frame.header_mut(0)? = Ethernet { destination: link.source, source: link.destination, ..link };
    if packet.network_offset > first_offset {
        *frame.header_mut(first_offset)? = first;
    }
    if packet.network_offset > second_offset {
        *frame.header_mut(second_offset)? = second;
    }
    frame.truncate(packet.network_offset + header_bytes + bytes)
}

/// Writes the header of an ICMP message of so many words; `pseudo` is the sum of the pseudo header that its checksum covers.
///
/// Header and what is quoted are one access to the frame: of two, LLVM would leave out the one comparison that follows from
/// the other, and the verifier, which draws no conclusions, would miss it.
#[inline(always)]
fn put<const WORDS: usize>(frame: &mut impl Frame, offset: u32, mut message: Icmp, pseudo: u64) -> Option<()> {
    let (header, quoted) = frame.header_mut::<[Word; WORDS]>(offset)?.split_first_chunk_mut()?;
    let sum = pseudo.wrapping_add(message.sum());
    message.checksum = !fold(quoted.iter().fold(sum, |sum, word| sum.wrapping_add(word.0.into())));
    let words: [Word; 2] = zerocopy::transmute!(message);
    *header = words;
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many answers of so many at one time are given.
    fn granted(due_ns: &mut u64, now_ns: u64, asked: usize) -> usize {
        (0..asked).filter(|_| next_due_ns(*due_ns, now_ns).inspect(|next| *due_ns = *next).is_some()).count()
    }

    #[test]
    fn a_burst_is_answered_and_then_a_thousand_a_second() {
        const SECOND_NS: u64 = 1_000_000_000;
        let mut due_ns = 0;
        assert_eq!(granted(&mut due_ns, SECOND_NS, 500), 100);
        assert_eq!(granted(&mut due_ns, SECOND_NS + INTERVAL_NS, 500), 1);
        assert_eq!(granted(&mut due_ns, SECOND_NS + 11 * INTERVAL_NS, 500), 10);
        assert_eq!(granted(&mut due_ns, 60 * SECOND_NS, 500), 100, "what was not used is not saved up");
        let given: usize = (0..5000).map(|tick| granted(&mut due_ns, 100 * SECOND_NS + tick * INTERVAL_NS, 3)).sum();
        assert_eq!(given, 100 + 4999);
    }
}
