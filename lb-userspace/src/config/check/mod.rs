//! What only the whole document can tell.

mod backends;
mod full_nat;
mod limits;
mod lists;
mod nat;
mod pools;
mod ports;
mod quic;
mod rates;
mod rules;
mod sanity;
mod services;
mod syn;

pub(super) use self::pools::share as share_pools;
use super::{report::Report, written::Written};

/// Compares the parts of a document with each other.
pub(super) fn document(written: &Written, report: &mut Report<'_>) {
    services::check(&written.services, &written.pools, report);
    ports::check(&written.services, report);
    pools::check(&written.pools, &written.services, report);
    for service in &written.services {
        backends::check(service, report);
        quic::check(service, report);
        syn::check(service, report);
        sanity::check(service, report);
    }
    nat::check(&written.services, report);
    full_nat::check(written, report);
    limits::check(&written.services, report);
    lists::check(written, report);
    rates::check(written, report);
    rules::check(written, report);
}
