//! One step of a change of the kernel's tables, and the steps from one snapshot to another.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use lb_common::{
    BackendValue, EndpointKey, NodeAddress, PortBlock, ReplyValue, Row, RuleBlock, ServiceValue, Settings, SynSettings,
};

use super::{Snapshot, limits, rules};
use crate::lists::{Lists, Scopes};

/// One write into the kernel's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Let packets be redirected to an interface.
    AddDevice(u32),
    /// No longer redirect packets to an interface.
    RemoveDevice(u32),
    /// Start the counters of a slot from zero: it gets a new backend.
    ResetBackendTraffic(u16),
    /// Start the counters of a service id from zero, and fill its buckets: it gets a new service.
    ResetService(u32),
    /// Write a backend into its slot.
    PutBackend(u16, BackendValue),
    /// Empty a slot.
    RemoveBackend(u16),
    /// Write a ring's rows, from an element on that no service refers to.
    PutRing(u32, Arc<[Row]>),
    /// No service refers to this ring any more. The rows stay as they are until another ring takes their place.
    ForgetRing(u32),
    /// Write a block of port ranges into a place that no service entry names.
    PutPortBlock(u16, Box<PortBlock>),
    /// No service entry names this block any more. It stays as it is until another takes its place.
    ForgetPortBlock(u16),
    /// Let a source use a restricted service, which is named by its id.
    AddSource(u16, IpNet),
    /// No longer let a source use a service.
    RemoveSource(u16, IpNet),
    /// Write which sanity checks are on, bits of [`lb_common::Sanity`], into an element.
    PutSanity(u32, u64),
    /// Write a service: from here on packets see it, and its ring.
    PutService(EndpointKey, ServiceValue),
    /// Remove a service.
    RemoveService(EndpointKey),
    /// Write the slot of a QUIC server id, by service id and server id.
    PutServer((u16, u64), u16),
    /// Remove a QUIC server id.
    RemoveServer((u16, u64)),
    /// Write the source of replies.
    PutReply(EndpointKey, ReplyValue),
    /// Remove a source of replies.
    RemoveReply(EndpointKey),
    /// Let `full-nat` sessions come from an address, under a number.
    PutNodeAddress(u32, NodeAddress),
    /// Open no more sessions from the address with a number.
    RemoveNodeAddress(u32),
    /// Bring the firewall's lists to this; only the difference is written.
    PutLists(Arc<Lists>),
    /// Say which lists apply to which packets.
    PutScopes(Box<Scopes>),
    /// Start the counters of a rule from zero: its number gets another rule.
    ResetRule(u32),
    /// Start the counters of a limit from zero: its number gets another limit.
    ResetLimit(u32),
    /// Fill the buckets that sources share of the limit with this number: it says something else.
    FillTotals(u32),
    /// Write a block of rules and limits into a bank that the settings do not name.
    PutRules(u16, Box<RuleBlock>),
    /// The settings do not name this bank any more. It stays as it is until the next rules take its place.
    ForgetRules(u16),
    /// Write the settings.
    PutSettings(Box<Settings>),
    /// Write the settings of SYN protection.
    PutSynSettings(SynSettings),
}

