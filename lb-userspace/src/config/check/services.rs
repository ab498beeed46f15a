//! Services among each other.

use std::{collections::HashMap, net::IpAddr};

use lb_common::Delivery;

use crate::config::{report::Report, written::WrittenService};

/// Names and endpoints are unique, no backend is a service, and no key is without effect.
///
/// A service with any port may share its address and protocol with services of one port, which then come first.
pub(super) fn check(services: &[WrittenService], report: &mut Report<'_>) {
    names_are_unique(services, report);
    endpoints_are_unique(services, report);
    no_backend_is_a_service(services, report);
    for service in services {
        gue_port_is_used(service, report);
    }
}

fn gue_port_is_used(service: &WrittenService, report: &mut Report<'_>) {
    let (Some(port), Some(delivery)) = (&service.gue_port, service.delivery) else { return };
    if delivery != Delivery::Gue {
        let message = format!("{} cannot have a `gue_port`: its delivery is `{}`", service.called(), delivery.name());
        report.error(&port.span, message, "remove it, or write `delivery = \"gue\"`");
    }
}

fn names_are_unique(services: &[WrittenService], report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for name in services.iter().filter_map(|service| service.name.as_ref()) {
        let line = report.line(name.span.start);
        if let Some(first) = seen.insert(&name.value, line) {
            let message = format!("a service named `{}` is there already, in line {first}", name.value);
            report.error(&name.span, message, "give each service a name of its own");
        }
    }
}

fn endpoints_are_unique(services: &[WrittenService], report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for service in services {
        let (Some(address), Some(port), Some(protocol)) = (&service.address, &service.port, service.protocol) else {
            continue;
        };
        let Some(first) = seen.insert((address.value, port.value, protocol), service) else { continue };
        let (name, line) = (first.called(), report.line(first.span.start));
        let port = port.value.map_or_else(|| "any port".to_owned(), |port| format!("port {port}"));
        let message =
            format!("{} {port} ({}) belongs to {name} already, in line {line}", address.value, protocol.name());
        report.error(&address.span, message, "move the backends into one service, or change address, port or protocol");
    }
}

fn no_backend_is_a_service(services: &[WrittenService], report: &mut Report<'_>) {
    let mut owners: HashMap<IpAddr, usize> = HashMap::new();
    for (index, service) in services.iter().enumerate() {
        if let Some(address) = &service.address {
            owners.entry(address.value).or_insert(index);
        }
    }
    for service in services {
        let own = service.address.as_ref().map(|address| address.value);
        for address in service.backends.iter().filter_map(|backend| backend.address.as_ref()) {
            let Some(owner) = owners.get(&address.value).map(|&index| &services[index]) else { continue };
            let whose = if own == Some(address.value) {
                "its service".to_owned()
            } else {
                format!("{}, in line {}", owner.called(), report.line(owner.span.start))
            };
            let message = format!("{} is the address of {whose}, so it cannot be a backend's", address.value);
            report.error(
                &address.span,
                message,
                "name the address that the server itself has; packets to it would come back here",
            );
        }
    }
}
