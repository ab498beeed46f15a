//! The operator's rules: each condition by itself, their order, and what they see of what is no service or malformed.

use lb_common::{
    DropReason::{Denied, IcmpUnknown, MalformedIp, MalformedTransport, Rule as ByRule},
    DropSample,
    ListKind::{Allow, Deny},
};
use lb_userspace::{config::Document, model::Rule};

use super::{Case, samples::looked_at};
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6, FRONT},
};

/// The rules of a configuration. They may name the world's services and the interface `back`.
fn rules(text: &str) -> Vec<Rule> {
    let mut document = "[node]\ninterfaces = [\"front\", \"back\"]\n".to_owned();
    for (name, protocol) in [("web", "tcp"), ("dns", "udp"), ("web6", "tcp")] {
        let address = if name == "web6" { "fd09::100" } else { "10.9.0.100" };
        document += &format!(
            "[[service]]\nname = \"{name}\"\naddress = \"{address}\"\nport = 7\nprotocol = \"{protocol}\"\ndelivery = \"l2\"\n"
        );
    }
    let read = Document::parse("case", &(document + text));
    read.unwrap_or_else(|errors| panic!("{errors}")).1.firewall.rules
}

/// A rule by its conditions.
fn rule(name: &str, action: &str, conditions: &str) -> String {
    format!("[[rule]]\nname = \"{name}\"\naction = \"{action}\"\n{conditions}\n")
}

fn case(name: &str, text: &str, packet: impl Into<Vec<u8>>) -> Case {
    let rules = rules(text);
    Case::new(format!("rules: {name}"), packet).with(|setup| setup.model.firewall.rules = rules)
}

/// A packet that a single rule drops, and one that it lets alone.
fn both(condition: &str, matching: impl Into<Vec<u8>>, other: impl Into<Vec<u8>>) -> [Case; 2] {
    let text = rule("only", "drop", condition);
    let called = condition.replace('\n', ", ");
    [
        case(&format!("{called} matches"), &text, matching).drops(ByRule).matches(&["only"]),
        case(&format!("{called} does not match"), &text, other),
    ]
}

/// A segment to an address that is no service's, which passes if nothing else is said.
fn stranger() -> Packet {
    Packet::v4(CLIENT, "10.9.0.200").tcp(40000, 22).syn()
}

fn stranger6() -> Packet {
    Packet::v6(CLIENT6, "fd09::200").tcp(40000, 22).syn()
}

pub(super) fn cases() -> Vec<Case> {
    [
        ports_and_protocols(),
        flags_and_types(),
        addresses(),
        fragments_and_lengths(),
        rare(),
        services(),
        order(),
        recorded(),
        malformed(),
    ]
    .concat()
}

fn ports_and_protocols() -> Vec<Case> {
    let udp = || Packet::v4(CLIENT, "10.9.0.200").udp(40000, 22);
    let to = |port| Packet::v4(CLIENT, "10.9.0.200").tcp(40000, port).ack();
    let by = |port| Packet::v4(CLIENT, "10.9.0.200").tcp(port, 22).ack();
    [
        both("protocol = \"tcp\"", stranger(), udp()),
        both("protocol = \"udp\"", udp(), stranger()),
        both("protocol = 132", Packet::v4(CLIENT, "10.9.0.200").protocol(132), stranger()),
        both("protocol = \"tcp\"\nport = 22", stranger(), to(23)),
        both("protocol = \"tcp\"\nport = [\"100-200\", 22]", to(200), to(201)),
        both("protocol = \"tcp\"\nport = [\"10-20\", \"100-200\"]", to(100), to(99)),
        both("protocol = \"tcp\"\nport = \"1-65535\"", to(65535), to(0)),
        both("protocol = \"tcp\"\nsource_port = \"0-1\"".replace("0-1", "1-1023").as_str(), by(1023), by(1024)),
        both("protocol = \"udp\"\nport = 22", udp(), stranger()),
    ]
    .concat()
}

