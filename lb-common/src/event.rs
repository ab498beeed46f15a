//! Records that the datapath sends to the daemon through the `events` ring buffer.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// What an [`Event`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// A reply could not leave because the kernel does not know the MAC address of `address` on `ifindex`: the daemon
    /// asks the kernel to find it.
    NeighbourWanted = 1,
    /// A packet from `address` was over a limit whose sources are banned. In place of the interface stands the limit's number.
    LimitExceeded = 2,
}

/// One record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Event {
    /// An [`EventKind`].
    pub kind: u32,
    /// The interface concerned.
    pub ifindex: u32,
    /// The address concerned.
    pub address: Address,
}