/// The steps that lead from one snapshot to another.
pub fn difference(from: &Snapshot, to: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    changes.extend(to.devices.difference(&from.devices).map(|&ifindex| Change::AddDevice(ifindex)));
    for (&slot, value) in put(&from.backends, &to.backends) {
        if is_other_backend(from.backends.get(&slot), value) {
            changes.push(Change::ResetBackendTraffic(slot));
        }
        changes.push(Change::PutBackend(slot, *value));
    }
    changes.extend(put(&from.servers, &to.servers).map(|(&key, &slot)| Change::PutServer(key, slot)));
    changes.extend(put(&from.replies, &to.replies).map(|(&key, &value)| Change::PutReply(key, value)));
    let addresses = put(&from.node_addresses, &to.node_addresses);
    changes.extend(addresses.map(|(&number, &value)| Change::PutNodeAddress(number, value)));
    let both = from.scopes.union(&to.scopes);
    changes.extend((both != from.scopes).then(|| Change::PutScopes(Box::new(both.clone()))));
    changes.extend((from.lists != to.lists).then(|| Change::PutLists(Arc::clone(&to.lists))));
    changes.extend(put(&from.rings, &to.rings).map(|(&first, rows)| Change::PutRing(first, Arc::clone(rows))));
    changes.extend(rules::renamed(from, to).map(Change::ResetRule));
    let (others, others_say) = limits::changed(from, to);
    changes.extend(others.into_iter().map(Change::ResetLimit));
    changes.extend(others_say.into_iter().map(Change::FillTotals));
    changes.extend(put(&from.rules, &to.rules).map(|(&bank, block)| Change::PutRules(bank, Box::new(*block))));
    if from.settings != to.settings {
        changes.push(Change::PutSettings(Box::new(to.settings)));
    }
    if from.syn != to.syn {
        changes.push(Change::PutSynSettings(to.syn));
    }
    // A source that is allowed before and after is allowed all the time.
    changes.extend(to.sources.difference(&from.sources).map(|&(service, source)| Change::AddSource(service, source)));
    changes.extend(put(&from.sanity, &to.sanity).map(|(&element, &checks)| Change::PutSanity(element, checks)));
    let (known, wanted) = (from.services_by_id(), to.services_by_id());
    let new = wanted.into_keys().filter(|id| !known.contains_key(id));
    changes.extend(new.map(|id| Change::ResetService(id.into())));
    let blocks = put(&from.port_blocks, &to.port_blocks);
    changes.extend(blocks.map(|(&index, block)| Change::PutPortBlock(index, Box::new(*block))));
    changes.extend(put(&from.services, &to.services).map(|(&key, &value)| Change::PutService(key, value)));

    changes.extend(gone(&from.services, &to.services).map(Change::RemoveService));
    changes.extend(gone(&from.sanity, &to.sanity).map(|element| Change::PutSanity(element, 0)));
    changes.extend(gone(&from.port_blocks, &to.port_blocks).map(Change::ForgetPortBlock));
    changes.extend(gone(&from.rings, &to.rings).map(Change::ForgetRing));
    changes.extend(gone(&from.rules, &to.rules).map(Change::ForgetRules));
    changes
        .extend(from.sources.difference(&to.sources).map(|&(service, source)| Change::RemoveSource(service, source)));
    changes.extend((both != to.scopes).then(|| Change::PutScopes(Box::new(to.scopes.clone()))));
    changes.extend(gone(&from.servers, &to.servers).map(Change::RemoveServer));
    changes.extend(gone(&from.node_addresses, &to.node_addresses).map(Change::RemoveNodeAddress));
    changes.extend(gone(&from.replies, &to.replies).map(Change::RemoveReply));
    changes.extend(gone(&from.backends, &to.backends).map(Change::RemoveBackend));
    changes.extend(from.devices.difference(&to.devices).map(|&ifindex| Change::RemoveDevice(ifindex)));
    changes
}

/// The entries of `to` that `from` lacks or has with another value.
fn put<'a, K: Ord, V: PartialEq>(
    from: &'a BTreeMap<K, V>,
    to: &'a BTreeMap<K, V>,
) -> impl Iterator<Item = (&'a K, &'a V)> {
    to.iter().filter(|(key, value)| from.get(key) != Some(value))
}

/// The keys of `from` that `to` lacks.
fn gone<'a, K: Ord + Copy, V>(from: &'a BTreeMap<K, V>, to: &'a BTreeMap<K, V>) -> impl Iterator<Item = K> + 'a {
    from.keys().filter(|key| !to.contains_key(key)).copied()
}

fn is_other_backend(old: Option<&BackendValue>, new: &BackendValue) -> bool {
    old.is_none_or(|old| (old.service, old.identity) != (new.service, new.identity))
}
