//! The `sources` map: see [`SourceKey`].

use std::net::IpAddr;

use aya::maps::{LpmTrie, MapData, MapError, lpm_trie::Key};
use ipnet::IpNet;
use lb_common::SourceKey;

use super::Plain;

/// Bits in front of an IPv4 address in its mapped form.
const MAPPED_BITS: u32 = 96;

/// The map.
pub(super) struct Sources(pub(super) LpmTrie<MapData, Plain<SourceKey>, u64>);

impl Sources {
    /// Lets a source use a service.
    pub(super) fn add(&mut self, service: u16, source: IpNet) -> Result<(), MapError> {
        self.0.insert(&key(service, source), &0, 0)
    }

    /// No longer lets it.
    pub(super) fn remove(&mut self, service: u16, source: IpNet) -> Result<(), MapError> {
        self.0.remove(&key(service, source))
    }

    /// Who may use what.
    pub(super) fn iter(&self) -> impl Iterator<Item = Result<(u16, IpNet), MapError>> {
        self.0.keys().filter_map(|key| key.map(|key| entry(&key)).transpose())
    }
}

fn key(service: u16, source: IpNet) -> Key<Plain<SourceKey>> {
    let bits = u32::from(source.prefix_len()) + if source.addr().is_ipv4() { MAPPED_BITS } else { 0 };
    Key::new(SourceKey::ID_BITS + bits, Plain(SourceKey::new(service, &source.network().into())))
}

/// The entry that a key stands for; every key that was written is one.
fn entry(key: &Key<Plain<SourceKey>>) -> Option<(u16, IpNet)> {
    let (service, address) = key.data().0.parts();
    let bits = key.prefix_len().checked_sub(SourceKey::ID_BITS)?;
    // A short prefix of IPv6 can have the mapped form's zeros, but not its ones.
    let bits = if address.is_v4() { bits.checked_sub(MAPPED_BITS)? } else { bits };
    Some((service, IpNet::new(IpAddr::from(address), u8::try_from(bits).ok()?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_survives_the_round_trip() {
        for text in ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.7/32", "::/0", "2001:db8::/32", "2001:db8::7/128"] {
            let source: IpNet = text.parse().unwrap();
            assert_eq!(entry(&key(7, source)), Some((7, source)), "{text}");
        }
    }
}
