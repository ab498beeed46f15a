//! The TCP header (RFC 9293, section 3.1).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The fixed part of the header; options may follow.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Tcp {
    /// The source port, as it stands on the wire.
    pub source_port: u16,
    /// The destination port, as it stands on the wire.
    pub destination_port: u16,
    sequence: u32,
    acknowledgement: u32,
    offset: u8,
    flags: u8,
    window: u16,
    /// The checksum, as it stands on the wire.
    pub checksum: u16,
    urgent: u16,
}

/// The length of a header without options, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Tcp>() as u32;

/// The bits of [`Tcp::flags`].
pub mod flags {
    /// The sender has finished.
    pub const FIN: u8 = 0x01;
    /// Opens a connection.
    pub const SYN: u8 = 0x02;
    /// Breaks a connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

impl Tcp {
    /// The length of the header with its options, in bytes.
    #[inline(always)]
    pub const fn header_bytes(&self) -> u32 {
        (self.offset as u32 >> 4) * 4
    }

    /// The flags.
    #[inline(always)]
    pub const fn flags(&self) -> u8 {
        self.flags
    }
}
