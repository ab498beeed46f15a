//! Named lists: lifetimes, scopes, large sets, and every length of a prefix.

use std::{collections::BTreeMap, sync::Arc};

use ipnet::IpNet;
use lb_common::{
    DropReason::Denied,
    ListKind::{self, Allow, Deny},
};
use lb_userspace::model::NamedList;

use super::Case;
use crate::{packet::Packet, world::Setup};

/// The numbers of the first two lists of each kind that have names of their own.
const ALLOWED: u32 = 1;
const DENIED: u32 = 33;
const SECOND: u32 = 34;

/// Long past, and long to come, in seconds since the machine started.
const PAST_S: u32 = 1;
const FUTURE_S: u32 = u32::MAX;

fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().expect("a prefix")).collect()
}

fn list(name: &str, action: ListKind, services: &[&str], entries: &[&str]) -> NamedList {
    let services = services.iter().map(ToString::to_string).collect();
    NamedList {
        name: name.to_owned(),
        action,
        services,
        entries: nets(entries),
        file: None,
        feed: None,
        force: false,
        is_built_in: false,
    }
}

/// Entries of the list `deny`, and when each expires.
fn expiring(entries: &'static [(&'static str, u32)]) -> impl Fn(&mut Setup) {
    move |setup| {
        let entries = entries.iter().map(|&(net, expires_s)| (net.parse().expect("a prefix"), expires_s));
        setup.extras.expiring = BTreeMap::from([("deny".to_owned(), entries.collect())]);
    }
}

/// A large set on the list `feed`, about whose prefixes nothing else is known.
fn feed(entries: &'static [&'static str]) -> impl Fn(&mut Setup) {
    move |setup| {
        setup.model.firewall.lists.push(list("feed", Deny, &[], &[]));
        setup.extras.bulk.insert("feed".to_owned(), Arc::new(nets(entries).into_iter().collect()));
    }
}

fn from(source: &str) -> Packet {
    let service = if source.contains(':') { "fd09::100" } else { "10.9.0.100" };
    Packet::ip(source, service).tcp(40000, 80).syn()
}

fn case(name: &str, packet: impl Into<Vec<u8>>) -> Case {
    Case::new(format!("lists: {name}"), packet)
}

fn forwarded(name: &str, source: &str) -> Case {
    let (service, backend) = if source.contains(':') { ("web6", "fd09::11") } else { ("web", "10.9.0.11") };
    case(name, from(source)).transmits(backend, from(source).ttl(63)).counts(service, backend).opens_flow()
}

pub(super) fn cases() -> Vec<Case> {
    [lifetimes(), lengths(), large_sets(), scopes(), several()].concat()
}

fn lifetimes() -> Vec<Case> {
    let nested = expiring(&[("203.0.113.8/32", PAST_S), ("203.0.113.0/29", PAST_S), ("203.0.113.0/24", FUTURE_S)]);
    let nested_short = expiring(&[("203.0.113.0/24", PAST_S), ("203.0.0.0/16", FUTURE_S), ("203.0.0.0/8", PAST_S)]);
    let v6 = || expiring(&[("2001:db8:d::/48", PAST_S), ("2001:db8::/32", FUTURE_S), ("2001:db9::/64", PAST_S)]);
    vec![
        forwarded("an entry that has expired is none", "203.0.113.8").with(expiring(&[("203.0.113.8/32", PAST_S)])),
        forwarded("a prefix that has expired is none", "203.0.113.8").with(expiring(&[("203.0.112.0/20", PAST_S)])),
        case("an entry that has not expired", from("203.0.113.8"))
            .with(expiring(&[("203.0.113.8/32", FUTURE_S)]))
            .drops(Denied)
            .listed(Deny, "203.0.113.8/32"),
        case("a shorter prefix outlives two longer ones", from("203.0.113.1"))
            .with(nested)
            .drops(Denied)
            .listed(Deny, "203.0.113.0/24"),
        case("a /16 outlives a /24, and a /8 it", from("203.0.113.1"))
            .with(nested_short)
            .drops(Denied)
            .listed(Deny, "203.0.0.0/16"),
        case("an IPv6 prefix outlives a longer one", from("2001:db8:d::8"))
            .with(v6())
            .drops(Denied)
            .listed(Deny, "2001:db8::/32"),
        forwarded("an IPv6 prefix that has expired is none", "2001:db9::8").with(v6()),
    ]
}

