//! `nat` keeps no state about flows: a reply is mapped back to its service by nothing but the backend's address, port
//! and protocol. Two services for which these coincide would get each other's replies.

use std::{collections::HashMap, net::IpAddr};

use lb_common::Delivery;

use crate::{
    config::{
        report::{Report, Span},
        written::WrittenService,
    },
    model::Protocol,
};

/// Where a service's replies come from.
struct Source<'a> {
    service: usize,
    /// The port; `None` is any.
    port: Option<u16>,
    backend: String,
    span: &'a Span,
}

/// No two services get replies from the same place.
pub(super) fn check(services: &[WrittenService], report: &mut Report<'_>) {
    let mut places: HashMap<(IpAddr, Protocol), Vec<Source<'_>>> = HashMap::new();
    for (index, service) in services.iter().enumerate().filter(|(_, service)| service.delivery == Some(Delivery::Nat)) {
        let (Some(protocol), Some(service_port)) = (service.protocol, &service.port) else { continue };
        for backend in &service.backends {
            let Some(address) = &backend.address else { continue };
            let port = backend.port.as_ref().map(|port| port.value).or(service_port.value);
            let source = Source { service: index, port, backend: backend.called(), span: &address.span };
            let others = places.entry((address.value, protocol)).or_default();
            if let Some(other) = others.iter().find(|other| source.overlaps(other)) {
                let place = format!("{} ({})", endpoint(address.value, other.port.and(port)), protocol.name());
                let message = format!(
                    "replies from {place} could belong to {} or, in line {}, to {} of {}",
                    service.called(),
                    report.line(other.span.start),
                    other.backend,
                    services[other.service].called(),
                );
                let help = "`nat` knows a reply by the backend's address and port alone: give the server a second \
                    address or port for one of the services, or use `ipip` or `l2`";
                report.error(source.span, message, help);
            }
            others.push(source);
        }
    }
}

impl Source<'_> {
    fn overlaps(&self, other: &Self) -> bool {
        let same_port = self.port.is_none() || other.port.is_none() || self.port == other.port;
        same_port && self.service != other.service
    }
}

fn endpoint(address: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| format!("{address} port {port}"))
}
