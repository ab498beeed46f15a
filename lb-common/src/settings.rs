//! What the datapath reads once a packet.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{HashKey, MAX_MACS, Mac};

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
    /// The MAC addresses that frames for this node are addressed to, the likeliest first; zeros behind the last. If the first
    /// is zero, every frame with a single receiver is taken to be for this node.
    pub macs: [Mac; MAX_MACS],
}
