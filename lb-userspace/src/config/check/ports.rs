//! Ports of services at one address.

use std::collections::HashMap;

use ipnet::IpNet;
use lb_common::RANGES_PER_BLOCK;

use crate::{
    config::{prefix, read::overlap, report::Report, written::WrittenService},
    model::{PortSpan, Ports, Protocol},
};

/// The services at an address, by protocol.
type Place = (IpNet, Protocol);

/// No port belongs to two services of one address, except that a single port may be in a range of another, and that all may be
/// in any. What is narrower comes first.
pub(super) fn check(services: &[WrittenService], report: &mut Report<'_>) {
    let mut single: HashMap<(Place, Option<u16>), &WrittenService> = HashMap::new();
    let mut ranges: HashMap<Place, Vec<(PortSpan, &WrittenService)>> = HashMap::new();
    for service in services {
        let (Some(address), Some(ports), Some(protocol)) = (&service.address, &service.ports, service.protocol) else {
            continue;
        };
        let place = (address.value, protocol);
        let any = ports.value.is_any().then_some(None);
        for port in ports.value.singles().map(Some).chain(any) {
            let Some(first) = single.insert((place, port), service) else { continue };
            let (at, name, line) = (called(place.0), first.called(), report.line(first.span.start));
            let port = port.map_or_else(|| "any port".to_owned(), |port| format!("port {port}"));
            let message = format!("{at} {port} ({}) belongs to {name} already, in line {line}", protocol.name());
            let help = "move the backends into one service, or change address, port or protocol";
            report.error(&address.span, message, help);
        }
        for span in ports.value.ranges() {
            let others = ranges.entry(place).or_default();
            if let Some((other, first)) = others.iter().find(|(other, _)| overlap(span, *other)) {
                no_overlap(service, span, first, *other, report);
            }
            others.push((span, service));
        }
    }
    for (place, ranges) in ranges {
        let most = if single.contains_key(&(place, None)) { RANGES_PER_BLOCK - 1 } else { RANGES_PER_BLOCK };
        if let Some(ports) = ranges.get(most).and_then(|(_, service)| service.ports.as_ref()) {
            let (at, protocol) = (called(place.0), place.1.name());
            let message =
                format!("{at} has {} ranges of ports ({protocol}), and there is room for {most}", ranges.len());
            report.error(&ports.span, message, "join neighbouring ranges, or use a second address");
        }
    }
}

fn no_overlap(
    service: &WrittenService,
    span: PortSpan,
    first: &WrittenService,
    other: PortSpan,
    report: &mut Report<'_>,
) {
    let (Some(address), Some(ports)) = (&service.address, &service.ports) else { return };
    let [span, other] = [span, other].map(|span| Ports::new(vec![span]));
    let (at, name, line) = (called(address.value), first.called(), report.line(first.span.start));
    let message = format!("{at} ports {span} overlap with {other} of {name}, in line {line}");
    let help =
        "give each port to one service; only a single port may be in a range of another service, and comes first";
    report.error(&ports.span, message, help);
}

fn called(address: IpNet) -> String {
    prefix::written(address)
}
