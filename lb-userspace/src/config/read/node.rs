//! `[node]`: this machine.

use std::{collections::HashMap, net::IpAddr, ops::RangeInclusive};

use lb_common::MAX_NODE_ADDRESSES;

use super::{section::Section, value::Value};
use crate::{
    config::{
        address,
        fault::{Fault, quote},
        names,
        report::Report,
    },
    model::{FullNat, Node},
};

const KEYS: [&str; 5] = ["interfaces", "secret", "source_v4", "source_v6", "full_nat"];
const FULL_NAT_KEYS: [&str; 2] = ["addresses", "ports"];

/// Reads the section, if there is one.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> Node {
    let section = value.and_then(|value| Section::open(&value, "the node", &KEYS, report));
    let get = |key| section.as_ref().and_then(|section| section.get(key));
    Node {
        interfaces: get("interfaces").map(|value| interfaces(&value, report)).unwrap_or_default(),
        secret: get("secret").and_then(|value| value.parsed(secret, report)),
        source_v4: get("source_v4").and_then(|value| value.parsed(address::host_v4, report)),
        source_v6: get("source_v6").and_then(|value| value.parsed(address::host_v6, report)),
        full_nat: get("full_nat").map(|value| full_nat(&value, report)).unwrap_or_default(),
    }
}

/// The ends of `full-nat` sessions.
fn full_nat(value: &Value<'_>, report: &mut Report<'_>) -> FullNat {
    let Some(section) = Section::open(value, "`full_nat`", &FULL_NAT_KEYS, report) else { return FullNat::default() };
    let addresses = section.get("addresses").map(|value| addresses(&value, report)).unwrap_or_default();
    let ports = section.get("ports").and_then(|value| value.parsed(ports, report));
    FullNat { addresses, ports: ports.unwrap_or_else(|| FullNat::default().ports) }
}

fn addresses(value: &Value<'_>, report: &mut Report<'_>) -> Vec<IpAddr> {
    let mut first_lines: HashMap<IpAddr, usize> = HashMap::new();
    let mut addresses = Vec::new();
    for element in value.elements(report) {
        let Some(address) = element.parsed(address::host, report) else { continue };
        let line = report.line(element.span.start);
        if let Some(first) = first_lines.insert(address, line) {
            let message = format!("the address {address} is named already, in line {first}");
            report.error(&element.span, message, "remove one of the two");
        }
        addresses.push(address);
    }
    if addresses.len() > MAX_NODE_ADDRESSES as usize {
        let message = format!("there are {} addresses, and there is room for {MAX_NODE_ADDRESSES}", addresses.len());
        report.error(&value.span, message, "each carries as many sessions of a protocol as there are `ports`");
    }
    addresses
}

/// Two ports with a `-` between them.
fn ports(text: &str) -> Result<RangeInclusive<u16>, Fault> {
    let bounds = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
    match bounds {
        Some((first @ 1.., last)) if first <= last => Ok(first..=last),
        _ => Err(Fault::new(
            format!("{} is not a range of ports", quote(text)),
            "write the first and the last, from 1 to 65535, like `\"1024-32767\"`",
        )),
    }
}

fn interfaces(value: &Value<'_>, report: &mut Report<'_>) -> Vec<String> {
    let mut first_lines: HashMap<String, usize> = HashMap::new();
    let mut interfaces = Vec::new();
    for element in value.elements(report) {
        let Some(name) = element.parsed(names::interface, report) else { continue };
        let line = report.line(element.span.start);
        if let Some(first) = first_lines.insert(name.clone(), line) {
            let message = format!("the interface {} is named already, in line {first}", quote(&name));
            report.error(&element.span, message, "remove one of the two");
        }
        interfaces.push(name);
    }
    interfaces
}

fn secret(text: &str) -> Result<[u64; 2], Fault> {
    let half = |range| text.get(range).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| Some([half(0..16)?, half(16..32)?])).flatten().ok_or_else(|| {
        Fault::new(
            "`secret` is not 32 hexadecimal digits",
            "make one with `openssl rand -hex 16`; leave the key out on a node without peers, and it makes its own",
        )
    })
}
