//! The IPv4 header: lies about versions and lengths, options, time to live.

use lb_common::DropReason::{MalformedIp, MalformedTransport, TtlExpired};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::CLIENT,
};

/// Where the IPv4 header begins in an untagged frame.
const IP: usize = 14;
/// An address that is no service's.
const STRANGER: &str = "10.9.0.200";

fn to(address: &str) -> Packet {
    Packet::v4(CLIENT, address).tcp(40000, 80).ack().payload(b"GET /")
}

fn web() -> Packet {
    to("10.9.0.100")
}

pub(super) fn cases() -> Vec<Case> {
    [lengths(), versions(), options(), ttls()].concat()
}

fn lengths() -> Vec<Case> {
    // 20 bytes of IP, 20 of TCP, 5 of payload.
    vec![
        Case::new("ipv4: a total length beyond the frame", web().claimed_bytes(46)).drops(MalformedIp),
        Case::new("ipv4: the largest total length", web().claimed_bytes(65535)).drops(MalformedIp),
        Case::new("ipv4: a total length shorter than the header", web().claimed_bytes(19)).drops(MalformedIp),
        Case::new("ipv4: a total length of nothing", web().claimed_bytes(0)).drops(MalformedIp),
        Case::new("ipv4: a total length of a header and nothing behind it", web().claimed_bytes(20))
            .drops(MalformedTransport),
        Case::new("ipv4: a total length that cuts the TCP header", web().claimed_bytes(39)).drops(MalformedTransport),
        Case::new("ipv4: a total length shorter than the frame leaves a trailer", web().claimed_bytes(44))
            .transmits("10.9.0.11", web().ttl(63).claimed_bytes(44))
            .counts("web", "10.9.0.11"),
        Case::new("ipv4: a bad length to a stranger passes", to(STRANGER).claimed_bytes(65535)),
        Case::new("ipv4: a header length of 0", web().set(IP, &[0x40])).drops(MalformedIp),
        Case::new("ipv4: a header length of 4 words", web().set(IP, &[0x44])).drops(MalformedIp),
        Case::new("ipv4: a header length beyond the packet", web().set(IP, &[0x4f])).drops(MalformedIp),
        Case::new("ipv4: a bad header length to a stranger passes", to(STRANGER).set(IP, &[0x44])),
    ]
}

fn versions() -> Vec<Case> {
    vec![
        Case::new("ipv4: version 5", web().set(IP, &[0x55])).drops(MalformedIp),
        Case::new("ipv4: version 6 behind the EtherType of IPv4", web().set(IP, &[0x65])).drops(MalformedIp),
        Case::new("ipv4: a wrong checksum is not ours to judge", web().set(IP + 10, &[0, 0]))
            .transmits("10.9.0.11", web().ttl(63).set(IP + 10, &[0x01, 0x00]))
            .counts("web", "10.9.0.11"),
    ]
}

fn options() -> Vec<Case> {
    let with_options = |count: usize, ttl| {
        let packet = Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).options(&vec![1; count]);
        packet.tcp(40000, 80).syn().payload(b"x")
    };
    let case = |count: usize| {
        Case::new(format!("ipv4: {count} bytes of options"), with_options(count, 64))
            .transmits("10.9.0.11", with_options(count, 63))
            .counts("web", "10.9.0.11")
            .opens_flow()
    };
    vec![case(4), case(24), case(40)]
}

fn ttls() -> Vec<Case> {
    let case = |ttl: u8| {
        Case::new(format!("ipv4: TTL {ttl} becomes {}", ttl - 1), web().ttl(ttl))
            .transmits("10.9.0.11", web().ttl(ttl - 1))
            .counts("web", "10.9.0.11")
    };
    let expired = |ttl: u8| {
        Case::new(format!("ipv4: TTL {ttl} ends here"), web().ttl(ttl)).drops(TtlExpired).counts("web", "10.9.0.11")
    };
    vec![
        case(255),
        case(128),
        case(2),
        expired(1),
        expired(0),
        Case::new("ipv4: TTL 1 to a stranger passes", to(STRANGER).ttl(1)),
    ]
}
