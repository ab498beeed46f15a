//! What the datapath reads once a packet.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::HashKey;

/// Bits of [`Settings::features`]: what is configured. A feature whose bit is clear costs one test of a bit.
pub struct Features;

impl Features {
    /// The allow list has entries.
    pub const ALLOW: u64 = 1;
    /// The deny list has entries.
    pub const DENY: u64 = 2;
    /// A service uses `nat`, so replies must be looked for.
    pub const NAT: u64 = 4;
}

/// The one element of the `settings` array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Settings {
    /// The flow hash's key.
    pub hash_key: HashKey,
    /// [`Features`].
    pub features: u64,
}
