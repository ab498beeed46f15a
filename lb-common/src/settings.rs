//! What the datapath reads once a packet.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, AddressFilter, AmplifierPorts, HashKey, MAX_MACS, MAX_PREFIX_LENGTHS, Mac, PortSpan};

/// Bits of [`Settings::features`]: what is configured. A feature whose bit is clear costs one test of a bit.
pub struct Features;

impl Features {
    /// A list has entries.
    pub const LISTS: u64 = 1;
    /// A list is for some services only.
    pub const SCOPED_LISTS: u64 = 2;
    /// A service uses `nat`, so replies must be looked for.
    pub const NAT: u64 = 4;
    /// A service has a prefix of addresses.
    pub const PREFIXES: u64 = 8;
    /// A service uses `full-nat`, so ICMP errors may be about sessions.
    pub const FULL_NAT: u64 = 16;
    /// The firewall has rules.
    pub const RULES: u64 = 32;
    /// The firewall has limits.
    pub const LIMITS: u64 = 64;
    /// The node itself is protected.
    pub const PROTECT: u64 = 128;
    /// Somebody looks at drops: some are recorded until [`Settings::sample_until_ns`].
    pub const SAMPLE: u64 = 256;
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
    /// The MAC addresses that frames for this node are addressed to, the likeliest first; zeros behind the last. If the first
    /// is zero, every frame with a single receiver is taken to be for this node.
    pub macs: [Mac; MAX_MACS],
    /// The lengths of the services' prefixes of IPv4, as in [`crate::EndpointKey::prefix_bits`], the longest first; 0 where
    /// there are no more.
    pub prefix_bits_v4: [u8; MAX_PREFIX_LENGTHS],
    /// The same of IPv6.
    pub prefix_bits_v6: [u8; MAX_PREFIX_LENGTHS],
    /// The addresses in the `services` table, and the networks of its prefixes.
    pub services: AddressFilter,
    /// The addresses in the `replies` map.
    pub replies: AddressFilter,
    /// When sampling ends, in nanoseconds of the coarse monotonic clock: a daemon that dies while somebody looks cannot end it.
    pub sample_until_ns: u64,
    /// How many drops each CPU may record in an interval ([`crate::Sampler`]).
    pub samples_per_interval: u64,
    /// The rules.
    pub rules: RuleSettings,
    /// The ports that the node's kernel chooses from for sockets that name none; what is asked of a protected node.
    pub ephemeral: PortSpan,
    /// Always 0.
    pub zero: u32,
    /// The ports of amplifiers; none, if no check asks for them.
    pub amplifiers: AmplifierPorts,
}

impl Settings {
    /// The lengths of the services' prefixes in the family of an address.
    #[inline(always)]
    pub const fn prefix_bits(&self, address: &Address) -> &[u8; MAX_PREFIX_LENGTHS] {
        if address.is_v4() { &self.prefix_bits_v4 } else { &self.prefix_bits_v6 }
    }
}
