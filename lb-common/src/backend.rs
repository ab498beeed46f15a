//! A backend as the datapath sees it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// How a packet is brought to its backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Delivery {
    /// Rewrite the MAC addresses only; the backend owns the service's address and answers the client itself.
    L2 = 1,
    /// Put an IP header in front (RFC 2003, RFC 2473); the backend takes it off and answers the client itself.
    Ipip = 2,
    /// Rewrite the destination address and port; the backend's replies pass the node.
    Nat = 3,
    /// Put an IP, a UDP and a GUE header in front (draft-ietf-intarea-gue); the backend takes them off and answers the client
    /// itself.
    Gue = 4,
    /// Rewrite source and destination, so that the backend answers the node; sessions say whom an answer is for.
    FullNat = 5,
}

impl Delivery {
    /// The delivery that a map value names, if it names one.
    #[inline(always)]
    pub const fn from_wire(value: u8) -> Option<Self> {
        match value {
            1 => Some(Self::L2),
            2 => Some(Self::Ipip),
            3 => Some(Self::Nat),
            4 => Some(Self::Gue),
            5 => Some(Self::FullNat),
            _ => None,
        }
    }

    /// By how many bytes it makes an IP packet longer, if the backend's address is of IPv4 or not.
    pub const fn overhead_bytes(self, is_v4: bool) -> u32 {
        const UDP: u32 = 8;
        const GUE: u32 = 4;
        let outer = if is_v4 { 20 } else { 40 };
        match self {
            Self::L2 | Self::Nat | Self::FullNat => 0,
            Self::Ipip => outer,
            Self::Gue => outer + UDP + GUE,
        }
    }

    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2 => "l2",
            Self::Ipip => "ipip",
            Self::Nat => "nat",
            Self::Gue => "gue",
            Self::FullNat => "full-nat",
        }
    }
}

/// A MAC address as three 16-bit words in the order and byte order of the wire, so that it is written to a 2-aligned
/// frame with three stores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Mac(pub [u16; 3]);

impl Mac {
    /// The address with these six bytes.
    pub const fn new(bytes: [u8; 6]) -> Self {
        Self([
            u16::from_ne_bytes([bytes[0], bytes[1]]),
            u16::from_ne_bytes([bytes[2], bytes[3]]),
            u16::from_ne_bytes([bytes[4], bytes[5]]),
        ])
    }

    /// Whether it stands for several receivers: multicast or broadcast.
    #[inline(always)]
    pub const fn is_group(self) -> bool {
        self.0[0].to_ne_bytes()[0] & 1 != 0
    }

    /// The six bytes in the order of the wire.
    pub const fn bytes(self) -> [u8; 6] {
        let (a, b, c) = (self.0[0].to_ne_bytes(), self.0[1].to_ne_bytes(), self.0[2].to_ne_bytes());
        [a[0], a[1], b[0], b[1], c[0], c[1]]
    }
}

/// Bits of [`BackendValue::flags`].
pub struct BackendFlags;

impl BackendFlags {
    /// The next hop is known: `mac`, `source_mac`, `ifindex` and `max_bytes` are valid.
    pub const RESOLVED: u8 = 1;
    /// The backend may be given new flows. The datapath does not look at it (the ring says so already); a daemon
    /// that takes the maps over starts its health checks from it.
    pub const ELIGIBLE: u8 = 2;
    /// The backend may still be given packets of the flows that it has.
    pub const SERVES: u8 = 4;
    /// Its check has just failed: it keeps its flows, but none may be left to it for want of room in the flow table.
    pub const SUSPECT: u8 = 8;
    /// The backend is this node itself: its packets go up to the node's own network stack as they are.
    pub const LOCAL: u8 = 16;
}

/// The element of the `backends` array: one cache line that holds all that forwarding to a backend needs.
///
/// A backend that stands behind two services has two slots, so a slot also tells the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct BackendValue {
    /// The backend's address.
    pub address: Address,
    /// The node's address towards this backend: the source of an encapsulation's outer header, and of `full-nat` packets. With
    /// `nat` the one that the backend's replies get: the service's.
    pub source: Address,
    /// The next hop's MAC address.
    pub mac: Mac,
    /// The MAC address of the interface that leads to the next hop.
    pub source_mac: Mac,
    /// The index of that interface.
    pub ifindex: u32,
    /// The port that the backend listens on, which `nat` and `full-nat` write, host byte order; 0 keeps the client's. A
    /// reply's source has it too.
    pub port: u16,
    /// The largest packet of a client's, in bytes of IP, that fits the way to the backend once it is rewritten.
    pub max_bytes: u16,
    /// A [`Delivery`]; 0 in a slot that nobody uses.
    pub delivery: u8,
    /// [`BackendFlags`].
    pub flags: u8,
    /// The service's id, the index of its counters.
    pub service: u16,
    /// The backend's stable identity within its service (a hash of its name), for the daemon that takes the maps over.
    pub identity: u32,
    /// The VLAN of the next hop, whose tag packets leave with; 0 if the way is not that of a VLAN interface.
    pub vlan: u16,
    /// The UDP port that `gue` sends to, host byte order.
    pub gue_port: u16,
}

const _: () = assert!(size_of::<BackendValue>() == 64, "a backend is one cache line");
