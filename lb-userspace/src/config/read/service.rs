//! `[[service]]`: an address, port and protocol that Sluice owns.

use toml::de::DeValue;

use super::{backend, health, ring, section::Section, value::Value};
use crate::{
    config::{
        address, names,
        report::{At, Report},
        written::WrittenService,
    },
    model::{Delivery, Protocol, RingSettings},
};

const KEYS: [&str; 8] = ["name", "address", "port", "protocol", "delivery", "ring", "health", "backend"];
const PROTOCOLS: [(&str, Protocol); 2] = [("tcp", Protocol::Tcp), ("udp", Protocol::Udp)];
const DELIVERIES: [(&str, Delivery); 4] =
    [("l2", Delivery::L2), ("ipip", Delivery::Ipip), ("nat", Delivery::Nat), ("full-nat", Delivery::FullNat)];
const DELIVERY_HELP: &str = "write `\"l2\"` (backends on the same network segment, which own the service's address), \
    `\"ipip\"` (backends anywhere, which unwrap), `\"nat\"` (backends whose replies are routed through this node) or \
    `\"full-nat\"` (any backends; they see this node's address instead of the clients')";

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
    let section = Section::open(value, "a service", &KEYS, report)?;
    let name = section.required("name", "give the service a name for commands and metrics to use", report);
    let address = section.required("address", "name the address that clients connect to", report);
    let port = section.required("port", "name the port that clients connect to, or write `port = \"any\"`", report);
    let delivery = section.required("delivery", DELIVERY_HELP, report);
    let protocol = section.get("protocol");
    let health = section.get("health");
    Some(WrittenService {
        span: section.span.clone(),
        name: name.and_then(|value| Some(value.at(value.parsed(names::name, report)?))),
        address: address.and_then(|value| Some(value.at(value.parsed(address::host, report)?))),
        port: port.and_then(|value| Some(value.at(read_port(&value, report)?))),
        protocol: protocol.map_or(Some(Protocol::Tcp), |value| value.one_of(&PROTOCOLS, report)),
        delivery: delivery.and_then(|value| value.one_of(&DELIVERIES, report)),
        ring: read_ring(&section, report),
        health: health.and_then(|value| Some(value.at(health::read(&value, report)?))),
        backends: section.get("backend").map(|value| backend::read_all(&value, report)).unwrap_or_default(),
    })
}

/// A port, or `None` for any.
fn read_port(value: &Value<'_>, report: &mut Report<'_>) -> Option<Option<u16>> {
    match value.inner {
        DeValue::String(text) if text == "any" => Some(None),
        DeValue::String(_) => {
            value.wrong_type("a number without quotes, or `\"any\"`", "write it like `port = 80`", report)
        }
        _ => value.integer(1..=65535, report).map(Some),
    }
}

fn read_ring(section: &Section<'_>, report: &mut Report<'_>) -> At<RingSettings> {
    match section.get("ring") {
        Some(value) => value.at(ring::read(&value, report)),
        None => At { value: RingSettings::default(), span: section.span.clone() },
    }
}
