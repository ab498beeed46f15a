//! `[[pool]]`: backends that several services share.

use super::{backend, health, section::Section, value::Value};
use crate::config::{names, report::Report, written::WrittenPool};

const KEYS: &[&str] = &["name", "health", "backend"];

/// Reads all pools.
pub(super) fn read_all(value: Option<Value<'_>>, report: &mut Report<'_>) -> Vec<WrittenPool> {
    let Some(value) = value else { return Vec::new() };
    if value.inner.is_table() {
        let help = "write `[[pool]]`, with double brackets, in front of each pool";
        return value.wrong_type("an array of tables", help, report).unwrap_or_default();
    }
    value.elements(report).iter().filter_map(|element| read(element, report)).collect()
}

fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<WrittenPool> {
    let section = Section::open(value, "a pool", KEYS, report)?;
    let name = section.required("name", "give the pool a name for services and commands to use", report);
    Some(WrittenPool {
        name: name.and_then(|value| Some(value.at(value.parsed(names::name, report)?))),
        health: section.get("health").and_then(|value| Some(value.at(health::read(&value, report)?))),
        backends: section.get("backend").map(|value| backend::read_all(&value, "pool", report)).unwrap_or_default(),
    })
}
