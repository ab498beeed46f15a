//! The IPv6 header and its extension headers (RFC 8200).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::checksum::Update;

/// The fixed header.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Ipv6 {
    version_class_flow: u32,
    payload_length: u16,
    next_header: u8,
    hop_limit: u8,
    source: [u32; 4],
    destination: [u32; 4],
}

/// The length of the fixed header, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Ipv6>() as u32;

/// What every extension header that is walked over begins with.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Extension {
    /// The protocol of what follows.
    pub next_header: u8,
    /// The length; its unit depends on the header.
    pub length: u8,
}

/// What a routing header begins with (RFC 8200, section 4.4).
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Routing {
    extension: Extension,
    /// Its type.
    pub kind: u8,
}

impl Routing {
    /// The type that RFC 5095 has abolished.
    pub const SOURCE_ROUTE: u8 = 0;
}

/// The fragment header (RFC 8200, section 4.5).
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Fragment {
    /// The protocol of what follows in the first fragment.
    pub next_header: u8,
    reserved: u8,
    offset_more: u16,
    identification: u32,
}

impl Fragment {
    /// What tells the fragmented packets between two hosts apart.
    #[inline(always)]
    pub const fn identification(&self) -> u32 {
        u32::from_be(self.identification)
    }

    /// Where the fragment's payload stands in that of the packet, in bytes.
    #[inline(always)]
    pub const fn offset(&self) -> u16 {
        u16::from_be(self.offset_more) & 0xfff8
    }

    /// Whether other fragments follow this one.
    #[inline(always)]
    pub const fn has_more(&self) -> bool {
        u16::from_be(self.offset_more) & 1 != 0
    }

    /// Whether this is a fragment other than the first.
    #[inline(always)]
    pub const fn is_later(&self) -> bool {
        self.offset() != 0
    }

    /// Whether more than one fragment was made; RFC 6946 calls the others atomic fragments, and they are whole packets.
    #[inline(always)]
    pub const fn is_fragmented(&self) -> bool {
        u16::from_be(self.offset_more) & 0xfff9 != 0
    }
}

#[inline(always)]
const fn to_host([a, b, c, d]: [u32; 4]) -> [u32; 4] {
    [u32::from_be(a), u32::from_be(b), u32::from_be(c), u32::from_be(d)]
}

#[inline(always)]
const fn to_wire([a, b, c, d]: [u32; 4]) -> [u32; 4] {
    [a.to_be(), b.to_be(), c.to_be(), d.to_be()]
}

impl Ipv6 {
    /// The header of an encapsulation. The flow label carries the flow's entropy for ECMP (RFC 6438).
    #[inline(always)]
    pub const fn encapsulation(
        source: [u32; 4],
        destination: [u32; 4],
        protocol: u8,
        payload_bytes: u16,
        traffic_class: u8,
        flow_label: u32,
    ) -> Self {
        let first = 6 << 28 | (traffic_class as u32) << 20 | (flow_label & 0xf_ffff);
        Self {
            version_class_flow: first.to_be(),
            payload_length: payload_bytes.to_be(),
            next_header: protocol,
            hop_limit: 64,
            source: to_wire(source),
            destination: to_wire(destination),
        }
    }

    /// What the pseudo header of an upper layer with this protocol and so many bytes adds to a one's complement sum (section
    /// 8.1).
    #[inline(always)]
    pub const fn pseudo_sum(&self, bytes: u32) -> u64 {
        let ([a, b, c, d], [e, f, g, h]) = (self.source, self.destination);
        let addresses = a as u64 + b as u64 + c as u64 + d as u64 + e as u64 + f as u64 + g as u64 + h as u64;
        addresses + bytes.to_be() as u64 + u16::from_ne_bytes([0, self.next_header]) as u64
    }

    /// The version: 6.
    #[inline(always)]
    pub const fn version(&self) -> u8 {
        (u32::from_be(self.version_class_flow) >> 28) as u8
    }

    /// DSCP and ECN.
    #[inline(always)]
    pub const fn traffic_class(&self) -> u8 {
        (u32::from_be(self.version_class_flow) >> 20) as u8
    }

    /// The length of what follows the fixed header, in bytes.
    #[inline(always)]
    pub const fn payload_bytes(&self) -> u16 {
        u16::from_be(self.payload_length)
    }

    /// The protocol of what follows.
    #[inline(always)]
    pub const fn next_header(&self) -> u8 {
        self.next_header
    }

    /// Version, traffic class and flow label, in host byte order.
    #[inline(always)]
    pub const fn first_word(&self) -> u32 {
        u32::from_be(self.version_class_flow)
    }

    /// The word of next header and hop limit, in host byte order.
    #[inline(always)]
    pub const fn next_header_hop_limit(&self) -> u16 {
        u16::from_be_bytes([self.next_header, self.hop_limit])
    }

    /// The hop limit.
    #[inline(always)]
    pub const fn hop_limit(&self) -> u8 {
        self.hop_limit
    }

    /// The source address in host byte order.
    #[inline(always)]
    pub const fn source(&self) -> [u32; 4] {
        to_host(self.source)
    }

    /// The destination address in host byte order.
    #[inline(always)]
    pub const fn destination(&self) -> [u32; 4] {
        to_host(self.destination)
    }

    /// Sets the hop limit.
    #[inline(always)]
    pub const fn set_hop_limit(&mut self, hop_limit: u8) {
        self.hop_limit = hop_limit;
    }

    /// Notes that congestion was met on the way, if the packet's ends ask for that.
    #[inline(always)]
    pub const fn mark_congestion(&mut self) {
        if self.traffic_class() & 3 != 0 {
            self.version_class_flow |= (3u32 << 20).to_be();
        }
    }

    /// Exchanges source and destination, which no checksum notices.
    #[inline(always)]
    pub const fn swap_addresses(&mut self) {
        let source = self.source;
        self.source = self.destination;
        self.destination = source;
    }

    /// Replaces the source address; returns what changed, for the transport's checksum.
    #[inline(always)]
    pub const fn set_source(&mut self, address: [u32; 4]) -> Update {
        let update = Update::new().quad(self.source, to_wire(address));
        self.source = to_wire(address);
        update
    }

    /// Replaces the destination address; returns what changed, for the transport's checksum.
    #[inline(always)]
    pub const fn set_destination(&mut self, address: [u32; 4]) -> Update {
        let update = Update::new().quad(self.destination, to_wire(address));
        self.destination = to_wire(address);
        update
    }
}
