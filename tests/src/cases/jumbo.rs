//! Jumbo frames, which lie in several buffers: headers stand in the first, and lengths are those of the whole.

use lb_common::DropReason::{Denied, MalformedIp, MalformedTransport, MtuExceeded};
use lb_common::ListKind;

use super::{
    Case,
    gue::source_port,
    ipip::{hash, outer4},
    too_big::answer,
};
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6, Setup},
};

/// What fits 9000 bytes of IP with TCP and without options.
const SEGMENT: usize = 8960;

/// Every way carries jumbo frames.
fn wide(setup: &mut Setup) {
    setup.next_hops.values_mut().for_each(|hop| hop.mtu = 9000);
}

fn web(ttl: u8, bytes: usize) -> Packet {
    Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 80).ack().payload(&vec![7; bytes])
}

fn web6() -> Packet {
    Packet::v6(CLIENT6, "fd09::100").tcp(40000, 80).ack().payload(&[7; 8000])
}

fn case(name: &str, packet: impl Into<Vec<u8>>) -> Case {
    Case::new(format!("jumbo: {name}"), packet).with(wide)
}

fn deliveries() -> Vec<Case> {
    let to = |address: &str, port, ttl| {
        let client = if address.contains(':') { CLIENT6 } else { CLIENT };
        Packet::ip(client, address).ttl(ttl).tcp(40000, port).ack().payload(&[7; 8000])
    };
    let gue4 = source_port(hash(CLIENT, "10.9.0.160", 80, 6));
    let (hash6, service6) = (hash(CLIENT6, "fd09::161", 80, 6), "fd09::161");
    let outer6 = Packet::v6("fd09:1::1", "fd09:1::165").flow_label(hash6 as u32 & 0xf_ffff);
    vec![
        case("l2", web(64, SEGMENT)).transmits("10.9.0.11", web(63, SEGMENT)).counts("web", "10.9.0.11"),
        case("ipip", to("10.9.0.102", 80, 64))
            .redirects(BACK, "10.9.1.31", outer4("10.9.1.1", "10.9.1.31").carrying(&to("10.9.0.102", 80, 63)))
            .counts("4in4", "10.9.1.31"),
        case("gue", to("10.9.0.160", 80, 64))
            .redirects(BACK, "10.9.1.161", outer4("10.9.1.1", "10.9.1.161").gue(gue4, 6080, &to("10.9.0.160", 80, 63)))
            .counts("gue-4in4", "10.9.1.161"),
        case("gue over IPv6 has a right checksum over all buffers", to(service6, 80, 64))
            .redirects(BACK, "fd09:1::165", outer6.gue(source_port(hash6), 6080, &to(service6, 80, 63)))
            .counts("gue-6in6", "fd09:1::165"),
        case("nat", to("10.9.0.105", 80, 64))
            .redirects(BACK, "10.9.1.41", to("10.9.1.41", 8080, 63))
            .counts("nat", "10.9.1.41"),
        case("nat in IPv6", to("fd09::105", 80, 64))
            .redirects(BACK, "fd09:1::41", to("fd09:1::41", 8080, 63))
            .counts("nat6", "fd09:1::41"),
        case("a tag goes", to("10.9.0.100", 8443, 64).tagged(7))
            .redirects(BACK, "10.9.1.12", to("10.9.0.100", 8443, 63))
            .counts("web-any", "10.9.1.12"),
        case("what is not ours passes", to("10.9.0.200", 80, 64)),
    ]
}

/// The lengths of the whole, wherever the first buffer ends.
fn lengths() -> Vec<Case> {
    let split = |name: &str, first: usize| {
        case(name, web(64, 1000)).in_pieces(first).transmits("10.9.0.11", web(63, 1000)).counts("web", "10.9.0.11")
    };
    vec![
        split("the first buffer ends with the headers", 54),
        split("the first buffer ends a byte behind the headers", 55),
        split("the first buffer lacks the last byte", 1053),
        case("a packet that fits exactly", web(64, SEGMENT))
            .transmits("10.9.0.11", web(63, SEGMENT))
            .counts("web", "10.9.0.11")
            .in_pieces(1500),
        case("a packet one byte too long", web(64, SEGMENT + 1))
            .refuses(answer(&web(64, SEGMENT + 1), "10.9.0.100", CLIENT, 9000))
            .counts("web", "10.9.0.11"),
        Case::new("jumbo: an ordinary way is too narrow", web(64, SEGMENT))
            .refuses(answer(&web(64, SEGMENT), "10.9.0.100", CLIENT, 1500))
            .counts("web", "10.9.0.11"),
        Case::new("jumbo: an IPv6 packet that an ordinary way is too narrow for", web6())
            .refuses(answer(&web6(), "fd09::100", CLIENT6, 1500))
            .counts("web6", "fd09::11"),
        // The answer is made of what lies in the first buffer; drivers put that much there.
        Case::new("jumbo: as much as is quoted lies in the first buffer", web(64, 1461))
            .in_pieces(562)
            .refuses(answer(&web(64, 1461), "10.9.0.100", CLIENT, 1500))
            .counts("web", "10.9.0.11"),
        Case::new("jumbo: too little lies in the first buffer to be quoted", web(64, 1461))
            .in_pieces(560)
            .drops(MtuExceeded)
            .counts("web", "10.9.0.11"),
        case("a packet that lacks its last byte", web(64, SEGMENT).cut(9013)).drops(MalformedIp),
        case("a packet that lacks its last byte in IPv6", {
            Packet::v6(CLIENT6, "fd09::100").tcp(40000, 80).ack().payload(&[7; 8000]).cut(8073)
        })
        .drops(MalformedIp),
        case("a list counts the whole", web(64, SEGMENT))
            .with(|setup| setup.model.firewall.deny.push("10.9.0.7/32".parse().expect("a prefix")))
            .drops(Denied)
            .listed(ListKind::Deny, "10.9.0.7/32"),
    ]
}

/// Headers must stand in the first buffer; drivers put at least 128 bytes there.
fn headers() -> Vec<Case> {
    vec![
        case("a TCP header in two buffers", web(64, 1000)).in_pieces(40).drops(MalformedTransport),
        case("an IP header in two buffers passes", web(64, 1000)).in_pieces(30),
        case("an Ethernet header and nothing else in the first buffer passes", web(64, 1000)).in_pieces(14),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [deliveries(), lengths(), headers()].concat()
}
