//! Which lists apply to which packets.

use std::collections::BTreeMap;

/// Which lists apply to which packets, a bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes {
    /// Those that apply to all packets.
    pub all: u64,
    /// Those that apply to the packets of a service besides, by the service's id.
    pub services: BTreeMap<u16, u64>,
}

impl Scopes {
    /// The lists that apply to packets for a service, or for none.
    pub fn of(&self, service: Option<u16>) -> u64 {
        self.all | service.and_then(|service| self.services.get(&service)).copied().unwrap_or(0)
    }

    /// These and others together: what is in force while a change from one to the other is being made, so that no list is
    /// out of force for a moment.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        union.all |= other.all;
        for (&service, lists) in &other.services {
            *union.services.entry(service).or_default() |= lists;
        }
        union
    }

    /// Whether a list is for some services only.
    pub fn is_scoped(&self) -> bool {
        !self.services.is_empty()
    }
}
