//! The kernel: programs, maps and links, and the one place that changes them.
//!
//! Nothing here decides. A [`Change`] says what to write; [`Kernel::perform`] is the one `match` that writes it.
//! Programs' links and the maps are pinned in a BPF file system, so that forwarding goes on when the daemon stops, crashes or is
//! replaced; [`Kernel::open`] takes over what it finds there, and only detaching removes it.

mod counters;
mod flows;
mod kernel;
mod links;
mod lists;
mod mapped;
mod pin;
mod plain;
mod preflight;
mod programs;
mod services;
mod sessions;
mod sources;
mod tables;

pub use counters::Counters;
pub use flows::{FLOW_ENTRIES, FlowTable, Occupied};
pub use kernel::Kernel;
pub use links::{Attached, detach_all};
pub use pin::{make_pins, remove_unused_pins};
pub use plain::Plain;
pub use preflight::preflight;
pub use programs::{AGENT_OBJECT, BENCH_OBJECT, LB_OBJECT, LB_PROGRAM};
pub use sessions::{OpenSession, SessionArray};
pub use tables::Records;

use crate::plan::{Change, Snapshot, difference};

/// Why the kernel did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DataplaneError {
    /// The machine cannot run Sluice; the text names the remedy.
    #[error("{0}")]
    Preflight(String),
    /// The program or a map could not be loaded.
    #[error("could not load the XDP program{}", verifier_log(.log))]
    Load {
        /// What aya says.
        #[source]
        source: Box<aya::EbpfError>,
        /// Where the verifier's log was written.
        log: Option<std::path::PathBuf>,
    },
    /// A map could not be read or written.
    #[error("could not {action} the BPF map `{map}`")]
    Map {
        /// What was tried: `read`, `write` or `open`.
        action: &'static str,
        /// The map.
        map: &'static str,
        /// What aya says.
        #[source]
        source: Box<aya::maps::MapError>,
    },
    /// The lists do not fit, however large their tables are.
    #[error("the firewall's lists do not fit into the largest tables: shorten them")]
    Lists,
    /// The program could not be attached.
    #[error("could not attach the XDP program to {interface}: {reason}")]
    Attach {
        /// The interface.
        interface: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A pin could not be made, read or removed.
    #[error("could not {action} {}", path.display())]
    Pin {
        /// What was tried.
        action: &'static str,
        /// The pin.
        path: std::path::PathBuf,
        /// What the kernel says.
        #[source]
        source: std::io::Error,
    },
}

fn verifier_log(log: &Option<std::path::PathBuf>) -> String {
    log.as_ref().map(|path| format!("; the verifier's log is in {}", path.display())).unwrap_or_default()
}

/// Something that changes can be performed on: the kernel's tables, or a snapshot in memory.
pub trait Dataplane {
    /// Makes one change.
    ///
    /// # Errors
    ///
    /// The table refused it; nothing of this change has happened.
    fn perform(&mut self, change: &Change) -> Result<(), DataplaneError>;
}

impl Dataplane for Snapshot {
    fn perform(&mut self, change: &Change) -> Result<(), DataplaneError> {
        Self::perform(self, change);
        Ok(())
    }
}

/// Brings a dataplane from one snapshot to another: all of it, or, if a change is refused, none.
///
/// # Errors
///
/// The first refusal; the changes before it have been taken back.
pub fn apply(dataplane: &mut impl Dataplane, from: &Snapshot, to: &Snapshot) -> Result<usize, DataplaneError> {
    let changes = difference(from, to);
    let mut reached = from.clone();
    for change in &changes {
        if let Err(error) = dataplane.perform(change) {
            for undo in difference(&reached, from) {
                if let Err(second) = dataplane.perform(&undo) {
                    tracing::error!(?undo, %second, "a change that failed could not be taken back");
                }
            }
            return Err(error);
        }
        reached.perform(change);
    }
    Ok(changes.len())
}
