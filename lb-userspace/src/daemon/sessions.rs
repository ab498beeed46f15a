//! The sessions of `full-nat`, as the daemon sees them.

use std::collections::BTreeMap;

use lb_common::Second;

use crate::{
    dataplane::{Kernel, OpenSession},
    plan::Snapshot,
};

/// How many sessions there are that somebody needs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Of TCP and of UDP, by the number of the node's address.
    pub(super) by_address: BTreeMap<u32, (u32, u32)>,
    /// By the backend's slot.
    pub(super) by_slot: BTreeMap<u16, u64>,
}

impl Tally {
    /// Counts them.
    pub(super) fn take(kernel: &Kernel, snapshot: &Snapshot, now_s: u64) -> Self {
        let (mut tally, now) = (Self::default(), Second::new(now_s));
        for open in open(kernel, snapshot).filter(|open| !open.state().is_over(now)) {
            let (tcp, udp) = tally.by_address.entry(open.id.address()).or_default();
            *(if open.id.is_tcp() { tcp } else { udp }) += 1;
            *tally.by_slot.entry(open.session.slot).or_default() += 1;
        }
        tally
    }
}

/// Every session of the addresses that are in use.
pub(super) fn open<'k>(kernel: &'k Kernel, snapshot: &'k Snapshot) -> impl Iterator<Item = OpenSession<'k>> {
    let addresses = snapshot.node_addresses.iter();
    addresses.flat_map(|(&number, node)| kernel.sessions().open(number, node.first_port..=node.last_port))
}
