//! What `cargo xtask bench datapath` tells its wrapper program.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many bytes of the packet the wrapper restores before each run: the link, network and transport headers of an
/// IPv6 packet and a little more. A packet of the bench is at least as long.
pub const BENCH_RESTORED_BYTES: usize = 96;

/// The packet that the wrapper restores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BenchPacket {
    /// The length of the frame, in bytes.
    pub frame_bytes: u32,
    /// The source walks over `1 << flow_bits` flows; 0: it stays.
    pub flow_bits: u32,
    /// 1 for IPv4, 0 for IPv6.
    pub is_v4: u32,
    /// Always 0.
    pub zero: u32,
    /// The first bytes of the frame.
    pub bytes: [u64; BENCH_RESTORED_BYTES / 8],
}
