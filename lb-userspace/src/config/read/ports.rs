//! `port`: a port, a range, a list of both, or any.

use toml::de::DeValue;

use super::value::Value;
use crate::{
    config::{
        fault::{Fault, quote},
        report::Report,
    },
    model::{PortSpan, Ports},
};

const HELP: &str = "write a port like `80`, a range like `\"8000-8100\"`, or `\"any\"`";

/// Reads a service's ports.
pub(super) fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<Ports> {
    match value.inner {
        DeValue::String(text) if text == "any" => Some(Ports::ANY),
        DeValue::Array(_) => list(value, report),
        _ => span(value, report).map(|span| Ports::new(vec![span])),
    }
}

fn list(value: &Value<'_>, report: &mut Report<'_>) -> Option<Ports> {
    let elements = value.elements(report);
    if elements.is_empty() {
        report.error(&value.span, "with an empty `port` no packet is for the service", HELP);
        return None;
    }
    let mut spans: Vec<PortSpan> = Vec::new();
    let mut is_sound = true;
    for element in &elements {
        let Some(span) = span(element, report) else {
            is_sound = false;
            continue;
        };
        if let Some(other) = spans.iter().find(|other| overlap(span, **other)) {
            let (this, other) = (Ports::new(vec![span]), Ports::new(vec![*other]));
            let message = if this == other {
                format!("`{this}` is there twice")
            } else {
                format!("`{this}` and `{other}` overlap")
            };
            report.error(&element.span, message, "name each port once");
            is_sound = false;
        }
        spans.push(span);
    }
    is_sound.then_some(Ports::new(spans))
}

/// Whether two ranges have a port in common.
pub(in crate::config) const fn overlap(a: PortSpan, b: PortSpan) -> bool {
    a.first <= b.last && b.first <= a.last
}

fn span(value: &Value<'_>, report: &mut Report<'_>) -> Option<PortSpan> {
    match value.inner {
        DeValue::String(_) => value.parsed(range, report),
        _ => value.integer(1..=65535, report).map(|port| PortSpan { first: port, last: port }),
    }
}

fn range(text: &str) -> Result<PortSpan, Fault> {
    if text == "any" {
        return Err(Fault::new("`any` cannot stand in a list", "write `port = \"any\"`, which includes all others"));
    }
    let port = |text: &str| text.trim().parse().ok().filter(|port: &u16| *port > 0);
    let Some((first, last)) = text.split_once('-') else {
        let help = port(text).map_or_else(|| HELP.to_owned(), |port| format!("write `{port}`, without quotes"));
        return Err(Fault::new(format!("{} is not a range of ports", quote(text)), help));
    };
    match (port(first), port(last)) {
        (Some(first), Some(last)) if first <= last => Ok(PortSpan { first, last }),
        (Some(first), Some(last)) => {
            let help = format!("write `\"{last}-{first}\"`");
            Err(Fault::new(format!("{} ends before it begins", quote(text)), help))
        }
        _ => Err(Fault::new(format!("{} is not a range of ports", quote(text)), "a port goes from 1 to 65535")),
    }
}
