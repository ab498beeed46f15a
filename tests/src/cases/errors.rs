//! ICMP errors: each goes to the backend whose packet it is about, by that backend's delivery.

use lb_common::DropReason::{IcmpUnknown, MartianSource, MtuExceeded, NextHopUnresolved, NoBackend, TtlExpired};

use super::{Case, ipip};
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6, FRONT},
};

pub(super) fn cases() -> Vec<Case> {
    [kinds(), lengths(), headers(), links(), unknown(), refusals(), complaints(), strangers()].concat()
}

/// A service, its backend, and how packets get there.
#[derive(Clone, Copy)]
struct Target {
    service: &'static str,
    address: &'static str,
    port: u16,
    is_udp: bool,
    backend: &'static str,
    delivery: Delivery,
}

#[derive(Clone, Copy)]
enum Delivery {
    L2,
    Ipip,
    /// With the backend's port.
    Nat(u16),
}

const TARGETS: &[Target] = {
    use Delivery::{Ipip, L2, Nat};
    const fn tcp(s: &'static str, address: &'static str, port: u16, backend: &'static str, d: Delivery) -> Target {
        Target { service: s, address, port, is_udp: false, backend, delivery: d }
    }
    const fn udp(s: &'static str, address: &'static str, port: u16, backend: &'static str, d: Delivery) -> Target {
        Target { service: s, address, port, is_udp: true, backend, delivery: d }
    }
    &[
        tcp("web", "10.9.0.100", 80, "10.9.0.11", L2),
        tcp("web-any", "10.9.0.100", 81, "10.9.1.12", L2),
        udp("dns", "10.9.0.100", 53, "10.9.0.13", L2),
        tcp("4in4", "10.9.0.102", 80, "10.9.1.31", Ipip),
        udp("4in4-dns", "10.9.0.102", 53, "10.9.1.31", Ipip),
        tcp("4in6", "10.9.0.103", 80, "fd09:1::33", Ipip),
        tcp("nat", "10.9.0.105", 80, "10.9.1.41", Nat(8080)),
        udp("nat-dns", "10.9.0.105", 53, "10.9.1.42", Nat(5353)),
        tcp("nat-any", "10.9.0.106", 4711, "10.9.1.43", Nat(4711)),
        tcp("web6", "fd09::100", 80, "fd09::11", L2),
        udp("dns6", "fd09::100", 53, "fd09:1::13", L2),
        tcp("6in4", "fd09::102", 80, "10.9.1.34", Ipip),
        tcp("6in6", "fd09::103", 80, "fd09:1::35", Ipip),
        tcp("nat6", "fd09::105", 80, "fd09:1::41", Nat(8080)),
        udp("nat6-dns", "fd09::105", 53, "fd09:1::42", Nat(5353)),
        udp("nat6-any", "fd09::106", 4711, "fd09:1::43", Nat(4711)),
    ]
};

/// The ICMP errors of a family: type, code, and the rest of the header.
const fn errors(is_v6: bool) -> &'static [(&'static str, u8, u8, u32)] {
    if is_v6 {
        &[
            ("unreachable", 1, 4, 0),
            ("too big", 2, 0, 1400),
            ("time exceeded", 3, 0, 0),
            ("parameter problem", 4, 1, 40),
        ]
    } else {
        &[
            ("host unreachable", 3, 1, 0),
            ("port unreachable", 3, 3, 0),
            ("fragmentation needed", 3, 4, 1400),
            ("time exceeded", 11, 0, 0),
            ("parameter problem", 12, 0, 20 << 24),
        ]
    }
}

impl Target {
    fn is_v6(self) -> bool {
        self.address.contains(':')
    }

