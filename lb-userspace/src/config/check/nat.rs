//! `nat` keeps no state about flows: a reply is mapped back to its service by nothing but the backend's address, port
//! and protocol. Two services for which these coincide would get each other's replies.

use std::{collections::HashMap, net::IpAddr};

use lb_common::Delivery;

use crate::{
    config::{
        read::overlap,
        report::{Report, Span},
        written::WrittenService,
    },
    model::{PortSpan, Ports, Protocol},
};

/// Where a service's replies come from.
struct Source<'a> {
    service: usize,
    ports: Vec<PortSpan>,
    backend: String,
    span: &'a Span,
}

/// No two services get replies from the same place.
pub(super) fn check(services: &[WrittenService], report: &mut Report<'_>) {
    let mut places: HashMap<(IpAddr, Protocol), Vec<Source<'_>>> = HashMap::new();
    for (index, service) in services.iter().enumerate().filter(|(_, service)| service.delivery == Some(Delivery::Nat)) {
        let (Some(protocol), Some(ports)) = (service.protocol, &service.ports) else { continue };
        for backend in &service.backends {
            let Some(address) = &backend.address else { continue };
            let ports = backend.port().map_or_else(|| spans(&ports.value), |port| spans(&port.into()));
            let source = Source { service: index, ports, backend: backend.called(), span: &address.span };
            let others = places.entry((address.value, protocol)).or_default();
            if let Some((other, port)) = others.iter().find_map(|other| Some((other, source.meets(other)?))) {
                let place = format!("{} ({})", endpoint(address.value, port), protocol.name());
                let message = format!(
                    "replies from {place} could belong to {} or, in line {}, to {} of {}",
                    service.called(),
                    report.line(other.span.start),
                    other.backend,
                    services[other.service].called(),
                );
                let help = if port.is_some() || source.is_any() || other.is_any() {
                    "`nat` knows a reply by the backend's address and port alone: give the server a second address or \
                     port for one of the services, or use `ipip` or `l2`"
                } else {
                    "`nat` knows the replies of ranges by the backend's address alone: put the ranges into one \
                     service, give the server a second address, or use `ipip` or `l2`"
                };
                report.error(source.span, message, help);
            }
            others.push(source);
        }
    }
}

fn spans(ports: &Ports) -> Vec<PortSpan> {
    if ports.is_any() { vec![PortSpan::ANY] } else { ports.spans().to_vec() }
}

impl Source<'_> {
    /// Whether replies of two services could be confused, and at which port if it is one.
    ///
    /// The tables know the replies of a single port by this port, and all others of a backend by its address alone.
    fn meets(&self, other: &Self) -> Option<Option<u16>> {
        if self.service == other.service {
            return None;
        }
        let pairs = || self.ports.iter().flat_map(|a| other.ports.iter().map(move |b| (*a, *b)));
        let common = pairs().find(|(a, b)| overlap(*a, *b));
        match common {
            Some((a, b)) => {
                Some([a, b].into_iter().find(is_single).filter(|_| a == b || !is_any(a, b)).map(|a| a.first))
            }
            None if self.is_wide() && other.is_wide() => Some(None),
            None => None,
        }
    }

    fn is_wide(&self) -> bool {
        !self.ports.iter().all(is_single)
    }

    fn is_any(&self) -> bool {
        self.ports.contains(&PortSpan::ANY)
    }
}

const fn is_single(span: &PortSpan) -> bool {
    span.first == span.last
}

fn is_any(a: PortSpan, b: PortSpan) -> bool {
    a == PortSpan::ANY || b == PortSpan::ANY
}

fn endpoint(address: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| format!("{address} port {port}"))
}
