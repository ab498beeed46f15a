//! Shared types as values of aya's maps.

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// A value of the contract between kernel and user space, for aya's maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Plain<T>(pub T);

// SAFETY: `IntoBytes` means no padding and `FromBytes` that every bit pattern is a value, which is what `Pod` asks for.
unsafe impl<T: FromBytes + IntoBytes + Immutable + Copy + 'static> aya::Pod for Plain<T> {}
