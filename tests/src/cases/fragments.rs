//! Fragments: the first has ports and goes its way, later ones have none and are a named drop.

use lb_common::DropReason::{FragmentUnknown, MalformedTransport, TtlExpired};

use super::{Case, ipip};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, FRONT},
};

const LONG: &[u8] = b"a question that is long enough to be cut in two";

fn udp(source: &str, destination: &str, ports: (u16, u16), ttl: u8) -> [Packet; 2] {
    Packet::ip(source, destination).ttl(ttl).udp(ports.0, ports.1).payload(LONG).fragments(48)
}

fn tcp(destination: &str, ttl: u8) -> [Packet; 2] {
    Packet::ip(CLIENT, destination).ttl(ttl).tcp(40000, 80).ack().payload(LONG).fragments(48)
}

pub(super) fn cases() -> Vec<Case> {
    [v4(), v6(), followers(), replies(), forgotten()].concat()
}

/// A datagram to a service in two fragments, and as each leaves: service, its address, backend, tunnel and port by `nat`.
fn followers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (service, address, backend, nat, outer) in [
        ("dns", "10.9.0.100", "10.9.0.13", None, None),
        ("4in4-dns", "10.9.0.102", "10.9.1.31", None, Some(ipip::outer4("10.9.1.1", "10.9.1.31"))),
        ("nat-dns", "10.9.0.105", "10.9.1.42", Some(5353), None),
        ("dns6", "fd09::100", "fd09:1::13", None, None),
        ("nat6-dns", "fd09::105", "fd09:1::42", Some(5353), None),
    ] {
        let client = if address.contains(':') { CLIENT6 } else { CLIENT };
        let came = udp(client, address, (5000, 53), 64);
        // The datagram's checksum covers the backend's address; it is in the first fragment.
        let left = match nat {
            Some(port) => udp(client, backend, (5000, port), 63),
            None => udp(client, address, (5000, 53), 63),
        };
        let leaves = |case: Case, sent: &Packet| {
            let case = case.counts(service, backend);
            match &outer {
                Some(outer) => case.redirects(BACK, backend, outer.clone().carrying(sent)),
                None if backend == "10.9.0.13" => case.transmits(backend, sent.clone()),
                None => case.redirects(BACK, backend, sent.clone()),
            }
        };
        let [first, later] = &came;
        let case = |name: &str, packet: &Packet| Case::new(format!("fragments: {service}, {name}"), packet.clone());
        cases.extend([
            leaves(case("the later after the first", later).after(first.clone()), &left[1]),
            leaves(case("the later twice", later).after(first.clone()).after(later.clone()), &left[1]),
            leaves(case("the first after the later", first).after(later.clone()), &left[0]),
            leaves(case("the later again after the first", later).after(later.clone()).after(first.clone()), &left[1]),
            leaves(case("half a minute later", later).after(first.clone()).waited(30), &left[1]),
            case("more than half a minute later", later).after(first.clone()).waited(31).drops(FragmentUnknown),
            case("the later alone", later).drops(FragmentUnknown),
            case("TTL 1", &later.clone().ttl(1)).after(first.clone()).drops(TtlExpired).counts(service, backend),
        ]);
    }
    cases
}

/// Replies of `nat` backends in fragments.
fn replies() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, backend, port, service, service_port, client) in [
        ("a `nat` reply", "10.9.1.42", 5353, "10.9.0.105", 53, CLIENT),
        ("a `nat` reply in IPv6", "fd09:1::42", 5353, "fd09::105", 53, CLIENT6),
    ] {
        let [first, later] = udp(backend, client, (port, 5000), 64);
        let left = udp(service, client, (service_port, 5000), 63);
        let case =
            |what: &str, packet: &Packet| Case::new(format!("fragments: {name}, {what}"), packet.clone()).from(BACK);
        cases.extend([
            case("the later after the first", &later).after(first.clone()).redirects(FRONT, client, left[1].clone()),
            case("the first after the later", &first).after(later.clone()).redirects(FRONT, client, left[0].clone()),
            case("the later alone passes", &later),
            case("the later passes when it is too late", &later).after(first.clone()).waited(31),
        ]);
    }
    let [first, later] = Packet::v4("10.9.1.43", CLIENT).tcp(4711, 40000).ack().payload(LONG).fragments(48);
    let [_, left] = Packet::v4("10.9.0.106", CLIENT).ttl(63).tcp(4711, 40000).ack().payload(LONG).fragments(48);
    cases.push(
        Case::new("fragments: a `nat` reply of any port, the later after the first", later)
            .from(BACK)
            .after(first)
            .redirects(FRONT, CLIENT, left),
    );
    cases
}

/// Later fragments that are not those of the packet whose first one was seen.
fn forgotten() -> Vec<Case> {
    let with_id = |id, part: usize| {
        let packet = Packet::v4(CLIENT, "10.9.0.100").identification(id).udp(5000, 53).payload(LONG);
        packet.fragments(48)[part].clone()
    };
    let case = |name: &str, first: Packet, later: Packet| {
        Case::new(format!("fragments: {name}"), later).after(first).drops(FragmentUnknown)
    };
    let mut crowded = Case::new("fragments: the oldest makes room", with_id(1, 1)).drops(FragmentUnknown);
    crowded.host_only = Some("the host's table has one set only");
    for id in 1..10 {
        crowded = crowded.after(with_id(id, 0));
    }
    let mut kept = Case::new("fragments: the others stay", with_id(2, 1))
        .transmits("10.9.0.13", with_id(2, 1).ttl(63))
        .counts("dns", "10.9.0.13");
    kept.host_only = crowded.host_only;
    for id in 1..10 {
        kept = kept.after(with_id(id, 0));
    }
    let [_, others] = udp("10.9.0.9", "10.9.0.100", (5000, 53), 64);
    let [_, elsewhere] = udp(CLIENT, "10.9.0.102", (5000, 53), 64);
    let [_, tcp] = tcp("10.9.0.100", 64);
    vec![
        case("another identification", with_id(7, 0), with_id(8, 1)),
        case("another client", with_id(0x4d2, 0), others),
        case("another service", with_id(0x4d2, 0), elsewhere),
        case("another protocol", with_id(0x4d2, 0), tcp),
        crowded,
        kept,
        Case::new("fragments: the later when the first could not be delivered", with_id(7, 1))
            .after(with_id(7, 0))
            .with(|setup| setup.next_hops.clear())
            .drops(FragmentUnknown),
    ]
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
        .redirects(FRONT, CLIENT, udp("10.9.0.105", CLIENT, (53, 5000), 63)[0].clone()),
        Case::new("fragments: the first of a datagram into a tunnel", {
            let [first, _] = udp(CLIENT, "10.9.0.102", (5000, 53), 64);
            first
        })
        .redirects(BACK, "10.9.1.31", {
            let [inner, _] = udp(CLIENT, "10.9.0.102", (5000, 53), 63);
            ipip::outer4("10.9.1.1", "10.9.1.31").carrying(&inner)
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
        Case::new("fragments: a later one behind options in IPv6", behind_options().fragments(48)[1].clone())
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
