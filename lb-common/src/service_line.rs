//! The `services` table: a hash table of 64-byte lines in a BPF array.
//!
//! Problem: a kernel hash map takes about 19 ns a look-up (measured: a helper call, a hash of all the key's bytes, a
//! bucket's list), a packet to an any-port service needs two, and so does every packet that is not for a service at all.
//! Mechanism: cuckoo hashing (Pagh and Rodler; with buckets, Dietzfelbinger and Weidling). A key's hash names two lines of two
//! entries each, and it stands in one of them or nowhere, so that a look-up reads two cache lines at the most. User space
//! places the entries and moves one aside where both lines are full. Trade-off: the hash has no key, because only the
//! operator chooses what stands in the table, and a stranger's packet costs the same whatever it asks for.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{EndpointKey, MAX_BACKENDS, MAX_SERVICE_ENTRIES, ServiceValue};

/// Entries of a line.
pub const ENTRIES_PER_LINE: usize = 2;

/// Entries that the table must have room for: the services', and a server id for every backend.
pub const MAX_LINE_ENTRIES: u32 = MAX_SERVICE_ENTRIES + MAX_BACKENDS;

/// Lines of the table: 1 MiB, of which packets touch only the lines of what they ask for. It is 63 % full at the most; two
/// choices of buckets of two work up to 0.897 (Cain, Sanders, Wormald, "The random graph threshold for k-orientiability").
pub const SERVICE_LINES: u32 = (MAX_LINE_ENTRIES / ENTRIES_PER_LINE as u32).next_power_of_two();

const _: () = assert!(SERVICE_LINES.is_power_of_two());

/// An entry of a line; vacant if the key is all zeros, which no packet has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ServiceEntry {
    /// The key. Its last word is written last and is 0 in a vacant entry.
    pub key: EndpointKey,
    /// The value.
    pub value: ServiceValue,
}

impl ServiceEntry {
    /// Whether nothing is here.
    pub fn is_vacant(&self) -> bool {
        self.key == EndpointKey::default()
    }
}

/// An element of the `services` array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct ServiceLine(pub [ServiceEntry; ENTRIES_PER_LINE]);

const _: () = assert!(size_of::<ServiceLine>() == 64, "a line is one cache line");

impl ServiceLine {
    /// The two lines where a key may stand.
    #[inline(always)]
    pub const fn of(key: &EndpointKey) -> [u32; 2] {
        let [a, b, c, d] = key.address.0;
        let (upper, lower) = ((a as u64) << 32 | b as u64, (c as u64) << 32 | d as u64);
        // A protocol has eight bits: the prefix's length has room beside it.
        let ports = ((key.port_protocol | key.prefix_bits << 8) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        // Each part meets a multiplication of its own before the next is added: a sum of parts would collide by design.
        let hash = (upper ^ ports).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ lower;
        let hash = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        const BITS: u32 = SERVICE_LINES.ilog2();
        [(hash >> (64 - BITS)) as u32, (hash >> (64 - 2 * BITS)) as u32 & (SERVICE_LINES - 1)]
    }

    /// The value of a key, if it stands in this line.
    #[inline(always)]
    pub fn find(&self, key: &EndpointKey) -> Option<&ServiceValue> {
        self.0.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
    }
}
