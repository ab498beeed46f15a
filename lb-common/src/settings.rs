//! What the datapath reads once a packet.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, AddressFilter, HashKey, MAX_PREFIX_LENGTHS};

/// Bits of [`Settings::features`]: what is configured. A feature whose bit is clear costs one test of a bit.
pub struct Features;

impl Features {
    /// The allow list has entries.
    pub const ALLOW: u64 = 1;
    /// The deny list has entries.
    pub const DENY: u64 = 2;
    /// A service uses `nat`, so replies must be looked for.
    pub const NAT: u64 = 4;
    /// A service has a prefix of addresses.
    pub const PREFIXES: u64 = 8;
    /// The firewall has rules.
    pub const RULES: u64 = 32;
    /// The firewall has limits.
    pub const LIMITS: u64 = 64;
}

/// Which rules and limits packets meet: one word, so that all of them are replaced at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct RuleSettings {
    /// The element of the `rules` array, below [`crate::RULE_BANKS`].
    pub bank: u16,
    /// How many of its lines there are.
    pub lines: u16,
    /// The limits that all packets are held to, a bit for each.
    pub limits: u16,
    /// 1 if a rule or a limit asks for a service, so that the packet's must be looked up.
    pub is_scoped: u16,
}

/// The one element of the `settings` array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Settings {
    /// The flow hash's key.
    pub hash_key: HashKey,
    /// [`Features`].
    pub features: u64,
    /// The lengths of the services' prefixes of IPv4, as in [`crate::EndpointKey::prefix_bits`], the longest first; 0 where
    /// there are no more.
    pub prefix_bits_v4: [u8; MAX_PREFIX_LENGTHS],
    /// The same of IPv6.
    pub prefix_bits_v6: [u8; MAX_PREFIX_LENGTHS],
    /// The addresses in the `services` table, and the networks of its prefixes.
    pub services: AddressFilter,
    /// The addresses in the `replies` map.
    pub replies: AddressFilter,
    /// The rules.
    pub rules: RuleSettings,
}

impl Settings {
    /// The lengths of the services' prefixes in the family of an address.
    #[inline(always)]
    pub const fn prefix_bits(&self, address: &Address) -> &[u8; MAX_PREFIX_LENGTHS] {
        if address.is_v4() { &self.prefix_bits_v4 } else { &self.prefix_bits_v6 }
    }
}
