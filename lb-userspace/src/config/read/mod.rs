//! From text to what was written: each value by itself.

mod affinity;
mod backend;
mod crowdsec;
mod firewall;
mod health;
mod limit;
mod list;
mod node;
mod pool;
mod ports;
mod quic;
mod ring;
mod rule;
mod sanity;
mod section;
mod service;
mod syn;
mod syntax;
mod value;

use toml::de::DeTable;

use super::{report::Report, written::Written};
use section::Section;

/// Reads all of a document that can be read.
pub(super) fn document(text: &str, report: &mut Report<'_>) -> Written {
    let (root, errors) = DeTable::parse_recoverable(text);
    syntax::report(text, &errors, report);
    let keys = ["node", "pool", "service", "firewall", "list", "crowdsec", "rule", "limit", "syn"];
    let root = Section::root(root.get_ref(), &keys, report);
    Written {
        node: node::read(root.get("node"), report),
        pools: pool::read_all(root.get("pool"), report),
        services: service::read_all(root.get("service"), report),
        firewall: firewall::read(root.get("firewall"), report),
        lists: list::read_all(root.get("list"), report),
        crowdsec: crowdsec::read(root.get("crowdsec"), report),
        limits: limit::read_all(root.get("limit"), report),
        rules: rule::read_all(root.get("rule"), report),
        syn: syn::read(root.get("syn"), report),
    }
}
