//! `[firewall]`: the lists that are called `allow` and `deny`.

use lb_common::ListKind;

use super::{list, section::Section, value::Value};
use crate::config::{report::Report, written::WrittenList};

/// Reads the section, if there is one.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> [WrittenList; 2] {
    let section = value.and_then(|value| Section::open(&value, "the firewall", &["allow", "deny"], report));
    ListKind::ALL.map(|kind| {
        let value = section.as_ref().and_then(|section| section.get(kind.name()));
        let entries = value.map(|value| list::read_entries(&value, Some(kind), false, report));
        WrittenList::built_in(kind, entries.unwrap_or_default())
    })
}
