//! `[firewall]`: the lists.

use std::collections::HashSet;

use ipnet::IpNet;
use lb_common::{ListKind, MAX_PREFIXES};

use super::{section::Section, value::Value};
use crate::{
    config::{prefix, report::Report},
    model::Firewall,
};

/// Reads the section, if there is one.
pub(super) fn read(value: Option<Value<'_>>, report: &mut Report<'_>) -> Firewall {
    let Some(section) = value.and_then(|value| Section::open(&value, "the firewall", &["allow", "deny"], report))
    else {
        return Firewall::default();
    };
    let mut list =
        |kind: ListKind| section.get(kind.name()).map(|value| prefixes(&value, kind, report)).unwrap_or_default();
    Firewall { allow: list(ListKind::Allow), deny: list(ListKind::Deny), ..Firewall::default() }
}

/// The prefixes of a list, in the order of the document. One that stands there twice is kept once: lists are merged
/// from several sources, and it does no harm.
fn prefixes(value: &Value<'_>, kind: ListKind, report: &mut Report<'_>) -> Vec<IpNet> {
    let mut seen = HashSet::new();
    let mut prefixes = Vec::new();
    for element in value.elements(report) {
        let parsed = element.parsed(|text| prefix::for_list(text, kind), report);
        prefixes.extend(parsed.filter(|prefix| seen.insert(*prefix)));
    }
    let v4 = prefixes.iter().filter(|prefix| prefix.addr().is_ipv4()).count();
    for (family, count) in [("IPv4", v4), ("IPv6", prefixes.len() - v4)] {
        if count > MAX_PREFIXES as usize {
            let message =
                format!("`{}` has {count} {family} prefixes, and there is room for {MAX_PREFIXES}", kind.name());
            report.error(&value.span, message, "join neighbouring prefixes into shorter ones");
        }
    }
    prefixes
}
