//! The ICMP header of both families (RFC 792, RFC 4443).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::checksum::Update;

/// What all ICMP messages begin with.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Icmp {
    kind: u8,
    code: u8,
    /// The checksum, as it stands on the wire.
    pub checksum: u16,
    rest: u32,
}

/// The length of the header, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Icmp>() as u32;

/// ICMP echo reply.
pub const ECHO_REPLY: u8 = 0;
/// ICMP echo request.
pub const ECHO_REQUEST: u8 = 8;
/// ICMP destination unreachable, among them "fragmentation needed".
pub const UNREACHABLE: u8 = 3;
/// The code of [`UNREACHABLE`] that says so (RFC 1191, section 4).
pub const FRAGMENTATION_NEEDED: u8 = 4;
/// ICMP time exceeded.
pub const TIME_EXCEEDED: u8 = 11;
/// ICMP parameter problem.
pub const PARAMETER_PROBLEM: u8 = 12;
/// ICMPv6 destination unreachable, the first of the errors.
pub const UNREACHABLE_V6: u8 = 1;
/// ICMPv6 packet too big.
pub const PACKET_TOO_BIG_V6: u8 = 2;
/// ICMPv6 parameter problem, the last of the errors that a host must understand.
pub const PARAMETER_PROBLEM_V6: u8 = 4;
/// ICMPv6 echo request.
pub const ECHO_REQUEST_V6: u8 = 128;
/// ICMPv6 echo reply.
pub const ECHO_REPLY_V6: u8 = 129;

impl Icmp {
    /// A message without a checksum; `rest` in host byte order.
    #[inline(always)]
    pub const fn new(kind: u8, code: u8, rest: u32) -> Self {
        Self { kind, code, checksum: 0, rest: rest.to_be() }
    }

    /// What its bytes, but for the checksum, add to a one's complement sum.
    #[inline(always)]
    pub const fn sum(&self) -> u64 {
        u16::from_ne_bytes([self.kind, self.code]) as u64 + self.rest as u64
    }

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
