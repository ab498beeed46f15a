//! TCP, UDP and ICMP: headers and their lengths.

use lb_common::DropReason::MalformedTransport;

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{CLIENT, CLIENT6},
};

/// Where the transport header begins in an untagged IPv4 frame without options.
const TRANSPORT: usize = 14 + 20;

pub(super) fn cases() -> Vec<Case> {
    [tcp(), udp(), other()].concat()
}

fn web(ttl: u8) -> Packet {
    Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 80)
}

fn tcp() -> Vec<Case> {
    let case = |what: &str, make: fn(Packet) -> Packet| {
        Case::new(format!("tcp: {what}"), make(web(64)))
            .transmits("10.9.0.11", make(web(63)))
            .counts("web", "10.9.0.11")
    };
    vec![
        case("a SYN opens a flow", Packet::syn).opens_flow(),
        case("a SYN with data and options opens a flow", |packet| packet.syn().tcp_options(&[1; 12]).payload(b"early"))
            .opens_flow(),
        case("a SYN-ACK opens none", |packet| packet.syn().ack()),
        case("an ACK opens none", Packet::ack),
        case("the longest header", |packet| packet.ack().tcp_options(&[1; 40])),
        Case::new("tcp: a header length of 4 words", web(64).set(TRANSPORT + 12, &[0x40])).drops(MalformedTransport),
        Case::new("tcp: a header length beyond the packet", web(64).set(TRANSPORT + 12, &[0x60]))
            .drops(MalformedTransport),
        Case::new("tcp: a header that reaches into the padding", web(64).padded(80).set(TRANSPORT + 12, &[0x60]))
            .drops(MalformedTransport),
        Case::new("tcp: a bad header to a stranger passes", {
            Packet::v4(CLIENT, "10.9.0.200").tcp(40000, 80).set(TRANSPORT + 12, &[0x40])
        }),
    ]
}

fn udp() -> Vec<Case> {
    let dns = |ttl| Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).udp(5000, 53).payload(b"query");
    vec![
        Case::new("udp: a datagram", dns(64)).transmits("10.9.0.13", dns(63)).counts("dns", "10.9.0.13"),
        Case::new("udp: an empty datagram", dns(64).payload(b""))
            .transmits("10.9.0.13", dns(63).payload(b""))
            .counts("dns", "10.9.0.13"),
        Case::new("udp: no checksum", dns(64).without_checksum())
            .transmits("10.9.0.13", dns(63).without_checksum())
            .counts("dns", "10.9.0.13"),
        Case::new("udp: a length below the header's", dns(64).claimed_udp_bytes(7)).drops(MalformedTransport),
        Case::new("udp: a length beyond the packet", dns(64).claimed_udp_bytes(14)).drops(MalformedTransport),
        Case::new("udp: a length that reaches into the padding", dns(64).padded(60).claimed_udp_bytes(14))
            .drops(MalformedTransport),
        Case::new("udp: a length shorter than the packet", dns(64).claimed_udp_bytes(12))
            .transmits("10.9.0.13", dns(63).claimed_udp_bytes(12))
            .counts("dns", "10.9.0.13"),
        Case::new("udp: a bad length to a stranger passes", {
            Packet::v4(CLIENT, "10.9.0.200").udp(5000, 53).claimed_udp_bytes(7)
        }),
    ]
}

fn other() -> Vec<Case> {
    vec![
        Case::new("icmp: a neighbour solicitation for a service's address passes", {
            Packet::v6(CLIENT6, "fd09::100").ttl(255).icmp(135, 0, 0).payload(&[0xfd; 16])
        }),
        Case::new("icmp: a message that is cut short", {
            Packet::v4(CLIENT, "10.9.0.100").protocol(1).payload(&[8, 0, 0, 0])
        })
        .drops(MalformedTransport),
        Case::new("ip: GRE to a service's address passes", {
            Packet::v4(CLIENT, "10.9.0.100").protocol(47).payload(&[0; 8])
        }),
        Case::new("ip: SCTP to a service's address passes", {
            Packet::v4(CLIENT, "10.9.0.100").protocol(132).payload(&[0; 12])
        }),
        Case::new("ip: ICMPv6 in IPv4 passes", {
            Packet::v4(CLIENT, "10.9.0.100").protocol(58).payload(&[128, 0, 0, 0, 0, 0, 0, 0])
        }),
        Case::new("ip: ICMP in IPv6 passes", {
            Packet::v6(CLIENT6, "fd09::100").protocol(1).payload(&[8, 0, 0, 0, 0, 0, 0, 0])
        }),
    ]
}
