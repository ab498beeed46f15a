//! The keyed hash that places a flow on a ring.
//!
//! Problem: whoever can predict the hash can aim all flows at one backend, and whoever computes it per packet has a
//! few nanoseconds. Mechanism: the pair-multiply-shift scheme of Thorup ("High Speed Hashing for Integers and
//! Strings", section 3.5), which is strongly universal in its upper 32 bits for secret random keys, followed by one
//! mixing round, because the flow table also wants the lower bits. Trade-off: unlike SipHash it is no pseudo-random
//! function; somebody who could see the backend chosen for many chosen flows could in time solve for the key. He
//! cannot see rows, only backends, and SipHash-1-3 would cost as much as all the rest of the steering.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::Address;

/// The key of the flow hash, secret, and the same on every node of a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct HashKey(pub [u64; 11]);

impl HashKey {
    /// Expands a secret to a key, by SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators").
    pub const fn expand(secret: [u64; 2]) -> Self {
        let mut words = [0; 11];
        let mut state = secret[0];
        let mut i = 0;
        while i < words.len() {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state ^ secret[1].rotate_left(i as u32);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            words[i] = z ^ (z >> 31);
            i += 1;
        }
        Self(words)
    }
}

/// Protocol, addresses and ports of one connection, as the client sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// The client's address.
    pub source: Address,
    /// The service's address.
    pub destination: Address,
    /// The client's port.
    pub source_port: u16,
    /// The service's port.
    pub destination_port: u16,
    /// The IP protocol number.
    pub protocol: u8,
}

/// One term of the sum: two 32-bit words with two key words.
#[inline(always)]
const fn pair(a: u32, key_a: u64, b: u32, key_b: u64) -> u64 {
    key_a.wrapping_add(b as u64).wrapping_mul(key_b.wrapping_add(a as u64))
}

impl Flow {
    /// All that a client sends to any service of its family; `bits` of its address tell clients apart.
    #[inline(always)]
    pub const fn of_client(&self, bits: u8) -> Self {
        let destination = if self.destination.is_v4() { Address::v4(0) } else { Address::UNSPECIFIED };
        Self { source: self.source.prefix(bits), destination, source_port: 0, destination_port: 0, protocol: 0 }
    }

    /// All that a client sends to this service; `bits` of its address tell clients apart.
    #[inline(always)]
    pub const fn of_client_and_service(&self, bits: u8) -> Self {
        Self { source: self.source.prefix(bits), source_port: 0, ..*self }
    }

    /// The flow's hash. The top bits choose the row.
    #[inline(always)]
    pub const fn hash(&self, key: &HashKey) -> u64 {
        let k = &key.0;
        let (s, d) = (&self.source.0, &self.destination.0);
        let ports = (self.source_port as u32) << 16 | self.destination_port as u32;
        let mut sum = k[10].wrapping_add(pair(s[3], k[0], d[3], k[1])).wrapping_add(pair(
            ports,
            k[2],
            self.protocol as u32,
            k[3],
        ));
        if !self.destination.is_v4() {
            sum = sum
                .wrapping_add(pair(s[0], k[4], d[0], k[5]))
                .wrapping_add(pair(s[1], k[6], d[1], k[7]))
                .wrapping_add(pair(s[2], k[8], d[2], k[9]));
        }
        // The upper half of the sum is the good one: bring it into every bit before the multiplication.
        let mixed = (sum ^ (sum >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(client: u32, port: u16) -> Flow {
        Flow {
            source: Address::v4(client),
            destination: Address::v4(0x0a00_0064),
            source_port: port,
            destination_port: 80,
            protocol: 6,
        }
    }

    /// Sequential clients and ports are the worst natural input: each row must get its share.
    #[test]
    fn sequential_flows_fill_the_rows_evenly() {
        let key = HashKey::expand([1, 2]);
        let mut rows = [0u32; 256];
        for client in 0..64 {
            for port in 0..4096 {
                rows[(flow(0x0a01_0000 + client, 1024 + port).hash(&key) >> 56) as usize] += 1;
            }
        }
        // 1024 a row expected, standard deviation 32: six of them is far outside chance.
        assert!(rows.iter().all(|&n| (832..1216).contains(&n)), "{rows:?}");
    }

    #[test]
    fn the_hash_is_pinned_by_golden_values() {
        let key = HashKey::expand([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
        let v6 = Flow {
            source: Address::v6([0x2001_0db8, 0, 0, 1]),
            destination: Address::v6([0x2001_0db8, 0, 1, 0x64]),
            source_port: 40000,
            destination_port: 443,
            protocol: 17,
        };
        assert_eq!(flow(0x0a01_0001, 1234).hash(&key), GOLDEN_V4);
        assert_eq!(v6.hash(&key), GOLDEN_V6);
    }

    const GOLDEN_V4: u64 = 15_998_481_068_873_867_568;
    const GOLDEN_V6: u64 = 14_371_202_774_722_814_788;
}
