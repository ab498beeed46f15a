//! The IPv4 header (RFC 791).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::checksum::{Update, fold};

/// The fixed part of the header; options may follow.
#[derive(Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Ipv4 {
    version_length: u8,
    traffic_class: u8,
    total_length: u16,
    identification: u16,
    fragment: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    source: u32,
    destination: u32,
}

/// The length of a header without options, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Ipv4>() as u32;

/// The room for options, in bytes.
pub const MAX_OPTION_BYTES: u32 = 40;

/// What an option begins with; the first two kinds are no longer than that byte.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct OptionHead {
    /// Its kind.
    pub kind: u8,
    /// Its length, in bytes, with these two.
    pub length: u8,
}

impl OptionHead {
    /// The kind of what stands behind the last one.
    pub const END: u8 = 0;
    /// The kind of what fills gaps.
    pub const NOTHING: u8 = 1;
    /// The kind of a loose source route.
    pub const LOOSE_ROUTE: u8 = 131;
    /// The kind of a strict source route.
    pub const STRICT_ROUTE: u8 = 137;
}

const MORE_FRAGMENTS: u16 = 0x2000;
const DONT_FRAGMENT: u16 = 0x4000;
const OFFSET: u16 = 0x1fff;

impl Ipv4 {
    /// The header of an encapsulation: no options, not to be fragmented, so that identification may be 0 (RFC 6864).
    #[inline(always)]
    pub const fn encapsulation(
        source: u32,
        destination: u32,
        protocol: u8,
        payload_bytes: u16,
        traffic_class: u8,
    ) -> Self {
        let mut header = Self {
            version_length: 0x45,
            traffic_class,
            total_length: payload_bytes.wrapping_add(HEADER_BYTES as u16).to_be(),
            identification: 0,
            fragment: DONT_FRAGMENT.to_be(),
            ttl: 64,
            protocol,
            checksum: 0,
            source: source.to_be(),
            destination: destination.to_be(),
        };
        header.checksum = header.computed_checksum();
        header
    }

    /// The checksum that a header without options ought to carry, taking the present one for 0.
    #[inline(always)]
    const fn computed_checksum(&self) -> u16 {
        let sum = u16::from_ne_bytes([self.version_length, self.traffic_class]) as u64
            + self.total_length as u64
            + self.identification as u64
            + self.fragment as u64
            + u16::from_ne_bytes([self.ttl, self.protocol]) as u64
            + self.source as u64
            + self.destination as u64;
        !fold(sum)
    }

    /// The version: 4.
    #[inline(always)]
    pub const fn version(&self) -> u8 {
        self.version_length >> 4
    }

    /// The length of the header with its options, in bytes.
    #[inline(always)]
    pub const fn header_bytes(&self) -> u32 {
        (self.version_length as u32 & 0xf) * 4
    }

    /// The length of the packet, in bytes.
    #[inline(always)]
    pub const fn total_bytes(&self) -> u16 {
        u16::from_be(self.total_length)
    }

    /// DSCP and ECN.
    #[inline(always)]
    pub const fn traffic_class(&self) -> u8 {
        self.traffic_class
    }

    /// The time to live.
    #[inline(always)]
    pub const fn ttl(&self) -> u8 {
        self.ttl
    }

    /// The protocol of the payload.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The source address in host byte order.
    #[inline(always)]
    pub const fn source(&self) -> u32 {
        u32::from_be(self.source)
    }

    /// The destination address in host byte order.
    #[inline(always)]
    pub const fn destination(&self) -> u32 {
        u32::from_be(self.destination)
    }

    /// What tells the packets between two hosts apart.
    #[inline(always)]
    pub const fn identification(&self) -> u16 {
        u16::from_be(self.identification)
    }

    /// Where a fragment's payload stands in that of the packet, in bytes.
    #[inline(always)]
    pub const fn fragment_offset(&self) -> u16 {
        (u16::from_be(self.fragment) & OFFSET) * 8
    }

    /// Whether other fragments follow this one.
    #[inline(always)]
    pub const fn has_more_fragments(&self) -> bool {
        u16::from_be(self.fragment) & MORE_FRAGMENTS != 0
    }

    /// Whether this is a fragment other than the first.
    #[inline(always)]
    pub const fn is_later_fragment(&self) -> bool {
        u16::from_be(self.fragment) & OFFSET != 0
    }

    /// Whether this is a fragment.
    #[inline(always)]
    pub const fn is_fragment(&self) -> bool {
        u16::from_be(self.fragment) & (OFFSET | MORE_FRAGMENTS) != 0
    }

    /// Sets the time to live and corrects the checksum.
    #[inline(always)]
    pub const fn set_ttl(&mut self, ttl: u8) {
        let old = u16::from_ne_bytes([self.ttl, self.protocol]);
        self.ttl = ttl;
        let new = u16::from_ne_bytes([ttl, self.protocol]);
        self.checksum = Update::new().word(old, new).apply(self.checksum);
    }

    /// Notes that congestion was met on the way, if the packet's ends ask for that, and corrects the checksum.
    #[inline(always)]
    pub const fn mark_congestion(&mut self) {
        if self.traffic_class & 3 == 0 {
            return;
        }
        let old = u16::from_ne_bytes([self.version_length, self.traffic_class]);
        self.traffic_class |= 3;
        let new = u16::from_ne_bytes([self.version_length, self.traffic_class]);
        self.checksum = Update::new().word(old, new).apply(self.checksum);
    }

    /// Takes one from the time to live and corrects the checksum, by the shorter sum of RFC 1141.
    #[inline(always)]
    pub const fn decrement_ttl(&mut self) {
        let sum = self.checksum as u32 + u16::from_ne_bytes([1, 0]) as u32;
        self.checksum = (sum + (sum >= 0xffff) as u32) as u16;
        self.ttl = self.ttl.wrapping_sub(1);
    }

    /// Exchanges source and destination, which no checksum notices.
    #[inline(always)]
    pub const fn swap_addresses(&mut self) {
        let source = self.source;
        self.source = self.destination;
        self.destination = source;
    }

    /// Replaces the source address and corrects the checksum; returns what changed, for the transport's checksum.
    #[inline(always)]
    pub const fn set_source(&mut self, address: u32) -> Update {
        let update = Update::new().double_word(self.source, address.to_be());
        self.source = address.to_be();
        self.checksum = update.apply(self.checksum);
        update
    }

    /// Replaces the destination address and corrects the checksum; returns what changed, for the transport's checksum.
    #[inline(always)]
    pub const fn set_destination(&mut self, address: u32) -> Update {
        let update = Update::new().double_word(self.destination, address.to_be());
        self.destination = address.to_be();
        self.checksum = update.apply(self.checksum);
        update
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_to_decrement_the_ttl_is_right_for_every_checksum() {
        for checksum in 0..=u16::MAX {
            let mut short = Ipv4 { ttl: 64, protocol: 6, checksum, ..Ipv4::default() };
            let mut long = short;
            short.decrement_ttl();
            long.set_ttl(63);
            assert_eq!((short.ttl, { short.checksum }), (long.ttl, { long.checksum }));
        }
    }
}
