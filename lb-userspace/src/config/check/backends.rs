//! The backends of one service.

use std::{collections::HashMap, net::IpAddr};

use lb_common::Delivery;

use crate::{
    config::{
        address::family,
        report::Report,
        written::{WrittenBackend, WrittenService},
    },
    ring,
};

/// Names and endpoints are unique, each backend can be delivered to, and a check knows its port.
pub(super) fn check(service: &WrittenService, report: &mut Report<'_>) {
    names_are_unique(service, report);
    addresses_are_unique(service, report);
    ports_can_be_written(service, report);
    checks_have_a_port(service, report);
    for backend in &service.backends {
        is_deliverable(service, backend, report);
    }
}

fn names_are_unique(service: &WrittenService, report: &mut Report<'_>) {
    let (mut seen, mut identities) = (HashMap::new(), HashMap::new());
    for backend in &service.backends {
        let Some(name) = &backend.name else { continue };
        let line = report.line(name.span.start);
        if let Some(first) = seen.insert(&name.value, line) {
            let message = format!("a backend named `{}` is there already, in line {first}", name.value);
            report.error(
                &name.span,
                message,
                "give each backend of a service a `name` of its own; the default is its address",
            );
        }
        if let Some(other) =
            identities.insert(ring::short_identity(&name.value), &name.value).filter(|other| *other != &name.value)
        {
            let message = format!("the names `{other}` and `{}` look alike to the kernel's tables", name.value);
            report.error(&name.span, message, "rename one of the two; it is a coincidence of a hash");
        }
        is_not_another_address(name.value.parse(), backend, report);
    }
}

/// Commands find a backend by its name or its address, so a name must not look like somebody else's address.
fn is_not_another_address<E>(name: Result<IpAddr, E>, backend: &WrittenBackend, report: &mut Report<'_>) {
    let (Ok(name), Some(address), Some(written)) = (name, &backend.address, &backend.name) else { return };
    if name != address.value {
        let message = format!("a backend named `{name}` has the address {}", address.value);
        report.error(&written.span, message, "use a name that is not an address");
    }
}

fn addresses_are_unique(service: &WrittenService, report: &mut Report<'_>) {
    let mut seen = HashMap::new();
    for backend in &service.backends {
        let Some(address) = &backend.address else { continue };
        let port =
            backend.port.as_ref().map(|port| port.value).filter(|_| service.delivery.is_some_and(rewrites_ports));
        let port = port.or_else(|| service.port.as_ref()?.value);
        let line = report.line(address.span.start);
        if let Some(first) = seen.insert((address.value, port), line) {
            let message = format!("{} is a backend of {} already, in line {first}", address.value, service.called());
            report.error(&address.span, message, "remove one of the two; a larger `weight` gives a backend more");
        }
    }
}

/// Whether a backend may have a port of its own.
const fn rewrites_ports(delivery: Delivery) -> bool {
    matches!(delivery, Delivery::Nat | Delivery::FullNat)
}

fn ports_can_be_written(service: &WrittenService, report: &mut Report<'_>) {
    for port in service.backends.iter().filter_map(|backend| backend.port.as_ref()) {
        match (service.delivery, &service.port) {
            (Some(delivery), _) if !rewrites_ports(delivery) => report.error(
                &port.span,
                format!(
                    "a backend of {} cannot have a `port`: `{}` does not rewrite it",
                    service.called(),
                    delivery.name()
                ),
                "remove it, and let the server listen on the service's port; or write `delivery = \"nat\"`",
            ),
            (Some(Delivery::Nat), Some(written)) if written.value.is_none() => report.error(
                &port.span,
                format!("a backend of {} cannot have a `port`: the service has any port", service.called()),
                "remove it; a reply could not be given the client's port back",
            ),
            _ => {}
        }
    }
}

fn checks_have_a_port(service: &WrittenService, report: &mut Report<'_>) {
    let (Some(health), Some(port)) = (&service.health, &service.port) else { return };
    if port.value.is_none() && health.value.port.is_none() {
        let message =
            format!("the health check of {} does not know its port: the service has any port", service.called());
        report.error(&health.span, message, "add a `port` to the check");
    }
}

fn is_deliverable(service: &WrittenService, backend: &WrittenBackend, report: &mut Report<'_>) {
    let (Some(delivery), Some(to), Some(from)) = (service.delivery, &backend.address, &service.address) else { return };
    if delivery != Delivery::Ipip && to.value.is_ipv4() != from.value.is_ipv4() {
        let (name, to_family, family) = (delivery.name(), family(to.value), family(from.value));
        let message =
            format!("`{name}` cannot bring {family} packets to {}, which is an {to_family} address", to.value);
        let help =
            format!("give the {family} address of the server, or write `delivery = \"ipip\"`, which carries both");
        report.error(&to.span, message, help);
    }
}
