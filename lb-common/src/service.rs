//! Services, and the replies that `nat` maps back to them; for the table of the former see [`crate::ServiceLine`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// A transport endpoint: the key of the `services` and `replies` maps.
///
/// Port 0 means any port, or, if the value says so ([`ServiceFlags::RANGES`]), that the ports are looked up in a
/// [`crate::PortBlock`]. An address that belongs to any service also has a key with port 0 and the protocol number
/// of ICMP (1) or ICMPv6 (58): it says that the address is ours and that echo requests to it are answered.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct EndpointKey {
    /// The address.
    pub address: Address,
    /// The port, host byte order, and the IP protocol number: `port << 16 | protocol`.
    pub port_protocol: u32,
    /// The length of the prefix that `address` is the network of, in bits of 128: a /24 of IPv4 is 120. 0: a single
    /// address.
    pub prefix_bits: u32,
}

impl EndpointKey {
    /// The key of an endpoint.
    #[inline(always)]
    pub const fn new(address: Address, port: u16, protocol: u8) -> Self {
        Self::in_network(address, 0, port, protocol)
    }

    /// The key of an endpoint at every address of a network; `prefix_bits` as in the field.
    #[inline(always)]
    pub const fn in_network(network: Address, prefix_bits: u32, port: u16, protocol: u8) -> Self {
        Self { address: network, port_protocol: (port as u32) << 16 | protocol as u32, prefix_bits }
    }

    /// The port, host byte order; 0 is any port.
    #[inline(always)]
    pub const fn port(&self) -> u16 {
        (self.port_protocol >> 16) as u16
    }

    /// The IP protocol number.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        self.port_protocol as u8
    }
}

/// Bits of [`ServiceValue::flags`].
pub struct ServiceFlags;

impl ServiceFlags {
    /// The entry stands for an address, not for a service: echo requests are answered, nothing is forwarded.
    pub const ADDRESS: u16 = 1;
    /// The entry stands for no service, but for the [`crate::PortBlock`] whose index is `ring`.
    pub const RANGES: u16 = 2;
    /// Only sources in the `sources` map may use the service.
    pub const RESTRICTED: u16 = 4;
}

/// What the `services` table says of a service: one word, so that it is replaced at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct ServiceValue {
    /// The first element of the service's ring in the `rings` array, in elements of [`crate::ROWS_PER_ELEMENT`] rows.
    pub ring: u16,
    /// The index of the service's counters.
    pub id: u16,
    /// [`ServiceFlags`].
    pub flags: u16,
    /// The ring has `1 << ring_bits` rows.
    pub ring_bits: u8,
    /// Always 0.
    pub zero: u8,
}

impl ServiceValue {
    /// Whether the entry stands for an address only, which answers echo requests.
    #[inline(always)]
    pub const fn is_address(&self) -> bool {
        self.flags & ServiceFlags::ADDRESS != 0
    }

    /// Whether the entry stands for a block of port ranges only.
    #[inline(always)]
    pub const fn is_block(&self) -> bool {
        self.flags & ServiceFlags::RANGES != 0
    }

    /// The entry that stands for a block of port ranges.
    pub const fn block(index: u16) -> Self {
        Self { ring: index, id: 0, flags: ServiceFlags::RANGES, ring_bits: 0, zero: 0 }
    }

    /// The value as one word. No service's is 0, because its ring has rows.
    #[inline(always)]
    pub fn word(self) -> u64 {
        zerocopy::transmute!(self)
    }

    /// The value from its word; `None` for 0.
    #[inline(always)]
    pub fn from_word(word: u64) -> Option<Self> {
        if word == 0 { None } else { Some(zerocopy::transmute!(word)) }
    }
}

/// The value of the `replies` map: what the source of a backend's reply becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ReplyValue {
    /// The service's address.
    pub address: Address,
    /// The service's port, host byte order; 0 keeps the backend's.
    pub port: u16,
    /// The backend's slot.
    pub backend: u16,
    /// The service's id.
    pub service: u16,
    /// 1 if a packet is a reply only where the service's address has the service at the packet's source port: its ports
    /// are ranges, and the backend may talk from others.
    pub is_checked: u16,
}
