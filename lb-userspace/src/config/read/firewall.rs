//! `[firewall]`: the lists that are called `allow` and `deny`, and the sanity checks.

use lb_common::ListKind;

use super::{list, sanity, section::Section, value::Value};
use crate::{
    config::{report::Report, written::WrittenList},
    model::Sanity,
};

/// Reads the section, if there is one.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> ([WrittenList; 2], Sanity) {
    let section = value.and_then(|value| Section::open(&value, "the firewall", &["allow", "deny", "sanity"], report));
    let built_in = ListKind::ALL.map(|kind| {
        let value = section.as_ref().and_then(|section| section.get(kind.name()));
        let entries = value.map(|value| list::read_entries(&value, Some(kind), false, report));
        WrittenList::built_in(kind, entries.unwrap_or_default())
    });
    let sanity = section.and_then(|section| section.get("sanity"));
    (built_in, sanity.map(|value| sanity::read(&value, report)).unwrap_or_default())
}
