//! `[[limit]]`: how much may come in a second.

use std::{ops::RangeInclusive, time::Duration};

use toml::de::DeValue;

use super::{rule::service_names, section::Section, value::Value};
use crate::{
    config::{
        fault::{Fault, quote},
        names,
        names::listed,
        report::{At, Report},
        written::WrittenLimit,
    },
    model::{LimitAction, LimitBy, LimitMeasure},
};

const KEYS: &[&str] =
    &["name", "by", "prefix_v4", "prefix_v6", "services", "packets", "bytes", "connections", "burst", "action"];
const MEASURES: [(&str, LimitMeasure); 3] =
    [("packets", LimitMeasure::Packets), ("bytes", LimitMeasure::Bytes), ("connections", LimitMeasure::Connections)];
const BY_HELP: &str =
    "write `by = \"source\"` (each client by itself), `\"service\"` (each service) or `\"all\"` (all together)";
const MEASURE_HELP: &str = "write how many a second, like `packets = 1000`, `bytes = \"10MB\"` or `connections = 50`";

/// One IPv4 address is one client; in IPv6 a household has a network (RFC 6177).
const DEFAULT_V4: u8 = 32;
const DEFAULT_V6: u8 = 64;

const BANS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);
/// Nanoseconds of a packet are counted whole: at more than this the error would be a hundredth.
const MOST: i64 = 10_000_000;
const BYTES: RangeInclusive<u64> = 1000..=100_000_000_000;

/// The largest IP packet: a burst of bytes that is smaller would never let some pass.
const LARGEST_PACKET: u64 = 65_535;

/// Reads all limits.
pub(super) fn read_all(value: Option<Value<'_>>, report: &mut Report<'_>) -> Vec<WrittenLimit> {
    let Some(value) = value else { return Vec::new() };
    if value.inner.is_table() {
        let help = "write `[[limit]]`, with double brackets, in front of each limit";
        return value.wrong_type("an array of tables", help, report).unwrap_or_default();
    }
    value.elements(report).iter().filter_map(|element| read(element, report)).collect()
}

fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<WrittenLimit> {
    let section = Section::open(value, "a limit", KEYS, report)?;
    let name = section.required("name", "give the limit a name for rules and commands to use", report);
    let rate = rate(&section, report);
    let measure = rate.as_ref().map(|(measure, _)| *measure);
    let burst = section.get("burst").map(|value| value.at(amount(&value, measure, report)));
    let rate = rate.and_then(|(measure, rate)| Some((measure, rate?)));
    Some(WrittenLimit {
        span: section.span.clone(),
        name: name.and_then(|value| Some(value.at(value.parsed(names::name, report)?))),
        by: by(&section, report),
        services: section.get("services").map(|value| service_names(&value, report)).unwrap_or_default(),
        burst: match (burst, rate) {
            (Some(At { value, span }), _) => value.map(|value| At { value, span }),
            (None, Some((measure, rate))) => {
                let least = if measure == LimitMeasure::Bytes { LARGEST_PACKET } else { 1 };
                Some(At { value: rate.max(least), span: section.span.clone() })
            }
            (None, None) => None,
        },
        rate,
        action: action(&section, report),
    })
}

/// What is counted and how much a second: one key of three.
fn rate(section: &Section<'_>, report: &mut Report<'_>) -> Option<(LimitMeasure, Option<u64>)> {
    let given: Vec<(&str, LimitMeasure, Value<'_>)> =
        MEASURES.into_iter().filter_map(|(key, measure)| Some((key, measure, section.get(key)?))).collect();
    match given.as_slice() {
        [] => {
            report.missing(&section.span, "a limit says how much may come", MEASURE_HELP);
            None
        }
        [(_, measure, value)] => Some((*measure, amount(value, Some(*measure), report))),
        [.., (_, _, last)] => {
            let keys: Vec<&str> = given.iter().map(|(key, ..)| *key).collect();
            let message = format!("a limit counts one thing, and this one counts {}", listed(&keys));
            report.error(&last.span, message, "write a limit for each");
            None
        }
    }
}

/// So many packets, bytes or connections.
fn amount(value: &Value<'_>, measure: Option<LimitMeasure>, report: &mut Report<'_>) -> Option<u64> {
    if measure != Some(LimitMeasure::Bytes) {
        return value.integer(1..=MOST, report);
    }
    match value.inner {
        DeValue::Integer(_) => {
            value.integer(1000..=100_000_000_000, report).and_then(|bytes: i64| u64::try_from(bytes).ok())
        }
        _ => value.parsed(bytes, report),
    }
}

/// Bytes with a decimal unit: `10MB`.
fn bytes(text: &str) -> Result<u64, Fault> {
    let units = [("kB", 1_000_u64), ("MB", 1_000_000), ("GB", 1_000_000_000), ("B", 1)];
    let read = units.into_iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit)?.trim().parse::<u64>().ok()?;
        number.checked_mul(factor)
    });
    let help = "write a whole number and its unit, like `\"500kB\"`, `\"10MB\"` or `\"1GB\"`, from 1kB to 100GB";
    match read {
        Some(bytes) if BYTES.contains(&bytes) => Ok(bytes),
        _ => Err(Fault::new(format!("{} is not an amount of bytes", quote(text)), help)),
    }
}

fn by(section: &Section<'_>, report: &mut Report<'_>) -> Option<At<LimitBy>> {
    let mut prefix = |key, default, longest| {
        section.get(key).and_then(|value| value.integer(1..=longest, report)).unwrap_or(default)
    };
    let source = LimitBy::Source { v4: prefix("prefix_v4", DEFAULT_V4, 32), v6: prefix("prefix_v6", DEFAULT_V6, 128) };
    let words = [("source", source), ("service", LimitBy::Service), ("all", LimitBy::All)];
    let value = section.required("by", BY_HELP, report)?;
    let by = value.one_of(&words, report)?;
    if by != source {
        for key in ["prefix_v4", "prefix_v6"] {
            if let Some(prefix) = section.get(key) {
                let message = format!("`{key}` has no meaning in a limit by `{by}`");
                report.error(&prefix.span, message, "write `by = \"source\"`, or remove the key");
            }
        }
    }
    Some(value.at(by))
}

/// `"drop"`, or a table with the time of a ban.
fn action(section: &Section<'_>, report: &mut Report<'_>) -> Option<At<LimitAction>> {
    let Some(value) = section.get("action") else {
        return Some(At { value: LimitAction::Drop, span: section.span.clone() });
    };
    if value.inner.is_str() {
        return Some(value.at(value.one_of(&[("drop", LimitAction::Drop)], report)?));
    }
    if !value.inner.is_table() {
        return value.wrong_type("a string or a table", "write `\"drop\"`, or a ban like `{ ban = \"10m\" }`", report);
    }
    let table = Section::open(&value, "an action", &["ban"], report)?;
    let ban = table.required("ban", "write for how long, like `{ ban = \"10m\" }`", report)?;
    Some(value.at(LimitAction::Ban(ban.duration(BANS, report)?)))
}