    fn client(self) -> &'static str {
        if self.is_v6() { CLIENT6 } else { CLIENT }
    }

    /// A router on the way to the client.
    fn router(self) -> &'static str {
        if self.is_v6() { "2001:db8:1::1" } else { "192.0.2.1" }
    }

    /// What the backend sent, or what the client would have got: a packet from here.
    fn answer_from(self, source: &str, port: u16) -> Packet {
        let packet = Packet::ip(source, self.client()).ttl(61);
        let packet = if self.is_udp { packet.udp(port, 40000) } else { packet.tcp(port, 40000).ack() };
        packet.payload(b"the answer to a question")
    }

    fn answer(self) -> Packet {
        self.answer_from(self.address, self.port)
    }

    /// What the backend takes for its own answer.
    fn backend_answer(self) -> Packet {
        match self.delivery {
            Delivery::Nat(port) => self.answer_from(self.backend, port),
            Delivery::L2 | Delivery::Ipip => self.answer(),
        }
    }

    fn header_bytes(self) -> usize {
        if self.is_v6() { 40 } else { 20 }
    }

    /// An error to the service.
    fn error(self, ttl: u8, (_, kind, code, rest): (&str, u8, u8, u32)) -> Packet {
        Packet::ip(self.router(), self.address).ttl(ttl).icmp(kind, code, rest)
    }

    /// The case of an error that quotes so many bytes of what `change` makes of the answer.
    fn case(self, name: &str, error: (&str, u8, u8, u32), bytes: usize, change: impl Fn(Packet) -> Packet) -> Case {
        self.tagged_case(name, error, bytes, change, |packet| packet)
    }

    fn tagged_case(
        self,
        name: &str,
        error: (&str, u8, u8, u32),
        bytes: usize,
        change: impl Fn(Packet) -> Packet,
        tag: impl Fn(Packet) -> Packet,
    ) -> Case {
        let came = tag(self.error(64, error).quoting(&change(self.answer()), bytes));
        let forwarded = self.error(63, error).quoting(&change(self.backend_answer()), bytes);
        let is_near = ["10.9.0.11", "10.9.0.13", "fd09::11"].contains(&self.backend);
        let case = Case::new(format!("errors: {} {name}", self.service), came);
        let case = match self.delivery {
            Delivery::L2 if is_near => case.transmits(self.backend, tag(forwarded)),
            Delivery::L2 => case.redirects(BACK, self.backend, forwarded),
            Delivery::Ipip => case.redirects(BACK, self.backend, self.outer().carrying(&forwarded)),
            // A router between sees it go to the backend.
            Delivery::Nat(_) => case.redirects(
                BACK,
                self.backend,
                Packet::ip(self.router(), self.backend)
                    .ttl(63)
                    .icmp(error.1, error.2, error.3)
                    .quoting(&change(self.backend_answer()), bytes),
            ),
        };
        case.counts(self.service, self.backend)
    }

    fn outer(self) -> Packet {
        if self.backend.contains(':') {
            ipip::outer6(self.backend, self.client(), self.address)
        } else {
            ipip::outer4("10.9.1.1", self.backend)
        }
    }

    /// As much as the least that is quoted.
    fn least(self) -> usize {
        self.header_bytes() + 8
    }
}

/// Every kind of error, for every service, with eight bytes of the transport header.
fn kinds() -> Vec<Case> {
    let of = |target: &Target| {
        let target = *target;
        let errors = errors(target.is_v6()).iter();
        errors.map(move |&error| target.case(error.0, error, target.least(), |packet| packet))
    };
    TARGETS.iter().flat_map(of).collect()
}

/// Every interesting length: just without and just with the transport's checksum, and with all there is.
fn lengths() -> Vec<Case> {
    let of = |target: &Target| {
        let target = *target;
        let error = errors(target.is_v6())[1];
        let all = if target.is_udp { 8 + 24 } else { 20 + 24 };
        [16, 18, 31, all].map(move |bytes| {
            let name = format!("quoted with {bytes} bytes behind the IP header");
            target.case(&name, error, target.header_bytes() + bytes, |packet| packet)
        })
    };
    TARGETS.iter().flat_map(of).collect()
}

/// Quoted packets with more headers than usual.
fn headers() -> Vec<Case> {
    let of = |index: usize, name: &str, more: usize, change: fn(Packet) -> Packet| {
        let target = TARGETS[index];
        target.case(name, errors(target.is_v6())[1], target.least() + more, change)
    };
    let extended = |packet: Packet| packet.hop_by_hop(0).destination_options(1);
    let mut cases = Vec::new();
    for index in [0, 3, 6] {
        cases.push(of(index, "quoted with IPv4 options", 12, |packet| packet.options(&[1; 12])));
    }
    for index in [9, 12, 13] {
        cases.push(of(index, "quoted with extension headers", 24, extended));
        cases.push(of(index, "quoted as an atomic fragment", 8, |packet| packet.fragment_header(0, false)));
    }
    for index in [7, 14] {
        cases.push(of(index, "quoted as a first fragment", if index == 7 { 0 } else { 8 }, |packet| {
            let [first, _] = packet.fragments(16);
            first
        }));
    }
    cases.push(of(7, "quoted without a UDP checksum", 4, Packet::without_checksum));
    cases
}

