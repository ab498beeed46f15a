//! Source routes, which one of the sanity checks refuses: among the options of IPv4, in routing headers of IPv6, in fragments.

use lb_common::DropReason::{FragmentUnknown, SourceRoute};
use lb_userspace::model::SanityCheck;

use super::{
    Case,
    sanity::{node, service},
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6},
};

pub(super) fn cases() -> Vec<Case> {
    [options(), routing_headers(), routed_parts()].concat()
}

/// A loose source route by one router, which has been there already, and what fills the last word.
pub(super) const LOOSE_ROUTE: [u8; 8] = [131, 7, 8, 192, 0, 2, 1, 0];

/// Options of IPv4: where a source route is found among them, and what is none.
fn options() -> Vec<Case> {
    const STRICT: [u8; 8] = [137, 7, 4, 192, 0, 2, 1, 0];
    const ALERT: [u8; 4] = [148, 4, 0, 0];
    const RECORD: [u8; 8] = [7, 7, 4, 0, 0, 0, 0, 1];
    const LAST: [u8; 3] = [137, 3, 4];
    let packet = |options: &[u8]| Packet::v4(CLIENT, "10.9.0.100").options(options).tcp(40000, 80).ack();
    let case = |name: &str, packet: Packet| Case::new(format!("sanity: source routes, {name}"), packet);
    let mut cases = Vec::new();
    for (name, options) in [
        ("a loose one", LOOSE_ROUTE.to_vec()),
        ("a strict one", STRICT.to_vec()),
        ("behind what fills a gap", [&[1; 4][..], &STRICT].concat()),
        ("behind a router alert", [&ALERT[..], &LOOSE_ROUTE].concat()),
        ("behind a recorded route", [&RECORD[..], &LOOSE_ROUTE].concat()),
        ("at the end of all room", [&[1; 37][..], &LAST].concat()),
        ("in the last byte", [&[1; 39][..], &LAST[..1]].concat()),
    ] {
        cases.push(case(name, packet(&options)).drops(SourceRoute));
        cases.push(case(&format!("{name}, with a tag"), packet(&options).tagged(7)).drops(SourceRoute));
    }
    for (name, options) in [
        ("a recorded route is none", RECORD.to_vec()),
        ("a router alert is none", ALERT.to_vec()),
        ("none inside another option", [&[7, 11, 4][..], &STRICT, &[1]].concat()),
        ("none behind the last option", [&[0][..], &STRICT[..7]].concat()),
        ("none behind an option without a length", [&[7, 0][..], &STRICT[..6]].concat()),
        ("none behind an option that is shorter than its head", [&[7, 1][..], &STRICT[..6]].concat()),
        ("none behind an option that goes on beyond the header", [&[7, 200][..], &STRICT[..6]].concat()),
        ("none in what an option announces beyond the header", [&[7, 5][..], &[1; 2]].concat()),
    ] {
        let sent = packet(&options).ttl(63);
        cases.push(case(name, packet(&options)).transmits("10.9.0.11", sent).counts("web", "10.9.0.11"));
    }
    // What stands behind the options looks like one more.
    let port = u16::from_be_bytes([LOOSE_ROUTE[0], LOOSE_ROUTE[1]]);
    let behind = |ttl| Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).options(&[1; 4]).tcp(port, 80).ack();
    let ping = Packet::v4(CLIENT, "10.9.0.100").options(&LOOSE_ROUTE).echo_request(1);
    let quoted = Packet::v4("10.9.0.100", CLIENT).tcp(80, 40000).ack();
    let error = Packet::v4("192.0.2.1", "10.9.0.100").options(&STRICT).icmp(3, 4, 1400).quoting(&quoted, 28);
    cases.extend([
        case("none in the transport header", behind(64)).transmits("10.9.0.11", behind(63)).counts("web", "10.9.0.11"),
        case("an echo request", ping).drops(SourceRoute),
        case("an ICMP error", error).drops(SourceRoute),
        case("to a stranger: passes", Packet::v4(CLIENT, "10.9.0.200").options(&STRICT).tcp(40000, 80).ack()),
    ]);
    cases
}

