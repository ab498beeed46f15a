//! What TCP and UDP headers have in common.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The first eight bytes of a transport header: as much as every ICMP error quotes (RFC 792).
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Ports {
    /// The source port, as it stands on the wire.
    pub source: u16,
    /// The destination port, as it stands on the wire.
    pub destination: u16,
    rest: u32,
}

/// The length of what is in common, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Ports>() as u32;
