//! What the twin counts.

use std::collections::BTreeMap;

use ipnet::IpNet;
use lb_common::{Address, DropReason, DropSample, Hits, LimitHits, SynEvent, Traffic};

/// What the datapath has counted and asked for; only what is not zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Traffic of services, by id.
    pub services: BTreeMap<u32, Traffic>,
    /// Traffic of backends, by slot.
    pub backends: BTreeMap<u16, Traffic>,
    /// Matches of lists, by number.
    pub lists: BTreeMap<u32, Hits>,
    /// Matches of entries that count by themselves, by list and prefix.
    pub list_entries: BTreeMap<(u32, IpNet), Hits>,
    /// Matches of rules, by number.
    pub rules: BTreeMap<u32, Hits>,
    /// What limits did, by number.
    pub limits: BTreeMap<u32, LimitHits>,
    /// Sources over a limit that the daemon was told of.
    pub excesses: Vec<(u32, Address)>,
    /// What SYN protection counts, by service id.
    pub syn: BTreeMap<(u32, SynEvent), u64>,
    /// Drops.
    pub drops: BTreeMap<DropReason, u64>,
    /// Neighbours that the daemon is to ask the kernel for.
    pub wanted: Vec<(u32, Address)>,
    /// Drops that were recorded.
    pub samples: Vec<DropSample>,
}

/// Counts a packet.
pub(super) const fn add(traffic: &mut Traffic, bytes: u64, flows: u64) {
    traffic.packets += 1;
    traffic.bytes += bytes;
    traffic.flows += flows;
}

/// The same of what counts no flows.
pub(super) const fn hit(hits: &mut Hits, bytes: u64) {
    hits.packets += 1;
    hits.bytes += bytes;
}
