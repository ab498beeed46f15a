//! A packet that fits no way to its receiver is dropped, and its sender told what would fit: ICMP "fragmentation needed" (RFC
//! 1191), ICMPv6 "packet too big" (RFC 8201).
//!
//! IPv4 packets that allow fragmentation are answered too. The datapath does not fragment, and a sender that is told does
//! so itself from then on.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{
    frame::Frame,
    parse::{self, Packet},
    tables::Tables,
    verdict::Way,
    wire::{
        checksum::{Word, fold},
        ethernet::{Ethernet, Tag},
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

/// A packet that fits no way, as far as the answer needs to know it.
#[derive(Clone, Copy, Debug)]
struct Misfit {
    /// Where its IP header begins.
    network_offset: u32,
    /// Its length, in bytes of IP.
    ip_bytes: u32,
    /// Whether it is IPv4.
    is_v4: bool,
    /// The largest packet that would have fitted, in bytes of IP.
    max_bytes: u16,
}

/// Answers the packet, which nothing has changed yet, unless that has been done too often. The drop has been noted. The frame is
/// read again, because the kernel's verifier looks at this by itself.
#[inline(always)]
pub fn refuse(frame: &mut impl Frame, max_bytes: u16, tables: &impl Tables) -> Way {
    if !tables.may_complain() {
        return Way::DROP;
    }
    let mut place = None;
    let Some(packet) = parse::packet(frame, &mut place) else { return Way::DROP };
    let Packet { network_offset, ip_bytes, .. } = *packet;
    answer(frame, Misfit { network_offset, ip_bytes, is_v4: packet.is_v4(), max_bytes })
        .map_or(Way::DROP, |()| Way::TRANSMIT)
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
fn answer(frame: &mut impl Frame, misfit: Misfit) -> Option<()> {
    let (offset, max_bytes) = (misfit.network_offset, misfit.max_bytes);
    let front = *frame.header(0)?;
    if misfit.is_v4 {
        let bytes = 4 * WORDS_V4 as u32;
        let header = frame.header::<Ipv4>(offset)?;
        let header = Ipv4::encapsulation(header.destination(), header.source(), protocol::ICMP, bytes as u16, 0);
        turn(frame, misfit, front, ipv4::HEADER_BYTES, bytes)?;
        *frame.header_mut(offset)? = header;
        let message = Icmp::new(icmp::UNREACHABLE, icmp::FRAGMENTATION_NEEDED, max_bytes.into());
        put::<WORDS_V4>(frame, offset + ipv4::HEADER_BYTES, message, 0)
    } else {
        let bytes = 4 * WORDS_V6 as u32;
        let header = frame.header::<Ipv6>(offset)?;
        let header = Ipv6::encapsulation(header.destination(), header.source(), protocol::ICMPV6, bytes as u16, 0, 0);
        turn(frame, misfit, front, ipv6::HEADER_BYTES, bytes)?;
        *frame.header_mut(offset)? = header;
        let mtu = if max_bytes < MIN_MTU_V6 { MIN_MTU_V6 } else { max_bytes };
        let message = Icmp::new(icmp::PACKET_TOO_BIG_V6, 0, mtu.into());
        put::<WORDS_V6>(frame, offset + ipv6::HEADER_BYTES, message, header.pseudo_sum(bytes))
    }
}

/// As much of a frame's front as there may be before an IP header: with one tag or none, the beginning of this header too.
///
/// It is read before what may lie behind it: the comparison for what is nearer follows from the one for what is farther, and
/// LLVM would leave it out, but the verifier, which draws no conclusions, would miss it.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
struct Front {
    link: Ethernet,
    behind: [Tag; 2],
}

/// Makes the frame one that goes back to its sender with the same tags, with room in front of the packet for an IP and an
/// ICMP header, and so many bytes behind the former. The IP header goes where the packet's was, over the end of `front`.
#[inline(always)]
fn turn(frame: &mut impl Frame, misfit: Misfit, front: Front, header_bytes: u32, bytes: u32) -> Option<()> {
    if misfit.ip_bytes < bytes - icmp::HEADER_BYTES {
        return None;
    }
    frame.resize_front((header_bytes + icmp::HEADER_BYTES) as i32)?;
    let Front { link, behind } = front;
    let link = Ethernet { destination: link.source, source: link.destination, ..link };
    *frame.header_mut(0)? = Front { link, behind };
    frame.truncate(misfit.network_offset + header_bytes + bytes)
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
