//! Sources that a service allows.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// The key of the `sources` map, a trie whose prefixes begin with all bits of a service's id and the family; the address
/// follows. The family keeps `::/0` from covering IPv4 in its mapped form.
///
/// As the kernel's tries want it, all words are in network byte order. A prefix of IPv4 is one of the mapped form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct SourceKey([u32; 5]);

impl SourceKey {
    /// Bits in front of the address.
    pub const ID_BITS: u32 = 32;
    /// Bits of a whole key.
    pub const BITS: u32 = Self::ID_BITS + 128;

    /// The key of an address for a service.
    #[inline(always)]
    pub const fn new(service: u16, address: &Address) -> Self {
        let [a, b, c, d] = address.0;
        let family = if address.is_v4() { 1 << 16 } else { 0 };
        Self([(service as u32 | family).to_be(), a.to_be(), b.to_be(), c.to_be(), d.to_be()])
    }

    /// The service and the address.
    pub const fn parts(&self) -> (u16, Address) {
        let [service, a, b, c, d] = self.0;
        (u32::from_be(service) as u16, Address([u32::from_be(a), u32::from_be(b), u32::from_be(c), u32::from_be(d)]))
    }
}
