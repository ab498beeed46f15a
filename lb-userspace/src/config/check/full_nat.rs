//! `full-nat` needs ports of the node's own: no service may have them, and there must be some of each family that is used.

use lb_common::Delivery;

use crate::{
    config::{
        address::family,
        report::Report,
        written::{Written, WrittenService},
    },
    model::FullNat,
};

/// The addresses that sessions come from have free ports, and there is one for each service. What the kernel is left to
/// choose is not known here.
pub(super) fn check(written: &Written, report: &mut Report<'_>) {
    let full_nat = &written.node.full_nat;
    let is_used = written.services.iter().any(|service| service.delivery == Some(Delivery::FullNat));
    if !is_used || full_nat.addresses.is_empty() {
        return;
    }
    for service in &written.services {
        leaves_the_ports(service, full_nat, report);
        if service.delivery == Some(Delivery::FullNat) {
            has_an_address(service, full_nat, report);
        }
    }
}

fn leaves_the_ports(service: &WrittenService, full_nat: &FullNat, report: &mut Report<'_>) {
    let (Some(address), Some(port)) = (&service.address, &service.port) else { return };
    let is_taken = port.value.is_none_or(|port| full_nat.ports.contains(&port));
    if !is_taken || !full_nat.addresses.contains(&address.value) {
        return;
    }
    let which = port.value.map_or_else(|| "any port".to_owned(), |port| format!("port {port}"));
    let (first, last) = (full_nat.ports.start(), full_nat.ports.end());
    let message = format!(
        "{} has {which} of {}, whose ports {first}-{last} are for the sessions of `full-nat`",
        service.called(),
        address.value
    );
    report.error(&port.span, message, "write other `ports` or another address in `node.full_nat`");
}

fn has_an_address(service: &WrittenService, full_nat: &FullNat, report: &mut Report<'_>) {
    let Some(address) = &service.address else { return };
    if !full_nat.addresses.iter().any(|own| own.is_ipv4() == address.value.is_ipv4()) {
        let family = family(address.value);
        let message = format!("`node.full_nat` has no {family} address for the sessions of {}", service.called());
        report.error(&address.span, message, format!("add an {family} address of this node to its `addresses`"));
    }
}
