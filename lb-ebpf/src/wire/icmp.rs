//! The ICMP header of both families (RFC 792, RFC 4443).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::checksum::Update;

/// What all ICMP messages begin with.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Icmp {
    kind: u8,
    code: u8,
    checksum: u16,
    rest: u32,
}

/// The length of the header, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Icmp>() as u32;

/// ICMP echo reply.
pub const ECHO_REPLY: u8 = 0;
/// ICMP echo request.
pub const ECHO_REQUEST: u8 = 8;
/// ICMPv6 echo request.
pub const ECHO_REQUEST_V6: u8 = 128;
/// ICMPv6 echo reply.
pub const ECHO_REPLY_V6: u8 = 129;

impl Icmp {
    /// The type.
    #[inline(always)]
    pub const fn kind(&self) -> u8 {
        self.kind
    }

    /// The code.
    #[inline(always)]
    pub const fn code(&self) -> u8 {
        self.code
    }

    /// Changes the type and corrects the checksum.
    ///
    /// Where the rest is all zeros, and only there, a sum of 0 is wrong, which an update cannot tell from the one that is right
    /// (RFC 1624, section 3); all ones are right in both cases.
    #[inline(always)]
    pub const fn set_kind(&mut self, kind: u8) {
        let old = u16::from_ne_bytes([self.kind, self.code]);
        self.kind = kind;
        let new = u16::from_ne_bytes([kind, self.code]);
        let updated = Update::new().word(old, new).apply(self.checksum);
        self.checksum = if updated == 0 { 0xffff } else { updated };
    }
}