fn flags_and_types() -> Vec<Case> {
    let segment = || Packet::v4(CLIENT, "10.9.0.200").tcp(40000, 22);
    let message = |kind| Packet::v4(CLIENT, "10.9.0.200").icmp(kind, 0, 0);
    let message6 = |kind| Packet::v6(CLIENT6, "fd09::200").icmp(kind, 0, 0);
    [
        both("protocol = \"tcp\"\ntcp_flags = \"syn,!ack\"", segment().syn(), segment().syn().ack()),
        both("protocol = \"tcp\"\ntcp_flags = \"!syn\"", segment().ack(), segment().syn()),
        both("protocol = \"tcp\"\ntcp_flags = \"!fin,!syn,!rst,!psh,!ack,!urg\"", segment(), segment().ack()),
        both("protocol = \"icmp\"\nicmp = \"redirect\"", message(5), message(3)),
        both("protocol = \"icmp\"\nicmp = [\"echo-request\", 13]", message(13), message(0)),
        both("protocol = \"icmp\"\nicmp = [\"echo-request\"]", message(8), message6(8)),
        both("protocol = \"icmpv6\"\nicmp = \"redirect\"", message6(137), message6(136)),
        both("protocol = \"icmp\"", message(0), message6(129)),
    ]
    .concat()
}

fn addresses() -> Vec<Case> {
    let from =
        |source: &str| Packet::ip(source, if source.contains(':') { "fd09::200" } else { "10.9.0.200" }).udp(1, 9);
    let to = |address: &str| Packet::ip(if address.contains(':') { CLIENT6 } else { CLIENT }, address).udp(1, 9);
    [
        both("source = \"203.0.113.0/24\"", from("203.0.113.255"), from("203.0.114.0")),
        both("source = [\"203.0.113.7\", \"198.51.100.0/25\"]", from("198.51.100.127"), from("198.51.100.128")),
        both("source = \"0.0.0.0/0\"", from(CLIENT), from(CLIENT6)),
        both("source = \"::/0\"", from(CLIENT6), from(CLIENT)),
        both("source = \"::/64\"", from("::1:2"), from(CLIENT)),
        both("source = \"fd09::/65\"", from("fd09::7fff:ffff:ffff:ffff"), from("fd09::8000:0:0:0")),
        both("destination = \"10.9.0.200/31\"", to("10.9.0.201"), to("10.9.0.202")),
        both("destination = \"fd09:0:0:2::/63\"", to("fd09:0:0:3::1"), to("fd09:0:0:4::1")),
        both("source = \"10.9.0.0/24\"\ndestination = \"10.9.0.200\"", to("10.9.0.200"), to("10.9.0.201")),
        both(
            "source = [\"10.9.0.7\", \"fd09::7\"]\ndestination = [\"10.9.0.200\", \"fd09::200\"]",
            to("fd09::200"),
            to("fd09::201"),
        ),
        [
            case("in by an interface", &rule("only", "drop", "interface = \"back\""), stranger()).from(BACK),
            case("in by another interface", &rule("only", "drop", "interface = \"back\""), stranger()),
        ],
    ]
    .concat()
    .into_iter()
    .map(|case| if case.name == "rules: in by an interface" { case.drops(ByRule).matches(&["only"]) } else { case })
    .collect()
}

fn fragments_and_lengths() -> Vec<Case> {
    let [first, later] = Packet::v4(CLIENT, "10.9.0.200").udp(1, 9).payload(&[0; 64]).fragments(48);
    let [first6, later6] = Packet::v6(CLIENT6, "fd09::200").udp(1, 9).payload(&[0; 64]).fragments(48);
    let whole = || Packet::v4(CLIENT, "10.9.0.200").udp(1, 9).payload(&[0; 32]);
    let long = |bytes: usize| Packet::v4(CLIENT, "10.9.0.200").udp(1, 9).payload(&vec![0; bytes - 28]);
    [
        both("fragments = \"any\"", first.clone(), whole()),
        both("fragments = \"first\"", first.clone(), later.clone()),
        both("fragments = \"later\"", later.clone(), first.clone()),
        both("fragments = \"none\"", whole(), first.clone()),
        both("protocol = \"udp\"\nfragments = \"any\"", later6.clone(), stranger()),
        both("protocol = \"udp\"\nfragments = \"first\"", first6, later6),
        both("protocol = \"udp\"\nport = 9", first, later),
        both("length = \"100-200\"", long(100), long(99)),
        both("length = 200", long(200), long(201)),
        both("protocol = \"udp\"\nlength = \"28-65535\"", Packet::v4(CLIENT, "10.9.0.200").udp(1, 9), stranger()),
    ]
    .concat()
}

