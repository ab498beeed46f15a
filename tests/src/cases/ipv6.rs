//! The IPv6 header: lies about versions and lengths, hop limit, flow label and traffic class, mapped addresses.

use lb_common::DropReason::{MalformedIp, MalformedTransport, TtlExpired};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::CLIENT6,
};

/// Where the IPv6 header begins in an untagged frame.
const IP: usize = 14;
/// An address that is no service's.
const STRANGER: &str = "fd09::200";

fn to(address: &str) -> Packet {
    Packet::v6(CLIENT6, address).tcp(40000, 80).ack().payload(b"GET /")
}

fn web() -> Packet {
    to("fd09::100")
}

pub(super) fn cases() -> Vec<Case> {
    [headers(), lengths(), hop_limits(), mapped()].concat()
}

fn headers() -> Vec<Case> {
    vec![
        Case::new("ipv6: traffic class and flow label stay", web().traffic_class(0xb9).flow_label(0xabcde))
            .transmits("fd09::11", web().ttl(63).traffic_class(0xb9).flow_label(0xabcde))
            .counts("web6", "fd09::11"),
        Case::new("ipv6: version 4 behind the EtherType of IPv6", web().set(IP, &[0x40])).drops(MalformedIp),
        Case::new("ipv6: version 7", web().set(IP, &[0x70])).drops(MalformedIp),
        Case::new("ipv6: a bad version to a stranger passes", to(STRANGER).set(IP, &[0x70])),
        Case::new("ipv6: no next header passes", Packet::v6(CLIENT6, "fd09::100").protocol(59).payload(b"nothing")),
    ]
}

fn lengths() -> Vec<Case> {
    // 20 bytes of TCP, 5 of payload.
    vec![
        Case::new("ipv6: a payload length beyond the frame", web().claimed_bytes(26)).drops(MalformedIp),
        Case::new("ipv6: the largest payload length", web().claimed_bytes(65535)).drops(MalformedIp),
        Case::new("ipv6: a payload length of nothing", web().claimed_bytes(0)).drops(MalformedTransport),
        Case::new("ipv6: a payload length that cuts the TCP header", web().claimed_bytes(19)).drops(MalformedTransport),
        Case::new("ipv6: a bad length to a stranger passes", to(STRANGER).claimed_bytes(65535)),
        Case::new("ipv6: padding behind the packet stays", web().padded(90))
            .transmits("fd09::11", web().ttl(63).padded(90))
            .counts("web6", "fd09::11"),
    ]
}

fn hop_limits() -> Vec<Case> {
    vec![
        Case::new("ipv6: hop limit 255 becomes 254", web().ttl(255))
            .transmits("fd09::11", web().ttl(254))
            .counts("web6", "fd09::11"),
        Case::new("ipv6: hop limit 2 becomes 1", web().ttl(2))
            .transmits("fd09::11", web().ttl(1))
            .counts("web6", "fd09::11"),
        Case::new("ipv6: hop limit 1 ends here", web().ttl(1)).drops(TtlExpired).counts("web6", "fd09::11"),
        Case::new("ipv6: hop limit 0 ends here", web().ttl(0)).drops(TtlExpired).counts("web6", "fd09::11"),
    ]
}

/// IPv4-mapped addresses have no business on a wire (RFC 4291, section 2.5.5.2), and the tables hold IPv4 in that form.
fn mapped() -> Vec<Case> {
    let mapped = |source, destination| Packet::v6(source, destination).tcp(40000, 80).ack().payload(b"GET /");
    vec![
        Case::new("ipv6: the mapped address of an IPv4 service", mapped(CLIENT6, "::ffff:10.9.0.100"))
            .drops(MalformedIp),
        Case::new("ipv6: a mapped source to a service", mapped("::ffff:10.9.0.7", "fd09::100")).drops(MalformedIp),
        Case::new("ipv6: mapped at both ends", mapped("::ffff:10.9.0.7", "::ffff:10.9.0.105")).drops(MalformedIp),
        Case::new("ipv6: a mapped source to a stranger passes", mapped("::ffff:10.9.0.7", STRANGER)),
        Case::new("ipv6: the mapped address of a `nat` backend passes", {
            Packet::v6("::ffff:10.9.1.41", CLIENT6).tcp(8080, 40000).ack()
        }),
        Case::new("ipv6: an echo request to a mapped service address", {
            Packet::v6(CLIENT6, "::ffff:10.9.0.100").echo_request(1)
        })
        .drops(MalformedIp),
    ]
}
