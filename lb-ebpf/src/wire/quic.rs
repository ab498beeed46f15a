//! What every version of QUIC has in the clear (RFC 8999), behind the UDP header that it follows.
//!
//! Connection ids begin at different places in the two forms of packets. A packet whose id names a server is longer than
//! these structures: 20 bytes at the least follow an id (RFC 9001, section 5.4.2).

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::udp::Udp;

/// The front of a packet with a short header (RFC 8999, section 5.2): the connection id is the next thing.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Short {
    /// The datagram's header.
    pub udp: Udp,
    form: u8,
    /// The first octet of the connection id.
    pub octet: u8,
    id: [u16; 4],
}

/// The front of a packet with a long header (RFC 8999, section 5.1).
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Long {
    /// The datagram's header.
    pub udp: Udp,
    form: u8,
    version: [u8; 4],
    /// The length of the connection id, in bytes.
    pub id_bytes: u8,
    /// The first octet of the connection id.
    pub octet: u8,
    id: [u8; 8],
    next: u8,
}

/// What stands in a long header behind the connection id of the receiver: the sender's. It may begin at any offset.
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Source {
    /// The length of the connection id, in bytes.
    pub id_bytes: u8,
    /// The first octet of the connection id.
    pub octet: u8,
    id: [u8; 8],
}

/// The length of the longest connection id, in bytes (RFC 9000, section 17.2).
pub const MAX_ID_BYTES: u8 = 20;

/// The bit that tells a long header from a short one.
const LONG: u8 = 0x80;
/// Where the type of a long header stands (RFC 9000, section 17.2).
const TYPE: u8 = 0x30;

const VERSION_1: u32 = 1;
/// RFC 9369, section 3.1.
const VERSION_2: u32 = 0x6b33_43cf;

impl Short {
    /// Whether this is the front of a packet with a long header.
    #[inline(always)]
    pub const fn is_long(&self) -> bool {
        self.form & LONG != 0
    }

    /// The eight bytes behind the first octet of the connection id, the first of them most significant.
    #[inline(always)]
    pub fn rest(&self) -> u64 {
        let [a, b, c, d] = self.id;
        let word = |word: u16| u64::from(u16::from_be(word));
        word(a) << 48 | word(b) << 32 | word(c) << 16 | word(d)
    }
}

impl Long {
    /// Where the connection id begins, in bytes from the UDP header.
    pub const ID_OFFSET: u32 = core::mem::offset_of!(Self, octet) as u32;

    /// Whether this is the front of a packet with a long header.
    #[inline(always)]
    pub const fn is_long(&self) -> bool {
        self.form & LONG != 0
    }

    /// The eight bytes behind the first octet of the connection id, the first of them most significant.
    #[inline(always)]
    pub const fn rest(&self) -> u64 {
        u64::from_be_bytes(self.id)
    }

    /// Whether this is an Initial packet, which opens a connection; its type differs between the versions (RFC 9369,
    /// section 3.2).
    #[inline(always)]
    pub const fn is_initial(&self) -> bool {
        match u32::from_be_bytes(self.version) {
            VERSION_1 => self.form & TYPE == 0x00,
            VERSION_2 => self.form & TYPE == 0x10,
            _ => false,
        }
    }
}

impl Source {
    /// The eight bytes behind the first octet of the connection id, the first of them most significant.
    #[inline(always)]
    pub const fn rest(&self) -> u64 {
        u64::from_be_bytes(self.id)
    }
}