/// What takes a side road meets rules like all else.
fn rare() -> Vec<Case> {
    let error = || Packet::v4("10.9.3.1", "10.9.0.100").icmp(3, 4, 0).payload(&[0; 28]);
    let [first, later] = Packet::v4(CLIENT, "10.9.0.100").udp(40000, 53).payload(&[0; 64]).fragments(48);
    let by_type = rule("one", "drop", "protocol = \"icmp\"\nicmp = \"unreachable\"");
    let fragments = |which: &str| rule("one", "drop", &format!("fragments = \"{which}\""));
    let counted = rule("one", "count", "fragments = \"first\"\nservices = \"dns\"");
    vec![
        case("an ICMP error for a service's address", &by_type, error()).drops(ByRule).matches(&["one"]),
        case("an ICMP error is no fragment", &fragments("any"), error()).drops(IcmpUnknown),
        case("a service's first fragment", &fragments("first"), first.clone()).drops(ByRule).matches(&["one"]),
        case("a service's later fragment", &fragments("later"), later).drops(ByRule).matches(&["one"]),
        case("a service's first fragment is counted and goes on", &counted, first.clone())
            .transmits("10.9.0.13", first.ttl(63))
            .counts("dns", "10.9.0.13")
            .matches(&["one"]),
    ]
}

/// What is recorded of a drop names the rule: by its number, counted from 1.
fn recorded() -> Vec<Case> {
    let text = rule("first", "count", "") + &rule("second", "drop", "protocol = \"tcp\"\nport = 22");
    let end = |address: &str| address.parse::<std::net::IpAddr>().expect("an address").into();
    let sample = DropSample {
        source: end(CLIENT),
        destination: end("10.9.0.200"),
        weight: 1,
        reason: ByRule as u32,
        ifindex: FRONT,
        frame_bytes: stranger().bytes().len() as u32,
        rule: 2,
        source_port: 40000,
        destination_port: 22,
        protocol: 6,
        tcp_flags: 2,
        ..DropSample::default()
    };
    vec![
        case("a drop tells the rule", &text, stranger())
            .with_tables(looked_at)
            .drops(ByRule)
            .matches(&["first", "second"])
            .records(sample),
    ]
}

fn services() -> Vec<Case> {
    let web = || Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).ack();
    let web6 = || Packet::v6(CLIENT6, "fd09::100").tcp(40000, 80).ack();
    let dns = || Packet::v4(CLIENT, "10.9.0.100").udp(40000, 53);
    let of_web = rule("only", "drop", "services = \"web\"");
    let of_two = rule("only", "drop", "services = [\"dns\", \"web6\"]");
    vec![
        case("a service's packet", &of_web, web()).drops(ByRule).matches(&["only"]),
        case("another service's packet", &of_web, dns())
            .transmits("10.9.0.13", dns().ttl(63))
            .counts("dns", "10.9.0.13"),
        case("no service's packet", &of_web, stranger()),
        case("a packet of the first of two services", &of_two, dns()).drops(ByRule).matches(&["only"]),
        case("a packet of the second of two services", &of_two, web6()).drops(ByRule).matches(&["only"]),
        case("an echo request has no service", &of_web, Packet::v4(CLIENT, "10.9.0.100").echo_request(1))
            .answers(Packet::v4("10.9.0.100", CLIENT).echo_reply(1)),
        case(
            "a service from some sources",
            &(rule("mine", "pass", "services = \"web\"\nsource = \"10.9.0.0/24\"")
                + &rule("rest", "drop", "services = \"web\"")),
            web(),
        )
        .transmits("10.9.0.11", web().ttl(63))
        .counts("web", "10.9.0.11")
        .matches(&["mine"]),
    ]
}

