//! The header of Generic UDP Encapsulation (draft-ietf-intarea-gue), as it stands behind a UDP header.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The header of variant 0, without optional fields (section 3.2).
#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, packed(2))]
pub struct Gue {
    /// Two bits of variant, one that tells control messages from data, five of the length of the optional fields.
    variant_control_length: u8,
    protocol: u8,
    flags: u16,
}

/// The length of the header without optional fields, in bytes.
pub const HEADER_BYTES: u32 = size_of::<Gue>() as u32;

impl Gue {
    /// A data header without optional fields.
    #[inline(always)]
    pub const fn data(protocol: u8) -> Self {
        Self { variant_control_length: 0, protocol, flags: 0 }
    }

    /// Whether this is variant 0 with data and without optional fields.
    #[inline(always)]
    pub const fn is_plain_data(&self) -> bool {
        self.variant_control_length == 0 && self.flags == 0
    }

    /// The IP version of a packet that follows the UDP header directly (variant 1, section 4): there is no GUE header then,
    /// and the variant is the first bits of 4 and of 6.
    #[inline(always)]
    pub const fn direct_version(&self) -> u8 {
        self.variant_control_length >> 4
    }

    /// The IP protocol number of what follows.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }
}
