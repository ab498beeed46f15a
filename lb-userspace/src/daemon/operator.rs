//! The operator's own connection: no change may cut it, or keep him from connecting again, unless he insists.
//!
//! Two packets, a segment of the connection and a SYN like the one that opened it, are run through the datapath over the tables
//! as they are and as they would be. So whatever would drop them is found, and named.

use std::collections::BTreeSet;

use lb_common::DropReason;

use super::{DaemonError, explain::Probe, guard, state::State};
use crate::{
    api::{Operator, types::ExplainProtocol},
    plan::Snapshot,
};

impl State {
    /// Whether tables spare the connection of the operator who has asked for them, if anybody has.
    ///
    /// # Errors
    ///
    /// They drop what those that are in effect let through.
    pub(super) fn spare_operator(&self, desired: &Snapshot) -> Result<(), DaemonError> {
        let Some(operator) = self.operator.filter(|operator| guard::is_own(operator.server.ip())) else {
            return Ok(());
        };
        for (established, consequence) in
            [(true, "cut off the connection that you are typing over"), (false, "keep you from connecting again")]
        {
            let probe = probe(operator, established);
            for ingress in ingresses(operator, desired) {
                let Some(reason) = self.cut(desired, &probe, ingress)? else { continue };
                if self.cut(&self.snapshot, &probe, ingress)?.is_none() {
                    return Err(DaemonError::CutOff { consequence, operator, reason });
                }
            }
        }
        Ok(())
    }

    /// Why tables drop a packet that comes in by an interface, if they do.
    fn cut(&self, tables: &Snapshot, probe: &Probe, ingress: u32) -> Result<Option<DropReason>, DaemonError> {
        if !tables.devices.contains(&ingress) {
            return Ok(None);
        }
        Ok(self.try_out(tables, probe, ingress)?.reason())
    }
}

fn probe(operator: Operator, established: bool) -> Probe {
    let Operator { client, server } = operator;
    let ports = (client.port(), server.port());
    Probe { from: client.ip(), to: server.ip(), ports, protocol: ExplainProtocol::Tcp, established }
}

/// The interfaces that the operator's packets may come in by: the one that has the address, if the program is attached there.
fn ingresses(operator: Operator, desired: &Snapshot) -> BTreeSet<u32> {
    let all = &desired.devices;
    guard::interface_of(operator.server.ip())
        .filter(|owner| all.contains(owner))
        .map_or_else(|| all.clone(), |owner| BTreeSet::from([owner]))
}
