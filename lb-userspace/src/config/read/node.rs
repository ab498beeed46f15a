//! `[node]`: this machine.

use std::collections::HashMap;

use super::{section::Section, value::Value};
use crate::{
    config::{
        address,
        fault::{Fault, quote},
        names,
        report::Report,
    },
    model::Node,
};

const KEYS: [&str; 4] = ["interfaces", "secret", "source_v4", "source_v6"];

/// Reads the section, if there is one.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> Node {
    let section = value.and_then(|value| Section::open(&value, "the node", &KEYS, report));
    let get = |key| section.as_ref().and_then(|section| section.get(key));
    Node {
        interfaces: get("interfaces").map(|value| interfaces(&value, report)).unwrap_or_default(),
        secret: get("secret").and_then(|value| value.parsed(secret, report)),
        source_v4: get("source_v4").and_then(|value| value.parsed(address::host_v4, report)),
        source_v6: get("source_v6").and_then(|value| value.parsed(address::host_v6, report)),
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
