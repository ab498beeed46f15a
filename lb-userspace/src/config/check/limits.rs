//! The kernel's tables have fixed sizes.

use std::collections::{BTreeSet, HashSet};

use lb_common::{
    Delivery, MAX_BACKENDS, MAX_PREFIX_LENGTHS, MAX_REPLIES, MAX_ROWS, MAX_SERVICE_ENTRIES, MAX_SERVICES, MAX_SOURCES,
};

use crate::config::{
    address::family,
    report::{At, Report, Span},
    written::WrittenService,
};

/// Half of the rows: a service that gets a new ring holds the old one and the new one for a while, and it may be all
/// services at once.
const MOST_ROWS: u64 = MAX_ROWS as u64 / 2;

/// Half of the entries and of the allowed sources, likewise: new ones are written before old ones are removed.
const MOST_ENTRIES: usize = MAX_SERVICE_ENTRIES as usize / 2;
const MOST_SOURCES: usize = MAX_SOURCES as usize / 2;

/// Everything fits into the kernel's tables. What is the first to have no room is reported, once.
pub(super) fn check(services: &[WrittenService], report: &mut Report<'_>) {
    if let Some(service) = services.get(MAX_SERVICES as usize) {
        let message = format!("there are {} services, and there is room for {MAX_SERVICES}", services.len());
        report.error(&service.span, message, "join services that share backends, for example with `port = \"any\"`");
    }
    let mut backends = services.iter().flat_map(|service| &service.backends);
    if let Some(backend) = backends.nth(MAX_BACKENDS as usize) {
        let count: usize = services.iter().map(|service| service.backends.len()).sum();
        let message = format!("there are {count} backends, and there is room for {MAX_BACKENDS}");
        report.error(&backend.span, message, "a server counts once for each service that it stands behind");
    }
    rings_fit(services, report);
    entries_fit(services, report);
    prefix_lengths_fit(services, report);
    sources_fit(services, report);
    replies_fit(services, report);
    for service in services {
        ring_has_rows_for_all(service, report);
    }
}

/// The first service with which a sum exceeds a limit, and the sum over all.
fn beyond(
    services: &[WrittenService],
    most: usize,
    mut part: impl FnMut(&WrittenService) -> usize,
) -> Option<(&WrittenService, usize)> {
    let (mut sum, mut first) = (0, None);
    for service in services {
        sum += part(service);
        first = first.or((sum > most).then_some(service));
    }
    first.map(|service| (service, sum))
}

/// Where messages about a service's ports point to.
fn ports_span(service: &WrittenService) -> &Span {
    service.ports.as_ref().map_or(&service.span, |ports| &ports.span)
}

fn entries_fit(services: &[WrittenService], report: &mut Report<'_>) {
    let (mut addresses, mut with_others) = (HashSet::new(), HashSet::new());
    let entries = |service: &WrittenService| {
        let (Some(address), Some(ports)) = (&service.address, &service.ports) else { return 0 };
        let is_new = addresses.insert(address.value);
        // Ranges share an entry, which any port does without ranges.
        let has_others = ports.value.is_any() || ports.value.ranges().next().is_some();
        let is_new_other = has_others && with_others.insert((address.value, service.protocol));
        ports.value.singles().count() + usize::from(is_new) + usize::from(is_new_other)
    };
    if let Some((service, sum)) = beyond(services, MOST_ENTRIES, entries) {
        let message = format!("the services have {sum} ports and addresses, and there is room for {MOST_ENTRIES}");
        report.error(ports_span(service), message, "write neighbouring ports as a range, which takes one place");
    }
}

fn prefix_lengths_fit(services: &[WrittenService], report: &mut Report<'_>) {
    let prefixes = services.iter().filter_map(|service| service.address.as_ref());
    let prefixes = prefixes.filter(|At { value, .. }| value.prefix_len() < value.max_prefix_len());
    let mut lengths = BTreeSet::new();
    for At { value, span } in prefixes {
        let is_v4 = value.addr().is_ipv4();
        let is_new = lengths.insert((is_v4, value.prefix_len()));
        if is_new && lengths.iter().filter(|(v4, _)| *v4 == is_v4).count() == MAX_PREFIX_LENGTHS + 1 {
            let family = family(value.addr());
            let message = format!("/{} is one length of {family} prefixes too many", value.prefix_len());
            let help =
                format!("services may have {MAX_PREFIX_LENGTHS} of them: write a large prefix as several smaller ones");
            report.error(span, message, help);
        }
    }
}

fn sources_fit(services: &[WrittenService], report: &mut Report<'_>) {
    if let Some((service, sum)) = beyond(services, MOST_SOURCES, |service| service.allow_from.len()) {
        let message = format!("the services allow {sum} sources, and there is room for {MOST_SOURCES}");
        report.error(&service.span, message, "join neighbouring prefixes of `allow_from` into shorter ones");
    }
}

fn replies_fit(services: &[WrittenService], report: &mut Report<'_>) {
    let replies = |service: &WrittenService| {
        let Some(ports) = service.ports.as_ref().filter(|_| service.delivery == Some(Delivery::Nat)) else { return 0 };
        let has_others = ports.value.is_any() || ports.value.ranges().next().is_some();
        service.backends.len() * (ports.value.singles().count() + usize::from(has_others))
    };
    if let Some((service, sum)) = beyond(services, MAX_REPLIES as usize, replies) {
        let message = format!(
            "replies come from {sum} backends and ports of `nat` services, and there is room for {MAX_REPLIES}"
        );
        report.error(ports_span(service), message, "write neighbouring ports as a range, which takes one place");
    }
}

fn rings_fit(services: &[WrittenService], report: &mut Report<'_>) {
    let mut rows = services.iter().scan(0, |sum, service| {
        *sum += 1_u64 << service.ring.value.bits;
        Some((*sum, service))
    });
    if let Some((_, service)) = rows.find(|&(sum, _)| sum > MOST_ROWS) {
        let total = rows.last().map_or(1 << service.ring.value.bits, |(sum, _)| sum);
        let message = format!("the rings have {total} rows together, and there is room for {MOST_ROWS}");
        let help = "give services smaller rings, like `ring = { rows = 1024 }`: 100 rows for each backend are enough";
        report.error(&service.ring.span, message, help);
    }
}

fn ring_has_rows_for_all(service: &WrittenService, report: &mut Report<'_>) {
    let (rows, backends) = (1_usize << service.ring.value.bits, service.backends.len());
    if backends > rows {
        let message = format!("{} has {backends} backends, more than the {rows} rows of its ring", service.called());
        report.error(&service.ring.span, message, "write a larger `ring = { rows = … }`: 100 rows for each backend");
    }
}
