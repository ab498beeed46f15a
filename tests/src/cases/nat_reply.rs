//! Delivery `nat`, from backend to client: the source becomes the service, and the kernel's routes say where to.

use lb_common::DropReason::{EgressUnknown, MtuExceeded, NeighbourUnknown, NoRoute, TtlExpired};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6, FRONT, SIDE},
};

pub(super) fn cases() -> Vec<Case> {
    [translations(), untouched(), routes(), refusals()].concat()
}

/// A segment of the backend's, or of the service's.
fn from(source: &str, port: u16, client: &str, ttl: u8) -> Packet {
    Packet::ip(source, client).ttl(ttl).tcp(port, 40000).syn().ack().payload(b"odd")
}

/// The backend's reply to a client.
fn reply(name: &str, client: &str) -> Case {
    let (backend, _) = ends(client);
    Case::new(format!("nat reply: {name}"), from(backend, 8080, client, 64)).from(BACK)
}

/// The addresses of backend and service in the client's family.
fn ends(client: &str) -> (&'static str, &'static str) {
    if client.contains(':') { ("fd09:1::41", "fd09::105") } else { ("10.9.1.41", "10.9.0.105") }
}

/// What the client gets.
fn translated(client: &str) -> Packet {
    from(ends(client).1, 80, client, 63)
}

fn translations() -> Vec<Case> {
    let udp = |source, port, client, ttl| Packet::ip(source, client).ttl(ttl).udp(port, 5000).payload(b"answer");
    vec![
        reply("TCP comes from the service", CLIENT).redirects(FRONT, CLIENT, translated(CLIENT)),
        reply("TCP comes from the service over IPv6", CLIENT6).redirects(FRONT, CLIENT6, translated(CLIENT6)),
        Case::new("nat reply: UDP comes from the service", udp("10.9.1.42", 5353, CLIENT, 64)).from(BACK).redirects(
            FRONT,
            CLIENT,
            udp("10.9.0.105", 53, CLIENT, 63),
        ),
        Case::new("nat reply: UDP without a checksum", udp("10.9.1.42", 5353, CLIENT, 64).without_checksum())
            .from(BACK)
            .redirects(FRONT, CLIENT, udp("10.9.0.105", 53, CLIENT, 63).without_checksum()),
        Case::new("nat reply: UDP over IPv6", udp("fd09:1::42", 5353, CLIENT6, 64)).from(BACK).redirects(
            FRONT,
            CLIENT6,
            udp("fd09::105", 53, CLIENT6, 63),
        ),
        Case::new("nat reply: any port keeps the backend's", from("10.9.1.43", 4711, CLIENT, 64)).from(BACK).redirects(
            FRONT,
            CLIENT,
            from("10.9.0.106", 4711, CLIENT, 63),
        ),
        Case::new("nat reply: any port over IPv6", udp("fd09:1::43", 4711, CLIENT6, 64)).from(BACK).redirects(
            FRONT,
            CLIENT6,
            udp("fd09::106", 4711, CLIENT6, 63),
        ),
        Case::new("nat reply: IPv4 options stay", from("10.9.1.41", 8080, CLIENT, 64).options(&[1; 8]))
            .from(BACK)
            .redirects(FRONT, CLIENT, from("10.9.0.105", 80, CLIENT, 63).options(&[1; 8])),
        Case::new("nat reply: a tag goes", from("10.9.1.41", 8080, CLIENT, 64).tagged(7)).from(BACK).redirects(
            FRONT,
            CLIENT,
            translated(CLIENT),
        ),
        Case::new("nat reply: a tag stays on the same interface", from("10.9.1.41", 8080, "10.9.1.7", 64).tagged(7))
            .from(BACK)
            .transmits("10.9.1.7", from("10.9.0.105", 80, "10.9.1.7", 63).tagged(7)),
    ]
}

