//! Packets to a service that no honest sender sends: flags and sources that cannot be, and checksums that are wrong.

use lb_common::{
    DropReason::{Land, MartianSource, TcpFlags},
    ListKind,
};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6},
};

pub(super) fn cases() -> Vec<Case> {
    [flags(), martians(), checksums()].concat()
}

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;
const URG: u8 = 32;

fn flags() -> Vec<Case> {
    let packet = |client: &str, service: &str, flags, ttl| {
        Packet::ip(client, service).ttl(ttl).tcp(40000, 80).flags(flags).payload(b"x")
    };
    let mut cases = Vec::new();
    for (name, flags) in [
        ("none", 0),
        ("all", 0x3f),
        ("FIN, PSH and URG (Xmas)", FIN | PSH | URG),
        ("FIN alone", FIN),
        ("PSH alone", PSH),
        ("URG alone", URG),
        ("PSH and URG", PSH | URG),
        ("SYN and FIN", SYN | FIN),
        ("SYN, FIN and ACK", SYN | FIN | ACK),
        ("SYN and RST", SYN | RST),
        ("SYN, RST and ACK", SYN | RST | ACK),
        ("FIN and RST", FIN | RST),
    ] {
        cases.push(Case::new(format!("flags: {name}"), packet(CLIENT, "10.9.0.100", flags, 64)).drops(TcpFlags));
        cases
            .push(Case::new(format!("flags: {name} in IPv6"), packet(CLIENT6, "fd09::100", flags, 64)).drops(TcpFlags));
    }
    for (name, flags) in [
        ("ACK", ACK),
        ("ACK and PSH", ACK | PSH),
        ("ACK and URG", ACK | URG),
        ("FIN and ACK", FIN | ACK),
        ("FIN, PSH and ACK", FIN | PSH | ACK),
        ("RST", RST),
        ("RST and ACK", RST | ACK),
        ("FIN, RST and ACK", FIN | RST | ACK),
        ("SYN and ACK", SYN | ACK),
    ] {
        cases.push(
            Case::new(format!("flags: {name} is forwarded"), packet(CLIENT, "10.9.0.100", flags, 64))
                .transmits("10.9.0.11", packet(CLIENT, "10.9.0.100", flags, 63))
                .counts("web", "10.9.0.11"),
        );
    }
    let ecn = |ttl| packet(CLIENT, "10.9.0.100", SYN, ttl).bytes();
    // A SYN that asks for ECN has two more flags (RFC 3168, section 6.1.1).
    let with_ecn = |frame: Vec<u8>| {
        let sum = u16::from_be_bytes([frame[14 + 20 + 16], frame[14 + 20 + 17]]) - 0xc0;
        frame.set(14 + 20 + 13, &[0xc2]).set(14 + 20 + 16, &sum.to_be_bytes())
    };
    cases.extend([
        Case::new("flags: a SYN with ECN is forwarded", with_ecn(ecn(64)))
            .transmits("10.9.0.11", with_ecn(ecn(63)))
            .counts("web", "10.9.0.11")
            .opens_flow(),
        Case::new("flags: none, and not to a service: passes", packet(CLIENT, "10.9.0.200", 0, 64)),
        Case::new("flags: none, to a port that no service has: passes", packet(CLIENT, "10.9.0.102", 0, 64).tcp(1, 99)),
        Case::new("flags: none, in a `nat` reply: is the client's to judge", {
            Packet::v4("10.9.1.41", CLIENT).tcp(8080, 40000).flags(0)
        })
        .from(BACK)
        .redirects(
            crate::world::FRONT,
            CLIENT,
            Packet::v4("10.9.0.105", CLIENT).ttl(63).tcp(80, 40000).flags(0),
        ),
        Case::new("flags: none, in a first fragment", {
            let [first, _] = packet(CLIENT, "10.9.0.100", 0, 64).payload(&[1; 64]).fragments(48);
            first
        })
        .drops(TcpFlags),
    ]);
    cases
}

fn martians() -> Vec<Case> {
    let tcp = |source: &str, service: &str, ttl| Packet::ip(source, service).ttl(ttl).tcp(40000, 80).ack();
    let mut cases = Vec::new();
    for source in [
        "0.0.0.0",
        "0.255.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
    ] {
        cases.push(Case::new(format!("martians: {source}"), tcp(source, "10.9.0.100", 64)).drops(MartianSource));
    }
    for source in ["::", "::1", "ff02::1", "ff0e::1234", "ff00::"] {
        cases.push(Case::new(format!("martians: {source}"), tcp(source, "fd09::100", 64)).drops(MartianSource));
    }
    for source in ["1.0.0.0", "126.255.255.255", "128.0.0.0", "223.255.255.255", "169.254.1.1", "10.9.0.101"] {
        cases.push(
            Case::new(format!("martians: {source} is none"), tcp(source, "10.9.0.100", 64))
                .transmits("10.9.0.11", tcp(source, "10.9.0.100", 63))
                .counts("web", "10.9.0.11"),
        );
    }
    for source in ["::2", "1::", "fe80::1", "feff::1", "::1:0:1", "0:0:1::1"] {
        cases.push(
            Case::new(format!("martians: {source} is none"), tcp(source, "fd09::100", 64))
                .transmits("fd09::11", tcp(source, "fd09::100", 63))
                .counts("web6", "fd09::11"),
        );
    }
    cases.extend([
        Case::new("land: the service's own address", tcp("10.9.0.100", "10.9.0.100", 64)).drops(Land),
        Case::new("land: the service's own address in IPv6", tcp("fd09::100", "fd09::100", 64)).drops(Land),
        Case::new("land: an echo request", Packet::v4("10.9.0.100", "10.9.0.100").echo_request(1)).drops(Land),
        Case::new("land: not to a service: passes", tcp("10.9.0.200", "10.9.0.200", 64)),
        Case::new("martians: UDP", Packet::v4("127.0.0.1", "10.9.0.100").udp(5000, 53)).drops(MartianSource),
        Case::new("martians: an echo request", Packet::v4("224.0.0.1", "10.9.0.100").echo_request(1))
            .drops(MartianSource),
        Case::new("martians: an echo request in IPv6", Packet::v6("ff02::1", "fd09::100").echo_request(1))
            .drops(MartianSource),
        Case::new("martians: not to a service: passes", tcp("127.0.0.1", "10.9.0.200", 64)),
        Case::new("martians: not to a service in IPv6: passes", tcp("::1", "fd09::200", 64)),
        Case::new("martians: a later fragment", {
            let [_, later] = Packet::v4("127.0.0.1", "10.9.0.100").udp(5000, 53).payload(&[1; 64]).fragments(48);
            later
        })
        .drops(MartianSource),
        Case::new("martians: the allow list does not help", tcp("127.0.0.1", "10.9.0.100", 64))
            .with(|setup| setup.model.firewall.allow.push("127.0.0.0/8".parse().expect("a prefix")))
            .listed(ListKind::Allow, "127.0.0.0/8")
            .drops(MartianSource),
    ]);
    cases
}

