//! Delivery `full-nat`: both ends of a packet are others, and a session remembers what they were.
//!
//! The world gives sessions one port of each of the node's addresses, [`NODE_PORT`], so that everybody knows which one they get.

mod errors;
mod fragments;
mod talk;

use lb_common::{
    DATAGRAMS_SECONDS,
    DropReason::{
        ExtensionHeaders, NeighbourUnknown, NextHopUnresolved, NoBackend, NoRoute, PortsExhausted, SessionUnknown,
        SourceNotAllowed, TtlExpired,
    },
    ESTABLISHED_SECONDS, HALF_CLOSED_SECONDS, QUESTION_SECONDS, TRANSIENT_SECONDS,
};
use lb_userspace::model::{
    AdminState,
    Delivery::{FullNat, L2},
    PortSpan, Ports,
    Protocol::Tcp,
};

use self::talk::{ANY, DNS, DNS6, Make, NEAR, Talk, WEB, WEB6, ack, fin, plain, rst, syn};
use super::{Case, too_big};
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, FRONT, NODE_PORT, Setup, service},
};

pub(super) fn cases() -> Vec<Case> {
    [
        openings(),
        requests(),
        replies(),
        untouched(),
        unknown(),
        refusals(),
        ends(),
        exhaustion(),
        expiry(),
        changes(),
        routes(),
        services(),
        ways(),
        errors::cases(),
        fragments::cases(),
    ]
    .concat()
}

fn openings() -> Vec<Case> {
    vec![
        WEB.opening("a SYN opens a session"),
        WEB6.opening("a SYN opens a session over IPv6"),
        ANY.opening("any port keeps the client's"),
        DNS.request("a datagram opens a session", plain),
        DNS6.request("a datagram opens a session over IPv6", plain),
        DNS.request("a datagram without a checksum", |packet| packet.payload(b"any").without_checksum()),
        WEB.opening("a SYN that is sent again gets the same port").after_from(FRONT, WEB.asks(syn)),
        Case::new("full-nat: a tag goes", WEB.asks(syn).tagged(7))
            .redirects(BACK, "10.9.1.51", WEB.asked(syn))
            .counts("full", "10.9.1.51")
            .opens_flow(),
        Case::new("full-nat: a tag stays on the same interface", NEAR.asks(syn).tagged(7))
            .transmits("10.9.0.51", NEAR.asked(syn).tagged(7))
            .counts("full-near", "10.9.0.51")
            .opens_flow(),
        Case::new("full-nat: two services share a port of two protocols", DNS.asks(plain))
            .after_from(FRONT, WEB.asks(syn))
            .redirects(BACK, "10.9.1.52", DNS.asked(plain))
            .counts("full-dns", "10.9.1.52"),
    ]
}

fn requests() -> Vec<Case> {
    let fits: Make = |packet| packet.ack().payload(&[7; 1460]);
    vec![
        WEB.request("a segment of a session", ack).after_from(FRONT, WEB.asks(syn)),
        WEB.established(WEB.request("a segment of an established session", ack)),
        WEB6.established(WEB6.request("a segment of an established session over IPv6", ack)),
        WEB.established(WEB.opening("a SYN to an established session stays in it")),
        WEB.established(WEB.request("an RST of a client's", rst)),
        WEB.established(WEB.request("a FIN of a client's", fin)),
        DNS.established(DNS.request("a further datagram", plain)),
        WEB.established(WEB.request("IPv4 options stay", |packet| packet.ack().options(&[1; 8]))),
        WEB6.established(WEB6.request("IPv6 extension headers stay", |packet| packet.ack().hop_by_hop(0))),
        WEB.established(WEB.request("a packet that exactly fits", fits)),
        WEB.established(Case::new("full-nat: a wrong checksum stays wrong", WEB.asks(ack).set(56, b"?")))
            .redirects(BACK, "10.9.1.51", WEB.asked(ack).set(56, b"?"))
            .counts("full", "10.9.1.51"),
    ]
}