fn untouched() -> Vec<Case> {
    let case = |name: &str, packet: Packet| Case::new(format!("nat reply: {name} passes"), packet).from(BACK);
    vec![
        case("another port of the backend's", from("10.9.1.41", 22, CLIENT, 64)),
        case("another protocol of the backend's", Packet::v4("10.9.1.41", CLIENT).udp(8080, 40000)),
        case("a backend that is not `nat`", from("10.9.1.12", 80, CLIENT, 64)),
        case("an echo reply of a backend's", Packet::v4("10.9.1.43", CLIENT).echo_reply(1)),
        case("a malformed packet of a backend's", from("10.9.1.41", 8080, CLIENT, 64).claimed_bytes(1000)),
        case("an answer to the node itself", from("10.9.1.41", 8080, "10.9.0.1", 64)),
        case("an answer to the node itself over IPv6", from("fd09:1::41", 8080, "fd09::1", 64)),
        case("an answer to the node itself with TTL 1", from("10.9.1.41", 8080, "10.9.0.1", 1)),
        case("an answer to somebody without a route", from("10.9.1.41", 8080, "100.64.0.1", 64)),
        case("a later fragment of a backend's", {
            let [_, later] = Packet::v4("10.9.1.42", CLIENT).udp(5353, 5000).payload(&[0; 32]).fragments(16);
            later
        }),
        Case::new("nat reply: without `nat` services all pass", from("10.9.1.41", 8080, CLIENT, 64)).from(BACK).with(
            |setup| {
                setup.model.services.retain(|service| !service.name.starts_with("nat"));
            },
        ),
    ]
}

fn routes() -> Vec<Case> {
    let sized = |client: &str, bytes: usize, is_reply: bool| {
        let (backend, service) = ends(client);
        let (source, port, ttl) = if is_reply { (backend, 8080, 64) } else { (service, 80, 63) };
        from(source, port, client, ttl).payload(&vec![7; bytes])
    };
    let fits = |client: &str, router: &str, bytes| {
        Case::new(format!("nat reply: {bytes} bytes fit the route to {client}"), sized(client, bytes, true))
            .from(BACK)
            .redirects(FRONT, router, sized(client, bytes, false))
    };
    let too_long = |client: &str, bytes| {
        Case::new(format!("nat reply: {bytes} bytes do not fit the route to {client}"), sized(client, bytes, true))
            .from(BACK)
            .drops(MtuExceeded)
    };
    vec![
        reply("through a router", "192.0.2.9").redirects(FRONT, "10.9.0.254", translated("192.0.2.9")),
        reply("through a router over IPv6", "2001:db8:1::9").redirects(FRONT, "fd09::fe", translated("2001:db8:1::9")),
        reply("IPv4 through a router with an IPv6 address", "192.88.99.9").redirects(
            FRONT,
            "fd09::fe",
            translated("192.88.99.9"),
        ),
        fits("198.18.0.9", "10.9.0.254", 60),
        too_long("198.18.0.9", 61),
        fits("2001:db8:3::9", "fd09::fe", 1220),
        fits(CLIENT, CLIENT, 1460),
    ]
}

fn refusals() -> Vec<Case> {
    let unresolved = |client: &str, neighbour: &str| {
        reply(&format!("{client} has no known neighbour"), client).drops(NeighbourUnknown).wants(FRONT, neighbour)
    };
    vec![
        unresolved("10.9.0.8", "10.9.0.8"),
        unresolved("fd09::8", "fd09::8"),
        unresolved("198.51.100.9", "10.9.0.253"),
        unresolved("2001:db8:2::9", "fd09::fd"),
        unresolved("192.88.98.9", "fd09::fd"),
        reply("an unreachable client", "203.0.113.9").drops(NoRoute),
        reply("an unreachable IPv6 client", "2001:db8:4::9").drops(NoRoute),
        reply("forwarding is off where it comes in", CLIENT).from(SIDE).drops(NoRoute),
        reply("IPv6 forwarding is off where it comes in", CLIENT6).from(SIDE).drops(NoRoute),
        reply("the way leads out of an interface that is not ours", "10.9.3.7").drops(EgressUnknown),
        Case::new("nat reply: TTL 1 ends here", from("10.9.1.41", 8080, CLIENT, 1)).from(BACK).drops(TtlExpired),
        Case::new("nat reply: TTL 2 is enough", from("10.9.1.41", 8080, CLIENT, 2)).from(BACK).redirects(
            FRONT,
            CLIENT,
            from("10.9.0.105", 80, CLIENT, 1),
        ),
        Case::new("nat reply: a cut segment is the stack's to judge", from("10.9.1.41", 8080, CLIENT, 64).cut(50))
            .from(BACK),
    ]
}
