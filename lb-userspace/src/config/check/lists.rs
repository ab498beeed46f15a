//! Lists: among each other, and against what they must not cover.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use ipnet::IpNet;
use lb_common::{LISTS_OF_A_KIND, ListKind};

use crate::{
    config::{
        names::nearest,
        report::Report,
        written::{Written, WrittenEntry},
    },
    model::BOGONS,
};

/// Names are unique, services exist, and no deny list covers what it would cut off.
pub(super) fn check(written: &Written, report: &mut Report<'_>) {
    names_are_unique(written, report);
    lists_fit(written, report);
    services_exist(written, report);
    nothing_is_cut_off(written, report);
}

fn names_are_unique(written: &Written, report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for name in written.lists.iter().filter_map(|list| list.name.as_ref()) {
        if let Some(kind) = ListKind::ALL.into_iter().find(|kind| kind.name() == name.value) {
            let message = format!("the list `{}` is there already, as `firewall.{}`", kind.name(), kind.name());
            report.error(&name.span, message, "write its entries there, or give this list another name");
        }
        if let Some(service) = written.with_bogons().filter(|_| name.value == BOGONS) {
            let message = format!("{} has the sanity check `{BOGONS}`, which is a list of that name", service.called());
            report.error(&name.span, message, "give this list another name, or do without the check");
        }
        let line = report.line(name.span.start);
        if let Some(first) = seen.insert(&name.value, line) {
            let message = format!("a list named `{}` is there already, in line {first}", name.value);
            report.error(&name.span, message, "give each list a name of its own");
        }
    }
}

/// The lists that are called like their kinds take a place each, and so do bogons.
fn lists_fit(written: &Written, report: &mut Report<'_>) {
    for kind in ListKind::ALL {
        let mut of_kind = written.lists.iter().filter(|list| list.action == Some(kind));
        let has_bogons = kind == ListKind::Deny && written.with_bogons().is_some();
        let most = LISTS_OF_A_KIND as usize - 1 - usize::from(has_bogons);
        if let Some(list) = of_kind.nth(most) {
            let message = format!("this is one {} list too many: there is room for {most}", kind.name());
            report.error(&list.span, message, "join lists that are for the same services");
        }
    }
}

fn services_exist(written: &Written, report: &mut Report<'_>) {
    let names: BTreeSet<&str> =
        written.services.iter().filter_map(|service| service.name.as_ref()).map(|name| name.value.as_str()).collect();
    for service in written.lists.iter().flat_map(|list| &list.services) {
        if !names.contains(service.value.as_str()) {
            let help = match nearest(&service.value, names.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "name a service by the `name` in its section".to_owned(),
            };
            report.error(&service.span, format!("there is no service `{}`", service.value), help);
        }
    }
}

fn nothing_is_cut_off(written: &Written, report: &mut Report<'_>) {
    let protected = protected(written);
    for list in
        written.firewall.built_in.iter().chain(&written.lists).filter(|list| list.action == Some(ListKind::Deny))
    {
        let entries: HashMap<IpNet, &WrittenEntry> =
            list.entries.iter().filter(|entry| !entry.remark.force).map(|entry| (entry.net.value, entry)).collect();
        let lengths: BTreeSet<u8> = entries.keys().map(IpNet::prefix_len).collect();
        let mut told = BTreeSet::new();
        for (net, what) in &protected {
            let around = lengths.iter().filter(|&&length| length <= net.prefix_len());
            let around = around.filter_map(|&length| IpNet::new(net.addr(), length).ok()).map(|net| net.trunc());
            for entry in around.filter_map(|around| entries.get(&around)) {
                if told.insert(entry.net.value) {
                    let message = format!("`{}` in a deny list covers {what}", entry.net.value);
                    report.error(&entry.net.span, message, FORCE);
                }
            }
        }
    }
}

const FORCE: &str = "name smaller prefixes around it; if you mean it, say so: `{ prefix = \"…\", force = true }`, or `--force` \
    in a command";

/// What would be cut off, in words.
fn protected(written: &Written) -> Vec<(IpNet, String)> {
    let mut protected = Vec::new();
    for service in &written.services {
        let address = service.address.as_ref();
        protected.extend(address.map(|address| (address.value, format!("the address of {}", service.called()))));
        for backend in &service.backends {
            let address = backend.address.as_ref().map(|address| address.value);
            protected
                .extend(address.map(|address| (IpNet::from(address), format!("{} ({address})", backend.called()))));
        }
    }
    let sources = [written.node.source_v4.map(IpAddr::from), written.node.source_v6.map(IpAddr::from)];
    protected.extend(
        sources.into_iter().flatten().map(|source| (source.into(), format!("this node's source address {source}"))),
    );
    protected
}
