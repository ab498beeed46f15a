//! Packets to a service that no honest sender sends.

use lb_common::{Address, DropReason};

use crate::{
    parse::{Packet, Transport},
    wire::tcp::flags::{ACK, FIN, RST, SYN},
};

/// Names the reason why a packet to a service makes no sense, if there is one.
///
/// Wrong checksums are no reason: to check them would mean to read every byte. They are carried on, changed only by as
/// much as what they cover has changed, so that the receiver still sees that they are wrong.
#[inline(always)]
pub(crate) fn check(packet: &Packet) -> Result<(), DropReason> {
    if is_martian(packet) {
        return Err(DropReason::MartianSource);
    }
    match packet.transport {
        Transport::Tcp { flags } if NONSENSE >> (flags & 0x3f) & 1 != 0 => Err(DropReason::TcpFlags),
        _ => Ok(()),
    }
}

/// Whether nobody can have the packet's source address (RFC 6890), or it is the destination's.
///
/// Each question is put as a number that is negative if the answer is yes, and all of them are answered by one test: every
/// test of its own would have the verifier follow what comes behind it once more.
#[inline(always)]
fn is_martian(packet: &Packet) -> bool {
    let Address(source @ [a, b, c, d]) = packet.source;
    let Address(destination) = packet.destination;
    let is_reserved = if packet.is_v4() {
        let first = i64::from(d >> 24);
        // This network, loopback; multicast and what is reserved for ever.
        is_zero(first * (first ^ 127)) | (223 - first)
    } else {
        // Unspecified, loopback; multicast.
        is_zero(i64::from(a | b | c | d >> 1)) | (0xfeff_ffff - i64::from(a))
    };
    let differs = (source[0] ^ destination[0])
        | (source[1] ^ destination[1])
        | (source[2] ^ destination[2])
        | (source[3] ^ destination[3]);
    (is_reserved | is_zero(differs.into())) < 0
}

/// Negative if a number that is not negative is zero.
#[inline(always)]
const fn is_zero(number: i64) -> i64 {
    number - 1
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
