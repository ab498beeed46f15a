//! Sanity checks: which there are, and the ports that amplifiers answer from.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::MAX_SERVICES;

/// Bits of an element of the `sanity` array: which checks packets to a service meet.
pub struct Sanity;

impl Sanity {
    /// The source is an address that nobody can have.
    pub const MARTIANS: u64 = 1;
    /// The source is the destination.
    pub const LAND: u64 = 2;
    /// TCP flags that make no sense.
    pub const TCP_FLAGS: u64 = 4;
    /// Datagrams from ports that amplifiers answer from ([`AmplifierPorts`]).
    pub const AMPLIFIERS: u64 = 8;
    /// Fragments that nobody needs to make so small.
    pub const TINY_FRAGMENTS: u64 = 16;
    /// Segments and datagrams from or to port 0.
    pub const PORT_ZERO: u64 = 32;
    /// Packets that say which way they take.
    pub const SOURCE_ROUTES: u64 = 64;

    /// The element of what is for no service in particular: what comes to an address, later fragments, and what is for the
    /// protected node, which knows no amplifiers. Those of services stand before it, by id.
    pub const OF_NODE: u32 = MAX_SERVICES;
    /// Elements of the array.
    pub const ELEMENTS: u32 = MAX_SERVICES + 1;
}

/// How many ports [`AmplifierPorts`] can have.
pub const MAX_AMPLIFIERS: usize = 32;

/// Ports that amplifiers answer from.
///
/// The word in front is a bit for each 1024 ports, which tells most datagrams: clients choose their ports higher up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct AmplifierPorts {
    filter: u64,
    /// Behind the last, the first again.
    ports: [u16; MAX_AMPLIFIERS],
}

impl AmplifierPorts {
    /// These ports; those beyond [`MAX_AMPLIFIERS`] are left out.
    pub fn of(wanted: &[u16]) -> Self {
        let Some(&first) = wanted.first() else { return Self::default() };
        let mut these = Self { filter: 0, ports: [first; MAX_AMPLIFIERS] };
        for (place, &port) in these.ports.iter_mut().zip(wanted) {
            *place = port;
            these.filter |= 1 << (port >> 10);
        }
        these
    }

    /// The bits for each 1024 ports.
    #[inline(always)]
    pub const fn filter(&self) -> u64 {
        self.filter
    }

    /// Whether a port is one of them.
    #[inline(always)]
    pub fn has(&self, port: u16) -> bool {
        self.filter >> (port >> 10) & 1 != 0 && self.ports.contains(&port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_ports_that_were_named_are_among_them() {
        let all: [u16; MAX_AMPLIFIERS] = core::array::from_fn(|index| index as u16 * 2111);
        for wanted in [&[][..], &[0], &[65535], &[17, 19, 11211], &all] {
            let ports = AmplifierPorts::of(wanted);
            for port in 0..=u16::MAX {
                assert_eq!(ports.has(port), wanted.contains(&port), "{port} of {wanted:?}");
                assert!(!ports.has(port) || ports.filter() >> (port >> 10) & 1 == 1);
            }
        }
    }
}
