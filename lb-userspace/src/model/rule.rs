//! The firewall's rules.

use std::fmt;

use ipnet::IpNet;

use super::Ports;

/// What the firewall does with some packets. Conditions that are open match everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name that commands use; unique.
    pub name: String,
    /// The IP protocol number.
    pub protocol: Option<u8>,
    /// Prefixes of the source address; empty: any.
    pub source: Vec<IpNet>,
    /// Prefixes of the destination address; empty: any.
    pub destination: Vec<IpNet>,
    /// The source ports. Only of a protocol that has ports.
    pub source_ports: Ports,
    /// The destination ports. Only of a protocol that has ports.
    pub ports: Ports,
    /// The types of an ICMP message; empty: any. Only of ICMP and ICMPv6.
    pub icmp: Vec<u8>,
    /// The TCP flags. Only of TCP.
    pub flags: TcpFlags,
    /// Which fragments.
    pub fragments: Option<Fragments>,
    /// The length of the IP packet, in bytes.
    pub length: Lengths,
    /// The interface that the packet comes in by.
    pub interface: Option<String>,
    /// The services that the packet is for; empty: any or none.
    pub services: Vec<String>,
    /// What becomes of the packet.
    pub action: RuleAction,
}

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// Drop the packet.
    Drop,
    /// Let it through the rest of the firewall.
    Pass,
    /// Count it and go on with the next rule.
    Count,
}

impl RuleAction {
    /// Whether no later rule is asked.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Drop | Self::Pass)
    }
}

impl fmt::Display for RuleAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drop => f.write_str("drop"),
            Self::Pass => f.write_str("pass"),
            Self::Count => f.write_str("count"),
        }
    }
}

/// TCP flags that must be set, and others that must not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags {
    /// Those that count, by their bits in the header.
    pub mask: u8,
    /// Those of them that must be set.
    pub value: u8,
}

impl TcpFlags {
    /// The flags' names and bits (RFC 9293, section 3.1).
    pub const NAMES: [(&'static str, u8); 8] = [
        ("fin", 0x01),
        ("syn", 0x02),
        ("rst", 0x04),
        ("psh", 0x08),
        ("ack", 0x10),
        ("urg", 0x20),
        ("ece", 0x40),
        ("cwr", 0x80),
    ];
}

impl fmt::Display for TcpFlags {
    /// As it is written in the configuration: `syn,!ack`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counting = Self::NAMES.into_iter().filter(|(_, bit)| self.mask & bit != 0);
        let words =
            counting.map(|(name, bit)| if self.value & bit == 0 { format!("!{name}") } else { name.to_owned() });
        f.write_str(&words.collect::<Vec<_>>().join(","))
    }
}

/// Which packets as to fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragments {
    /// Whole packets.
    None,
    /// Any fragments.
    Any,
    /// First fragments, which have ports.
    First,
    /// Those behind the first.
    Later,
}

impl Fragments {
    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Any => "any",
            Self::First => "first",
            Self::Later => "later",
        }
    }
}

/// Lengths of IP packets from one to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// The shortest, in bytes.
    pub least: u16,
    /// The longest, in bytes. 65,535 includes IPv6 packets that are a little longer.
    pub most: u16,
}

impl Lengths {
    /// All lengths.
    pub const ANY: Self = Self { least: 0, most: u16::MAX };
}

impl fmt::Display for Lengths {
    /// As it is written in the configuration: `64` or `0-63`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most { write!(f, "{}", self.least) } else { write!(f, "{}-{}", self.least, self.most) }
    }
}

impl Rule {
    /// What it asks for, in words: `tcp port 22 from 192.0.2.0/24`.
    pub fn conditions(&self) -> String {
        let mut words = Vec::new();
        words.extend(self.protocol.map(protocol_name));
        words.extend((!self.icmp.is_empty()).then(|| format!("type {}", joined(&self.icmp))));
        words.extend((self.flags.mask != 0).then(|| self.flags.to_string()));
        words.extend((!self.ports.is_any()).then(|| format!("port {}", self.ports)));
        words.extend((!self.source_ports.is_any()).then(|| format!("source port {}", self.source_ports)));
        words.extend((!self.source.is_empty()).then(|| format!("from {}", joined(&self.source))));
        words.extend((!self.destination.is_empty()).then(|| format!("to {}", joined(&self.destination))));
        words.extend((!self.services.is_empty()).then(|| format!("for {}", self.services.join(","))));
        words.extend(self.interface.as_ref().map(|interface| format!("in by {interface}")));
        words.extend(self.fragments.map(|fragments| format!("fragments {}", fragments.name())));
        words.extend((self.length != Lengths::ANY).then(|| format!("length {}", self.length)));
        if words.is_empty() { "everything".to_owned() } else { words.join(" ") }
    }
}

/// The word for a protocol, or its number.
pub fn protocol_name(number: u8) -> String {
    let known = PROTOCOLS.into_iter().find(|(_, known)| *known == number);
    known.map_or_else(|| format!("protocol {number}"), |(name, _)| name.to_owned())
}

/// Protocols that have a word in the configuration.
pub const PROTOCOLS: [(&str, u8); 4] = [("tcp", 6), ("udp", 17), ("icmp", 1), ("icmpv6", 58)];

fn joined<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}
