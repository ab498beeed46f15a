//! The kernel's own structure for prefixes.

use anyhow::Result;
use aya::maps::{LpmTrie, Map, MapData, lpm_trie::Key};
use ipnet::IpNet;
use lb_userspace::lists::Prefixes;

/// A trie of the kernel's.
pub(super) struct Trie(LpmTrie<MapData, [u32; 4], u32>);

impl Trie {
    pub(super) fn open(map: Map) -> Result<Self> {
        Ok(Self(map.try_into()?))
    }

    /// Adds prefixes, a system call for each.
    pub(super) fn fill(&mut self, nets: &Prefixes) -> Result<()> {
        for net in nets.iter() {
            let mut octets = [0; 16];
            match net {
                IpNet::V4(net) => octets[..4].copy_from_slice(&net.network().octets()),
                IpNet::V6(net) => octets = net.network().octets(),
            }
            let mut words = [0; 4];
            for (word, bytes) in words.iter_mut().zip(octets.as_chunks().0) {
                *word = u32::from_ne_bytes(*bytes);
            }
            self.0.insert(&Key::new(net.prefix_len().into(), words), &1, 0)?;
        }
        Ok(())
    }
}
