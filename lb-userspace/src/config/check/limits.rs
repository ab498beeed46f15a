//! The kernel's tables have fixed sizes.

use lb_common::{MAX_BACKENDS, MAX_ROWS, MAX_SERVICES};

use crate::config::{report::Report, written::WrittenService};

/// Half of the rows: a service that gets a new ring holds the old one and the new one for a while, and it may be all
/// services at once.
const MOST_ROWS: u64 = MAX_ROWS as u64 / 2;

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
    for service in services {
        ring_has_rows_for_all(service, report);
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
