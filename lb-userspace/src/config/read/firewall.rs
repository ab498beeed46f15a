//! `[firewall]`: who is protected, the lists that are called `allow` and `deny`, and the sanity checks.

use lb_common::ListKind;

use super::{list, sanity, section::Section, value::Value};
use crate::{
    config::{
        report::Report,
        written::{WrittenFirewall, WrittenList},
    },
    model::Protect,
};

const KEYS: &[&str] = &["protect", "allow", "deny", "sanity"];
const PROTECTED: [(&str, Protect); 2] = [("services", Protect::Services), ("node", Protect::Node)];

/// Reads the section, if there is one.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> WrittenFirewall {
    let section = value.and_then(|value| Section::open(&value, "the firewall", KEYS, report));
    let get = |key| section.as_ref().and_then(|section| section.get(key));
    let protect = get("protect").and_then(|value| value.one_of(&PROTECTED, report)).unwrap_or_default();
    let built_in = ListKind::ALL.map(|kind| {
        let value = get(kind.name());
        let entries = value.map(|value| list::read_entries(&value, Some(kind), false, report));
        WrittenList::built_in(kind, entries.unwrap_or_default())
    });
    let sanity = get("sanity").map(|value| sanity::read(&value, report)).unwrap_or_default();
    WrittenFirewall { protect, built_in, sanity }
}
