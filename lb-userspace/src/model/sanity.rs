//! Sanity checks as the operator wants them.

use std::collections::{BTreeMap, BTreeSet};

use lb_common::{DropReason, Sanity as Bits};

/// A check of packets that no honest sender sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SanityCheck {
    /// The source is an address that nobody can have.
    Martians,
    /// The source is the destination.
    Land,
    /// TCP flags that make no sense.
    TcpFlags,
    /// Datagrams from ports that amplifiers answer from.
    Amplifiers,
    /// Fragments that nobody needs to make so small.
    TinyFragments,
    /// Segments and datagrams from or to port 0.
    PortZero,
    /// Packets that say which way they take.
    SourceRoutes,
    /// The source is an address that is not in use on the internet: a list of its own ([`super::BOGONS`]).
    Bogons,
}

impl SanityCheck {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Martians,
        Self::Land,
        Self::TcpFlags,
        Self::Amplifiers,
        Self::TinyFragments,
        Self::PortZero,
        Self::SourceRoutes,
        Self::Bogons,
    ];

    /// The word for it in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Martians => "martians",
            Self::Land => "land",
            Self::TcpFlags => "tcp_flags",
            Self::Amplifiers => "amplifiers",
            Self::TinyFragments => "tiny_fragments",
            Self::PortZero => "port_zero",
            Self::SourceRoutes => "source_routes",
            Self::Bogons => "bogons",
        }
    }

    /// The check that drops packets for a reason.
    pub const fn of(reason: DropReason) -> Option<Self> {
        match reason {
            DropReason::MartianSource => Some(Self::Martians),
            DropReason::Land => Some(Self::Land),
            DropReason::TcpFlags => Some(Self::TcpFlags),
            DropReason::Amplifier => Some(Self::Amplifiers),
            DropReason::TinyFragment => Some(Self::TinyFragments),
            DropReason::PortZero => Some(Self::PortZero),
            DropReason::SourceRoute => Some(Self::SourceRoutes),
            _ => None,
        }
    }

    /// Its bit in the tables; a list has none.
    const fn bit(self) -> u64 {
        match self {
            Self::Martians => Bits::MARTIANS,
            Self::Land => Bits::LAND,
            Self::TcpFlags => Bits::TCP_FLAGS,
            Self::Amplifiers => Bits::AMPLIFIERS,
            Self::TinyFragments => Bits::TINY_FRAGMENTS,
            Self::PortZero => Bits::PORT_ZERO,
            Self::SourceRoutes => Bits::SOURCE_ROUTES,
            Self::Bogons => 0,
        }
    }
}

/// The checks that a service has otherwise than the node: whether each is on.
pub type Exceptions = BTreeMap<SanityCheck, bool>;

/// The node's sanity checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sanity {
    /// Those that are on.
    pub on: BTreeSet<SanityCheck>,
    /// The ports that amplifiers answer from, at most [`lb_common::MAX_AMPLIFIERS`].
    pub amplifiers: Vec<u16>,
}

impl Sanity {
    /// Ports that services answer from which have been used as amplifiers: chargen, portmap, NetBIOS, SNMP and its traps, CLDAP and
    /// RIP.
    ///
    /// All are below 1024, where no client and no address translator gets a port by chance. Higher ones are for the operator to
    /// name: a client that chooses from all ports has one of five such ports in one flow of 13,000, and would lose it.
    ///
    /// Not among them are ports that honest clients send from unless they are told otherwise: 53 and 123 (resolvers, NTP), and
    /// 500 (IPsec).
    pub const AMPLIFIERS: [u16; 7] = [19, 111, 137, 161, 162, 389, 520];

    /// Whether a check is on, for who has this exception from it, or none.
    pub fn has(&self, check: SanityCheck, exception: Option<bool>) -> bool {
        exception.unwrap_or_else(|| self.on.contains(&check))
    }

    /// The checks that are on, for who has these exceptions, as the tables have them.
    pub fn bits(&self, exceptions: &Exceptions) -> u64 {
        let on = SanityCheck::ALL.into_iter().filter(|&check| self.has(check, exceptions.get(&check).copied()));
        on.fold(0, |bits, check| bits | check.bit())
    }
}

impl Default for Sanity {
    /// All but bogons: clients inside have such addresses.
    fn default() -> Self {
        let on = SanityCheck::ALL.into_iter().filter(|check| *check != SanityCheck::Bogons);
        Self { on: on.collect(), amplifiers: Self::AMPLIFIERS.to_vec() }
    }
}