fn replies() -> Vec<Case> {
    let behind = |client| WEB.of((client, 40000));
    vec![
        WEB.reply("TCP comes from the service", ack).after_from(FRONT, WEB.asks(syn)),
        WEB6.reply("TCP comes from the service over IPv6", ack).after_from(FRONT, WEB6.asks(syn)),
        ANY.reply("any port", ack).after_from(FRONT, ANY.asks(syn)),
        DNS.reply("UDP comes from the service", plain).after_from(FRONT, DNS.asks(plain)),
        DNS6.reply("UDP over IPv6", plain).after_from(FRONT, DNS6.asks(plain)),
        DNS.reply("UDP without a checksum", |packet| packet.payload(b"any").without_checksum())
            .after_from(FRONT, DNS.asks(plain)),
        WEB.established(WEB.reply("an RST of a backend's", rst)),
        WEB.established(WEB.reply("a FIN of a backend's", fin)),
        Case::new("full-nat reply: on the interface that the client is on, with its tag", NEAR.answers(ack).tagged(7))
            .after_from(FRONT, NEAR.asks(syn))
            .transmits(CLIENT, NEAR.answered(ack).tagged(7)),
        Case::new("full-nat reply: through a router", behind("192.0.2.9").answers(ack))
            .after_from(FRONT, behind("192.0.2.9").asks(syn))
            .from(BACK)
            .redirects(FRONT, "10.9.0.254", behind("192.0.2.9").answered(ack)),
        WEB.reply("after the client's FIN", ack).after_from(FRONT, WEB.asks(syn)).after_from(FRONT, WEB.asks(fin)),
    ]
}

/// What comes to the node's addresses and belongs to no session is the node's own.
fn untouched() -> Vec<Case> {
    let case = |name: &str, packet: Packet| Case::new(format!("full-nat reply: {name} passes"), packet).from(BACK);
    let to_node = |from: &str, port, to: u16| Packet::v4(from, "10.9.1.1").tcp(port, to).ack();
    vec![
        case("what no session expects", WEB.answers(ack)),
        case("another port of the node's", to_node("10.9.1.51", 8080, 22)).after_from(FRONT, WEB.asks(syn)),
        case("another host", to_node("10.9.1.52", 8080, NODE_PORT)).after_from(FRONT, WEB.asks(syn)),
        case("another port of the backend's", to_node("10.9.1.51", 8081, NODE_PORT)).after_from(FRONT, WEB.asks(syn)),
        case("another protocol", Packet::v4("10.9.1.51", "10.9.1.1").udp(8080, NODE_PORT))
            .after_from(FRONT, WEB.asks(syn)),
        case("another address of the node's", Packet::v4("10.9.1.51", "10.9.0.1").tcp(8080, NODE_PORT).ack())
            .after_from(FRONT, WEB.asks(syn)),
        case("a check's answer with TTL 1", to_node("10.9.1.51", 8080, 33000).ttl(1)).after_from(FRONT, WEB.asks(syn)),
        case("a malformed packet", WEB.answers(ack).claimed_bytes(1000)).after_from(FRONT, WEB.asks(syn)),
        case("an echo request to the node", Packet::v4("10.9.1.51", "10.9.1.1").echo_request(1)),
        case("the client itself at the node's port", Packet::v4(CLIENT, "10.9.1.1").tcp(40000, NODE_PORT).ack())
            .from(FRONT)
            .after_from(FRONT, WEB.asks(syn)),
        Case::new("full-nat reply: without such a service all pass", WEB.answers(ack)).from(BACK).with(|setup| {
            setup.model.services.retain(|service| !service.name.starts_with("full"));
        }),
    ]
}

fn unknown() -> Vec<Case> {
    let other = |client| WEB.of(client);
    vec![
        WEB.lost("a segment without a session", ack).drops(SessionUnknown),
        WEB6.lost("a segment without a session over IPv6", ack).drops(SessionUnknown),
        WEB.lost("an RST without a session", rst).drops(SessionUnknown),
        WEB.lost("a SYN and ACK opens nothing", |packet| packet.syn().ack()).drops(SessionUnknown),
        other((CLIENT, 40001))
            .lost("another port of the client's", ack)
            .after_from(FRONT, WEB.asks(syn))
            .drops(SessionUnknown),
        other(("10.9.0.6", 40000)).lost("another client", ack).after_from(FRONT, WEB.asks(syn)).drops(SessionUnknown),
        NEAR.lost("another service of the address", ack).after_from(FRONT, WEB.asks(syn)).drops(SessionUnknown),
        Case::new("full-nat: too many extension headers", {
            (0..5).fold(WEB6.asks(ack), |packet, _| packet.destination_options(0))
        })
        .drops(ExtensionHeaders),
    ]
}

