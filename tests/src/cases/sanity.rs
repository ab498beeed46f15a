//! The switches of the sanity checks: what each lets go, for the node and for a service alone; and the checks that have no table
//! of their own: amplifiers' ports, tiny fragments, port 0 and bogons.

use lb_common::{
    DropReason::{
        self, Amplifier, Denied, FragmentUnknown, Land, MartianSource, PortZero, SourceRoute, TcpFlags, TinyFragment,
    },
    ListKind::Allow,
};
use lb_userspace::model::{Sanity, SanityCheck};

use super::{
    Case,
    source_routes::{self, LOOSE_ROUTE},
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, FRONT, Setup},
};

pub(super) fn cases() -> Vec<Case> {
    [
        switches(),
        addresses(),
        amplifiers(),
        ports(),
        fragments(),
        parts(),
        port_zero(),
        source_routes::cases(),
        bogons(),
    ]
    .concat()
}

/// Switches a check for the node.
pub(super) fn node(check: SanityCheck, is_on: bool) -> impl FnOnce(&mut Setup) {
    move |setup| {
        let on = &mut setup.model.firewall.sanity.on;
        if is_on {
            on.insert(check)
        } else {
            on.remove(&check)
        };
    }
}

/// Switches a check for a service alone.
pub(super) fn service(name: &'static str, check: SanityCheck, is_on: bool) -> impl FnOnce(&mut Setup) {
    move |setup| {
        setup.service(name).sanity.insert(check, is_on);
    }
}

