//! The firewall's rules: what a packet is compared with, in which order, and what follows.
//!
//! Problem: a rule has a dozen conditions, most of which most rules leave open, and each packet meets all rules. Mechanism: what
//! is equal or not (protocol, TCP flags, ICMP type, fragments, family, service, interface) is one word with a mask, so one
//! comparison refuses most packets; ports, length and prefixes follow. A rule with several prefixes or ranges takes several
//! lines. Trade-off: the cost grows with the lines, so there are at most [`MAX_RULE_LINES`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, PortSpan};

/// Lines of all rules together.
pub const MAX_RULE_LINES: usize = 64;

/// Rules, which is the number of their counters: each has a line at least.
pub const MAX_RULES: u32 = MAX_RULE_LINES as u32;

/// Blocks of rules: the one that packets meet, and the one that the next rules are written into.
pub const RULE_BANKS: u32 = 2;

/// What is equal to what a rule asks for, or not, as one word:
/// `{interface: 32, service: 12, state: 4, detail: 8, protocol: 8}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(transparent)]
pub struct Traits(pub u64);

impl Traits {
    /// The packet is IPv6.
    pub const V6: u64 = 1 << 16;
    /// The packet is a fragment.
    pub const FRAGMENT: u64 = 1 << 17;
    /// The packet is a fragment, and not the first.
    pub const LATER: u64 = 1 << 18;
    /// The transport header is there: ports, TCP flags and ICMP type count.
    pub const KNOWN: u64 = 1 << 19;

    /// The IP protocol number.
    #[inline(always)]
    pub const fn protocol(number: u8) -> u64 {
        number as u64
    }

    /// The TCP flags, or the type of an ICMP message.
    #[inline(always)]
    pub const fn detail(byte: u8) -> u64 {
        (byte as u64) << 8
    }

    /// The service's id.
    #[inline(always)]
    pub const fn service(id: u16) -> u64 {
        // No service is 0.
        (id as u64 + 1) << 20
    }

    /// The interface of ingress.
    #[inline(always)]
    pub const fn interface(ifindex: u32) -> u64 {
        (ifindex as u64) << 32
    }

    /// All bits of the service.
    pub const SERVICE: u64 = 0xfff << 20;
    /// All bits of the interface.
    pub const INTERFACE: u64 = 0xffff_ffff << 32;
}

const _: () = assert!(crate::MAX_SERVICES < 0xfff, "a service's id has 12 bits, and one value is nobody");

/// What of a packet rules are compared with.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// See [`Traits`].
    pub traits: u64,
    /// The halves of the source address ([`Address::halves`]).
    pub source: [u64; 2],
    /// The halves of the destination address.
    pub destination: [u64; 2],
    /// The source port; 0 where there are no ports.
    pub source_port: u16,
    /// The destination port; 0 where there are no ports.
    pub destination_port: u16,
    /// The length of the IP packet, in bytes; 65,535 if it is more.
    pub bytes: u16,
}

/// What a rule does with a packet that matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// Drop it.
    Drop,
    /// Let it through the rest of the firewall.
    Pass,
    /// Count it, and go on with the next rule.
    Count,
    /// Charge it to the limit with this number; go on with the next rule if it is within.
    Limit(u8),
}

impl RuleAction {
    const DROP: u8 = 1;
    const PASS: u8 = 2;
    const COUNT: u8 = 3;
    const LIMIT: u8 = 64;

    /// The byte of a line.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Drop => Self::DROP,
            Self::Pass => Self::PASS,
            Self::Count => Self::COUNT,
            Self::Limit(limit) => Self::LIMIT + limit,
        }
    }

    /// The action in a line's byte; anything that is no other counts.
    #[inline(always)]
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            Self::DROP => Self::Drop,
            Self::PASS => Self::Pass,
            Self::LIMIT..=u8::MAX => Self::Limit(byte - Self::LIMIT),
            _ => Self::Count,
        }
    }
}

/// One way in which a packet can match a rule: one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RuleLine {
    /// The bits of [`Subject::traits`] that count.
    pub mask: u64,
    /// What they are.
    pub traits: u64,
    /// The halves of the source prefix.
    pub source: [u64; 2],
    /// The halves of the destination prefix.
    pub destination: [u64; 2],
    /// The source ports.
    pub source_ports: PortSpan,
    /// The destination ports.
    pub destination_ports: PortSpan,
    /// The lengths, as a span.
    pub bytes: PortSpan,
    /// The length of the source prefix in bits of 128, see [`Address`]; 0: any source.
    pub source_bits: u8,
    /// The length of the destination prefix.
    pub destination_bits: u8,
    /// The number of the rule, which is that of its counters.
    pub rule: u8,
    /// The [`RuleAction`].
    pub action: u8,
}

const _: () = assert!(size_of::<RuleLine>() == 64, "a line is one cache line");

impl RuleLine {
    /// Whether a packet matches.
    #[inline(always)]
    pub const fn matches(&self, subject: &Subject) -> bool {
        (subject.traits ^ self.traits) & self.mask == 0
            && self.destination_ports.contains(subject.destination_port)
            && self.source_ports.contains(subject.source_port)
            && self.bytes.contains(subject.bytes)
            && covers(self.source, self.source_bits, subject.source)
            && covers(self.destination, self.destination_bits, subject.destination)
    }
}