fn refusals() -> Vec<Case> {
    let too_long: Make = |packet| packet.ack().payload(&[7; 1461]);
    let last: fn(Packet) -> Packet = |packet| packet.ack().ttl(1);
    let counted = |case: Case| case.counts("full", "10.9.1.51");
    vec![
        WEB.established(counted(WEB.lost("a packet that is one byte too long", too_long))).refuses(too_big::answer(
            &WEB.asks(too_long),
            WEB.service.0,
            CLIENT,
            1500,
        )),
        WEB.established(counted(WEB.lost("TTL 1 ends here", last)).drops(TtlExpired)),
        WEB.established(WEB.reply("TTL 1 ends here", last).drops(TtlExpired)),
        WEB.lost("the way to the backend is not known", syn).opens_flow().drops(NextHopUnresolved).with(|setup| {
            setup.next_hops.remove(&"10.9.1.51".parse().expect("an address"));
        }),
        WEB.lost("the node has no address to come from", syn).opens_flow().drops(NextHopUnresolved).with(|setup| {
            setup.hop("full").source = [0, 0, 0, 0].into();
        }),
        WEB.lost("a service has the ports of the node's address", syn).opens_flow().drops(NextHopUnresolved).with(
            |setup| {
                setup.service("web-any").address = "10.9.1.1/32".parse().expect("an address");
            },
        ),
        WEB.lost("no backend", syn).opens_flow().drops(NoBackend).with(|setup| {
            setup.down.insert("10.9.1.51".to_owned());
        }),
    ]
}

/// A SYN after the end opens another session; anything else still belongs to the old one.
fn ends() -> Vec<Case> {
    let ended = |case: Case| WEB.established(case).after_from(FRONT, WEB.asks(fin)).after_from(BACK, WEB.answers(fin));
    let reset = |case: Case| WEB.established(case).after_from(BACK, WEB.answers(rst));
    vec![
        ended(WEB.request("the last ACK of a session", Packet::ack)),
        ended(WEB.reply("what the backend sends again after the end", fin)),
        ended(WEB.opening("a SYN after the end, when the port has rested")).later(4),
        ended(WEB.lost("a SYN right after the end needs another port", syn)).opens_flow().drops(PortsExhausted),
        reset(WEB.opening("a SYN after an RST, when the port has rested")).later(4),
        // The backend has taken the SYN for one of an older connection, and the client does not know what it is told of.
        WEB.opening("a SYN after an RST to what never came to be keeps the port")
            .after_from(FRONT, WEB.asks(syn))
            .after_from(BACK, WEB.answers(ack))
            .after_from(FRONT, WEB.asks(rst)),
        WEB.opening("a SYN after a refusal keeps the port")
            .after_from(FRONT, WEB.asks(syn))
            .after_from(BACK, WEB.answers(rst)),
        WEB.established(WEB.opening("a SYN after half the end"))
            .after_from(FRONT, WEB.asks(fin))
            .later(u64::from(HALF_CLOSED_SECONDS) + 1),
    ]
}

fn exhaustion() -> Vec<Case> {
    let other = WEB.of(("10.9.0.6", 41000));
    let others = DNS.of(("10.9.0.6", 5001));
    vec![
        other.lost("no port is left", syn).opens_flow().after_from(FRONT, WEB.asks(syn)).drops(PortsExhausted),
        others.lost("no port is left for a datagram", plain).after_from(FRONT, DNS.asks(plain)).drops(PortsExhausted),
        other
            .lost("a port rests for some seconds", syn)
            .opens_flow()
            .after_from(FRONT, WEB.asks(syn))
            .later(1)
            .drops(PortsExhausted),
        other.opening("a session that never came to be gives its port away").after_from(FRONT, WEB.asks(syn)).later(4),
        WEB.lost("and is then unknown", ack)
            .after_from(FRONT, WEB.asks(syn))
            .later(4)
            .after_from(FRONT, other.asks(syn))
            .drops(SessionUnknown),
        WEB.established(other.lost("an established session never does", syn).opens_flow())
            .later(60)
            .drops(PortsExhausted),
        other
            .reply("belongs to who has the port now", ack)
            .after_from(FRONT, WEB.asks(syn))
            .later(4)
            .after_from(FRONT, other.asks(syn))
            .drops(NeighbourUnknown)
            .wants(FRONT, "10.9.0.6"),
        others
            .request("an answered question gives its port away", plain)
            .after_from(FRONT, DNS.asks(plain))
            .after_from(BACK, DNS.answers(plain))
            .later(4),
    ]
}