fn lengths() -> Vec<Case> {
    let all = |setup: &mut Setup| {
        setup.model.firewall.deny = nets(&[
            "203.0.0.0/8",
            "203.0.0.0/15",
            "203.0.112.0/20",
            "203.0.113.0/24",
            "203.0.113.0/25",
            "203.0.113.0/29",
            "203.0.113.1/32",
        ]);
    };
    let by =
        |name: &str, source: &str, entry: &str| case(name, from(source)).with(all).drops(Denied).listed(Deny, entry);
    vec![
        by("the address itself counts before its prefixes", "203.0.113.1", "203.0.113.1/32"),
        by("a /29 counts before the /25 around it", "203.0.113.2", "203.0.113.0/29"),
        by("a /25 counts before the /24 around it", "203.0.113.127", "203.0.113.0/25"),
        by("a /24 counts before the /20 around it", "203.0.113.128", "203.0.113.0/24"),
        by("a /20 counts before the /15 around it", "203.0.112.1", "203.0.112.0/20"),
        by("a /15 counts before the /8 around it", "203.1.255.255", "203.0.0.0/15"),
        by("a /8", "203.255.255.255", "203.0.0.0/8"),
        forwarded("the address behind a /8", "204.0.0.0").with(all),
        case("an IPv4 source in IPv6 form is the IPv4 source", from("::ffff:203.0.113.1"))
            .with(all)
            .drops(Denied)
            .listed(Deny, "203.0.113.1/32"),
        case("::/0 does not cover IPv4 in IPv6 form", Packet::v6("::ffff:203.0.113.1", "fd09::200").udp(1, 2))
            .with(|setup| setup.model.firewall.deny = nets(&["::/0"])),
    ]
}

fn large_sets() -> Vec<Case> {
    let set = || {
        feed(&[
            "198.51.100.9/32",
            "203.0.113.0/24",
            "192.0.0.0/16",
            "203.0.114.128/25",
            "2001:db8:d::/48",
            "2001:db8::9/128",
        ])
    };
    let by_set = |name: &str, source: &str| case(name, from(source)).with(set()).drops(Denied).counted_by(DENIED, None);
    vec![
        by_set("an address of a large set", "198.51.100.9"),
        forwarded("its neighbour", "198.51.100.8").with(set()),
        by_set("a /24 of a large set", "203.0.113.77"),
        by_set("a /16 of a large set", "192.0.2.77"),
        by_set("a /25 of a large set", "203.0.114.200"),
        forwarded("the other half of its /24", "203.0.114.100").with(set()),
        by_set("an IPv6 prefix of a large set", "2001:db8:d::77"),
        by_set("an IPv6 address of a large set", "2001:db8::9"),
        forwarded("its IPv6 neighbour", "2001:db8::8").with(set()),
    ]
}

fn scopes() -> Vec<Case> {
    let scoped = |setup: &mut Setup| {
        setup.model.firewall.deny = nets(&["198.51.100.0/24"]);
        setup.model.firewall.lists = vec![
            list("friends", Allow, &["web"], &["198.51.100.7/32"]),
            list("pests", Deny, &["web", "web6"], &["203.0.113.0/24", "2001:db8:d::/48"]),
        ];
    };
    let dns = |source: &str| Packet::v4(source, "10.9.0.100").udp(40000, 53);
    vec![
        case("a scoped list denies at its service", from("203.0.113.8"))
            .with(scoped)
            .drops(Denied)
            .counted_by(DENIED, Some("203.0.113.0/24")),
        case("a scoped list denies at each of its services", from("2001:db8:d::8"))
            .with(scoped)
            .drops(Denied)
            .counted_by(DENIED, Some("2001:db8:d::/48")),
        case("a scoped list says nothing where there is no service", Packet::v4("203.0.113.8", "10.9.0.200").udp(1, 2))
            .with(scoped),
        case("a scoped list says nothing of echo requests", Packet::v4("203.0.113.8", "10.9.0.100").echo_request(1))
            .with(scoped)
            .answers(Packet::v4("10.9.0.100", "203.0.113.8").echo_reply(1)),
        forwarded("a scoped allow list comes before a deny list for all", "198.51.100.7")
            .with(scoped)
            .counted_by(ALLOWED, Some("198.51.100.7/32")),
        case("a scoped allow list does not help at another service", dns("198.51.100.7"))
            .with(scoped)
            .drops(Denied)
            .listed(Deny, "198.51.100.0/24"),
        forwarded("who is on no list goes on beside scoped lists", "192.0.2.1").with(scoped),
    ]
}

fn several() -> Vec<Case> {
    let two = |setup: &mut Setup| {
        setup.model.firewall.lists = vec![
            list("first", Deny, &[], &["203.0.0.0/16", "2001:db8::/32"]),
            list("second", Deny, &[], &["203.0.113.8/32", "203.1.0.0/16", "2001:db8::8/128"]),
        ];
    };
    vec![
        case("of several lists the first counts, however long the prefix", from("203.0.113.8"))
            .with(two)
            .drops(Denied)
            .counted_by(DENIED, Some("203.0.0.0/16")),
        case("of several lists the first counts, in IPv6 too", from("2001:db8::8"))
            .with(two)
            .drops(Denied)
            .counted_by(DENIED, Some("2001:db8::/32")),
        case("the second list alone", from("203.1.0.1"))
            .with(two)
            .drops(Denied)
            .counted_by(SECOND, Some("203.1.0.0/16")),
    ]
}
