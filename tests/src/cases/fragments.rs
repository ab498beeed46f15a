//! Fragments: the first has ports and goes its way, later ones have none and are a named drop.

use lb_common::DropReason::{FragmentUnknown, MalformedTransport};

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6},
};

const LONG: &[u8] = b"a question that is long enough to be cut in two";

fn udp(source: &str, destination: &str, ports: (u16, u16), ttl: u8) -> [Packet; 2] {
    Packet::ip(source, destination).ttl(ttl).udp(ports.0, ports.1).payload(LONG).fragments(24)
}

fn tcp(destination: &str, ttl: u8) -> [Packet; 2] {
    Packet::ip(CLIENT, destination).ttl(ttl).tcp(40000, 80).ack().payload(LONG).fragments(24)
}

pub(super) fn cases() -> Vec<Case> {
    [v4(), v6()].concat()
}

fn v4() -> Vec<Case> {
    let [first, later] = udp(CLIENT, "10.9.0.100", (5000, 53), 64);
    let [first_sent, _] = udp(CLIENT, "10.9.0.100", (5000, 53), 63);
    let [first_tcp, later_tcp] = tcp("10.9.0.100", 64);
    let [tiny, _] = Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).syn().payload(LONG).fragments(8);
    let [_, strangers] = tcp("10.9.0.200", 64);
    vec![
        Case::new("fragments: the first of a UDP datagram", first)
            .transmits("10.9.0.13", first_sent)
            .counts("dns", "10.9.0.13"),
        Case::new("fragments: a later one of a UDP datagram", later).drops(FragmentUnknown),
        Case::new("fragments: the first of a TCP segment", first_tcp)
            .transmits("10.9.0.11", tcp("10.9.0.100", 63)[0].clone())
            .counts("web", "10.9.0.11"),
        Case::new("fragments: a later one of a TCP segment", later_tcp).drops(FragmentUnknown),
        Case::new("fragments: a first one that is too small for its TCP header", tiny).drops(MalformedTransport),
        Case::new("fragments: a later one to a stranger passes", strangers),
        Case::new("fragments: the first of a `nat` datagram", {
            let [first, _] = udp(CLIENT, "10.9.0.105", (5000, 53), 64);
            first
        })
        .redirects(BACK, "10.9.1.42", udp(CLIENT, "10.9.1.42", (5000, 5353), 63)[0].clone())
        .counts("nat-dns", "10.9.1.42"),
        Case::new("fragments: the first of a `nat` reply", {
            let [first, _] = udp("10.9.1.42", CLIENT, (5353, 5000), 64);
            first
        })
        .from(BACK)
        .redirects(crate::world::FRONT, CLIENT, udp("10.9.0.105", CLIENT, (53, 5000), 63)[0].clone()),
        Case::new("fragments: the first of a datagram into a tunnel", {
            let [first, _] = udp(CLIENT, "10.9.0.102", (5000, 53), 64);
            first
        })
        .redirects(BACK, "10.9.1.31", {
            let [inner, _] = udp(CLIENT, "10.9.0.102", (5000, 53), 63);
            super::ipip::outer4("10.9.1.1", "10.9.1.31").carrying(&inner)
        })
        .counts("4in4-dns", "10.9.1.31"),
    ]
}

fn v6() -> Vec<Case> {
    let [first, later] = udp(CLIENT6, "fd09::100", (5000, 53), 64);
    let [first_sent, _] = udp(CLIENT6, "fd09::100", (5000, 53), 63);
    let [_, strangers] = udp(CLIENT6, "fd09::200", (5000, 53), 64);
    let behind_options = || Packet::v6(CLIENT6, "fd09::100").hop_by_hop(0).udp(5000, 53).payload(LONG);
    vec![
        Case::new("fragments: the first in IPv6", first)
            .redirects(BACK, "fd09:1::13", first_sent)
            .counts("dns6", "fd09:1::13"),
        Case::new("fragments: a later one in IPv6", later).drops(FragmentUnknown),
        Case::new("fragments: a later one behind options in IPv6", behind_options().fragments(16)[1].clone())
            .drops(FragmentUnknown),
        Case::new("fragments: a later one to a stranger passes in IPv6", strangers),
        Case::new("fragments: a datagram in an atomic fragment that claims more than there is", {
            Packet::v6(CLIENT6, "fd09::100").fragment_header(0, false).udp(5000, 53).claimed_udp_bytes(100)
        })
        .drops(MalformedTransport),
        Case::new("fragments: the first of an echo request in an atomic fragment passes", {
            Packet::v6(CLIENT6, "fd09::100").fragment_header(0, true).fragment_header(0, false).echo_request(1)
        }),
    ]
}