fn links() -> Vec<Case> {
    let of = |index: usize| {
        let target = TARGETS[index];
        target.tagged_case(
            "in a VLAN",
            errors(target.is_v6())[1],
            target.least(),
            |packet| packet,
            |packet| packet.service_tagged(6).tagged(7),
        )
    };
    let target = TARGETS[6];
    let error = errors(false)[2];
    // The quote's own bytes end where the IP packet ends.
    let padded = |source: &str, to: &str, port, ttl| {
        Packet::v4(source, to)
            .ttl(ttl)
            .icmp(error.1, error.2, error.3)
            .quoting(&target.answer_from(if to == target.address { to } else { target.backend }, port), 28)
            .trailer(20)
    };
    vec![
        of(0),
        of(3),
        of(6),
        of(9),
        of(12),
        of(13),
        Case::new("errors: nat in a padded frame", padded("192.0.2.1", "10.9.0.105", 80, 64))
            .redirects(BACK, "10.9.1.41", padded("192.0.2.1", "10.9.1.41", 8080, 63))
            .counts("nat", "10.9.1.41"),
        Case::new("errors: nat with a wrong checksum keeps it", {
            let packet = target.error(64, error).quoting(&target.answer(), 28).bytes();
            packet.set(14 + 20 + 7, &[0])
        })
        .redirects(BACK, "10.9.1.41", {
            let packet = Packet::v4("192.0.2.1", "10.9.1.41").ttl(63).icmp(error.1, error.2, error.3);
            packet.quoting(&target.backend_answer(), 28).bytes().set(14 + 20 + 7, &[0])
        })
        .counts("nat", "10.9.1.41"),
        Case::new("errors: nat leaves half a checksum alone", target.error(64, error).quoting(&target.answer(), 37))
            .redirects(BACK, "10.9.1.41", {
                let half = target.answer().bytes()[14 + 36];
                let quoted = target.backend_answer().bytes().set(14 + 36, &[half]);
                Packet::v4("192.0.2.1", "10.9.1.41").ttl(63).icmp(3, 4, 1400).payload(&quoted[14..14 + 37])
            })
            .counts("nat", "10.9.1.41"),
    ]
}

