//! Services, and the replies that `nat` maps back to them; for the table of the former see [`crate::ServiceLine`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// A transport endpoint: the key of the `services` and `replies` maps.
///
/// Port 0 means any port. An address that belongs to any service also has a key with port 0 and the protocol number
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
    /// Always 0: a key's size is a multiple of 8.
    pub zero: u32,
}

impl EndpointKey {
    /// The key of an endpoint.
    #[inline(always)]
    pub const fn new(address: Address, port: u16, protocol: u8) -> Self {
        Self { address, port_protocol: (port as u32) << 16 | protocol as u32, zero: 0 }
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
    /// The entry stands for an address of the node that `full-nat` sessions come from; its `id` is the address's number.
    pub const SESSIONS: u16 = 64;
    /// The service is delivered by `full-nat`: sessions say where its packets go.
    pub const FULL_NAT: u16 = 128;
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

    /// Whether the entry stands for a service, which has a ring and counters, and not for an address.
    #[inline(always)]
    pub const fn is_service(&self) -> bool {
        !self.is_address() && !self.is_node_address()
    }

    /// Whether the entry stands for an address of the node, and not for a service.
    #[inline(always)]
    pub const fn is_node_address(&self) -> bool {
        self.flags & ServiceFlags::SESSIONS != 0
    }

    /// Whether sessions say where a packet goes, as for `full-nat` in both directions.
    #[inline(always)]
    pub const fn has_sessions(&self) -> bool {
        self.flags & (ServiceFlags::SESSIONS | ServiceFlags::FULL_NAT) != 0
    }

    /// The value as one word.
    #[inline(always)]
    pub const fn word(self) -> u64 {
        zerocopy::transmute!(self)
    }

    /// The value in a word.
    #[inline(always)]
    pub const fn from_word(word: u64) -> Self {
        zerocopy::transmute!(word)
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
    pub service: u32,
}
