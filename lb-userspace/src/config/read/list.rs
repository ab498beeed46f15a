//! `[[list]]`: lists with names.

use std::{ops::RangeInclusive, path::PathBuf, time::Duration};

use ipnet::IpNet;
use lb_common::ListKind;

use super::{section::Section, value::Value};
use crate::{
    config::{
        fault::{Fault, quote},
        names, prefix,
        report::{At, Report},
        written::{WrittenEntry, WrittenList},
    },
    model::{Feed, Remark},
};

const KEYS: &[&str] = &["name", "action", "services", "entries", "file", "url", "interval", "may_shrink", "force"];
const ENTRY_KEYS: &[&str] = &["prefix", "reason", "force"];
const ACTIONS: [(&str, ListKind); 2] = [("allow", ListKind::Allow), ("deny", ListKind::Deny)];

/// Reads all lists.
pub(super) fn read_all(value: Option<Value<'_>>, report: &mut Report<'_>) -> Vec<WrittenList> {
    let Some(value) = value else { return Vec::new() };
    if value.inner.is_table() {
        let help = "write `[[list]]`, with double brackets, in front of each list";
        return value.wrong_type("an array of tables", help, report).unwrap_or_default();
    }
    value.elements(report).iter().filter_map(|element| read(element, report)).collect()
}

fn read(value: &Value<'_>, report: &mut Report<'_>) -> Option<WrittenList> {
    let section = Section::open(value, "a list", KEYS, report)?;
    let name = section.required("name", "give the list a name for commands and metrics to use", report);
    let action = section.required("action", "write `action = \"deny\"` or `action = \"allow\"`", report);
    let action = action.and_then(|value| value.one_of(&ACTIONS, report));
    let force = section.get("force").and_then(|value| value.boolean(report)).unwrap_or(false);
    let services = section.get("services").map(|value| services(&value, report)).unwrap_or_default();
    let entries = section.get("entries");
    Some(WrittenList {
        span: section.span.clone(),
        name: name.and_then(|value| Some(value.at(value.parsed(names::list, report)?))),
        action,
        services,
        entries: entries.map(|value| read_entries(&value, action, force, report)).unwrap_or_default(),
        file: section.get("file").and_then(|value| value.parsed(path, report)),
        feed: read_feed(&section, report),
        force,
    })
}

/// Often enough for a server of one's own, and rare enough to be of use.
const INTERVALS: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30 * 24 * 3600);

fn read_feed(section: &Section<'_>, report: &mut Report<'_>) -> Option<Feed> {
    let interval = section.get("interval").map(|value| (value.span.clone(), value.duration(INTERVALS, report)));
    let may_shrink = section.get("may_shrink").map(|value| (value.span.clone(), value.boolean(report)));
    let Some(url) = section.get("url") else {
        let spans = [interval.map(|(span, _)| span), may_shrink.map(|(span, _)| span)];
        for span in spans.into_iter().flatten() {
            report.error(&span, "this is for a list with a `url`, and there is none", "add `url`, or remove this");
        }
        return None;
    };
    Some(Feed {
        url: url.parsed(names::feed, report)?,
        interval: interval.and_then(|(_, interval)| interval).unwrap_or(Feed::DEFAULT_INTERVAL),
        may_shrink: may_shrink.and_then(|(_, may)| may).unwrap_or(false),
    })
}

fn services(value: &Value<'_>, report: &mut Report<'_>) -> Vec<At<String>> {
    let elements = value.elements(report);
    if elements.is_empty() && value.inner.is_array() {
        report.error(
            &value.span,
            "a list for no service has no effect",
            "name services, or remove `services` for all packets",
        );
    }
    elements.iter().filter_map(|element| Some(element.at(element.parsed(names::name, report)?))).collect()
}

pub(super) fn path(text: &str) -> Result<PathBuf, Fault> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(Fault::new(format!("{} is not an absolute path", quote(text)), "begin it with `/`"))
    }
}

/// The entries of a list, in the order of the document. `action` is `None` if it could not be read.
pub(super) fn read_entries(
    value: &Value<'_>,
    action: Option<ListKind>,
    force: bool,
    report: &mut Report<'_>,
) -> Vec<WrittenEntry> {
    let elements = value.elements(report);
    elements
        .iter()
        .filter_map(|element| read_entry(element, action.unwrap_or(ListKind::Allow), force, report))
        .collect()
}

fn read_entry(value: &Value<'_>, action: ListKind, force: bool, report: &mut Report<'_>) -> Option<WrittenEntry> {
    if !value.inner.is_table() {
        let net = value.parsed(|text| prefix::for_list(text, action, force), report)?;
        return Some(WrittenEntry { net: value.at(net), remark: Remark { reason: None, force } });
    }
    let section = Section::open(value, "an entry", ENTRY_KEYS, report)?;
    let net = section.required("prefix", "write `prefix = \"192.0.2.0/24\"`", report);
    let force = force | section.get("force").and_then(|value| value.boolean(report)).unwrap_or(false);
    let reason = section.get("reason").and_then(|value| value.parsed(prefix::reason, report));
    let net: At<IpNet> =
        net.and_then(|value| Some(value.at(value.parsed(|text| prefix::for_list(text, action, force), report)?)))?;
    Some(WrittenEntry { net, remark: Remark { reason, force } })
}
