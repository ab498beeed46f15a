//! Ethernet (IEEE 802.3) and VLAN tags (IEEE 802.1Q, 802.1ad).

use lb_common::Mac;
use network_types::eth::EtherType;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// IPv4, as it stands on the wire.
pub const IPV4: u16 = EtherType::Ipv4 as u16;
/// IPv6, as it stands on the wire.
pub const IPV6: u16 = EtherType::Ipv6 as u16;
/// A customer VLAN tag, as it stands on the wire.
pub const VLAN: u16 = EtherType::Ieee8021q as u16;
/// A service VLAN tag, as it stands on the wire.
pub const SERVICE_VLAN: u16 = EtherType::Ieee8021ad as u16;

/// The Ethernet header.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Ethernet {
    /// The receiver.
    pub destination: Mac,
    /// The sender.
    pub source: Mac,
    /// What follows, as it stands on the wire.
    pub ether_type: u16,
}

/// A VLAN tag as it stands between the addresses and the EtherType of what it tags.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Tag {
    /// [`VLAN`] or [`SERVICE_VLAN`].
    pub protocol: u16,
    /// Priority and VLAN id, as they stand on the wire.
    pub control: u16,
}

impl Tag {
    /// What stands for no tag.
    pub const NONE: Self = Self { protocol: 0, control: 0 };
}

/// The length of the two addresses, in bytes: where a tag, or the EtherType, stands.
pub const ADDRESSES_BYTES: u32 = 12;
/// The length of an untagged header, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Ethernet>() as u32;
/// The length of a tag, in bytes.
pub const TAG_BYTES: u32 = size_of::<Tag>() as u32;

/// Whether an EtherType announces a tag.
#[inline(always)]
pub const fn is_tag(ether_type: u16) -> bool {
    ether_type == VLAN || ether_type == SERVICE_VLAN
}
