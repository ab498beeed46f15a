//! IPv6 extension headers: each is walked over, four at the most.

use lb_common::DropReason::{ExtensionHeaders, MalformedIp, MalformedTransport};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::CLIENT6,
};

/// Where the first extension header begins in an untagged frame.
const FIRST: usize = 14 + 40;

pub(super) fn cases() -> Vec<Case> {
    [walked(), too_many(), malformed()].concat()
}

type Extend = fn(Packet) -> Packet;

fn walked() -> Vec<Case> {
    let chains: [(&str, Extend); 8] = [
        ("hop-by-hop options", |packet| packet.hop_by_hop(0)),
        ("long hop-by-hop options", |packet| packet.hop_by_hop(3)),
        ("destination options", |packet| packet.destination_options(1)),
        ("a routing header", Packet::routing),
        ("an authentication header", |packet| packet.authentication(3)),
        ("an authentication header of odd length", |packet| packet.authentication(2)),
        ("an atomic fragment", |packet| packet.fragment_header(0, false)),
        ("four headers", |packet| packet.hop_by_hop(0).destination_options(0).routing().destination_options(2)),
    ];
    let case = |(what, extend): (&str, Extend)| {
        let packet = |ttl| extend(Packet::v6(CLIENT6, "fd09::100").ttl(ttl)).tcp(40000, 80).syn().payload(b"x");
        Case::new(format!("extensions: {what}"), packet(64))
            .transmits("fd09::11", packet(63))
            .counts("web6", "fd09::11")
            .opens_flow()
    };
    chains.map(case).to_vec()
}

fn too_many() -> Vec<Case> {
    let five = |address: &str| {
        let packet = Packet::v6(CLIENT6, address).hop_by_hop(0).destination_options(0).routing();
        packet.authentication(3).destination_options(0).tcp(40000, 80).syn()
    };
    vec![
        Case::new("extensions: five headers to a service", five("fd09::100")).drops(ExtensionHeaders),
        Case::new("extensions: five headers to a stranger pass", five("fd09::200")),
        Case::new("extensions: four headers and a protocol that services lack pass", {
            let packet = Packet::v6(CLIENT6, "fd09::100").hop_by_hop(0).destination_options(0).routing();
            packet.destination_options(0).protocol(132).payload(&[0; 12])
        }),
    ]
}

fn malformed() -> Vec<Case> {
    let packet = || Packet::v6(CLIENT6, "fd09::100").hop_by_hop(0).tcp(40000, 80).syn();
    vec![
        Case::new("extensions: a header that reaches beyond the packet", packet().set(FIRST + 1, &[200]))
            .drops(MalformedTransport),
        Case::new("extensions: a header that ends where the packet ends", packet().set(FIRST + 1, &[2]))
            .drops(MalformedTransport),
        Case::new("extensions: a header announced behind the end", {
            Packet::v6(CLIENT6, "fd09::100").protocol(60).payload(&[])
        })
        .drops(MalformedIp),
        Case::new("extensions: a fragment header that is cut short", {
            Packet::v6(CLIENT6, "fd09::100").protocol(44).payload(&[6, 0, 0, 0])
        })
        .drops(MalformedIp),
        Case::new("extensions: a header that stands in the padding", {
            // The packet ends with its IPv6 header; the padding looks like a way to a TCP header.
            Packet::v6(CLIENT6, "fd09::100").hop_by_hop(0).tcp(40000, 80).syn().claimed_bytes(0)
        })
        .drops(MalformedTransport),
    ]
}
