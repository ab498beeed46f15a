//! What must change in the kernel: pure data, computed without any I/O.
//!
//! [`Planner::desired`] turns what the operator wants, which backends are alive and where they are into a [`Snapshot`]: what
//! the kernel's tables should hold. [`difference`] of two snapshots is a list of [`Change`]s, ordered so that a packet never
//! meets a reference to something that is not there yet: what is pointed at is written before the pointer, and removed after it.

mod allocate;
mod backends;
mod change;
mod desired;
mod guard;
mod history;
mod limits;
mod ramps;
mod rings;
mod rows;
mod rules;
mod sanity;
mod services;
mod snapshot;
mod sources;
#[cfg(test)]
mod tests;

pub use backends::can_be_local;
pub use change::{Change, difference};
pub use desired::{Desired, EPHEMERAL, Health, Inputs, PlanError, Planner};
pub use guard::{Guard, is_guarded};
pub use history::History;
pub use limits::limit_number;
pub use rows::{Census, Keep, Patience};
pub use rules::rule_number;
pub use services::{present, service_key};
pub use snapshot::Snapshot;
