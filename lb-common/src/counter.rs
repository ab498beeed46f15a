//! Counters, one slot per CPU and subject; user space sums them.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// What was forwarded for a service or to a backend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Bytes of those packets as received, from the Ethernet header on.
    pub bytes: u64,
    /// Flows opened: TCP SYNs, and QUIC Initials to a QUIC service. Other datagrams have no opening packet and count none.
    pub flows: u64,
}

/// What a firewall list has matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Hits {
    /// Packets.
    pub packets: u64,
    /// Bytes of those packets, from the Ethernet header on.
    pub bytes: u64,
}