/// Wrong checksums are carried on, wrong by as much as before.
fn checksums() -> Vec<Case> {
    let tcp =
        |source: &str, to: &str, port, ttl| Packet::ip(source, to).ttl(ttl).tcp(40000, port).ack().payload(b"odd");
    let udp = |source: &str, to: &str, port, ttl| Packet::ip(source, to).ttl(ttl).udp(5000, port).payload(b"odd");
    // The last byte of the payload is another one than the checksum was computed for.
    let spoil = |packet: Packet| {
        let bytes = packet.bytes();
        let last = bytes.len() - 1;
        bytes.set(last, b"?")
    };
    let case = |name: &str, packet: Packet| Case::new(format!("checksums: a wrong {name} stays wrong"), spoil(packet));
    // Wrong in the IP header: the identification is another one.
    let spoil_ip = |packet: Packet| packet.set(14 + 4, &[0xab, 0xcd]);
    let ip_case =
        |name: &str, packet: Packet| Case::new(format!("checksums: a wrong {name} stays wrong"), spoil_ip(packet));
    let tunnelled = |inner: &[u8]| super::ipip::outer4("10.9.1.1", "10.9.1.31").protocol(4).payload(&inner[14..]);
    vec![
        case("TCP checksum by `l2`", tcp(CLIENT, "10.9.0.100", 80, 64))
            .transmits("10.9.0.11", spoil(tcp(CLIENT, "10.9.0.100", 80, 63)))
            .counts("web", "10.9.0.11"),
        case("UDP checksum by `l2`", udp(CLIENT, "10.9.0.100", 53, 64))
            .transmits("10.9.0.13", spoil(udp(CLIENT, "10.9.0.100", 53, 63)))
            .counts("dns", "10.9.0.13"),
        case("TCP checksum by `ipip`", tcp(CLIENT, "10.9.0.102", 80, 64))
            .redirects(BACK, "10.9.1.31", tunnelled(&spoil(tcp(CLIENT, "10.9.0.102", 80, 63))))
            .counts("4in4", "10.9.1.31"),
        case("UDP checksum by `nat`", udp(CLIENT, "10.9.0.105", 53, 64))
            .redirects(BACK, "10.9.1.42", spoil(udp(CLIENT, "10.9.1.42", 5353, 63)))
            .counts("nat-dns", "10.9.1.42"),
        case("TCP checksum by `nat` in IPv6", tcp(CLIENT6, "fd09::105", 80, 64))
            .redirects(BACK, "fd09:1::41", spoil(tcp(CLIENT6, "fd09:1::41", 8080, 63)))
            .counts("nat6", "fd09:1::41"),
        case("UDP checksum by `nat` in IPv6", udp(CLIENT6, "fd09::105", 53, 64))
            .redirects(BACK, "fd09:1::42", spoil(udp(CLIENT6, "fd09:1::42", 5353, 63)))
            .counts("nat6-dns", "fd09:1::42"),
        case("TCP checksum of a `nat` reply", Packet::v4("10.9.1.41", CLIENT).tcp(8080, 40000).ack().payload(b"odd"))
            .from(BACK)
            .redirects(
                crate::world::FRONT,
                CLIENT,
                spoil(Packet::v4("10.9.0.105", CLIENT).ttl(63).tcp(80, 40000).ack().payload(b"odd")),
            ),
        ip_case("IPv4 header by `l2`", tcp(CLIENT, "10.9.0.100", 80, 64))
            .transmits("10.9.0.11", spoil_ip(tcp(CLIENT, "10.9.0.100", 80, 63)))
            .counts("web", "10.9.0.11"),
        ip_case("IPv4 header by `ipip`", tcp(CLIENT, "10.9.0.102", 80, 64))
            .redirects(BACK, "10.9.1.31", tunnelled(&spoil_ip(tcp(CLIENT, "10.9.0.102", 80, 63))))
            .counts("4in4", "10.9.1.31"),
        ip_case("IPv4 header by `nat`", tcp(CLIENT, "10.9.0.105", 80, 64))
            .redirects(BACK, "10.9.1.41", spoil_ip(tcp(CLIENT, "10.9.1.41", 8080, 63)))
            .counts("nat", "10.9.1.41"),
    ]
}