/// The times after which a port is free. The kernel's clock goes on meanwhile, so that what is not over has half a minute left;
/// the tests of the state itself know the second.
fn expiry() -> Vec<Case> {
    let other = WEB.of(("10.9.0.6", 41000));
    let others = DNS.of(("10.9.0.6", 5001));
    let web = |case: Case, seconds: u32| WEB.established(case).later(seconds.into());
    let dns = |case: Case, seconds: u32| DNS.established(case).later(seconds.into());
    vec![
        web(other.lost("an established session is kept", syn).opens_flow(), ESTABLISHED_SECONDS - 30)
            .drops(PortsExhausted),
        web(other.opening("an established session ends at last"), ESTABLISHED_SECONDS + 1),
        web(WEB.request("a session that is over goes on while nobody has its port", ack), ESTABLISHED_SECONDS + 1),
        dns(others.lost("datagrams that go on are kept", plain), DATAGRAMS_SECONDS - 30).drops(PortsExhausted),
        dns(others.request("datagrams that go on end", plain), DATAGRAMS_SECONDS + 1),
        other
            .opening("an unanswered SYN ends")
            .after_from(FRONT, WEB.asks(syn))
            .later(u64::from(TRANSIENT_SECONDS) + 1),
        others
            .request("a question ends", plain)
            .after_from(FRONT, DNS.asks(plain))
            .later(u64::from(QUESTION_SECONDS) + 1),
        WEB.established(other.lost("half a session is kept", syn).opens_flow())
            .after_from(BACK, WEB.answers(fin))
            .later(u64::from(HALF_CLOSED_SECONDS) - 30)
            .drops(PortsExhausted),
        WEB.established(other.opening("half a session ends"))
            .after_from(BACK, WEB.answers(fin))
            .later(u64::from(HALF_CLOSED_SECONDS) + 1),
    ]
}

/// A session and its backend, when the configuration has changed since.
fn changes() -> Vec<Case> {
    let after = |case: Case, change: fn(&mut Setup)| WEB.established(case).then(change);
    vec![
        after(WEB.request("a session stays on a drained backend", ack), |setup| state_of(setup, AdminState::Drain)),
        after(WEB.reply("a drained backend's", ack), |setup| state_of(setup, AdminState::Drain)),
        after(WEB.lost("a disabled backend gets nothing", ack).drops(SessionUnknown), |setup| {
            state_of(setup, AdminState::Disabled);
        }),
        after(WEB.reply("a disabled backend's last words", ack), |setup| state_of(setup, AdminState::Disabled)),
        after(WEB.lost("another address behind the backend's name", ack).drops(SessionUnknown), |setup| {
            let hop = setup.hop("full").clone();
            let other = "10.9.1.59".parse().expect("an address");
            setup.next_hops.insert(other, hop);
            setup.service("full").backends[0].address = other;
        }),
        after(WEB.request("a session keeps the port that the backend had", ack), |setup| {
            setup.service("full").backends[0].port = Some(8081);
        }),
        WEB.established(WEB.lost("a drained backend gets nothing new", syn).opens_flow().drops(NoBackend))
            .after_from(BACK, WEB.answers(rst))
            .later(4)
            .then(|setup| state_of(setup, AdminState::Drain)),
    ]
}

pub(super) fn state_of(setup: &mut Setup, state: AdminState) {
    setup.service("full").backends[0].state = state;
}

fn routes() -> Vec<Case> {
    let unresolved = WEB.of(("10.9.0.8", 40000));
    let nowhere = WEB.of(("100.64.0.1", 40000));
    let unreachable = WEB.of(("203.0.113.9", 40000));
    let far = WEB6.of(("2001:db8:3::9", 40000));
    let too_long: Make = |packet| packet.ack().payload(&[7; 1221]);
    vec![
        unresolved
            .reply("a client without a known neighbour", ack)
            .after_from(FRONT, unresolved.asks(syn))
            .drops(NeighbourUnknown)
            .wants(FRONT, "10.9.0.8"),
        nowhere.reply("a client without a route", ack).after_from(FRONT, nowhere.asks(syn)).drops(NoRoute),
        unreachable.reply("an unreachable client", ack).after_from(FRONT, unreachable.asks(syn)).drops(NoRoute),
        far.reply("does not fit the route", too_long).after_from(FRONT, far.asks(syn)).refuses(too_big::answer(
            &far.answers(too_long),
            far.node.0,
            far.backend.0,
            1280,
        )),
    ]
}

