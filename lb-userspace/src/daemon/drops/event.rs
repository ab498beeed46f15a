//! What a record says, in words.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use lb_common::{DropReason, DropSample, EndpointKey};
use lb_ebpf::{
    service::lookup::Endpoint,
    tables::{Route, Tables as _},
};

use crate::{
    api::types::DropEvent,
    daemon::{clock, state::Places},
    model::Rule,
    plan::{Snapshot, rule_number},
    twin::SnapshotTables,
};

/// The bits of a TCP segment's flags, the lowest first (RFC 9293, section 3.1).
const TCP_FLAGS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];

/// Puts records into words, by what the tables hold.
pub(super) struct Describer<'a> {
    tables: SnapshotTables<'a>,
    snapshot: &'a Snapshot,
    places: &'a Places,
    interfaces: &'a BTreeMap<String, u32>,
    rules: &'a [Rule],
    now: SystemTime,
    now_ns: u64,
}

impl<'a> Describer<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        places: &'a Places,
        interfaces: &'a BTreeMap<String, u32>,
        rules: &'a [Rule],
    ) -> Self {
        // Nobody asks for a route here.
        let tables = SnapshotTables::new(snapshot, |_| Route::Local);
        Self { tables, snapshot, places, interfaces, rules, now: SystemTime::now(), now_ns: clock::now_ns() }
    }

    /// The record in words; `None` for one of a reason that there is not.
    pub(super) fn describe(&self, sample: &DropSample) -> Option<DropEvent> {
        let port = |port: u16| (port != 0).then_some(port);
        let age = Duration::from_nanos(self.now_ns.saturating_sub(sample.time_ns));
        Some(DropEvent {
            time: humantime::format_rfc3339_millis(self.now - age).to_string(),
            reason: DropReason::from_index(sample.reason)?.name().to_owned(),
            interface: self.interface(sample.ifindex),
            source: sample.source.into(),
            source_port: port(sample.source_port),
            destination: sample.destination.into(),
            destination_port: port(sample.destination_port),
            protocol: protocol(sample.protocol),
            tcp_flags: tcp_flags(sample.tcp_flags),
            frame_bytes: sample.frame_bytes,
            service: self.service(sample),
            rule: self.rule(sample.rule),
            drops: sample.weight,
            missed: 0,
        })
    }

    /// The interface's name, or its index if it is none of ours any more.
    fn interface(&self, ifindex: u32) -> String {
        let named = self.interfaces.iter().find(|(_, index)| **index == ifindex);
        named.map_or_else(|| ifindex.to_string(), |(name, _)| name.clone())
    }

    /// The name of the rule with a number as drops tell it, counted from 1.
    fn rule(&self, number: u32) -> Option<String> {
        let number = number.checked_sub(1)?;
        let rule = self.rules.iter().find(|rule| rule_number(rule, self.snapshot) == Some(number))?;
        Some(rule.name.clone())
    }

    /// The service that the packet is for, or that it is a reply of.
    fn service(&self, sample: &DropSample) -> Option<String> {
        let DropSample { protocol, .. } = *sample;
        let at = |address, port| self.tables.service_at(Endpoint { address, port, protocol });
        let found = at(&sample.destination, sample.destination_port).or_else(|| at(&sample.source, sample.source_port));
        let id = found.filter(|service| !service.is_address()).map(|service| service.id);
        let id = id.or_else(|| {
            let reply = |port| self.snapshot.replies.get(&EndpointKey::new(sample.source, port, protocol));
            reply(sample.source_port).or_else(|| reply(0)).map(|reply| reply.service)
        })?;
        let named = self.places.service_ids.iter().find(|(_, known)| **known == u32::from(id));
        named.map(|(name, _)| name.clone())
    }
}

/// A protocol's name, or its number.
pub(super) fn protocol(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "icmpv6".to_owned(),
        other => other.to_string(),
    }
}

fn tcp_flags(flags: u8) -> String {
    let set = TCP_FLAGS.iter().enumerate().filter(|(bit, _)| flags & 1 << bit != 0);
    set.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
}
