//! Echo requests to a service's address are answered.

use lb_common::DropReason::{FragmentUnknown, MalformedIp};

use super::Case;
use crate::{
    packet::Packet,
    world::{CLIENT, CLIENT6},
};

const PING: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";

fn request(address: &str) -> Packet {
    let client = if address.contains(':') { CLIENT6 } else { CLIENT };
    Packet::ip(client, address).echo_request(7).payload(PING)
}

fn reply(address: &str) -> Packet {
    let client = if address.contains(':') { CLIENT6 } else { CLIENT };
    Packet::ip(address, client).ttl(64).echo_reply(7).payload(PING)
}

pub(super) fn cases() -> Vec<Case> {
    [answered(), not_answered()].concat()
}

fn answered() -> Vec<Case> {
    let case = |name: &str, address: &str, make: fn(Packet) -> Packet| {
        Case::new(format!("echo: {name}"), make(request(address))).answers(make(reply(address)))
    };
    vec![
        case("a request is answered", "10.9.0.100", |packet| packet),
        case("a request in IPv6 is answered", "fd09::100", |packet| packet),
        case("an address with `nat` services answers", "10.9.0.105", |packet| packet),
        case("an address without backends answers", "10.9.0.107", |packet| packet),
        case("an empty request", "10.9.0.100", |packet| packet.payload(b"")),
        Case::new("echo: an answer of nothing but zeros", request("10.9.0.100").icmp(8, 0, 0).payload(b""))
            .answers(reply("10.9.0.100").icmp(0, 0, 0).payload(b"")),
        case("a large request", "10.9.0.100", |packet| packet.payload(&[0x61; 1472])),
        case("tags and padding stay", "10.9.0.100", |packet| packet.service_tagged(6).tagged(0x2007).trailer(5)),
        case("IPv4 options stay", "10.9.0.100", |packet| packet.options(&[1; 4])),
        case("extension headers stay", "fd09::100", |packet| packet.hop_by_hop(0).destination_options(1)),
        case("the traffic class stays", "fd09::100", |packet| packet.traffic_class(0xb9)),
        Case::new("echo: a request with TTL 1 has arrived", request("10.9.0.100").ttl(1)).answers(reply("10.9.0.100")),
        Case::new("echo: a request with hop limit 255", request("fd09::100").ttl(255)).answers(reply("fd09::100")),
    ]
}

fn not_answered() -> Vec<Case> {
    let [first, later] = request("10.9.0.100").fragments(16);
    let [first6, later6] = request("fd09::100").fragments(16);
    vec![
        Case::new("echo: a request to a stranger passes", request("10.9.0.200")),
        Case::new("echo: a request to a backend passes", request("10.9.0.11")),
        Case::new("echo: a request to an IPv6 stranger passes", request("fd09::200")),
        Case::new("echo: a reply passes", Packet::v4(CLIENT, "10.9.0.100").echo_reply(7).payload(PING)),
        Case::new("echo: a request with a code passes", Packet::v4(CLIENT, "10.9.0.100").icmp(8, 1, 7)),
        Case::new(
            "echo: a timestamp request passes",
            Packet::v4(CLIENT, "10.9.0.100").icmp(13, 0, 7).payload(&[0; 12]),
        ),
        Case::new("echo: the first fragment of a request passes", first),
        Case::new("echo: a later fragment of a request", later).drops(FragmentUnknown),
        Case::new("echo: the first fragment of an IPv6 request passes", first6),
        Case::new("echo: a later fragment of an IPv6 request", later6).drops(FragmentUnknown),
        Case::new("echo: a request that claims more than there is", request("10.9.0.100").claimed_bytes(200))
            .drops(MalformedIp),
    ]
}
