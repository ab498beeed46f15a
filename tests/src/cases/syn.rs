//! SYN protection: strangers are asked, proofs are believed, forgeries are not, and open connections notice nothing.

use std::time::Duration;

use lb_common::{
    DropReason::{Denied, SourceNotAllowed, SynLimited, SynProof, SynUnproved},
    SynEvent::{Admitted, Challenged, Limited, Proved, Refused, Retried, Unanswered},
};
use lb_userspace::model::SynProtection;

use super::{Case, Outcome, cookie::Ends};
use crate::{
    packet::{Packet, RECEIVER, SENDER},
    world::{BACK, CLIENT, CLIENT6, NODE_PORT, SYN_EPOCH, Setup},
};

/// The options that Linux sends with a SYN: maximum segment size, selective acknowledgement, timestamps, window scale.
const OPTIONS: [u8; 20] = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
const PORT: u16 = 40000;

/// Every TCP service is protected at any time.
fn guarded(setup: &mut Setup) {
    for service in &mut setup.model.services {
        service.syn_protection = SynProtection::Always;
    }
}

fn case(name: &str, packet: impl Into<Vec<u8>>) -> Case {
    Case::new(format!("syn: {name}"), packet).with(guarded)
}

fn ends(client: &'static str, service: &'static str) -> Ends {
    Ends { client: (client, PORT), service: (service, 80) }
}

/// The client's SYN.
fn syn(ends: Ends) -> Packet {
    Packet::ip(ends.client.0, ends.service.0).tcp(ends.client.1, ends.service.1).syn()
}

/// The client's SYN as Linux sends it.
fn real_syn(ends: Ends) -> Packet {
    syn(ends).tcp_options(&OPTIONS)
}

/// What a stranger is asked with: nothing but an acknowledgement of what has not been said.
fn question(ends: Ends) -> Packet {
    let packet = Packet::ip(ends.service.0, ends.client.0).tcp(ends.service.1, ends.client.1);
    let packet = packet.bare_ack(ends.cookie(SYN_EPOCH));
    if ends.client.0.contains(':') { packet } else { packet.identification(0).dont_fragment() }
}

/// The client's answer: a reset from where the acknowledgement points to.
fn proof(ends: Ends, epoch: u32) -> Packet {
    Packet::ip(ends.client.0, ends.service.0).tcp(ends.client.1, ends.service.1).rst().sequence(ends.cookie(epoch))
}

/// The answer of the node, which goes back to where the SYN came from.
fn asked(case: Case, answer: Packet, service: &'static str) -> Case {
    let mut answer = answer.link(RECEIVER, SENDER).bytes();
    // Ethernet's least length, if the SYN had it.
    answer.resize(answer.len().max(case.frame.len().min(60)), 0);
    Case { outcome: Outcome::Transmit(answer), ..case.notes(service, Challenged) }
}

/// Services of every delivery and family, by name and address.
const SERVICES: [(&str, &str); 14] = [
    ("web", "10.9.0.100"),
    ("4in4", "10.9.0.102"),
    ("4in6", "10.9.0.103"),
    ("nat", "10.9.0.105"),
    ("gue-4in4", "10.9.0.160"),
    ("empty", "10.9.0.107"),
    ("web6", "fd09::100"),
    ("6in4", "fd09::102"),
    ("6in6", "fd09::103"),
    ("nat6", "fd09::105"),
    ("gue-6in6", "fd09::161"),
    ("spread6", "fd09::101"),
    ("full", "10.9.0.108"),
    ("full6", "fd09::108"),
];

