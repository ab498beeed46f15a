//! Delivery `nat`, from client to backend: another destination and correct checksums.

use lb_common::DropReason::TtlExpired;

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6},
};

pub(super) fn cases() -> Vec<Case> {
    [tcp(), udp(), checksums(), v6(), limits()].concat()
}

fn to(destination: &str, port: u16, ttl: u8) -> Packet {
    Packet::ip(CLIENT, destination).ttl(ttl).tcp(40000, port).syn().payload(b"odd")
}

fn tcp() -> Vec<Case> {
    let case = |name: &str, make: fn(Packet) -> Packet| {
        Case::new(format!("nat: {name}"), make(to("10.9.0.105", 80, 64)))
            .redirects(BACK, "10.9.1.41", make(to("10.9.1.41", 8080, 63)))
            .counts("nat", "10.9.1.41")
            .opens_flow()
    };
    vec![
        case("TCP gets the backend's address and port", |packet| packet),
        case("TCP behind IPv4 options", |packet| packet.options(&[1; 8])),
        case("a padded segment", |packet| packet.trailer(9)),
        Case::new("nat: a tag goes", to("10.9.0.105", 80, 64).tagged(7))
            .redirects(BACK, "10.9.1.41", to("10.9.1.41", 8080, 63))
            .counts("nat", "10.9.1.41")
            .opens_flow(),
        Case::new("nat: any port keeps the client's port", to("10.9.0.106", 4711, 64))
            .redirects(BACK, "10.9.1.43", to("10.9.1.43", 4711, 63))
            .counts("nat-any", "10.9.1.43")
            .opens_flow(),
        Case::new("nat: a port that is no service's passes", to("10.9.0.105", 8080, 64)),
    ]
}

fn udp() -> Vec<Case> {
    let to = |destination, port, ttl| Packet::v4(CLIENT, destination).ttl(ttl).udp(5000, port).payload(b"query");
    let case = |name: &str, make: fn(Packet) -> Packet| {
        Case::new(format!("nat: {name}"), make(to("10.9.0.105", 53, 64)))
            .redirects(BACK, "10.9.1.42", make(to("10.9.1.42", 5353, 63)))
            .counts("nat-dns", "10.9.1.42")
    };
    vec![
        case("UDP gets the backend's address and port", |packet| packet),
        case("UDP without a checksum stays without", Packet::without_checksum),
        case("an empty datagram", |packet| packet.payload(b"")),
    ]
}

/// A datagram to a backend whose checksum comes out as 0, which is sent as all ones (RFC 768).
fn zero_checksum(make: impl Fn(&[u8]) -> Packet, checksum: usize) -> [u8; 2] {
    let frame = make(&[0, 0]).bytes();
    // What a zero word leaves to be complemented is the word that brings the sum to all ones.
    [frame[checksum], frame[checksum + 1]]
}

fn checksums() -> Vec<Case> {
    let v4 = |destination, port, ttl, payload: &[u8]| {
        Packet::v4(CLIENT, destination).ttl(ttl).udp(5000, port).payload(payload)
    };
    let v6 = |destination, port, ttl, payload: &[u8]| {
        Packet::v6(CLIENT6, destination).ttl(ttl).udp(5000, port).payload(payload)
    };
    let payload4 = zero_checksum(|payload| v4("10.9.1.42", 5353, 63, payload), 14 + 20 + 6);
    let payload6 = zero_checksum(|payload| v6("fd09:1::42", 5353, 63, payload), 14 + 40 + 6);
    let (sent4, sent6) = (v4("10.9.1.42", 5353, 63, &payload4), v6("fd09:1::42", 5353, 63, &payload6));
    assert_eq!(sent4.clone().bytes()[14 + 20 + 6..][..2], [0xff, 0xff], "the case shows what it says");
    assert_eq!(sent6.clone().bytes()[14 + 40 + 6..][..2], [0xff, 0xff], "the case shows what it says");
    let last = to("10.9.0.105", 80, 64).bytes().len() - 1;
    vec![
        Case::new("nat: a UDP checksum that comes out as 0", v4("10.9.0.105", 53, 64, &payload4))
            .redirects(BACK, "10.9.1.42", sent4)
            .counts("nat-dns", "10.9.1.42"),
        Case::new("nat: a UDP checksum that comes out as 0 in IPv6", v6("fd09::105", 53, 64, &payload6))
            .redirects(BACK, "fd09:1::42", sent6)
            .counts("nat6-dns", "fd09:1::42"),
        Case::new("nat: a wrong checksum stays wrong", to("10.9.0.105", 80, 64).set(last, b"?"))
            .redirects(BACK, "10.9.1.41", to("10.9.1.41", 8080, 63).set(last, b"?"))
            .counts("nat", "10.9.1.41")
            .opens_flow(),
    ]
}

fn v6() -> Vec<Case> {
    let tcp = |destination, port, ttl| Packet::v6(CLIENT6, destination).ttl(ttl).tcp(40000, port).ack().payload(b"odd");
    let udp = |destination, port, ttl| Packet::v6(CLIENT6, destination).ttl(ttl).udp(5000, port).payload(b"query");
    let extended = |destination, port, ttl| {
        let packet = Packet::v6(CLIENT6, destination).ttl(ttl).hop_by_hop(0).destination_options(1);
        packet.tcp(40000, port).ack().payload(b"odd")
    };
    vec![
        Case::new("nat: TCP over IPv6", tcp("fd09::105", 80, 64))
            .redirects(BACK, "fd09:1::41", tcp("fd09:1::41", 8080, 63))
            .counts("nat6", "fd09:1::41"),
        Case::new("nat: TCP over IPv6 behind extension headers", extended("fd09::105", 80, 64))
            .redirects(BACK, "fd09:1::41", extended("fd09:1::41", 8080, 63))
            .counts("nat6", "fd09:1::41"),
        Case::new("nat: UDP over IPv6", udp("fd09::105", 53, 64))
            .redirects(BACK, "fd09:1::42", udp("fd09:1::42", 5353, 63))
            .counts("nat6-dns", "fd09:1::42"),
        Case::new("nat: any UDP port over IPv6", udp("fd09::106", 4711, 64))
            .redirects(BACK, "fd09:1::43", udp("fd09:1::43", 4711, 63))
            .counts("nat6-any", "fd09:1::43"),
    ]
}

fn limits() -> Vec<Case> {
    let sized = |destination, port, ttl, bytes: usize| {
        Packet::v4(CLIENT, destination).ttl(ttl).tcp(40000, port).ack().payload(&vec![7; bytes])
    };
    vec![
        Case::new("nat: a packet that exactly fits", sized("10.9.0.105", 80, 64, 1460))
            .redirects(BACK, "10.9.1.41", sized("10.9.1.41", 8080, 63, 1460))
            .counts("nat", "10.9.1.41"),
        Case::new("nat: TTL 1 ends here", sized("10.9.0.105", 80, 1, 5)).drops(TtlExpired).counts("nat", "10.9.1.41"),
    ]
}
