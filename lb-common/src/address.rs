//! An IP address of either family.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// An IPv4 or IPv6 address as four 32-bit words in host byte order, most significant first.
///
/// An IPv4 address is held in its IPv4-mapped form (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2), so that one key type
/// and one comparison serve both families.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Address(pub [u32; 4]);

/// The third word of an IPv4-mapped address.
const MAPPED: u32 = 0xffff;

impl Address {
    /// How many bits stand in front of the 32 of an IPv4 address.
    pub const MAPPED_BITS: u32 = 96;

    /// The address `::`, which no host owns.
    pub const UNSPECIFIED: Self = Self([0; 4]);

    /// An IPv4 address from its 32 bits.
    #[inline(always)]
    pub const fn v4(bits: u32) -> Self {
        Self([0, 0, MAPPED, bits])
    }

    /// An IPv6 address from its four words.
    #[inline(always)]
    pub const fn v6(words: [u32; 4]) -> Self {
        Self(words)
    }

    /// Whether this is an IPv4 address.
    ///
    /// One test answers it. Three, word by word, would teach the kernel's verifier three different things of an IPv6 address, and
    /// it would walk what comes behind once for each: this line made a third of all that it walked.
    #[inline(always)]
    pub const fn is_v4(&self) -> bool {
        self.0[0] | self.0[1] | (self.0[2] ^ MAPPED) == 0
    }

    /// The 32 bits of an IPv4 address; of an IPv6 address, its last word.
    #[inline(always)]
    pub const fn low(&self) -> u32 {
        self.0[3]
    }

    /// The upper and the lower 64 bits.
    #[inline(always)]
    pub const fn halves(&self) -> [u64; 2] {
        let [a, b, c, d] = self.0;
        [(a as u64) << 32 | b as u64, (c as u64) << 32 | d as u64]
    }

    /// The address that these are the [`Address::halves`] of.
    #[inline(always)]
    pub const fn from_halves([high, low]: [u64; 2]) -> Self {
        Self([(high >> 32) as u32, high as u32, (low >> 32) as u32, low as u32])
    }

    /// The first `bits` of the 128, the others 0: an IPv4 prefix of `n` bits is one of `96 + n`.
    #[inline(always)]
    pub const fn prefix(&self, bits: u8) -> Self {
        let [a, b, c, d] = self.0;
        Self([a & mask(bits, 0), b & mask(bits, 32), c & mask(bits, 64), d & mask(bits, 96)])
    }

    /// The sixteen bytes in network byte order.
    #[inline(always)]
    pub const fn octets(&self) -> [u8; 16] {
        let [a, b, c, d] = self.0;
        let (a, b, c, d) = (a.to_be_bytes(), b.to_be_bytes(), c.to_be_bytes(), d.to_be_bytes());
        [a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2], d[3]]
    }
}

/// The mask of a prefix of `bits` for the word that `before` bits come before.
#[inline(always)]
const fn mask(bits: u8, before: u64) -> u32 {
    let kept = (bits as u64).saturating_sub(before);
    // Of more than 32 bits to be kept, the word has 32.
    let kept = if kept > 32 { 32 } else { kept };
    (0xffff_ffff_0000_0000_u64 >> kept) as u32
}

impl From<Ipv4Addr> for Address {
    fn from(address: Ipv4Addr) -> Self {
        Self::v4(address.to_bits())
    }
}

impl From<Ipv6Addr> for Address {
    fn from(address: Ipv6Addr) -> Self {
        let bits = address.to_bits();
        Self([(bits >> 96) as u32, (bits >> 64) as u32, (bits >> 32) as u32, bits as u32])
    }
}

impl From<IpAddr> for Address {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => v4.into(),
            IpAddr::V6(v6) => v6.into(),
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        if address.is_v4() {
            return Self::V4(Ipv4Addr::from_bits(address.low()));
        }
        Self::V6(Ipv6Addr::from(address.octets()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_the_first_bits() {
        let network = |text: &str, bits| IpAddr::from(Address::from(text.parse::<IpAddr>().unwrap()).prefix(bits));
        let cases = [
            ("10.1.2.255", 96 + 24, "10.1.2.0"),
            ("10.1.2.255", 96 + 31, "10.1.2.254"),
            ("255.1.2.3", 96 + 1, "128.0.0.0"),
            ("2001:db8:1:2:3:4:5:6", 127, "2001:db8:1:2:3:4:5:6"),
            ("2001:db8:1:2:3:4:5:7", 127, "2001:db8:1:2:3:4:5:6"),
            ("2001:db8:1:2:ffff::", 65, "2001:db8:1:2:8000::"),
            ("2001:db8:1:2:ffff::", 64, "2001:db8:1:2::"),
            ("2001:db8:1:ffff::", 63, "2001:db8:1:fffe::"),
            ("2001:db8:1:2::", 16, "2001::"),
            ("ffff::", 1, "8000::"),
        ];
        for (address, bits, expected) in cases {
            assert_eq!(network(address, bits), expected.parse::<IpAddr>().unwrap(), "{address}/{bits}");
        }
    }

    #[test]
    fn both_families_survive_the_round_trip() {
        for text in ["10.1.2.3", "255.255.255.255", "2001:db8::1", "::1", "fe80::1:2:3:4"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(IpAddr::from(Address::from(address)), address);
            assert_eq!(Address::from(address).is_v4(), address.is_ipv4());
            assert_eq!(Address::from_halves(Address::from(address).halves()), address.into());
        }
    }
}
