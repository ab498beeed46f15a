//! What `cargo xtask bench datapath` tells its wrapper program.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many bytes of every frame the wrapper restores before each run: the headers of a TCP segment over IPv4 and
/// some more. A frame is at least as long.
pub const BENCH_HEAD_BYTES: usize = 2 + 7 * 8;

/// How many bytes it restores of a frame that has them: the headers of an IPv6 packet reach so far.
pub const BENCH_RESTORED_BYTES: usize = BENCH_HEAD_BYTES + 4 * 8;

/// The packet that the wrapper restores, and how its source walks over many flows.
///
/// Packet number `n` belongs to flow `f = n · 0x9e3779b1 mod 2^flow_bits`. The low `port_bits` of `f` are added to the
/// source port, the rest, times `stride`, to the last word of the source address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BenchPacket {
    /// The length of the frame, in bytes.
    pub frame_bytes: u32,
    /// 1 for IPv4, 0 for IPv6.
    pub is_v4: u32,
    /// The source walks over `1 << flow_bits` flows; 0: it stays.
    pub flow_bits: u32,
    /// How many bits of the flow go to the source port.
    pub port_bits: u32,
    /// What a step of the rest adds to the source address.
    pub stride: u32,
    /// Always 0.
    pub zero: u16,
    /// The first two bytes of the frame. The words behind them are written to the frame so that no field of an IP or
    /// transport header is part of two of them: a processor stalls when it reads back at once what it wrote in two parts.
    pub first: u16,
    /// What follows.
    pub head: [u64; (BENCH_HEAD_BYTES - 2) / 8],
    /// What follows in a frame of [`BENCH_RESTORED_BYTES`] or more.
    pub rest: [u64; (BENCH_RESTORED_BYTES - BENCH_HEAD_BYTES) / 8],
}

impl BenchPacket {
    /// What packet `number` adds to the source address and to the source port.
    #[inline(always)]
    pub const fn step(&self, number: u64) -> (u32, u16) {
        // An odd factor permutes the numbers below a power of two.
        let flow = number.wrapping_mul(0x9e37_79b1) as u32 & low_bits(self.flow_bits);
        let address = (flow >> (self.port_bits & 15)).wrapping_mul(self.stride);
        (address, (flow & low_bits(self.port_bits & 15)) as u16)
    }
}

const fn low_bits(bits: u32) -> u32 {
    (1 << (bits & 31)) - 1
}
