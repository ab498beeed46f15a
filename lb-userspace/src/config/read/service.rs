//! `[[service]]`: an address, ports and a protocol that Sluice owns.

use std::{collections::HashSet, ops::RangeInclusive, time::Duration};

use ipnet::IpNet;

use super::{affinity, backend, health, ports, quic, ring, sanity, section::Section, syn, value::Value};
use crate::{
    config::{
        address, names, prefix,
        report::{At, Report},
        written::WrittenService,
    },
    model::{Delivery, Protocol, RingSettings, Track},
};

const KEYS: &[&str] = &[
    "name",
    "address",
    "port",
    "protocol",
    "delivery",
    "gue_port",
    "ring",
    "quic",
    "allow_from",
    "health",
    "pool",
    "backend",
    "affinity",
    "track",
    "slow_start",
    "syn_protection",
    "sanity",
];
const TRACKS: [(&str, Track); 3] = [("changes", Track::Changes), ("always", Track::Always), ("never", Track::Never)];
/// A slow start has ten steps, and the daemon looks at them once a second.
const SLOW_STARTS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
const PROTOCOLS: [(&str, Protocol); 2] = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
const DELIVERIES: [(&str, Delivery); 5] = [
    ("l2", Delivery::L2),
    ("ipip", Delivery::Ipip),
    ("nat", Delivery::Nat),
    ("gue", Delivery::Gue),
    ("full-nat", Delivery::FullNat),
];
const DELIVERY_HELP: &str = "write `\"l2\"` (backends on the same network segment, which own the service's address), \
    `\"ipip\"` or `\"gue\"` (backends anywhere, which unwrap), `\"nat\"` (backends whose replies are routed through this \
    node) or `\"full-nat\"` (any backends; they see this node's address instead of the clients')";

/// Reads all services.
pub(super) fn read_all(value: Option<Value<'_>>, report: &mut Report<'_>) -> Vec<WrittenService> {
    let Some(value) = value else { return Vec::new() };
    if value.inner.is_table() {
        let help = "write `[[service]]`, with double brackets, in front of each service";
        return value.wrong_type("an array of tables", help, report).unwrap_or_default();
    }
    value.elements(report).iter().filter_map(|element| read(element, report)).collect()
}

fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<WrittenService> {
    let section = Section::open(value, "a service", KEYS, report)?;
    let name = section.required("name", "give the service a name for commands and metrics to use", report);
    let address = section.required("address", "name the address that clients connect to", report);
    let port = section.required("port", "name the port that clients connect to, or write `port = \"any\"`", report);
    let delivery = section.required("delivery", DELIVERY_HELP, report);
    let protocol = section.get("protocol");
    let health = section.get("health");
    let address = address.and_then(|value| Some(value.at(value.parsed(address::of_service, report)?)));
    let family = address.as_ref().map(|address| address.value.addr());
    Some(WrittenService {
        span: section.span.clone(),
        name: name.and_then(|value| Some(value.at(value.parsed(names::name, report)?))),
        address,
        ports: port.and_then(|value| Some(value.at(ports::read(&value, report)?))),
        protocol: protocol.map_or(Some(Protocol::Tcp), |value| value.one_of(&PROTOCOLS, report)),
        delivery: delivery.and_then(|value| value.one_of(&DELIVERIES, report)),
        gue_port: section.get("gue_port").and_then(|value| Some(value.at(value.integer(1..=65535, report)?))),
        ring: read_ring(&section, report),
        affinity: section.get("affinity").map(|value| affinity::read(&value, family, report)).unwrap_or_default(),
        track: section.get("track").and_then(|value| Some(value.at(value.one_of(&TRACKS, report)?))),
        slow_start: section.get("slow_start").and_then(|value| value.duration(SLOW_STARTS, report)).unwrap_or_default(),
        quic: section.get("quic").map(|value| value.at(quic::read(&value, report))),
        allow_from: section.get("allow_from").map(|value| sources(&value, report)).unwrap_or_default(),
        syn_protection: section
            .get("syn_protection")
            .and_then(|value| Some(value.at(value.one_of(&syn::PROTECTIONS, report)?))),
        sanity: section.get("sanity").map(|value| sanity::exceptions(&value, report)).unwrap_or_default(),
        health: health.and_then(|value| Some(value.at(health::read(&value, report)?))),
        pool: section.get("pool").and_then(|value| Some(value.at(value.parsed(names::name, report)?))),
        backends: section.get("backend").map(|value| backend::read_all(&value, "service", report)).unwrap_or_default(),
    })
}

/// The sources that may use the service. One that stands there twice is kept once.
fn sources(value: &Value<'_>, report: &mut Report<'_>) -> Vec<IpNet> {
    let elements = value.elements(report);
    if elements.is_empty() && value.inner.is_array() {
        report.error(
            &value.span,
            "with an empty `allow_from` nobody can use the service",
            "name sources, or remove it",
        );
    }
    let mut seen = HashSet::new();
    let sources = elements.iter().filter_map(|element| element.parsed(prefix::prefix, report));
    sources.filter(|source| seen.insert(*source)).collect()
}

fn read_ring(section: &Section<'_>, report: &mut Report<'_>) -> At<RingSettings> {
    match section.get("ring") {
        Some(value) => value.at(ring::read(&value, report)),
        None => At { value: RingSettings::default(), span: section.span.clone() },
    }
}
