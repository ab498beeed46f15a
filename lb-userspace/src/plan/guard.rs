//! SYN protection in the tables.

use std::collections::BTreeSet;

use lb_common::{ServiceFlags, SynSettings};

use crate::model::{Protocol, Service, Syn, SynProtection};

/// What the daemon has decided about SYN protection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// The keys of the cookies of this epoch and of the one before, each at the last bit of its epoch.
    pub keys: [[u64; 2]; 2],
    /// The epoch.
    pub epoch: u32,
    /// The services that are being flooded, as far as can be told.
    pub flooded: BTreeSet<String>,
}

/// What the datapath is told.
pub(super) fn settings(guard: &Guard, syn: &Syn) -> SynSettings {
    SynSettings {
        keys: guard.keys,
        epoch: guard.epoch,
        keep_s: syn.keep.as_secs() as u32,
        source_syns: syn.per_source.into(),
        answers: syn.answers,
        retries: syn.retries,
        zero: 0,
    }
}

/// The flags of a service.
pub(super) fn flags(guard: &Guard, service: &Service) -> u16 {
    use ServiceFlags as Flags;
    if service.protocol != Protocol::Tcp {
        return 0;
    }
    let is_flooded = guard.flooded.contains(&service.name);
    match service.syn_protection {
        SynProtection::Off => 0,
        SynProtection::Always => Flags::GUARDED,
        SynProtection::Auto if is_flooded => Flags::WATCHED | Flags::GUARDED,
        SynProtection::Monitor if is_flooded => Flags::WATCHED | Flags::GUARDED | Flags::OBSERVED,
        SynProtection::Auto | SynProtection::Monitor => Flags::WATCHED,
    }
}

/// Whether strangers are asked for cookies at a service.
pub fn is_guarded(guard: &Guard, service: &Service) -> bool {
    flags(guard, service) & (ServiceFlags::GUARDED | ServiceFlags::OBSERVED) == ServiceFlags::GUARDED
}