/// Errors to a service's address that are about nothing that a service has sent.
fn unknown() -> Vec<Case> {
    let v4 = |name: &str, quoted: Packet, bytes: usize| {
        let error = Packet::v4("192.0.2.1", "10.9.0.105").icmp(3, 4, 1400).quoting(&quoted, bytes);
        Case::new(format!("errors: {name}"), error).drops(IcmpUnknown)
    };
    let v6 = |name: &str, quoted: Packet, bytes: usize| {
        let error = Packet::v6("2001:db8:1::1", "fd09::105").icmp(2, 0, 1400).quoting(&quoted, bytes);
        Case::new(format!("errors: {name} in IPv6"), error).drops(IcmpUnknown)
    };
    let tcp4 = || Packet::v4("10.9.0.105", CLIENT).tcp(80, 40000).ack();
    let tcp6 = || Packet::v6("fd09::105", CLIENT6).tcp(80, 40000).ack();
    vec![
        v4("a port that no service has", Packet::v4("10.9.0.105", CLIENT).tcp(81, 40000), 28),
        v6("a port that no service has", Packet::v6("fd09::105", CLIENT6).tcp(81, 40000), 48),
        v4("a protocol that no service has", Packet::v4("10.9.0.105", CLIENT).udp(80, 40000), 28),
        v6("a protocol that no service has", Packet::v6("fd09::105", CLIENT6).udp(80, 40000), 48),
        v4("a quoted packet from another service", Packet::v4("10.9.0.100", CLIENT).tcp(80, 40000), 28),
        v6("a quoted packet from another service", Packet::v6("fd09::100", CLIENT6).tcp(80, 40000), 48),
        v4("a quoted packet to the service", Packet::v4(CLIENT, "10.9.0.105").tcp(40000, 80), 28),
        v6("a quoted packet to the service", Packet::v6(CLIENT6, "fd09::105").tcp(40000, 80), 48),
        v4("a quoted echo reply", Packet::v4("10.9.0.105", CLIENT).echo_reply(1), 28),
        v6("a quoted echo reply", Packet::v6("fd09::105", CLIENT6).echo_reply(1), 48),
        v4("nothing quoted", tcp4(), 0),
        v6("nothing quoted", tcp6(), 0),
        v4("less quoted than an IP header", tcp4(), 19),
        v6("less quoted than an IP header", tcp6(), 39),
        v4("seven bytes quoted of the transport header", tcp4(), 27),
        v6("seven bytes quoted of the transport header", tcp6(), 47),
        v4("options quoted and nothing behind them", tcp4().options(&[1; 8]), 28),
        v6("options quoted and nothing behind them", tcp6().destination_options(0), 48),
        v4("a later fragment quoted", tcp4().payload(&[0; 32]).fragments(24)[1].clone(), 28),
        v6("a later fragment quoted", tcp6().payload(&[0; 32]).fragments(24)[1].clone(), 56),
        v6("more extension headers quoted than are walked", (0..5).fold(tcp6(), |p, _| p.destination_options(0)), 88),
        Case::new("errors: another IP version quoted", {
            let error = Packet::v4("192.0.2.1", "10.9.0.105").icmp(3, 4, 1400).quoting(&tcp4(), 28);
            error.bytes().set(14 + 20 + 8, &[0x65])
        })
        .drops(IcmpUnknown),
        Case::new("errors: too short an IPv4 header quoted", {
            let error = Packet::v4("192.0.2.1", "10.9.0.105").icmp(3, 4, 1400).quoting(&tcp4(), 28);
            error.bytes().set(14 + 20 + 8, &[0x44])
        })
        .drops(IcmpUnknown),
        Case::new("errors: another IP version quoted in IPv6", {
            let error = Packet::v6("2001:db8:1::1", "fd09::105").icmp(2, 0, 1400).quoting(&tcp6(), 48);
            error.bytes().set(14 + 40 + 8, &[0x45])
        })
        .drops(IcmpUnknown),
    ]
}

/// What keeps an error from its backend, as it would any packet.
fn refusals() -> Vec<Case> {
    let [web, tunnel] = [TARGETS[0], TARGETS[3]];
    let error = errors(false)[2];
    let to = |target: Target, ttl| target.error(ttl, error).quoting(&target.answer(), 28);
    let quote = Packet::v4("10.9.0.107", CLIENT).tcp(80, 40000).ack();
    let long = web.answer().payload(&[7; 1460]);
    vec![
        Case::new("errors: TTL 1 ends here", to(web, 1)).drops(TtlExpired).counts("web", web.backend),
        Case::new("errors: no next hop", to(tunnel, 64))
            .with(|setup| setup.next_hops.clear())
            .drops(NextHopUnresolved)
            .counts_service("4in4"),
        Case::new("errors: no backend", Packet::v4("192.0.2.1", "10.9.0.107").icmp(3, 4, 1400).quoting(&quote, 28))
            .drops(NoBackend)
            .counts_service("empty"),
        Case::new("errors: from an impossible source", {
            Packet::v4("127.0.0.1", "10.9.0.100").icmp(3, 4, 1400).quoting(&web.answer(), 28)
        })
        .drops(MartianSource),
        // No error is answered with an error.
        Case::new("errors: too long for the tunnel", {
            let answer = tunnel.answer().payload(&[7; 1460]);
            tunnel.error(64, error).quoting(&answer, 1472)
        })
        .drops(MtuExceeded)
        .counts("4in4", tunnel.backend),
        Case::new("errors: as long as the link carries", web.error(64, error).quoting(&long, 1472))
            .transmits(web.backend, web.error(63, error).quoting(&long, 1472))
            .counts("web", web.backend),
    ]
}

