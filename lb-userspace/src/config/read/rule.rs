//! `[[rule]]`: what the firewall does with some packets.

use std::collections::HashSet;

use ipnet::IpNet;
use toml::de::DeValue;

use super::{ports, section::Section, value::Value};
use crate::{
    config::{
        fault::{Fault, quote},
        names::{self, listed, nearest},
        prefix,
        report::{At, Report},
        written::WrittenRule,
    },
    model::{Fragments, Lengths, PROTOCOLS, Ports, RuleAction, TcpFlags},
};

const KEYS: &[&str] = &[
    "name",
    "action",
    "protocol",
    "port",
    "source_port",
    "source",
    "destination",
    "icmp",
    "tcp_flags",
    "fragments",
    "length",
    "interface",
    "services",
];
const ACTIONS: [(&str, RuleAction); 3] =
    [("drop", RuleAction::Drop), ("pass", RuleAction::Pass), ("count", RuleAction::Count)];
const ACTION_HELP: &str = "write `action = \"drop\"`, `\"pass\"` or `\"count\"`";
const FRAGMENTS: [(&str, Fragments); 4] =
    [("none", Fragments::None), ("any", Fragments::Any), ("first", Fragments::First), ("later", Fragments::Later)];

/// Types that have a word (IANA, "ICMP Type Numbers" and "ICMPv6 \"type\" Numbers").
const TYPES_V4: [(&str, u8); 6] = [
    ("echo-reply", 0),
    ("unreachable", 3),
    ("redirect", 5),
    ("echo-request", 8),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
];
const TYPES_V6: [(&str, u8); 7] = [
    ("unreachable", 1),
    ("too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("redirect", 137),
];
const ICMPV6: u8 = 58;

/// Reads all rules.
pub(super) fn read_all(value: Option<Value<'_>>, report: &mut Report<'_>) -> Vec<WrittenRule> {
    let Some(value) = value else { return Vec::new() };
    if value.inner.is_table() {
        let help = "write `[[rule]]`, with double brackets, in front of each rule";
        return value.wrong_type("an array of tables", help, report).unwrap_or_default();
    }
    value.elements(report).iter().filter_map(|element| read(element, report)).collect()
}

fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<WrittenRule> {
    let section = Section::open(value, "a rule", KEYS, report)?;
    let name = section.required("name", "give the rule a name for commands and counters to use", report);
    let action = section.required("action", ACTION_HELP, report);
    let protocol = section.get("protocol").map(|value| value.at(protocol(&value, report)));
    let is_v6 = protocol.as_ref().is_some_and(|protocol| protocol.value == Some(ICMPV6));
    Some(WrittenRule {
        span: section.span.clone(),
        name: name.and_then(|value| Some(value.at(value.parsed(names::name, report)?))),
        action: action.and_then(|value| action_of(&value, report)),
        protocol,
        ports: read_ports(&section, "port", report),
        source_ports: read_ports(&section, "source_port", report),
        source: prefixes(&section, "source", report),
        destination: prefixes(&section, "destination", report),
        icmp: section.get("icmp").map(|value| value.at(types(&value, is_v6, report))),
        flags: section.get("tcp_flags").and_then(|value| Some(value.at(value.parsed(flags, report)?))),
        fragments: section.get("fragments").and_then(|value| Some(value.at(value.one_of(&FRAGMENTS, report)?))),
        length: section.get("length").and_then(|value| length(&value, report)).unwrap_or(Lengths::ANY),
        interface: section.get("interface").and_then(|value| Some(value.at(value.parsed(names::interface, report)?))),
        services: section.get("services").map(|value| service_names(&value, report)).unwrap_or_default(),
    })
}

fn action_of(value: &Value<'_>, report: &mut Report<'_>) -> Option<RuleAction> {
    let numbers: [(&str, usize); ACTIONS.len()] = std::array::from_fn(|index| (ACTIONS[index].0, index));
    value.one_of(&numbers, report).map(|index| ACTIONS[index].1.clone())
}

/// A protocol by its word or number.
fn protocol(value: &Value<'_>, report: &mut Report<'_>) -> Option<u8> {
    match value.inner {
        DeValue::Integer(_) => value.integer(0..=255, report),
        _ => value.one_of(&PROTOCOLS, report),
    }
}

fn read_ports(section: &Section<'_>, key: &str, report: &mut Report<'_>) -> Option<At<Ports>> {
    section.get(key).and_then(|value| Some(value.at(ports::read(&value, report)?)))
}

/// Prefixes of addresses: one, or a list.
fn prefixes(section: &Section<'_>, key: &str, report: &mut Report<'_>) -> Option<At<Vec<IpNet>>> {
    let value = section.get(key)?;
    let elements = one_or_more(&value, report);
    if elements.is_empty() && value.inner.is_array() {
        report.error(
            &value.span,
            format!("with an empty `{key}` the rule matches nothing"),
            "name prefixes, or remove it",
        );
    }
    let mut seen = HashSet::new();
    let parsed = elements.iter().filter_map(|element| element.parsed(prefix::prefix, report));
    Some(value.at(parsed.filter(|prefix| seen.insert(*prefix)).collect()))
}

/// The elements of an array; a value that is none is its only element.
fn one_or_more<'a>(value: &Value<'a>, report: &mut Report<'_>) -> Vec<Value<'a>> {
    if value.inner.is_array() { value.elements(report) } else { vec![value.clone()] }
}

fn types(value: &Value<'_>, is_v6: bool, report: &mut Report<'_>) -> Vec<u8> {
    let elements = one_or_more(value, report);
    if elements.is_empty() {
        report.error(&value.span, "with an empty `icmp` the rule matches nothing", "name types, or remove it");
    }
    let words: &[(&str, u8)] = if is_v6 { &TYPES_V6 } else { &TYPES_V4 };
    let mut types: Vec<u8> = Vec::new();
    for element in &elements {
        let read = match element.inner {
            DeValue::Integer(_) => element.integer(0..=255, report),
            _ => element.one_of(words, report),
        };
        types.extend(read.filter(|read| !types.contains(read)));
    }
    types
}

/// Flags that must be set, and, behind a `!`, flags that must not be.
fn flags(text: &str) -> Result<TcpFlags, Fault> {
    let mut flags = TcpFlags::default();
    for word in text.split(',').map(str::trim) {
        let (name, is_set) = word.strip_prefix('!').map_or((word, true), |name| (name, false));
        let Some((_, bit)) = TcpFlags::NAMES.into_iter().find(|(known, _)| *known == name) else {
            return Err(no_flag(name));
        };
        if flags.mask & bit != 0 {
            let help = "write each flag once: `syn,!ack` is SYN set and ACK not set";
            return Err(Fault::new(format!("{} names `{name}` twice", quote(text)), help));
        }
        flags.mask |= bit;
        flags.value |= if is_set { bit } else { 0 };
    }
    Ok(flags)
}

fn no_flag(name: &str) -> Fault {
    let names = TcpFlags::NAMES.map(|(name, _)| name);
    let guess = nearest(name, names).map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default();
    Fault::new(format!("{} is not a TCP flag", quote(name)), format!("{guess}the flags are {}", listed(&names)))
}

/// A length, or a range of lengths.
fn length(value: &Value<'_>, report: &mut Report<'_>) -> Option<Lengths> {
    match value.inner {
        DeValue::Integer(_) => value.integer(0..=65535, report).map(|length| Lengths { least: length, most: length }),
        _ => value.parsed(lengths, report),
    }
}

fn lengths(text: &str) -> Result<Lengths, Fault> {
    let bounds = text
        .split_once('-')
        .and_then(|(least, most)| Some(Lengths { least: least.trim().parse().ok()?, most: most.trim().parse().ok()? }));
    match bounds {
        Some(lengths) if lengths.least <= lengths.most => Ok(lengths),
        Some(Lengths { least, most }) => {
            Err(Fault::new(format!("{} ends before it begins", quote(text)), format!("write `\"{most}-{least}\"`")))
        }
        None => Err(Fault::new(
            format!("{} is not a range of lengths", quote(text)),
            "write the bytes of the IP packet like `60`, or a range like `\"0-59\"`, up to 65535",
        )),
    }
}

/// Names of services: one, or a list.
pub(super) fn service_names(value: &Value<'_>, report: &mut Report<'_>) -> Vec<At<String>> {
    let elements = one_or_more(value, report);
    if elements.is_empty() {
        let message = format!("with an empty `{}` nothing is meant", value.key);
        report.error(&value.span, message, "name services, or remove it");
    }
    elements.iter().filter_map(|element| Some(element.at(element.parsed(names::name, report)?))).collect()
}
