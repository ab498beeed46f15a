//! The TCP header (RFC 9293, section 3.1).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{checksum::fold, protocol};

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
    /// A segment that only acknowledges, with no options and no payload, between two ports in host byte order. Its sequence
    /// number and window are 0. `addresses` is the sum of the words of both IP addresses as they stand on the wire.
    #[inline(always)]
    pub const fn bare_ack(source_port: u16, destination_port: u16, acknowledgement: u32, addresses: u64) -> Self {
        let mut header = Self {
            source_port: source_port.to_be(),
            destination_port: destination_port.to_be(),
            sequence: 0,
            acknowledgement: acknowledgement.to_be(),
            offset: ((HEADER_BYTES / 4) << 4) as u8,
            flags: flags::ACK,
            window: 0,
            checksum: 0,
            urgent: 0,
        };
        let sum = addresses
            .wrapping_add((protocol::TCP as u16).to_be() as u64)
            .wrapping_add((HEADER_BYTES as u16).to_be() as u64)
            .wrapping_add(header.source_port as u64)
            .wrapping_add(header.destination_port as u64)
            .wrapping_add(header.acknowledgement as u64)
            .wrapping_add(u16::from_ne_bytes([header.offset, header.flags]) as u64);
        header.checksum = !fold(sum);
        header
    }

    /// The sequence number, in host byte order.
    #[inline(always)]
    pub const fn sequence(&self) -> u32 {
        u32::from_be(self.sequence)
    }

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
