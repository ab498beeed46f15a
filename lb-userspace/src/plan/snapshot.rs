//! What the kernel's tables hold.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use ipnet::IpNet;
use lb_common::{
    BackendValue, EndpointKey, NodeAddress, PortBlock, ReplyValue, Row, RuleBlock, ServiceValue, Settings, SynSettings,
};

use super::Change;
use crate::lists::{Lists, Scopes};

/// The contents of every table that the control plane writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The settings.
    pub settings: Settings,
    /// The settings of SYN protection.
    pub syn: SynSettings,
    /// The services and the service addresses.
    pub services: BTreeMap<EndpointKey, ServiceValue>,
    /// The slots of QUIC servers' backends, by service id and server id.
    pub servers: BTreeMap<(u16, u64), u16>,
    /// The blocks of port ranges that entries of `services` name, by their index.
    pub port_blocks: BTreeMap<u16, PortBlock>,
    /// The sanity checks that are on, bits of [`lb_common::Sanity`], by element.
    pub sanity: BTreeMap<u32, u64>,
    /// The sources that restricted services allow, by the service's id.
    pub sources: BTreeSet<(u16, IpNet)>,
    /// The rings that services refer to, by their first element.
    pub rings: BTreeMap<u32, Arc<[Row]>>,
    /// The backends, by slot.
    pub backends: BTreeMap<u16, BackendValue>,
    /// The sources of `nat` replies.
    pub replies: BTreeMap<EndpointKey, ReplyValue>,
    /// The addresses that `full-nat` sessions come from, by number.
    pub node_addresses: BTreeMap<u32, NodeAddress>,
    /// What is on the firewall's lists.
    pub lists: Arc<Lists>,
    /// Which of them apply to which packets.
    pub scopes: Scopes,
    /// The block of rules and limits that the settings name, by its bank.
    pub rules: BTreeMap<u16, RuleBlock>,
    /// The interfaces that packets may be redirected to.
    pub devices: BTreeSet<u32>,
}

impl Snapshot {
    /// Does in memory what the kernel does when it performs a change.
    pub fn perform(&mut self, change: &Change) {
        match change {
            Change::AddDevice(ifindex) => drop(self.devices.insert(*ifindex)),
            Change::RemoveDevice(ifindex) => drop(self.devices.remove(ifindex)),
            Change::ResetBackendTraffic(_) | Change::ResetService(_) => {}
            Change::PutBackend(slot, value) => drop(self.backends.insert(*slot, *value)),
            Change::RemoveBackend(slot) => drop(self.backends.remove(slot)),
            Change::PutRing(first, rows) => drop(self.rings.insert(*first, Arc::clone(rows))),
            Change::ForgetRing(first) => drop(self.rings.remove(first)),
            Change::PutService(key, value) => drop(self.services.insert(*key, *value)),
            Change::RemoveService(key) => drop(self.services.remove(key)),
            Change::PutServer(key, slot) => drop(self.servers.insert(*key, *slot)),
            Change::RemoveServer(key) => drop(self.servers.remove(key)),
            Change::PutPortBlock(index, block) => drop(self.port_blocks.insert(*index, **block)),
            Change::ForgetPortBlock(index) => drop(self.port_blocks.remove(index)),
            Change::AddSource(service, source) => drop(self.sources.insert((*service, *source))),
            Change::RemoveSource(service, source) => drop(self.sources.remove(&(*service, *source))),
            Change::PutSanity(element, 0) => drop(self.sanity.remove(element)),
            Change::PutSanity(element, checks) => drop(self.sanity.insert(*element, *checks)),
            Change::PutReply(key, value) => drop(self.replies.insert(*key, *value)),
            Change::RemoveReply(key) => drop(self.replies.remove(key)),
            Change::PutNodeAddress(number, value) => drop(self.node_addresses.insert(*number, *value)),
            Change::RemoveNodeAddress(number) => drop(self.node_addresses.remove(number)),
            Change::PutLists(lists) => self.lists = Arc::clone(lists),
            Change::PutScopes(scopes) => self.scopes = (**scopes).clone(),
            Change::ResetRule(_) | Change::ResetLimit(_) | Change::FillTotals(_) => {}
            Change::PutRules(bank, block) => drop(self.rules.insert(*bank, **block)),
            Change::ForgetRules(bank) => drop(self.rules.remove(bank)),
            Change::PutSettings(settings) => self.settings = **settings,
            Change::PutSynSettings(settings) => self.syn = *settings,
        }
    }
}
