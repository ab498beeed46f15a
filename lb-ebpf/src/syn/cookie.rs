//! Cookies: acknowledgement numbers that only this node can have made up.
//!
//! SipHash-1-3 (Aumasson, Bernstein, "SipHash: a fast short-input PRF") of the connection's ends and the epoch, under the
//! epoch's key. The last bit of a cookie is that of its epoch, so that one hash decides about a reset: 31 bits remain, and
//! with one key to try a random number is right as seldom as one of 32 bits would be with two.

use core::hint::black_box;

use lb_common::{Address, SynSettings};

use super::Contact;
use crate::{
    frame::Frame,
    wire::{
        ipv4::Ipv4,
        ipv6::Ipv6,
        tcp::{Tcp, flags::RST},
    },
};

/// What SYN protection wants to know of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// The client's address.
    pub source: Address,
    /// The service's address.
    pub destination: Address,
    /// The client's port.
    pub source_port: u16,
    /// The service's port.
    pub destination_port: u16,
    /// The sequence number.
    pub sequence: u32,
    /// Whether it resets a connection.
    pub is_reset: bool,
}

impl Segment {
    /// Reads the segment in a frame, in place: an optional one would have words that nobody wrote, and LLVM copies them.
    #[inline(always)]
    pub(super) fn read(&mut self, frame: &impl Frame, contact: &Contact) -> Option<()> {
        if contact.is_v4 {
            let header = frame.header::<Ipv4>(contact.network_offset)?;
            self.source = Address::v4(header.source());
            self.destination = Address::v4(header.destination());
        } else {
            let header = frame.header::<Ipv6>(contact.network_offset)?;
            self.source = Address::v6(header.source());
            self.destination = Address::v6(header.destination());
        }
        // Behind the barrier, or LLVM keeps the packet's bounds from above as numbers, which the verifier refuses for pointers.
        let segment = black_box(self);
        let header = frame.header::<Tcp>(contact.transport_offset)?;
        segment.source_port = u16::from_be(header.source_port);
        segment.destination_port = u16::from_be(header.destination_port);
        segment.sequence = header.sequence();
        segment.is_reset = header.flags() & RST != 0;
        Some(())
    }
}

/// The cookie of a connection in an epoch.
#[inline(always)]
pub fn cookie(segment: &Segment, settings: &SynSettings, epoch: u32) -> u32 {
    let ([a, b], [c, d]) = (segment.source.halves(), segment.destination.halves());
    let ports = u64::from(segment.source_port) << 48 | u64::from(segment.destination_port) << 32;
    let hash = siphash(settings.key(epoch), [a, b, c, d, ports | u64::from(epoch)]);
    hash as u32 & !1 | epoch & 1
}

/// Whether a reset has the cookie of its connection, of this epoch or the one before.
#[inline(always)]
pub(super) fn is_brought_back(segment: &Segment, settings: &SynSettings) -> bool {
    let is_former = (settings.epoch ^ segment.sequence) & 1;
    cookie(segment, settings, settings.epoch.wrapping_sub(is_former)) == segment.sequence
}

/// SipHash-1-3 of five words, each as its bytes from the lowest on.
#[inline(always)]
fn siphash([low, high]: [u64; 2], words: [u64; 5]) -> u64 {
    let mut state = [
        low ^ 0x736f_6d65_7073_6575,
        high ^ 0x646f_7261_6e64_6f6d,
        low ^ 0x6c79_6765_6e65_7261,
        high ^ 0x7465_6462_7974_6573,
    ];
    for word in words {
        absorb(&mut state, word);
    }
    // The length in bytes ends the message.
    absorb(&mut state, 40 << 56);
    let [_, _, third, _] = &mut state;
    *third ^= 0xff;
    for _ in 0..3 {
        round(&mut state);
    }
    let [a, b, c, d] = state;
    a ^ b ^ c ^ d
}

#[inline(always)]
const fn absorb(state: &mut [u64; 4], word: u64) {
    let [_, _, _, d] = state;
    *d ^= word;
    round(state);
    let [a, _, _, _] = state;
    *a ^= word;
}

#[inline(always)]
const fn round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}