/// Whether the prefix with these halves and so many bits covers an address.
#[inline(always)]
const fn covers(prefix: [u64; 2], bits: u8, address: [u64; 2]) -> bool {
    let [high, low] = [prefix[0] ^ address[0], prefix[1] ^ address[1]];
    match bits {
        0 => true,
        1..=64 => high >> (64 - bits) == 0,
        // The mask tells the verifier what the planner knows.
        _ => high == 0 && low >> (128_u8.wrapping_sub(bits) & 63) == 0,
    }
}

/// An element of the `rules` array: all lines of all rules, in their order.
///
/// A block that packets meet is never patched: the next rules are written into the other one, and then the settings switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct RuleBlock {
    /// The lines.
    pub lines: [RuleLine; MAX_RULE_LINES],
    /// For the next daemon: what the rule with a number is called, as the upper half of its name's identity; 0 is none.
    pub names: [u32; MAX_RULE_LINES],
}

impl Default for RuleBlock {
    fn default() -> Self {
        Self { lines: [RuleLine::default(); MAX_RULE_LINES], names: [0; MAX_RULE_LINES] }
    }
}

impl Subject {
    /// What rules are compared with, of a packet between these addresses with these ports, and a length of so many bytes.
    #[inline(always)]
    pub const fn new(traits: u64, source: &Address, destination: &Address, ports: (u16, u16), bytes: u32) -> Self {
        Self {
            traits,
            source: source.halves(),
            destination: destination.halves(),
            source_port: ports.0,
            destination_port: ports.1,
            bytes: if bytes > 0xffff { 0xffff } else { bytes as u16 },
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;

    const ANY: RuleLine = RuleLine {
        mask: 0,
        traits: 0,
        source: [0; 2],
        destination: [0; 2],
        source_ports: PortSpan::ANY,
        destination_ports: PortSpan::ANY,
        bytes: PortSpan::ANY,
        source_bits: 0,
        destination_bits: 0,
        rule: 0,
        action: 1,
    };

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    fn subject(source: &str) -> Subject {
        Subject::new(Traits::protocol(6), &address(source), &address("10.0.0.1"), (1024, 80), 60)
    }

    #[test]
    fn an_open_rule_matches_everything() {
        assert!(ANY.matches(&subject("10.0.0.2")) && ANY.matches(&subject("2001:db8::1")));
    }

    #[test]
    fn prefixes_of_all_lengths_match_what_they_cover() {
        for (prefix, bits, inside, outside) in [
            ("10.1.0.0", 96 + 16, "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3", 128, "10.1.2.3", "10.1.2.2"),
            ("0.0.0.0", 96, "255.0.0.1", "2001:db8::"),
            ("128.0.0.0", 97, "200.0.0.1", "127.255.255.255"),
            ("2001:db8::", 32, "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8:0:1::", 64, "2001:db8:0:1:ffff::", "2001:db8::"),
            ("2001:db8:0:1:8000::", 65, "2001:db8:0:1:ffff::", "2001:db8:0:1:7fff::"),
            ("8000::", 1, "ffff::", "7fff::"),
        ] {
            let line = RuleLine { source: address(prefix).halves(), source_bits: bits, ..ANY };
            assert!(line.matches(&subject(inside)), "{inside} is in {prefix}/{bits}");
            assert!(!line.matches(&subject(outside)), "{outside} is not in {prefix}/{bits}");
        }
    }

    #[test]
    fn each_condition_counts() {
        let packet = subject("10.0.0.2");
        let span = |first, last| PortSpan { first, last };
        for (line, matches) in [
            (RuleLine { mask: 0xff, traits: Traits::protocol(6), ..ANY }, true),
            (RuleLine { mask: 0xff, traits: Traits::protocol(17), ..ANY }, false),
            (RuleLine { mask: Traits::V6, traits: 0, ..ANY }, true),
            (RuleLine { mask: Traits::V6, traits: Traits::V6, ..ANY }, false),
            (RuleLine { destination_ports: span(80, 80), ..ANY }, true),
            (RuleLine { destination_ports: span(81, 90), ..ANY }, false),
            (RuleLine { source_ports: span(1000, 1024), ..ANY }, true),
            (RuleLine { source_ports: span(1, 1023), ..ANY }, false),
            (RuleLine { bytes: span(60, 100), ..ANY }, true),
            (RuleLine { bytes: span(0, 59), ..ANY }, false),
            (RuleLine { destination: address("10.0.0.1").halves(), destination_bits: 128, ..ANY }, true),
            (RuleLine { destination: address("10.0.0.3").halves(), destination_bits: 128, ..ANY }, false),
        ] {
            assert_eq!(line.matches(&packet), matches, "{line:?}");
        }
    }

    #[test]
    fn actions_survive_their_byte() {
        for action in
            [RuleAction::Drop, RuleAction::Pass, RuleAction::Count, RuleAction::Limit(0), RuleAction::Limit(15)]
        {
            assert_eq!(RuleAction::from_byte(action.to_byte()), action);
        }
    }
}
