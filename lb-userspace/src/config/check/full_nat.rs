//! `full-nat` needs ports of the node's own: no service may have them, and there must be some of each family that is used.
//! Its sessions say what other deliveries have keys for, and these are refused.

use lb_common::Delivery;

use crate::{
    config::{
        address::family,
        prefix,
        report::Report,
        written::{Written, WrittenService},
    },
    model::{FullNat, Ports, is_prefix},
};

/// The addresses that sessions come from have free ports, and there is one for each service. What the kernel is left to
/// choose is not known here.
pub(super) fn check(written: &Written, report: &mut Report<'_>) {
    let full_nat = &written.node.full_nat;
    let is_used = written.services.iter().any(is_full_nat);
    for service in &written.services {
        if is_used {
            leaves_the_ports(service, full_nat, report);
        }
        if is_full_nat(service) {
            has_no_other_memory(service, report);
            has_an_address(service, full_nat, report);
        }
    }
}

fn is_full_nat(service: &WrittenService) -> bool {
    service.delivery == Some(Delivery::FullNat)
}

fn leaves_the_ports(service: &WrittenService, full_nat: &FullNat, report: &mut Report<'_>) {
    let (Some(address), Some(ports)) = (&service.address, &service.ports) else { return };
    let Some(own) = full_nat.addresses.iter().find(|own| full_nat.collides(**own, address.value, &ports.value)) else {
        return;
    };
    let (first, last) = (full_nat.ports.start(), full_nat.ports.end());
    let (called, sessions) =
        (service.called(), format!("whose ports {first}-{last} are for the sessions of `full-nat`"));
    if is_prefix(address.value) {
        let message = format!("{called} has {}, and with it {own}, {sessions}", prefix::written(address.value));
        report.error(&address.span, message, "name another address in `node.full_nat`");
        return;
    }
    let message = format!("{called} has {} of {own}, {sessions}", in_the_way(&ports.value, full_nat));
    let help = if ports.value.has_wide() {
        format!("write single ports outside of {first}-{last}, or another address in `node.full_nat`")
    } else {
        "write other `ports` or another address in `node.full_nat`".to_owned()
    };
    report.error(&ports.span, message, help);
}

/// Which of a service's ports are in the way of sessions.
fn in_the_way(ports: &Ports, full_nat: &FullNat) -> String {
    if ports.is_any() {
        return "any port".to_owned();
    }
    let single = ports.singles().find(|port| full_nat.ports.contains(port));
    let range = ports.ranges().next().map(|span| format!("ports {}-{}", span.first, span.last));
    single.map(|port| format!("port {port}")).or(range).unwrap_or_default()
}

/// A session decides where the packets of its connection go, whatever the flow table and connection ids say.
fn has_no_other_memory(service: &WrittenService, report: &mut Report<'_>) {
    if let Some(track) = service.track.as_ref().filter(|_| service.is_told_by_sessions()) {
        let message =
            format!("{} cannot have `track`: the sessions of `full-nat` remember every flow", service.called());
        report.error(&track.span, message, "remove it");
    }
    if let Some(quic) = &service.quic {
        let message =
            format!("{} cannot have `quic`: with `full-nat`, sessions say where datagrams go", service.called());
        report.error(&quic.span, message, "remove it, or write another `delivery`");
    }
}

fn has_an_address(service: &WrittenService, full_nat: &FullNat, report: &mut Report<'_>) {
    let Some(address) = &service.address else { return };
    let is_of_its_family = |own: &std::net::IpAddr| own.is_ipv4() == address.value.addr().is_ipv4();
    if !full_nat.addresses.is_empty() && !full_nat.addresses.iter().any(is_of_its_family) {
        let family = family(address.value.addr());
        let message = format!("`node.full_nat` has no {family} address for the sessions of {}", service.called());
        report.error(&address.span, message, format!("add an {family} address of this node to its `addresses`"));
    }
}