/// Each check of packets to a service: the packet, the same as it leaves, and another service that has the check still.
fn switches() -> Vec<Case> {
    use SanityCheck::{
        Amplifiers, Land as OwnAddress, Martians, PortZero as Zero, SourceRoutes, TcpFlags as Flags, TinyFragments,
    };
    let tcp = |source: &str, to: &str| Packet::ip(source, to).tcp(40000, 80).ack();
    let null = |source: &str, to: &str| Packet::ip(source, to).tcp(40000, 80).flags(0);
    let udp = |source: &str, to: &str| Packet::ip(source, to).udp(161, 53);
    let tiny = |source: &str, to: &str| Packet::ip(source, to).udp(40000, 53).payload(&[1; 64]).part(0..16);
    let from_zero = |source: &str, to: &str| Packet::ip(source, to).tcp(0, 80).ack();
    let zero = |source: &str, to: &str| Packet::ip(source, to).udp(0, 53);
    let routed = |to: &str| Packet::v4(CLIENT, to).options(&LOOSE_ROUTE).tcp(40000, 80).ack();
    let routed6 = |to: &str| Packet::v6(CLIENT6, to).routing_type_0(1).tcp(40000, 80).ack();
    type Line = (SanityCheck, DropReason, &'static str, Packet, &'static str, u32, &'static str, Packet);
    let lines: Vec<Line> = vec![
        (
            Martians,
            MartianSource,
            "web",
            tcp("127.0.0.1", "10.9.0.100"),
            "10.9.0.11",
            FRONT,
            "nat",
            tcp("127.0.0.1", "10.9.0.105"),
        ),
        (Martians, MartianSource, "web6", tcp("::1", "fd09::100"), "fd09::11", FRONT, "6in6", tcp("::1", "fd09::103")),
        (
            OwnAddress,
            Land,
            "web",
            tcp("10.9.0.100", "10.9.0.100"),
            "10.9.0.11",
            FRONT,
            "nat",
            tcp("10.9.0.105", "10.9.0.105"),
        ),
        (
            OwnAddress,
            Land,
            "web6",
            tcp("fd09::100", "fd09::100"),
            "fd09::11",
            FRONT,
            "6in6",
            tcp("fd09::103", "fd09::103"),
        ),
        (Flags, TcpFlags, "web", null(CLIENT, "10.9.0.100"), "10.9.0.11", FRONT, "full", null(CLIENT, "10.9.0.108")),
        (Flags, TcpFlags, "web6", null(CLIENT6, "fd09::100"), "fd09::11", FRONT, "full6", null(CLIENT6, "fd09::108")),
        (
            Amplifiers,
            Amplifier,
            "dns",
            udp(CLIENT, "10.9.0.100"),
            "10.9.0.13",
            FRONT,
            "full-dns",
            udp(CLIENT, "10.9.0.108"),
        ),
        (
            Amplifiers,
            Amplifier,
            "dns6",
            udp(CLIENT6, "fd09::100"),
            "fd09:1::13",
            BACK,
            "full6-dns",
            udp(CLIENT6, "fd09::108"),
        ),
        (
            TinyFragments,
            TinyFragment,
            "dns",
            tiny(CLIENT, "10.9.0.100"),
            "10.9.0.13",
            FRONT,
            "full-dns",
            tiny(CLIENT, "10.9.0.108"),
        ),
        (
            TinyFragments,
            TinyFragment,
            "dns6",
            tiny(CLIENT6, "fd09::100"),
            "fd09:1::13",
            BACK,
            "nat6-dns",
            tiny(CLIENT6, "fd09::105"),
        ),
        (
            Zero,
            PortZero,
            "web",
            from_zero(CLIENT, "10.9.0.100"),
            "10.9.0.11",
            FRONT,
            "full",
            from_zero(CLIENT, "10.9.0.108"),
        ),
        (
            Zero,
            PortZero,
            "web6",
            from_zero(CLIENT6, "fd09::100"),
            "fd09::11",
            FRONT,
            "full6",
            from_zero(CLIENT6, "fd09::108"),
        ),
        (Zero, PortZero, "dns", zero(CLIENT, "10.9.0.100"), "10.9.0.13", FRONT, "full-dns", zero(CLIENT, "10.9.0.108")),
        (
            Zero,
            PortZero,
            "dns6",
            zero(CLIENT6, "fd09::100"),
            "fd09:1::13",
            BACK,
            "full6-dns",
            zero(CLIENT6, "fd09::108"),
        ),
        (SourceRoutes, SourceRoute, "web", routed("10.9.0.100"), "10.9.0.11", FRONT, "full", routed("10.9.0.108")),
        (SourceRoutes, SourceRoute, "web6", routed6("fd09::100"), "fd09::11", FRONT, "full6", routed6("fd09::108")),
    ];
    let mut cases = Vec::new();
    for (check, reason, name, packet, backend, egress, other, elsewhere) in lines {
        let case = |what: &str, packet: &Packet| {
            Case::new(format!("sanity: {}, {name}, {what}", check.name()), packet.clone())
        };
        let leaves = |case: Case| {
            let sent = packet.clone().ttl(63);
            let case =
                if egress == FRONT { case.transmits(backend, sent) } else { case.redirects(egress, backend, sent) };
            case.counts(name, backend)
        };
        cases.extend([
            case("on", &packet).drops(reason),
            leaves(case("off", &packet).with(node(check, false))),
            leaves(case("off for the service", &packet).with(service(name, check, false))),
            case("off for the service, to another", &elsewhere).with(service(name, check, false)).drops(reason),
            case("off, but not for the service", &packet)
                .with(node(check, false))
                .with(service(name, check, true))
                .drops(reason),
            case("off, and on for another service", &packet)
                .with(node(check, false))
                .with(service(name, check, false))
                .with(service(other, check, true)),
        ]);
        let last = cases.pop().map(leaves);
        cases.extend(last);
    }
    cases
}

/// What comes to an address is for no service in particular, and follows the node's switches.
fn addresses() -> Vec<Case> {
    let ping = || Packet::v4("127.0.0.1", "10.9.0.100").echo_request(1);
    let pong = || Packet::v4("10.9.0.100", "127.0.0.1").echo_reply(1);
    let error = || {
        let quoted = Packet::v4("10.9.0.100", CLIENT).tcp(80, 40000).ack();
        Packet::v4("127.0.0.1", "10.9.0.100").icmp(3, 4, 1400).quoting(&quoted, 28)
    };
    let off = || node(SanityCheck::Martians, false);
    let except = |name| service(name, SanityCheck::Martians, false);
    vec![
        Case::new("sanity: martians, an echo request, off", ping()).with(off()).answers(pong()),
        Case::new("sanity: martians, an echo request, off for services", ping())
            .with(except("web"))
            .with(except("web-any"))
            .with(except("dns"))
            .drops(MartianSource),
        Case::new("sanity: martians, an echo request, off, but not for a service", ping())
            .with(off())
            .with(service("web", SanityCheck::Martians, true))
            .answers(pong()),
        Case::new("sanity: martians, an ICMP error, off", error())
            .with(off())
            .transmits("10.9.0.11", error().ttl(63))
            .counts("web", "10.9.0.11"),
        Case::new("sanity: martians, an ICMP error, off for the service", error())
            .with(except("web"))
            .drops(MartianSource),
    ]
}

fn amplifiers() -> Vec<Case> {
    let from = |port| Packet::v4(CLIENT, "10.9.0.100").udp(port, 53).payload(&[7; 64]);
    let from6 = |port| Packet::v6(CLIENT6, "fd09::100").udp(port, 53).payload(&[7; 64]);
    let name = |family: &str, port: u16| format!("sanity: amplifiers, {family} from port {port}");
    let mut cases = Vec::new();
    for port in Sanity::AMPLIFIERS {
        cases.push(Case::new(name("IPv4", port), from(port)).drops(Amplifier));
        cases.push(Case::new(name("IPv6", port), from6(port)).drops(Amplifier));
    }
    // The neighbours of the ports, and those that honest clients have.
    for port in
        [1, 18, 20, 53, 112, 123, 500, 519, 1023, 1024, 1194, 1901, 4500, 5353, 10000, 11212, 27005, 32768, 65535]
    {
        cases.push(
            Case::new(name("IPv4", port), from(port))
                .transmits("10.9.0.13", from(port).ttl(63))
                .counts("dns", "10.9.0.13"),
        );
        cases.push(
            Case::new(name("IPv6", port), from6(port))
                .redirects(BACK, "fd09:1::13", from6(port).ttl(63))
                .counts("dns6", "fd09:1::13"),
        );
    }
    let [first, later] = from(161).fragments(48).map(|part| part.identification(7));
    cases.extend([
        Case::new("sanity: amplifiers, a first fragment", first.clone()).drops(Amplifier),
        Case::new("sanity: amplifiers, what follows it", later).after(first).drops(FragmentUnknown),
    ]);
    cases
}

/// Which ports they are, and who else may have them.
fn ports() -> Vec<Case> {
    let from = |port| Packet::v4(CLIENT, "10.9.0.100").udp(port, 53);
    let named = |ports: &[u16]| {
        let ports = ports.to_vec();
        move |setup: &mut Setup| setup.model.firewall.sanity.amplifiers = ports
    };
    let leaves = |case: Case, port| case.transmits("10.9.0.13", from(port).ttl(63)).counts("dns", "10.9.0.13");
    let most: Vec<u16> = (100..132).collect();
    let symmetric = Packet::v6(CLIENT6, "fd09::106").udp(161, 161);
    let tcp = Packet::v4(CLIENT, "10.9.0.100").tcp(161, 80).ack();
    vec![
        Case::new("sanity: amplifiers, a port that was named", from(4444)).with(named(&[4444])).drops(Amplifier),
        leaves(Case::new("sanity: amplifiers, one that was not", from(161)).with(named(&[4444])), 161),
        Case::new("sanity: amplifiers, the first of many", from(100)).with(named(&most)).drops(Amplifier),
        Case::new("sanity: amplifiers, the last of many", from(131)).with(named(&most)).drops(Amplifier),
        leaves(Case::new("sanity: amplifiers, behind the last of many", from(132)).with(named(&most)), 132),
        Case::new("sanity: amplifiers, the last port", from(65535)).with(named(&[65535])).drops(Amplifier),
        Case::new("sanity: amplifiers, the same port at both ends", symmetric.clone())
            .redirects(BACK, "fd09:1::43", Packet::v6(CLIENT6, "fd09:1::43").ttl(63).udp(161, 161))
            .counts("nat6-any", "fd09:1::43"),
        Case::new("sanity: amplifiers, TCP has none", tcp.clone())
            .transmits("10.9.0.11", tcp.ttl(63))
            .counts("web", "10.9.0.11"),
        Case::new("sanity: amplifiers, not to a service: passes", Packet::v4(CLIENT, "10.9.0.200").udp(161, 53)),
        Case::new("sanity: amplifiers, a `nat` reply", Packet::v6("fd09:1::43", CLIENT6).udp(161, 5000))
            .from(BACK)
            .redirects(FRONT, CLIENT6, Packet::v6("fd09::106", CLIENT6).ttl(63).udp(161, 5000)),
    ]
}

/// First fragments, and single later ones. In IPv4 `0..48` makes 68 bytes with the header; in IPv6 there are 48 bytes of headers.
fn fragments() -> Vec<Case> {
    let udp = || Packet::v4(CLIENT, "10.9.0.100").udp(5000, 53).payload(&[1; 120]);
    let udp6 = || Packet::v6(CLIENT6, "fd09::100").udp(5000, 53).payload(&[1; 120]);
    let tcp = |source: &str, to: &str| Packet::ip(source, to).tcp(40000, 80).ack().payload(&[1; 120]);
    let case = |name: &str, packet: Packet| Case::new(format!("sanity: tiny fragments, {name}"), packet);
    let [end, end6] = [udp(), udp6()].map(|packet| packet.part(120..128));
    vec![
        case("60 bytes", udp().part(0..40)).drops(TinyFragment),
        case("68 bytes", udp().part(0..48))
            .transmits("10.9.0.13", udp().ttl(63).part(0..48))
            .counts("dns", "10.9.0.13"),
        case("64 bytes, with options", udp().options(&[1; 4]).part(0..40)).drops(TinyFragment),
        case("64 bytes of IPv6", udp6().part(0..16)).drops(TinyFragment),
        case("72 bytes of IPv6", udp6().part(0..24))
            .redirects(BACK, "fd09:1::13", udp6().ttl(63).part(0..24))
            .counts("dns6", "fd09:1::13"),
        case("the first of a TCP segment, 60 bytes", tcp(CLIENT, "10.9.0.100").part(0..40)).drops(TinyFragment),
        case("a later one, 60 bytes", udp().part(40..80)).drops(TinyFragment),
        case("a later one, 68 bytes", udp().part(40..88)).drops(FragmentUnknown),
        case("a later one, 64 bytes of IPv6", udp6().part(40..56)).drops(TinyFragment),
        case("a later one, 72 bytes of IPv6", udp6().part(40..64)).drops(FragmentUnknown),
        case("the last, 28 bytes", end).drops(FragmentUnknown),
        case("the last, 56 bytes of IPv6", end6).drops(FragmentUnknown),
        case("a later one inside the TCP header", tcp(CLIENT, "10.9.0.100").part(8..140)).drops(TinyFragment),
        case("a later one inside the TCP header in IPv6", tcp(CLIENT6, "fd09::100").part(8..140)).drops(TinyFragment),
        case("a later one behind 16 bytes of TCP", tcp(CLIENT, "10.9.0.100").part(16..140)).drops(FragmentUnknown),
        case("a later one behind 8 bytes of UDP", udp().part(8..128)).drops(FragmentUnknown),
        case("a later one to a stranger passes", tcp(CLIENT, "10.9.0.200").part(8..140)),
        case("a first one to a stranger passes", tcp(CLIENT, "10.9.0.200").part(0..40)),
        case(
            "a `nat` reply is the client's to judge",
            Packet::v4("10.9.1.42", CLIENT).udp(5353, 5000).payload(&[1; 64]).part(0..16),
        )
        .from(BACK)
        .redirects(
            FRONT,
            CLIENT,
            Packet::v4("10.9.0.105", CLIENT).ttl(63).udp(53, 5000).payload(&[1; 64]).part(0..16),
        ),
    ]
}

/// Later fragments have no port, and follow the node's switch, wherever their first one went.
fn parts() -> Vec<Case> {
    let off = || node(SanityCheck::TinyFragments, false);
    let mut cases = Vec::new();
    for (name, address, backend, egress) in
        [("dns", "10.9.0.100", "10.9.0.13", FRONT), ("dns6", "fd09::100", "fd09:1::13", BACK)]
    {
        let client = if address.contains(':') { CLIENT6 } else { CLIENT };
        let packet = |ttl| Packet::ip(client, address).ttl(ttl).udp(5000, 53).payload(&[1; 120]);
        let case = |what: &str, middle: std::ops::Range<usize>| {
            let case = Case::new(format!("sanity: tiny fragments, {name}, {what}"), packet(64).part(middle));
            case.after(packet(64).part(0..48))
        };
        let leaves = |case: Case, middle| {
            let sent = packet(63).part(middle);
            let case =
                if egress == FRONT { case.transmits(backend, sent) } else { case.redirects(egress, backend, sent) };
            case.counts(name, backend)
        };
        cases.extend([
            leaves(case("one in the middle", 48..96), 48..96),
            case("a tiny one in the middle", 48..64).drops(TinyFragment),
            leaves(case("a tiny one in the middle, off", 48..64).with(off()), 48..64),
            case("a tiny one in the middle, off for the service", 48..64)
                .with(service(name, SanityCheck::TinyFragments, false))
                .drops(TinyFragment),
        ]);
    }
    let session = || Packet::v4(CLIENT, "10.9.0.108").udp(5000, 53).payload(&[1; 120]);
    cases.push(
        Case::new("sanity: tiny fragments, one of a session", session().part(48..64))
            .after(session().part(0..48))
            .drops(TinyFragment),
    );
    cases
}

/// Port 0 at either end, of services that have any port.
fn port_zero() -> Vec<Case> {
    let case = |name: &str, packet: Packet| Case::new(format!("sanity: port zero, {name}"), packet);
    let tcp = |from, to| Packet::v4(CLIENT, "10.9.0.100").tcp(from, to).ack();
    let udp6 = |from, to| Packet::v6(CLIENT6, "fd09::106").udp(from, to).payload(&[1; 64]);
    let [first, _] = Packet::v4(CLIENT, "10.9.0.100").udp(0, 53).payload(&[7; 64]).fragments(48);
    vec![
        case("a segment to it", tcp(40000, 0)).drops(PortZero),
        case("a tagged segment to it", tcp(40000, 0).tagged(7)).drops(PortZero),
        case("a segment from it with two tags", tcp(0, 80).service_tagged(6).tagged(7)).drops(PortZero),
        case("a segment to it that is not a TCP sender's either", tcp(40000, 0).flags(0)).drops(PortZero),
        case("a datagram to it", udp6(40000, 0)).drops(PortZero),
        case("a datagram from and to it", udp6(0, 0)).drops(PortZero),
        case("a tagged datagram to it", udp6(40000, 0).tagged(7)).drops(PortZero),
        case("a first fragment", first).drops(PortZero),
        case("a segment between the ports beside it", tcp(65535, 65535))
            .redirects(BACK, "10.9.1.12", tcp(65535, 65535).ttl(63))
            .counts("web-any", "10.9.1.12"),
        case("a segment from port 1", tcp(1, 80)).transmits("10.9.0.11", tcp(1, 80).ttl(63)).counts("web", "10.9.0.11"),
        case("not to a service: passes", Packet::v4(CLIENT, "10.9.0.200").udp(0, 53)),
        case("a `nat` reply to it", Packet::v6("fd09:1::43", CLIENT6).udp(5000, 0)).from(BACK).redirects(
            FRONT,
            CLIENT6,
            Packet::v6("fd09::106", CLIENT6).ttl(63).udp(5000, 0),
        ),
    ]
}

/// The list of bogons is for packets to those services that have the check.
fn bogons() -> Vec<Case> {
    const NUMBER: u32 = 33;
    let on = |setup: &mut Setup| {
        setup.model.firewall.sanity.on.insert(SanityCheck::Bogons);
        listed(setup);
    };
    let except_web = |setup: &mut Setup| {
        setup.service("web").sanity.insert(SanityCheck::Bogons, false);
        setup.model.firewall.sanity.on.insert(SanityCheck::Bogons);
        listed(setup);
    };
    let only_web = |setup: &mut Setup| {
        setup.service("web").sanity.insert(SanityCheck::Bogons, true);
        listed(setup);
    };
    let tcp = |source: &str, to: &str| Packet::ip(source, to).tcp(40000, 80).ack();
    let case = |name: &str, packet: Packet| Case::new(format!("sanity: bogons, {name}"), packet);
    let to_web = |case: Case, source: &str| {
        case.transmits("10.9.0.11", tcp(source, "10.9.0.100").ttl(63)).counts("web", "10.9.0.11")
    };
    let net = Some("10.0.0.0/8");
    vec![
        to_web(case("off", tcp(CLIENT, "10.9.0.100")), CLIENT),
        case("on", tcp(CLIENT, "10.9.0.100")).with(on).counted_by(NUMBER, net).drops(Denied),
        case("on, IPv6", tcp(CLIENT6, "fd09::100")).with(on).counted_by(NUMBER, Some("8000::/1")).drops(Denied),
        to_web(case("who has a global address goes on", tcp("9.9.9.9", "10.9.0.100")).with(on), "9.9.9.9"),
        case("who has a global address goes on, IPv6", tcp("2606:4700::1", "fd09::100"))
            .with(on)
            .transmits("fd09::11", tcp("2606:4700::1", "fd09::100").ttl(63))
            .counts("web6", "fd09::11"),
        to_web(case("off for the service", tcp(CLIENT, "10.9.0.100")).with(except_web), CLIENT),
        case("off for the service, to another", tcp(CLIENT, "10.9.0.105"))
            .with(except_web)
            .counted_by(NUMBER, net)
            .drops(Denied),
        case("on for the service", tcp(CLIENT, "10.9.0.100")).with(only_web).counted_by(NUMBER, net).drops(Denied),
        case("on for the service, to another", tcp(CLIENT, "10.9.0.105"))
            .with(only_web)
            .redirects(BACK, "10.9.1.41", Packet::v4(CLIENT, "10.9.1.41").ttl(63).tcp(40000, 8080).ack())
            .counts("nat", "10.9.1.41"),
        to_web(
            case("the allow list comes first", tcp(CLIENT, "10.9.0.100"))
                .with(on)
                .with(|setup| setup.model.firewall.allow.push("10.9.0.0/24".parse().expect("a prefix")))
                .listed(Allow, "10.9.0.0/24"),
            CLIENT,
        ),
        case("not to a service: passes", tcp(CLIENT, "10.9.0.200")).with(on),
        case("an echo request", Packet::v4(CLIENT, "10.9.0.100").echo_request(1))
            .with(on)
            .answers(Packet::v4("10.9.0.100", CLIENT).echo_reply(1)),
        case("a `nat` reply", Packet::v4("10.9.1.41", CLIENT).tcp(8080, 40000).ack()).from(BACK).with(on).redirects(
            FRONT,
            CLIENT,
            Packet::v4("10.9.0.105", CLIENT).ttl(63).tcp(80, 40000).ack(),
        ),
    ]
}

/// Makes the list of bogons, as the configuration does.
fn listed(setup: &mut Setup) {
    let firewall = std::mem::take(&mut setup.model.firewall);
    setup.model.firewall = firewall.with_bogons(&setup.model.services);
}