/// Errors of `nat` backends and of routers before them, about what a client has sent.
fn complaints() -> Vec<Case> {
    /// An error about a client's packet to `to`.
    fn complaint(source: &str, to: &str, port: u16, is_udp: bool, bytes: usize, ttl: u8) -> Packet {
        let is_v6 = to.contains(':');
        let client = if is_v6 { CLIENT6 } else { CLIENT };
        let quoted = Packet::ip(client, to).ttl(62);
        let quoted = if is_udp { quoted.udp(40000, port) } else { quoted.tcp(40000, port).ack() };
        let quoted = quoted.payload(b"a question to be complained of");
        let (kind, code) = if is_v6 { (1, 4) } else { (3, 3) };
        let header = if is_v6 { 40 } else { 20 };
        Packet::ip(source, client).ttl(ttl).icmp(kind, code, 0).quoting(&quoted, header + bytes)
    }
    let mut cases = Vec::new();
    for (name, backend, port, service, service_port, is_udp, router) in [
        ("TCP", "10.9.1.41", 8080, "10.9.0.105", 80, false, "10.9.1.254"),
        ("UDP", "10.9.1.42", 5353, "10.9.0.105", 53, true, "10.9.1.254"),
        ("any port", "10.9.1.43", 4711, "10.9.0.106", 4711, false, "10.9.1.254"),
        ("TCP in IPv6", "fd09:1::41", 8080, "fd09::105", 80, false, "fd09:1::fe"),
        ("UDP in IPv6", "fd09:1::42", 5353, "fd09::105", 53, true, "fd09:1::fe"),
    ] {
        let client = if backend.contains(':') { CLIENT6 } else { CLIENT };
        for bytes in [8, 30] {
            let what = format!("{name}, {bytes} bytes quoted");
            cases.push(
                Case::new(
                    format!("errors: a `nat` backend complains: {what}"),
                    complaint(backend, backend, port, is_udp, bytes, 64),
                )
                .from(BACK)
                .redirects(FRONT, client, complaint(service, service, service_port, is_udp, bytes, 63)),
            );
            cases.push(
                Case::new(
                    format!("errors: a router complains of a packet to a `nat` backend: {what}"),
                    complaint(router, backend, port, is_udp, bytes, 64),
                )
                .from(BACK)
                .redirects(FRONT, client, complaint(router, service, service_port, is_udp, bytes, 63)),
            );
        }
    }
    let passes = |name: &str, packet| Case::new(format!("errors: a backend complains of {name}: passes"), packet);
    cases.extend([
        passes("what no service sent it", complaint("10.9.1.41", "10.9.1.41", 22, false, 8, 64)).from(BACK),
        passes("what no service sent it over UDP", complaint("10.9.1.41", "10.9.1.41", 8080, true, 8, 64)).from(BACK),
        passes("too little", complaint("10.9.1.41", "10.9.1.41", 8080, false, 7, 64)).from(BACK),
        passes("somebody else's packet", {
            let quoted = Packet::v4("10.9.0.8", "10.9.1.41").tcp(40000, 8080);
            Packet::v4("10.9.1.41", CLIENT).icmp(3, 3, 0).quoting(&quoted, 28)
        })
        .from(BACK),
        passes("the node's own packet", {
            let quoted = Packet::v4("10.9.0.1", "10.9.1.41").tcp(40000, 8080);
            Packet::v4("10.9.1.41", "10.9.0.1").icmp(3, 3, 0).quoting(&quoted, 28)
        })
        .from(BACK),
        passes("a packet, and nobody uses `nat`", complaint("10.9.1.41", "10.9.1.41", 8080, false, 8, 64))
            .from(BACK)
            .with(|setup| setup.model.services.retain(|service| !service.name.starts_with("nat"))),
    ]);
    cases
}

/// What is not an error to a service.
fn strangers() -> Vec<Case> {
    let quoted = || Packet::v4("10.9.0.200", CLIENT).tcp(80, 40000).ack();
    let case = |name: &str, packet: Packet| Case::new(format!("errors: {name} passes"), packet);
    let to_web = |kind| Packet::v4("192.0.2.1", "10.9.0.100").icmp(kind, 0, 0).quoting(&TARGETS[0].answer(), 28);
    vec![
        case("one to nobody", Packet::v4("192.0.2.1", "10.9.0.200").icmp(3, 4, 1400).quoting(&quoted(), 28)),
        case("source quench", to_web(4)),
        case("a redirect", to_web(5)),
        case("an echo reply", Packet::v4("192.0.2.1", "10.9.0.100").echo_reply(1)),
        case("a reserved type of ICMPv6", Packet::v6("2001:db8:1::1", "fd09::100").icmp(5, 0, 0)),
        case("an error that is itself a fragment", {
            let error = Packet::v4("192.0.2.1", "10.9.0.100").icmp(3, 4, 1400).quoting(&TARGETS[0].answer(), 60);
            let [first, _] = error.fragments(40);
            first
        }),
    ]
}
