//! What the daemon makes of the datapath's counters and records: rates, and who is behind most of the drops.
//!
//! Nothing here knows the kernel or the configuration, and nothing here changes what becomes of a packet.

mod rates;
mod sketch;
mod window;

pub use self::{
    rates::Rates,
    sketch::{Estimate, Sketch, combined},
    window::{By, Heaviest, Subject, Window},
};
