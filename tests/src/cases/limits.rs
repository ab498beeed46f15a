//! Rate limits, a packet at a time: whom they hold to what. How much they let pass is shown by the datapath's own tests.

use std::time::Duration;

use lb_common::{DropReason::RateLimited, LimitMeasure};
use lb_userspace::{
    config::Document,
    model::{Limit, LimitAction, LimitBy},
};

use super::Case;
use crate::{
    packet::Packet,
    world::{CLIENT, CLIENT6, Setup},
};

const SOURCE: LimitBy = LimitBy::Source { v4: 32, v6: 64 };

/// A limit that lets so many packets pass at once, if any, and hardly any later.
fn limit(by: LimitBy, burst: u64) -> Limit {
    Limit {
        name: "limit".to_owned(),
        by,
        services: Vec::new(),
        measure: LimitMeasure::Packets,
        rate: 1,
        burst,
        action: LimitAction::Drop,
    }
}

/// A limit that lets nothing pass.
fn shut(by: LimitBy) -> Limit {
    limit(by, 0)
}

/// A limit that lets more pass than the table has packets.
fn open(by: LimitBy) -> Limit {
    limit(by, 1_000_000)
}

fn of_services(limit: Limit, services: &[&str]) -> Limit {
    Limit { services: services.iter().map(|&name| name.to_owned()).collect(), ..limit }
}

fn case(name: &str, limits: Vec<Limit>, packet: impl Into<Vec<u8>>) -> Case {
    Case::new(format!("limits: {name}"), packet).with(|setup| setup.model.firewall.limits = limits)
}

fn web() -> Packet {
    Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).ack()
}

fn dns() -> Packet {
    Packet::v4(CLIENT, "10.9.0.100").udp(40000, 53)
}

fn stranger() -> Packet {
    Packet::v4(CLIENT, "10.9.0.200").tcp(40000, 22).ack()
}

impl Case {
    fn reaches_web(self) -> Self {
        self.transmits("10.9.0.11", web().ttl(63)).counts("web", "10.9.0.11")
    }
}

pub(super) fn cases() -> Vec<Case> {
    [whom(), what(), order()].concat()
}

fn whom() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, by) in [("source", SOURCE), ("all", LimitBy::All)] {
        cases.extend([
            case(&format!("by {name}: over it"), vec![shut(by)], stranger()).drops(RateLimited).limited("limit"),
            case(&format!("by {name}: within"), vec![open(by)], stranger()).within("limit"),
            case(&format!("by {name}: a service's packet over it"), vec![shut(by)], web())
                .drops(RateLimited)
                .limited("limit"),
            case(&format!("by {name}: a service's packet within"), vec![open(by)], web()).within("limit").reaches_web(),
            case(&format!("by {name}: of another service"), vec![of_services(shut(by), &["dns", "web6"])], web())
                .reaches_web(),
            case(&format!("by {name}: of two services"), vec![of_services(shut(by), &["dns", "web"])], web())
                .drops(RateLimited)
                .limited("limit"),
            case(&format!("by {name}: of a service, to none"), vec![of_services(shut(by), &["web"])], stranger()),
            case(&format!("by {name}: IPv6"), vec![shut(by)], Packet::v6(CLIENT6, "fd09::200").udp(1, 9))
                .drops(RateLimited)
                .limited("limit"),
        ]);
    }
    cases.extend([
        case("by service: over it", vec![shut(LimitBy::Service)], web()).drops(RateLimited).limited("limit"),
        case("by service: within", vec![open(LimitBy::Service)], web()).within("limit").reaches_web(),
        case("by service: for no service", vec![shut(LimitBy::Service)], stranger()),
        case("by service: of another service", vec![of_services(shut(LimitBy::Service), &["dns"])], web())
            .reaches_web(),
    ]);
    cases
}