fn strangers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, address) in SERVICES {
        let ends = ends(if address.contains(':') { CLIENT6 } else { CLIENT }, address);
        cases.push(asked(case(&format!("a stranger is asked at {name}"), real_syn(ends)), question(ends), name));
    }
    let (v4, v6) = (ends(CLIENT, "10.9.0.100"), ends(CLIENT6, "fd09::100"));
    let other = Ends { service: ("10.9.0.100", 8443), ..v4 };
    let bare = Case::new("syn: a SYN of the least length", syn(v4)).with(guarded).notes("web", Challenged);
    cases.extend([
        asked(case("a tag stays, IPv4", real_syn(v4).tagged(100)), question(v4).tagged(100), "web"),
        asked(case("a tag stays, IPv6", real_syn(v6).tagged(0xe007)), question(v6).tagged(0xe007), "web6"),
        asked(
            case("two tags stay", real_syn(v4).service_tagged(6).tagged(7)),
            question(v4).service_tagged(6).tagged(7),
            "web",
        ),
        asked(
            case("IPv4 options are not sent back", real_syn(v4).options(&[7, 7, 4, 0, 0, 0, 0, 0])),
            question(v4),
            "web",
        ),
        asked(case("extension headers are not sent back", real_syn(v6).hop_by_hop(1)), question(v6), "web6"),
        asked(case("data is not sent back", real_syn(v4).payload(&[0x55; 1200])), question(v4), "web"),
        asked(
            case("neither is what is asked of routers", real_syn(v4).traffic_class(0xb9).ttl(1)),
            question(v4),
            "web",
        ),
        asked(case("Ethernet's padding is cleared", syn(v4).padded(64)), question(v4), "web"),
        asked(case("a SYN to any port", syn(other)), question(other), "web-any"),
        bare.answers(question(v4)),
    ]);
    cases
}

fn proofs() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, address) in SERVICES {
        let ends = ends(if address.contains(':') { CLIENT6 } else { CLIENT }, address);
        cases.extend([
            case(&format!("a proof at {name}"), proof(ends, SYN_EPOCH)).drops(SynProof).notes(name, Proved),
            case(&format!("a proof of the epoch before at {name}"), proof(ends, SYN_EPOCH - 1))
                .drops(SynProof)
                .notes(name, Proved),
        ]);
    }
    let v4 = ends(CLIENT, "10.9.0.100");
    cases.extend([
        case("a proof that was on its way with the first", proof(v4, SYN_EPOCH))
            .after(proof(v4, SYN_EPOCH))
            .drops(SynProof)
            .notes("web", Proved),
        case("a proof that is sent again later proves no more", proof(v4, SYN_EPOCH))
            .after(proof(v4, SYN_EPOCH))
            .later_by(Duration::from_millis(2100))
            .drops(SynProof),
    ]);
    cases
}

fn admitted() -> Vec<Case> {
    let (v4, v6) = (ends(CLIENT, "10.9.0.100"), ends(CLIENT6, "fd09::100"));
    let elsewhere = Ends { service: ("10.9.0.100", 8443), ..v4 };
    let full = ends(CLIENT, "10.9.0.108");
    let neighbour = Ends { client: ("fd09::ffff:1", 50000), ..v6 };
    let known = |name: &str, ends: Ends, proven: Ends| case(name, syn(ends)).after(proof(proven, SYN_EPOCH));
    let goes_on = |case: Case, ends: Ends, service, backend| {
        case.transmits(backend, syn(ends).ttl(63)).counts(service, backend).opens_flow().notes(service, Admitted)
    };
    let stranger =
        |name: &str, other: Ends, proven: Ends, service| asked(known(name, other, proven), question(other), service);
    vec![
        goes_on(known("a source that has proved itself, IPv4", v4, v4), v4, "web", "10.9.0.11"),
        goes_on(known("a source that has proved itself, IPv6", v6, v6), v6, "web6", "fd09::11"),
        goes_on(known("a neighbour in the /64 has been proved, too", neighbour, v6), neighbour, "web6", "fd09::11"),
        known("a source is known at every service", elsewhere, v4)
            .redirects(BACK, "10.9.1.12", syn(elsewhere).ttl(63))
            .counts("web-any", "10.9.1.12")
            .opens_flow()
            .notes("web-any", Admitted),
        known("a source that has proved itself gets a session", full, v4)
            .redirects(BACK, "10.9.1.51", Packet::v4("10.9.1.1", "10.9.1.51").tcp(NODE_PORT, 8080).syn().ttl(63))
            .counts("full", "10.9.1.51")
            .opens_flow()
            .notes("full", Admitted),
        stranger("a neighbour in the /24 is a stranger", ends("10.9.0.8", "10.9.0.100"), v4, "web"),
        stranger("a neighbour in the /63 is a stranger", ends("fd09:0:0:1::7", "fd09::100"), v6, "web6"),
        known("a source that sends too much", v4, v4)
            .with_tables(|tables| tables.syn.source_syns = 0)
            .drops(SynLimited)
            .notes("web", Limited),
    ]
}

