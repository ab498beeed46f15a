//! The cookies of SYN protection, by an implementation of SipHash that is not the datapath's.

use std::{hash::Hasher, net::IpAddr};

use siphasher::sip::SipHasher13;

use crate::world::SYN_KEYS;

/// The two ends of a connection, as its client sees them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) client: (&'static str, u16),
    pub(super) service: (&'static str, u16),
}

impl Ends {
    /// The cookie of the connection in an epoch, of the world's keys.
    pub(super) fn cookie(self, epoch: u32) -> u32 {
        cookie(self.client.0, self.client.1, self.service.0, self.service.1, epoch)
    }
}

/// Both addresses in sixteen bytes and the ports, in network byte order, and the epoch are five numbers; SipHash reads numbers from
/// their lowest byte on. The last bit of the cookie is that of the epoch.
fn cookie(client: &str, client_port: u16, service: &str, port: u16, epoch: u32) -> u32 {
    let [low, high] = SYN_KEYS[epoch as usize % 2];
    let mut hasher = SipHasher13::new_with_keys(low, high);
    for address in [client, service] {
        let octets = match address.parse().expect("an address") {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        };
        let bits = u128::from_be_bytes(octets);
        hasher.write(&((bits >> 64) as u64).to_le_bytes());
        hasher.write(&(bits as u64).to_le_bytes());
    }
    let last = u64::from(client_port) << 48 | u64::from(port) << 32 | u64::from(epoch);
    hasher.write(&last.to_le_bytes());
    (hasher.finish() as u32 & 0xffff_fffe) | (epoch % 2)
}

/// The example of the reference implementation of SipHash, with its key: what "SipHash-1-3" and "keys" mean here.
#[test]
fn the_hash_is_the_one_that_is_published() {
    let mut hasher = SipHasher13::new_with_keys(SYN_KEYS[0][0], SYN_KEYS[0][1]);
    hasher.write(&[]);
    assert_eq!(hasher.finish(), 0xabac_0158_050f_c4dc);
}