const RANGE: Talk =
    Talk { service_name: "full-range", service: ("10.9.0.110", 8050), backend: ("10.9.1.56", 8050), ..WEB };
const NET: Talk = Talk { service_name: "full-net", service: ("10.20.0.77", 80), backend: ("10.9.1.57", 8080), ..WEB };
const NET6: Talk = Talk { service_name: "full-net6", service: ("fd20::77", 80), backend: ("fd09:1::57", 8080), ..WEB6 };

/// Services of ranges and of prefixes; one allows but some sources.
fn wide(setup: &mut Setup) {
    let ranges = Ports::new(vec![PortSpan { first: 8000, last: 8100 }, PortSpan::single(443)]);
    let lines: [(&Talk, &str, Ports, u16); 3] = [
        (&RANGE, "10.9.0.110/32", ranges, 0),
        (&NET, "10.20.0.0/24", 80.into(), 8080),
        (&NET6, "fd20::/64", 80.into(), 8080),
    ];
    for (talk, address, ports, port) in lines {
        let (address, backends) = (address.parse().expect("a prefix"), [(talk.backend.0, port)]);
        setup.add(service(talk.service_name, Tcp, address, ports, FullNat, &backends));
    }
    setup.service("full-net").allow_from = vec!["10.9.0.0/25".parse().expect("a prefix")];
}

/// What a service is, is not for sessions to say: they know the address and the port that a client has asked.
fn services() -> Vec<Case> {
    let single = Talk { service: ("10.9.0.110", 443), backend: ("10.9.1.56", 443), ..RANGE };
    let beside = Talk { service: ("10.9.0.110", 8101), ..RANGE };
    let neighbour = Talk { service: ("10.20.0.78", 80), ..NET };
    let stranger = NET.of(("192.0.2.9", 40000));
    let cases = vec![
        RANGE.opening("a port of a range"),
        RANGE.reply("a port of a range", ack).after_from(FRONT, RANGE.asks(syn)),
        single.opening("a single port beside ranges"),
        Case::new("full-nat: a port beside a range passes", beside.asks(syn)),
        RANGE.lost("another port of the range", ack).after_from(FRONT, single.asks(syn)).drops(SessionUnknown),
        NET.opening("an address of a prefix"),
        NET.reply("comes from the address that was asked", ack).after_from(FRONT, NET.asks(syn)),
        NET6.opening("an address of a prefix of IPv6"),
        NET6.reply("comes from the address of IPv6 that was asked", ack).after_from(FRONT, NET6.asks(syn)),
        neighbour.lost("another address of the prefix", ack).after_from(FRONT, NET.asks(syn)).drops(SessionUnknown),
        Case::new("full-nat: a source that is not allowed", stranger.asks(syn)).drops(SourceNotAllowed),
    ];
    let mut cases: Vec<Case> = cases.into_iter().map(|case| case.with(wide)).collect();
    cases.push(
        // The prefix has the node's address too, and all of its ports are the service's.
        WEB.lost("a prefix has the node's address", syn).opens_flow().drops(NextHopUnresolved).with(|setup| {
            let address = "10.9.1.0/24".parse().expect("a prefix");
            setup.add(service("net", Tcp, address, 9.into(), L2, &[("10.9.0.11", 0)]));
        }),
    );
    cases
}

/// The way to a backend out of a VLAN, and a backend that is the node itself.
fn ways() -> Vec<Case> {
    let in_vlan = |setup: &mut Setup| setup.hop("full").vlan = Some(100);
    vec![
        Case::new("full-nat: out of a VLAN interface", WEB.asks(syn).tagged(7))
            .redirects(BACK, "10.9.1.51", WEB.asked(syn).tagged(100))
            .counts("full", "10.9.1.51")
            .opens_flow()
            .with(in_vlan),
        Case::new("full-nat reply: out of a VLAN", WEB.answers(ack).tagged(100))
            .from(BACK)
            .after_from(FRONT, WEB.asks(syn))
            .redirects(FRONT, CLIENT, WEB.answered(ack))
            .with(in_vlan),
        WEB.lost("the backend is the node itself", syn)
            .opens_flow()
            .drops(NextHopUnresolved)
            .with(|setup| setup.hop("full").is_local = true),
    ]
}
