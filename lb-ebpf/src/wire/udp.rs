//! The UDP header (RFC 768).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The header.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Udp {
    /// The source port, as it stands on the wire.
    pub source_port: u16,
    /// The destination port, as it stands on the wire.
    pub destination_port: u16,
    length: u16,
    /// The checksum, as it stands on the wire; 0 is none.
    pub checksum: u16,
}

/// The length of the header, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Udp>() as u32;

impl Udp {
    /// The header in front of a payload. Ports are in host byte order, the checksum is as it stands on the wire.
    #[inline(always)]
    pub const fn new(source_port: u16, destination_port: u16, bytes: u16, checksum: u16) -> Self {
        Self {
            source_port: source_port.to_be(),
            destination_port: destination_port.to_be(),
            length: bytes.to_be(),
            checksum,
        }
    }

    /// The length of header and payload, in bytes.
    #[inline(always)]
    pub const fn bytes(&self) -> u16 {
        u16::from_be(self.length)
    }
}