/// Resets that prove nothing. Each may be one of an open connection, and goes on.
fn refused() -> Vec<Case> {
    let v4 = ends(CLIENT, "10.9.0.100");
    let reset = |ends: Ends, sequence| {
        Packet::ip(ends.client.0, ends.service.0).tcp(ends.client.1, ends.service.1).rst().sequence(sequence)
    };
    let cookie = v4.cookie(SYN_EPOCH);
    let forgeries = [
        ("an arbitrary number", v4, 0x1234_5678),
        ("a number next to the cookie", v4, cookie.wrapping_add(2)),
        ("the cookie with the bit of the other epoch", v4, cookie ^ 1),
        ("the cookie of an epoch that has passed", v4, v4.cookie(SYN_EPOCH - 2)),
        ("the cookie of the epoch before that", v4, v4.cookie(SYN_EPOCH - 3)),
        ("a cookie of the next epoch", v4, v4.cookie(SYN_EPOCH + 1)),
        ("a cookie of another port", v4, Ends { client: (CLIENT, PORT + 1), ..v4 }.cookie(SYN_EPOCH)),
        ("a cookie of another port of the service", v4, Ends { service: ("10.9.0.100", 81), ..v4 }.cookie(SYN_EPOCH)),
        ("a cookie of another service", v4, ends(CLIENT, "10.9.0.102").cookie(SYN_EPOCH)),
        ("the cookie of another source", ends("10.9.0.8", "10.9.0.100"), cookie),
    ];
    let mut cases: Vec<Case> = forgeries
        .into_iter()
        .map(|(name, ends, sequence)| {
            case(&format!("refused: {name}"), reset(ends, sequence))
                .transmits("10.9.0.11", reset(ends, sequence).ttl(63))
                .counts("web", "10.9.0.11")
                .notes("web", Refused)
        })
        .collect();
    let proofless = asked(case("a forgery lets nobody in", syn(v4)), question(v4), "web");
    cases.push(proofless.after(reset(v4, cookie ^ 2)).after(reset(v4, v4.cookie(SYN_EPOCH - 2))));
    cases
}

/// Clients whose resets are filtered.
fn retries() -> Vec<Case> {
    let ms = Duration::from_millis;
    let (v4, v6) = (ends(CLIENT, "10.9.0.100"), ends(CLIENT6, "fd09::100"));
    let again = |name: &str, ends: Ends, passed| case(name, syn(ends)).after(syn(ends)).later_by(passed);
    let let_in = |case: Case, ends: Ends, service, backend| {
        case.transmits(backend, syn(ends).ttl(63)).counts(service, backend).opens_flow().notes(service, Retried)
    };
    let stays_asked = |case: Case| asked(case, question(v4), "web");
    vec![
        let_in(again("a SYN that comes again after a second, IPv4", v4, ms(1050)), v4, "web", "10.9.0.11"),
        let_in(again("a SYN that comes again after three seconds, IPv6", v6, ms(3000)), v6, "web6", "fd09::11"),
        stays_asked(again("a SYN that comes again at once", v4, Duration::ZERO)),
        stays_asked(again("a SYN that comes again too soon", v4, ms(700))),
        stays_asked(again("a SYN that comes again too late", v4, ms(4200))),
        stays_asked(again("a SYN that was let in once", v4, ms(1050)).after(syn(v4))),
        stays_asked(case("another number does not come again", syn(v4)).after(syn(v4).sequence(1)).later_by(ms(1050))),
        stays_asked(
            case("another port does not come again", syn(v4))
                .after(syn(Ends { client: (CLIENT, 1), ..v4 }))
                .later_by(ms(1050)),
        ),
        stays_asked(
            again("as many as may have come again already", v4, ms(1050)).with_tables(|tables| tables.syn.retries = 0),
        ),
        case("a prefix has got enough answers", syn(v4))
            .with_tables(|tables| tables.syn.answers = 0)
            .drops(SynUnproved)
            .notes("web", Unanswered),
        let_in(again("a SYN that got no answer comes again", v4, ms(1050)), v4, "web", "10.9.0.11")
            .with_tables(|tables| tables.syn.answers = 0),
    ]
}

