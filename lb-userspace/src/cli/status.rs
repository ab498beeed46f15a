//! `sluice status`.

use clap::Args;

use super::{
    Failure, Session,
    table::fields,
    units::{count, duration},
};
use crate::api::types::{NodeAddressStatus, Status};

/// Show what the daemon does and what it has to complain about.
#[derive(Debug, Args)]
pub(super) struct StatusVerb {}

impl StatusVerb {
    pub(super) async fn run(self, session: &mut Session<'_>) -> Result<(), Failure> {
        let status = session.client.status().await?;
        session.show(&status, |status, _| text(status))
    }
}

fn text(status: &Status) -> String {
    let interfaces: Vec<_> =
        status.interfaces.iter().map(|interface| format!("{} ({})", interface.name, interface.mode)).collect();
    let interfaces = if interfaces.is_empty() {
        "none: no packet is handled; `sluice attach IFACE` attaches to one".to_owned()
    } else {
        interfaces.join(", ")
    };
    let unlike = if status.ephemeral_changes {
        " (ephemeral changes are in effect that it does not have; `sluice apply` undoes them)"
    } else {
        ""
    };
    let addresses: Vec<_> = status.node_addresses.iter().map(ports).collect();
    let mut lines = vec![
        ("Daemon", format!("version {}, pid {}, up {}", status.version, status.pid, duration(status.uptime_seconds))),
        ("Configuration", format!("{}{unlike}", status.config)),
        ("Interfaces", interfaces),
        ("Services", status.services.to_string()),
        ("Backends", format!("{} of {} up", status.backends_up, status.backends)),
    ];
    if status.node_protected {
        lines.push(("Protected", "services, and the node itself".to_owned()));
    }
    if !addresses.is_empty() {
        lines.push(("Ports in use", addresses.join("; ")));
    }
    let table = fields(&lines);
    if status.warnings.is_empty() {
        return table;
    }
    let warnings: String = status.warnings.iter().map(|warning| format!("\n- {warning}")).collect();
    format!("{table}\n{}:{warnings}", count(status.warnings.len(), "warning", "warnings"))
}

/// How many ports of an address sessions have.
fn ports(node: &NodeAddressStatus) -> String {
    let NodeAddressStatus { address, ports, tcp_sessions, udp_sessions } = node;
    format!("{tcp_sessions} (TCP) and {udp_sessions} (UDP) of {ports} on {address}")
}
