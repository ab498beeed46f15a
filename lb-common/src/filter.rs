//! Which addresses can be in a table at all.
//!
//! Problem: most packets that are for no service still cost all look-ups, and a node's own traffic is such. Mechanism: a Bloom
//! filter (Bloom, "Space/Time Trade-offs in Hash Coding with Allowable Errors") with one hash, so that one word is read. With
//! ten addresses one stranger in a hundred is looked up in vain, with a hundred addresses one in ten.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// Words of a filter: 1024 bits.
const WORDS: usize = 16;

/// A set of addresses that may seem to have more than it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct AddressFilter([u64; WORDS]);

impl AddressFilter {
    /// A filter that has these addresses.
    pub fn of(addresses: impl IntoIterator<Item = Address>) -> Self {
        let mut filter = Self::default();
        for address in addresses {
            let (word, bit) = Self::place(&address);
            filter.0[word] |= 1 << bit;
        }
        filter
    }

    /// Whether an address may be one of them.
    #[inline(always)]
    pub const fn may_have(&self, address: &Address) -> bool {
        let (word, bit) = Self::place(address);
        self.0[word] >> bit & 1 != 0
    }

    /// An address's word and bit: the upper bits of its hash.
    #[inline(always)]
    const fn place(address: &Address) -> (usize, u32) {
        let [a, b, c, d] = address.0;
        let (upper, lower) = ((a as u64) << 32 | b as u64, (c as u64) << 32 | d as u64);
        let hash = (upper.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ lower).wrapping_mul(0xd6e8_feb8_6659_fd93);
        ((hash >> 60) as usize, (hash >> 54) as u32 & 63)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_is_found_and_most_else_is_not() {
        let v4 = |host: u32| Address::v4(0x0a00_0000 + host);
        let v6 = |host: u32| Address::v6([0x2001_0db8, 0, host << 16, 1]);
        for address in [v4, v6] {
            let filter = AddressFilter::of((0..10).map(address));
            assert!((0..10).all(|host| filter.may_have(&address(host))));
            let mistaken = (10..10_010).filter(|&host| filter.may_have(&address(host))).count();
            assert!((50..200).contains(&mistaken), "{mistaken} of 10,000");
        }
        assert!(!(0..1000).any(|host| AddressFilter::default().may_have(&v4(host))));
    }
}
