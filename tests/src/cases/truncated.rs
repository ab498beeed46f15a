//! Frames that end too early, at every interesting place of every layer.
//!
//! A frame that ends before its destination is no IP packet to anybody and passes. One that ends later contradicts its
//! own length. Where the length is honest, the header that does not fit is the defect.

use lb_common::DropReason::{MalformedIp, MalformedTransport};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{CLIENT, CLIENT6},
};

pub(super) fn cases() -> Vec<Case> {
    [lying(), honest()].concat()
}

/// A frame cut at each of these lengths, with headers that claim what they claimed.
fn cut(what: &str, packet: &Packet, passing: &[usize], dropped: &[usize]) -> Vec<Case> {
    let case = |&bytes: &usize| Case::new(format!("truncated: {what} at {bytes}"), packet.clone().cut(bytes));
    passing.iter().map(case).chain(dropped.iter().map(|bytes| case(bytes).drops(MalformedIp))).collect()
}

fn lying() -> Vec<Case> {
    let tcp = Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).syn().tcp_options(&[1; 8]).payload(b"data");
    let udp = Packet::v4(CLIENT, "10.9.0.100").udp(5000, 53).payload(b"query");
    let options = Packet::v4(CLIENT, "10.9.0.100").options(&[1; 12]).tcp(40000, 80).syn();
    let tcp6 = Packet::v6(CLIENT6, "fd09::100").tcp(40000, 80).syn().payload(b"data");
    let extended = Packet::v6(CLIENT6, "fd09::100").hop_by_hop(0).destination_options(1).tcp(40000, 80).syn();
    [
        cut("TCP over IPv4", &tcp, &[14, 15, 24, 30, 33], &[34, 35, 36, 38, 47, 53, 54, 61, 62, 65]),
        cut("UDP over IPv4", &udp, &[33], &[34, 38, 41, 42, 46]),
        cut("IPv4 options", &options, &[], &[34, 40, 45, 46, 65]),
        cut("tagged TCP over IPv4", &tcp.clone().tagged(7), &[14, 17, 18, 37], &[38, 57, 58, 69]),
        cut("twice tagged TCP over IPv4", &tcp.service_tagged(6).tagged(7), &[18, 21, 22, 41], &[42, 62, 73]),
        cut("TCP over IPv6", &tcp6, &[14, 34, 53], &[54, 58, 73, 74, 77]),
        cut("IPv6 extension headers", &extended, &[], &[54, 55, 56, 62, 63, 78, 97]),
        cut("a stranger's TCP", &Packet::v4(CLIENT, "10.9.0.200").tcp(40000, 80), &[33, 34, 40, 53], &[]),
    ]
    .concat()
}

/// Packets whose IP length is right, but whose transport header does not fit.
fn honest() -> Vec<Case> {
    let header = [0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 2, 0, 0, 0, 0, 0];
    let case = |what: &str, packet: Packet, bytes: usize| {
        Case::new(format!("truncated: {bytes} honest bytes of {what}"), packet.payload(&header[..bytes]))
            .drops(MalformedTransport)
    };
    let v4 = || Packet::v4(CLIENT, "10.9.0.100");
    let v6 = || Packet::v6(CLIENT6, "fd09::100");
    let mut cases = Vec::new();
    for bytes in [0, 1, 2, 4, 12, 13, 19] {
        cases.push(case("TCP over IPv4", v4().protocol(6), bytes));
        cases.push(case("TCP over IPv6", v6().protocol(6), bytes));
    }
    for bytes in [0, 3, 4, 7] {
        cases.push(case("UDP over IPv4", v4().protocol(17), bytes));
        cases.push(case("UDP over IPv6 behind options", v6().destination_options(0).protocol(17), bytes));
        cases.push(case("ICMP", v4().protocol(1), bytes));
    }
    // What stands behind the packet is not part of it, however much it looks like the rest of a header.
    cases.extend([
        case("TCP over IPv4 in a padded frame", v4().protocol(6).trailer(30), 19),
        case("UDP over IPv4 in a padded frame", v4().protocol(17).trailer(30), 7),
        case("a UDP fragment in a padded frame", v6().fragment_header(0, true).protocol(17).trailer(30), 4),
        case("ICMP in a padded frame", v4().protocol(1).trailer(30), 7),
        case("ICMPv6 in a padded frame", v6().protocol(58).trailer(30), 4),
    ]);
    cases
}