fn what() -> Vec<Case> {
    let counting = |measure, burst| Limit { measure, rate: 1000, ..limit(SOURCE, burst) };
    let syn = || Packet::v4(CLIENT, "10.9.0.200").tcp(40000, 22).syn();
    let long = || Packet::v4(CLIENT, "10.9.0.200").udp(40000, 9).payload(&[0; 500]);
    let ban = Limit { action: LimitAction::Ban(Duration::from_secs(60)), ..shut(SOURCE) };
    vec![
        case("connections: a SYN", vec![counting(LimitMeasure::Connections, 0)], syn())
            .drops(RateLimited)
            .limited("limit"),
        case("connections: another segment", vec![counting(LimitMeasure::Connections, 0)], stranger()),
        case("connections: a SYN's answer", vec![counting(LimitMeasure::Connections, 0)], syn().ack()),
        case("connections: a datagram", vec![counting(LimitMeasure::Connections, 0)], dns())
            .transmits("10.9.0.13", dns().ttl(63))
            .counts("dns", "10.9.0.13"),
        // An IP header, a UDP header and 500 bytes.
        case("bytes: as many as the packet has", vec![counting(LimitMeasure::Bytes, 528)], long())
            .within("limit")
            .remembered(),
        case("bytes: one less than the packet has", vec![counting(LimitMeasure::Bytes, 527)], long().ttl(9))
            .drops(RateLimited)
            .limited("limit")
            // A shorter one, as the fuzzer makes it, is within and leaves less for the next.
            .remembered(),
        case("a ban is told to the daemon", vec![ban.clone()], stranger())
            .drops(RateLimited)
            .limited("limit")
            .tells_excess(CLIENT),
        case("a ban is not told of what is within", vec![Limit { burst: 1_000_000, ..ban }], stranger())
            .within("limit"),
    ]
}

fn order() -> Vec<Case> {
    let other = |limit: Limit| Limit { name: "other".to_owned(), ..limit };
    let lists = |setup: &mut Setup| {
        setup.model.firewall.allow = vec!["10.9.0.7/32".parse().expect("a prefix")];
    };
    let rule = |action: &str| {
        let text = format!(
            "[[limit]]\nname = \"limit\"\nby = \"all\"\npackets = 1\n[[rule]]\nname = \"rule\"\n{action}\nprotocol = \"tcp\"\nport = 22\n\
             [[rule]]\nname = \"next\"\naction = \"count\"\n"
        );
        let rules = Document::parse("case", &text).unwrap_or_else(|errors| panic!("{errors}")).1.firewall.rules;
        move |setup: &mut Setup| setup.model.firewall.rules = rules
    };
    let by_rule = "action = \"limit\"\nlimit = \"limit\"";
    vec![
        case("the second of two", vec![open(SOURCE), other(shut(LimitBy::All))], stranger())
            .drops(RateLimited)
            .within("limit")
            .limited("other"),
        case("an allowed source is held to none", vec![shut(SOURCE)], stranger())
            .with(lists)
            .listed(lb_common::ListKind::Allow, "10.9.0.7/32"),
        case("what a rule passes is held to none", vec![shut(SOURCE)], stranger())
            .with(rule("action = \"pass\""))
            .matches(&["rule"]),
        case("what a rule only counts is held to it", vec![shut(SOURCE)], stranger())
            .with(rule("action = \"count\""))
            .drops(RateLimited)
            .matches(&["rule", "next"])
            .limited("limit"),
        case("a rule's limit, over it", vec![shut(SOURCE)], stranger())
            .with(rule(by_rule))
            .drops(RateLimited)
            .matches(&["rule"])
            .limited("limit"),
        case("a rule's limit, within", vec![open(SOURCE)], stranger())
            .with(rule(by_rule))
            .matches(&["rule", "next"])
            .within("limit"),
        case("a rule's limit is for what the rule matches", vec![shut(SOURCE)], web())
            .with(rule(by_rule))
            .matches(&["next"])
            .reaches_web(),
        case(
            "a rule's limit by service",
            vec![shut(LimitBy::Service)],
            Packet::v4(CLIENT, "10.9.0.100").tcp(1, 22).ack(),
        )
        .with(rule(by_rule))
        .drops(RateLimited)
        .matches(&["rule"])
        .limited("limit"),
    ]
}