fn order() -> Vec<Case> {
    let pass = rule("mine", "pass", "source = \"10.9.0.7\"");
    let drop = rule("all", "drop", "protocol = \"tcp\"");
    let count = |name: &str| rule(name, "count", "protocol = \"tcp\"");
    let lists = |case: Case| {
        case.with(|setup| {
            setup.model.firewall.allow = vec!["203.0.113.7/32".parse().expect("a prefix")];
            setup.model.firewall.deny = vec!["203.0.113.0/24".parse().expect("a prefix")];
        })
    };
    let last: String = (0..63)
        .map(|number| rule(&format!("r{number}"), "drop", &format!("protocol = \"udp\"\nport = {}", number + 1)))
        .collect();
    let overlapping = rule("counted", "count", "source = [\"10.9.0.0/24\", \"10.9.0.0/16\", \"10.0.0.0/8\"]");
    vec![
        case("the first that passes decides", &(pass.clone() + &drop), stranger()).matches(&["mine"]),
        case(
            "the next is asked if one does not match",
            &(rule("his", "pass", "source = \"10.9.0.8\"") + &drop),
            stranger(),
        )
        .drops(ByRule)
        .matches(&["all"]),
        case("counting goes on", &(count("one") + &count("two") + &drop + &rule("three", "count", "")), stranger())
            .drops(ByRule)
            .matches(&["one", "two", "all"]),
        case("a rule of several lines counts once", &overlapping, stranger()).matches(&["counted"]),
        case("a rule counts in IPv6", &(count("one") + &drop), stranger6()).drops(ByRule).matches(&["one", "all"]),
        lists(case("an allowed source meets no rule", &drop, Packet::v4("203.0.113.7", "10.9.0.200").tcp(1, 22)))
            .listed(Allow, "203.0.113.7/32"),
        lists(case("a denied source meets no rule", &count("one"), Packet::v4("203.0.113.8", "10.9.0.200").tcp(1, 22)))
            .drops(Denied)
            .listed(Deny, "203.0.113.0/24"),
        case(
            "the last of all lines",
            &(last.clone() + &rule("last", "drop", "protocol = \"udp\"\nport = 99")),
            Packet::v4(CLIENT, "10.9.0.200").udp(1, 99),
        )
        .drops(ByRule)
        .matches(&["last"]),
        case(
            "none of all lines",
            &(last + &rule("last", "drop", "protocol = \"udp\"\nport = 99")),
            Packet::v4(CLIENT, "10.9.0.200").udp(1, 100),
        ),
        case("a passed packet is forwarded", &pass, Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).ack())
            .transmits("10.9.0.11", Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).ack().ttl(63))
            .counts("web", "10.9.0.11")
            .matches(&["mine"]),
    ]
}

fn malformed() -> Vec<Case> {
    let any = rule("one", "count", "");
    let ports = rule("one", "count", "protocol = \"tcp\"\nport = 80");
    let cut = || Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).claimed_bytes(30);
    let icmp = rule("one", "drop", "protocol = \"icmp\"\nicmp = \"echo-reply\"");
    vec![
        case("a malformed packet meets rules first", &any, cut()).drops(MalformedTransport).matches(&["one"]),
        case("a malformed packet has no ports", &ports, cut()).drops(MalformedTransport),
        case("a packet that claims too much", &any, Packet::v4(CLIENT, "10.9.0.100").tcp(1, 80).claimed_bytes(1000))
            .drops(MalformedIp)
            .matches(&["one"]),
        case("an ICMP message that is cut short has no type", &icmp, Packet::v4(CLIENT, "10.9.0.200").protocol(1)),
        case("ARP meets no rule", &rule("one", "drop", ""), stranger().bytes().set(12, &[0x08, 0x06])),
        case("a tagged packet", &rule("one", "drop", "protocol = \"tcp\"\nport = 22"), stranger().tagged(7))
            .drops(ByRule)
            .matches(&["one"]),
    ]
}
