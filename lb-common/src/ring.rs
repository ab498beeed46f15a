//! The ring's row: who is responsible for a share of a service's flows.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many rows stand in one element of the `rings` array: one cache line, because the kernel rounds every array
/// element up to 8 bytes and a row alone would waste half.
pub const ROWS_PER_ELEMENT: u32 = 16;

/// An element of the `rings` array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct RingElement(pub [u32; ROWS_PER_ELEMENT as usize]);

/// What must be asked before a row's flow is steered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RowState {
    /// Nothing: every flow of the row is on `current`.
    Settled = 0,
    /// New flows go to `current`; flows that the flow table does not know are on `default`.
    Moving = 1,
    /// Flows that the flow table does not know are on `current`, but it may know some that are elsewhere.
    Lookup = 2,
}

/// A row of a ring: `{current: 15 bits, default: 15 bits, state: 2 bits}`, read and written whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Row(u32);

one_word!(Row, u32);

impl Row {
    /// The slot that stands for "no backend".
    pub const NOBODY: u16 = 0x7fff;

    /// A row all of whose flows are on `backend`.
    #[inline(always)]
    pub const fn settled(backend: u16) -> Self {
        Self::new(backend, backend, RowState::Settled)
    }

    /// A row from its parts. Slots have 15 bits.
    #[inline(always)]
    pub const fn new(current: u16, default: u16, state: RowState) -> Self {
        Self((current as u32 & 0x7fff) << 17 | (default as u32 & 0x7fff) << 2 | state as u32)
    }

    /// The backend that new flows go to.
    #[inline(always)]
    pub const fn current(self) -> u16 {
        (self.0 >> 17) as u16
    }

    /// The backend of flows that the flow table does not know.
    #[inline(always)]
    pub const fn default(self) -> u16 {
        (self.0 >> 2) as u16 & 0x7fff
    }

    /// The state. The fourth bit pattern does not occur; it reads as [`RowState::Lookup`].
    #[inline(always)]
    pub const fn state(self) -> RowState {
        match self.0 & 3 {
            0 => RowState::Settled,
            1 => RowState::Moving,
            _ => RowState::Lookup,
        }
    }
}

impl core::fmt::Debug for Row {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}(current {}, default {})", self.state(), self.current(), self.default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_keeps_its_parts() {
        for state in [RowState::Settled, RowState::Moving, RowState::Lookup] {
            let row = Row::from_word(Row::new(0x7ffe, 0x1234, state).word());
            assert_eq!((row.current(), row.default(), row.state()), (0x7ffe, 0x1234, state));
        }
    }
}
