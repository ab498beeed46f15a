//! What only the whole document can tell.

mod backends;
mod full_nat;
mod limits;
mod nat;
mod services;

use super::{report::Report, written::Written};

/// Compares the parts of a document with each other.
pub(super) fn document(written: &Written, report: &mut Report<'_>) {
    services::check(&written.services, report);
    for service in &written.services {
        backends::check(service, report);
    }
    nat::check(&written.services, report);
    full_nat::check(written, report);
    limits::check(&written.services, report);
}
