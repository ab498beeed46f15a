//! Stable 64-bit identities and the mixing that makes hashes of them.

/// The stable identity of a name: 64-bit FNV-1a of its bytes, then the output function of SplitMix64.
///
/// FNV-1a alone would let names that differ in their last letter differ in few bits. The value is part of what nodes
/// and versions must agree on, and it is kept in the kernel's maps; it never changes.
pub fn identity(name: &str) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    mix(name.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME)))
}

/// The upper half of [`identity`], which the kernel's maps know a backend by. The configuration refuses a service two of
/// whose backends have the same.
pub fn short_identity(name: &str) -> u32 {
    (identity(name) >> 32) as u32
}

/// The output function of SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators"): a bijection
/// in which every bit of the input changes each bit of the output with a probability of about a half.
#[inline(always)]
pub(super) const fn mix(z: u64) -> u64 {
    settle(stir(z))
}

/// All of [`mix`] but its last step, [`settle`].
#[inline(always)]
pub(super) const fn stir(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// The last step of [`mix`]. It leaves the upper 31 bits as they are.
#[inline(always)]
pub(super) const fn settle(z: u64) -> u64 {
    z ^ (z >> 31)
}
