//! A backend that is the node itself: its packets are counted, and go up to the node's own network stack as they are.

use lb_common::DropReason::{NextHopUnresolved, NoBackend};

use super::Case;
use crate::{
    packet::Packet,
    world::{CLIENT, CLIENT6, Setup},
};

/// The only backend of a service has an address of the node's own.
fn at_home(service: &'static str) -> impl Fn(&mut Setup) {
    move |setup| {
        let hop = setup.hop(service);
        (hop.ifindex, hop.interface, hop.is_local) = (1, "lo".to_owned(), true);
    }
}

fn to(address: &str, port: u16) -> Packet {
    let client = if address.contains(':') { CLIENT6 } else { CLIENT };
    Packet::ip(client, address).tcp(40000, port).ack().payload(b"hello")
}

pub(super) fn cases() -> Vec<Case> {
    let services = [
        ("web", "10.9.0.100", 80, "10.9.0.11"),
        ("web6", "fd09::100", 80, "fd09::11"),
        ("4in4", "10.9.0.102", 80, "10.9.1.31"),
        ("4in6", "10.9.0.103", 80, "fd09:1::33"),
        ("gue-4in4", "10.9.0.160", 80, "10.9.1.161"),
        ("gue-6in6", "fd09::161", 80, "fd09:1::165"),
    ];
    let passes = services.iter().map(|&(service, address, port, backend)| {
        Case::new(format!("local: a packet of {service} goes up"), to(address, port))
            .with(at_home(service))
            .counts(service, backend)
    });
    let mut cases: Vec<Case> = passes.collect();
    let web = || to("10.9.0.100", 80);
    cases.extend([
        Case::new("local: tags, padding and all", web().tagged(7).padded(120))
            .with(at_home("web"))
            .counts("web", "10.9.0.11"),
        // Whoever routes takes one from the TTL; nobody routes here.
        Case::new("local: the last hop needs no TTL", web().ttl(1)).with(at_home("web")).counts("web", "10.9.0.11"),
        Case::new("local: a large packet is no larger than it came", web().payload(&[7; 2000]))
            .with(at_home("web"))
            .counts("web", "10.9.0.11"),
        Case::new("local: a SYN opens a flow", Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).syn())
            .with(at_home("web"))
            .counts("web", "10.9.0.11")
            .opens_flow(),
        Case::new("local: nat cannot", to("10.9.0.105", 80))
            .with(at_home("nat"))
            .drops(NextHopUnresolved)
            .counts_service("nat"),
        Case::new("local: nat cannot in IPv6", to("fd09::105", 80))
            .with(at_home("nat6"))
            .drops(NextHopUnresolved)
            .counts_service("nat6"),
        Case::new("local: a backend that is down takes nothing", web())
            .with(at_home("web"))
            .with(|setup| setup.down.extend(["10.9.0.11".to_owned()]))
            .drops(NoBackend)
            .counts_service("web"),
    ]);
    cases
}
