//! Sanity checks: the node's in `[firewall.sanity]`, and a service's exceptions from them.

use std::collections::BTreeMap;

use lb_common::MAX_AMPLIFIERS;
use toml::de::DeValue;

use super::{section::Section, value::Value};
use crate::{
    config::report::{At, Report},
    model::{Sanity, SanityCheck},
};

/// Reads the node's checks.
pub(super) fn read(value: &Value<'_>, report: &mut Report<'_>) -> Sanity {
    let mut sanity = Sanity::default();
    let Some(section) = Section::open(value, "`firewall.sanity`", &keys(), report) else { return sanity };
    for check in SanityCheck::ALL {
        let Some(value) = section.get(check.name()) else { continue };
        let is_on = match check {
            SanityCheck::Amplifiers => amplifiers(&value, &mut sanity.amplifiers, report),
            _ => value.boolean(report),
        };
        match is_on {
            Some(true) => drop(sanity.on.insert(check)),
            Some(false) => drop(sanity.on.remove(&check)),
            None => {}
        }
    }
    sanity
}

/// Reads a service's exceptions.
pub(super) fn exceptions(value: &Value<'_>, report: &mut Report<'_>) -> BTreeMap<SanityCheck, At<bool>> {
    let Some(section) = Section::open(value, "a service's `sanity`", &keys(), report) else { return BTreeMap::new() };
    let mut exceptions = BTreeMap::new();
    for check in SanityCheck::ALL {
        let Some(value) = section.get(check.name()) else { continue };
        let is_on = match value.inner {
            DeValue::Array(_) => {
                value.wrong_type("`true` or `false`", "name the ports in `[firewall.sanity]`, for all services", report)
            }
            _ => value.boolean(report),
        };
        exceptions.extend(is_on.map(|is_on| (check, value.at(is_on))));
    }
    exceptions
}

fn keys() -> [&'static str; SanityCheck::ALL.len()] {
    SanityCheck::ALL.map(SanityCheck::name)
}

/// Whether the check of amplifiers is on, with the ports that are named, if any are.
fn amplifiers(value: &Value<'_>, ports: &mut Vec<u16>, report: &mut Report<'_>) -> Option<bool> {
    match value.inner {
        DeValue::Boolean(is_on) => return Some(*is_on),
        DeValue::Array(_) => *ports = read_ports(value, report),
        _ => {
            let help = "write `true` for the usual ports, or name them: `[11211, 1900]`";
            return value.wrong_type("`true`, `false` or an array of ports", help, report);
        }
    }
    Some(true)
}

/// The ports of amplifiers. One that stands there twice is kept once.
fn read_ports(value: &Value<'_>, report: &mut Report<'_>) -> Vec<u16> {
    let elements = value.elements(report);
    if elements.is_empty() {
        let help = "name ports, or write `amplifiers = false`";
        report.error(&value.span, "without ports the check has no effect", help);
    }
    let mut ports: Vec<u16> = Vec::new();
    for port in elements.iter().filter_map(|element| element.integer(0..=i64::from(u16::MAX), report)) {
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    if ports.len() > MAX_AMPLIFIERS {
        let message = format!("these are {} ports, and there is room for {MAX_AMPLIFIERS}", ports.len());
        report.error(&value.span, message, "leave out some, or drop datagrams from them by a rule with `source_port`");
    }
    ports
}