/// What protection is not concerned with.
fn untouched() -> Vec<Case> {
    let v4 = ends(CLIENT, "10.9.0.100");
    let segment = || Packet::v4(CLIENT, "10.9.0.100").tcp(PORT, 80);
    let goes_on = |name: &str, packet: Packet| {
        case(name, packet.clone()).transmits("10.9.0.11", packet.ttl(63)).counts("web", "10.9.0.11")
    };
    let syn_ack = segment().syn().ack();
    let [data_first, _] = segment().ack().payload(&[7; 64]).fragments(48);
    let [syn_first, _] = segment().syn().payload(&[7; 64]).fragments(48);
    let [session_first, _] = Packet::v4(CLIENT, "10.9.0.108").tcp(PORT, 80).syn().payload(&[7; 64]).fragments(48);
    let [syn_left, _] = segment().syn().payload(&[7; 64]).ttl(63).fragments(48);
    vec![
        goes_on("an open connection", segment().ack().payload(b"GET /")),
        goes_on("a SYN-ACK is no SYN", syn_ack),
        case("a datagram", Packet::v4(CLIENT, "10.9.0.100").udp(PORT, 53))
            .transmits("10.9.0.13", Packet::v4(CLIENT, "10.9.0.100").udp(PORT, 53).ttl(63))
            .counts("dns", "10.9.0.13"),
        case("a ping", Packet::v4(CLIENT, "10.9.0.100").echo_request(1))
            .answers(Packet::v4("10.9.0.100", CLIENT).echo_reply(1)),
        goes_on("a part of an open connection", data_first.clone()),
        case("a SYN in pieces", syn_first.clone()).drops(SynUnproved),
        case("a SYN in pieces, where nothing is to be done", syn_first)
            .with(|setup| setup.service("web").syn_protection = SynProtection::Off)
            .transmits("10.9.0.11", syn_left)
            .counts("web", "10.9.0.11")
            .opens_flow(),
        case("a SYN in pieces to a service of sessions", session_first).drops(SynUnproved),
        case("nobody's address", Packet::v4(CLIENT, "10.9.0.200").tcp(PORT, 80).syn()),
        goes_on("a source on the allow list", syn(v4))
            .opens_flow()
            .with(|setup| setup.model.firewall.allow = vec!["10.9.0.0/28".parse().expect("a prefix")])
            .listed(lb_common::ListKind::Allow, "10.9.0.0/28"),
        case("a source on the deny list", syn(v4))
            .with(|setup| setup.model.firewall.deny = vec!["10.9.0.0/28".parse().expect("a prefix")])
            .listed(lb_common::ListKind::Deny, "10.9.0.0/28")
            .drops(Denied),
        case("a source that the service does not allow", syn(v4))
            .with(|setup| setup.service("web").allow_from = vec!["192.0.2.0/24".parse().expect("a prefix")])
            .drops(SourceNotAllowed),
    ]
}

/// When protection is active.
fn modes() -> Vec<Case> {
    let v4 = ends(CLIENT, "10.9.0.100");
    let mode = |name: &str, protection: SynProtection, flooded: bool, packet: Packet| {
        Case::new(format!("syn: {name}"), packet).with(move |setup| {
            setup.service("web").syn_protection = protection;
            if flooded {
                setup.guard.flooded.insert("web".to_owned());
            }
        })
    };
    let goes_on = |case: Case, packet: Packet| case.transmits("10.9.0.11", packet.ttl(63)).counts("web", "10.9.0.11");
    let proof = proof(v4, SYN_EPOCH);
    vec![
        goes_on(mode("off", SynProtection::Off, true, syn(v4)), syn(v4)).opens_flow(),
        goes_on(mode("auto, no flood", SynProtection::Auto, false, syn(v4)), syn(v4)).opens_flow(),
        asked(mode("auto, a flood", SynProtection::Auto, true, syn(v4)), question(v4), "web"),
        goes_on(mode("monitor, no flood", SynProtection::Monitor, false, syn(v4)), syn(v4)).opens_flow(),
        goes_on(mode("monitor, a flood", SynProtection::Monitor, true, syn(v4)), syn(v4))
            .opens_flow()
            .notes("web", Challenged),
        goes_on(mode("monitor, a proof that nobody has asked for", SynProtection::Monitor, true, proof.clone()), proof),
    ]
}

pub(super) fn cases() -> Vec<Case> {
    [strangers(), proofs(), admitted(), refused(), retries(), untouched(), modes()].concat()
}