/// IPv6's routing headers: only those of type 0 are source routes.
fn routing_headers() -> Vec<Case> {
    let case = |name: &str, packet: Packet| Case::new(format!("sanity: source routes, {name}"), packet);
    let to = |address: &str| Packet::v6(CLIENT6, address);
    let tcp = |packet: Packet| packet.tcp(40000, 80).ack();
    let web = || to("fd09::100");
    let padded = |packet: Packet| tcp(packet.hop_by_hop(1).routing().destination_options(0));
    let quoted = Packet::v6("fd09::100", CLIENT6).tcp(80, 40000).ack();
    vec![
        case("a routing header of type 0", tcp(web().routing_type_0(1))).drops(SourceRoute),
        case("one with a tag", tcp(web().routing_type_0(1)).tagged(7)).drops(SourceRoute),
        case("one that is at its end", tcp(web().routing_type_0(0))).drops(SourceRoute),
        case("one behind three other headers", {
            tcp(web().hop_by_hop(3).authentication(2).routing().routing_type_0(1))
        })
        .drops(SourceRoute),
        case("one behind an atomic fragment", tcp(web().fragment_header(0, false).routing_type_0(1)))
            .drops(SourceRoute),
        case("other headers", padded(web())).transmits("fd09::11", padded(web().ttl(63))).counts("web6", "fd09::11"),
        case("one of a datagram", to("fd09::100").routing_type_0(1).udp(5000, 53)).drops(SourceRoute),
        case("one of an echo request", web().routing_type_0(1).echo_request(1)).drops(SourceRoute),
        case("one of an ICMP error", {
            let error = Packet::v6("2001:db8:1::1", "fd09::100").routing_type_0(1);
            error.icmp(1, 4, 0).quoting(&quoted, 60)
        })
        .drops(SourceRoute),
        case("one to a stranger: passes", tcp(to("fd09::200").routing_type_0(1))),
    ]
}

/// Fragments have the source route of their packet, all of them; they follow the switches like other fragments.
fn routed_parts() -> Vec<Case> {
    let off = || node(SanityCheck::SourceRoutes, false);
    let mut cases = Vec::new();
    for (name, address, backend) in [("dns", "10.9.0.100", "10.9.0.13"), ("dns6", "fd09::100", "fd09:1::13")] {
        let part = |is_routed: bool, ttl, range| {
            let packet = match (address.contains(':'), is_routed) {
                (false, false) => Packet::v4(CLIENT, address),
                (false, true) => Packet::v4(CLIENT, address).options(&LOOSE_ROUTE),
                (true, false) => Packet::v6(CLIENT6, address),
                (true, true) => Packet::v6(CLIENT6, address).routing_type_0(1),
            };
            packet.ttl(ttl).udp(5000, 53).payload(&[1; 120]).part(range)
        };
        let leaves = |case: Case, sent| {
            let case = if name == "dns" { case.transmits(backend, sent) } else { case.redirects(BACK, backend, sent) };
            case.counts(name, backend)
        };
        let case = |what: &str, packet: Packet| Case::new(format!("sanity: source routes, {name}, {what}"), packet);
        cases.extend([
            case("a first fragment", part(true, 64, 0..48)).drops(SourceRoute),
            case("a later fragment", part(true, 64, 48..128)).after(part(false, 64, 0..48)).drops(SourceRoute),
            leaves(
                case("a later fragment, off", part(true, 64, 48..128)).after(part(false, 64, 0..48)).with(off()),
                part(true, 63, 48..128),
            ),
            case("a later fragment, off for the service", part(true, 64, 48..128))
                .after(part(false, 64, 0..48))
                .with(service(name, SanityCheck::SourceRoutes, false))
                .drops(SourceRoute),
        ]);
    }
    // What a later fragment's header says of the first one is no header of its own: its data looks like a routing header.
    let part =
        Packet::v6(CLIENT6, "fd09::100").fragment_header(6, false).protocol(43).payload(&[17, 2, 0, 1, 0, 0, 0, 0]);
    cases.push(Case::new("sanity: source routes, data of a later fragment", part).drops(FragmentUnknown));
    cases
}
