//! Prefixes of IPv6, as fingerprints.

use super::{LIST_LINE_WORDS, ListHead, head::two_lines};
use crate::Address;

/// Entries of a line: two words each.
pub const FINGERPRINTS_PER_LINE: usize = LIST_LINE_WORDS / 2;

/// A keyed hash of a prefix's length and address, of 96 bits: an address that is on no list would be taken for one that is
/// with a probability of 10^-22 at a million entries.
///
/// An entry is two words: the first 64 bits, which are never 0, and `{check: the other 32, spilled, class: 24 bits}`. So a
/// reader who finds the first word of one entry and the second of its successor does not believe them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    word: u64,
    check: u32,
}

impl Fingerprint {
    const CLASS: u64 = (1 << 24) - 1;
    const SPILLED: u64 = 1 << 31;

    /// From the two words of an entry.
    pub const fn from_words(word: u64, value: u64) -> Self {
        Self { word, check: (value >> 32) as u32 }
    }

    /// The first word of its entry.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        self.word
    }

    /// The second word of its entry.
    pub const fn value(self, class: u32) -> u64 {
        (self.check as u64) << 32 | class as u64
    }

    /// The class that the second word of an entry names, if it is this one's; else 0.
    #[inline(always)]
    pub const fn class_of(self, value: u64) -> u32 {
        if (value >> 32) as u32 == self.check { (value & Self::CLASS) as u32 } else { 0 }
    }

    /// Whether the second word of a line says that entries which should be here stand in their other line.
    #[inline(always)]
    pub const fn is_spilled(value: u64) -> bool {
        value & Self::SPILLED != 0
    }

    /// The word, of a line that has been full.
    pub const fn spilled(value: u64) -> u64 {
        value | Self::SPILLED
    }

    /// The lines where its entry may stand.
    #[inline(always)]
    pub const fn lines(self, head: &ListHead) -> [u32; 2] {
        two_lines(self.word, head.lines_v6)
    }

    /// The number of the bit that says whether there may be an entry.
    #[inline(always)]
    pub const fn guard(self, head: &ListHead) -> u32 {
        ((self.word ^ self.word >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - (head.guard_bits & 31))) as u32
    }
}

impl ListHead {
    /// The fingerprint of a prefix: of the first `bits` bits of an address, and 0 for the others.
    #[inline(always)]
    pub const fn fingerprint(&self, network: &Address, bits: u32) -> Fingerprint {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = self.key_v6;
        let upper = sum(network, bits, [a, b, c, d, e, f]) & 0xffff_ffff_0000_0000;
        let lower = sum(network, bits, [g, h, i, j, k, l]) >> 32;
        let check = (sum(network, bits, [m, n, o, p, q, r]) >> 32) as u32;
        let word = upper | lower;
        Fingerprint { word: if word == 0 { 1 } else { word }, check }
    }
}

/// Pair-multiply-shift, whose upper half is the good one (see [`crate::Flow`]).
#[inline(always)]
const fn sum(network: &Address, bits: u32, key: [u64; 6]) -> u64 {
    let [a, b, c, d] = network.0;
    let first = key[0].wrapping_add(b as u64).wrapping_mul(key[1].wrapping_add(a as u64));
    let second = key[2].wrapping_add(d as u64).wrapping_mul(key[3].wrapping_add(c as u64));
    first.wrapping_add(second).wrapping_add(key[4].wrapping_mul(bits as u64)).wrapping_add(key[5])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_addresses_differ() {
        let head = ListHead::new([1, 2], 1, 1 << 20, 20);
        let of = |low: u32, bits| head.fingerprint(&Address::v6([0x2001_0db8, 0, 0, low]), bits);
        assert_eq!(of(1, 128), of(1, 128));
        assert!(of(1, 128) != of(2, 128) && of(0, 64) != of(0, 65));
        let (one, two) = (of(1, 128), of(2, 128));
        assert_eq!((one.class_of(one.value(77)), two.class_of(one.value(77))), (77, 0));
        assert_eq!(one.class_of(Fingerprint::spilled(one.value(77))), 77);
    }

    #[test]
    fn neighbours_spread_over_the_guards() {
        let head = ListHead::new([1, 2], 1, 1024, 16);
        let mut set = [false; 1 << 16];
        for low in 0..1 << 13 {
            set[head.fingerprint(&Address::v6([0x2001_0db8, 0, 0, low]), 128).guard(&head) as usize] = true;
        }
        let bits = set.iter().filter(|bit| **bit).count();
        // 7,701 expected of 8,192.
        assert!((7600..7800).contains(&bits), "{bits}");
    }
}
