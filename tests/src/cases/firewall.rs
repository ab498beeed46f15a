//! The firewall's lists: allow before deny, both families, longest prefixes, services and strangers alike.

use lb_common::{
    DropReason::{Denied, MalformedIp},
    ListKind::{Allow, Deny},
};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6, Setup},
};

/// Lists that overlap: a denied network with an allowed host and an allowed network with a denied host.
fn lists(setup: &mut Setup) {
    let prefixes = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a prefix")).collect();
    setup.model.firewall.allow =
        prefixes(&["198.51.100.0/24", "203.0.113.7/32", "2001:db8:a::/48", "2001:db8:d::7/128"]);
    setup.model.firewall.deny =
        prefixes(&["198.51.100.9/32", "203.0.113.0/24", "2001:db8:a::9/128", "2001:db8:d::/48"]);
}

fn from(source: &str) -> Packet {
    let service = if source.contains(':') { "fd09::100" } else { "10.9.0.100" };
    Packet::ip(source, service).tcp(40000, 80).syn()
}

fn case(name: &str, packet: impl Into<Vec<u8>>) -> Case {
    Case::new(format!("firewall: {name}"), packet).with(lists)
}

fn forwarded(name: &str, source: &str) -> Case {
    let (service, backend) = if source.contains(':') { ("web6", "fd09::11") } else { ("web", "10.9.0.11") };
    case(name, from(source)).transmits(backend, from(source).ttl(63)).counts(service, backend).opens_flow()
}

pub(super) fn cases() -> Vec<Case> {
    [lists_of_both_families(), what_is_no_service(), edges()].concat()
}

fn lists_of_both_families() -> Vec<Case> {
    vec![
        forwarded("a source on no list goes on", CLIENT),
        case("a denied network", from("203.0.113.8")).drops(Denied).listed(Deny, "203.0.113.0/24"),
        forwarded("an allowed host in a denied network", "203.0.113.7").listed(Allow, "203.0.113.7/32"),
        forwarded("an allowed network", "198.51.100.8").listed(Allow, "198.51.100.0/24"),
        forwarded("allow is asked before deny, however long the prefix", "198.51.100.9")
            .listed(Allow, "198.51.100.0/24"),
        case("the first address of a prefix", from("203.0.113.0")).drops(Denied).listed(Deny, "203.0.113.0/24"),
        case("the last address of a prefix", from("203.0.113.255")).drops(Denied).listed(Deny, "203.0.113.0/24"),
        forwarded("the address before a prefix", "203.0.112.255"),
        forwarded("the address behind a prefix", "203.0.114.0"),
        forwarded("an IPv6 source on no list goes on", CLIENT6),
        case("a denied IPv6 network", from("2001:db8:d::8")).drops(Denied).listed(Deny, "2001:db8:d::/48"),
        forwarded("an allowed IPv6 host in a denied network", "2001:db8:d::7").listed(Allow, "2001:db8:d::7/128"),
        forwarded("an allowed IPv6 network", "2001:db8:a::8").listed(Allow, "2001:db8:a::/48"),
        forwarded("the IPv6 address behind a prefix", "2001:db8:e::"),
    ]
}

fn what_is_no_service() -> Vec<Case> {
    vec![
        case("a denied source to a stranger", Packet::v4("203.0.113.8", "10.9.0.200").tcp(1, 22).syn())
            .drops(Denied)
            .listed(Deny, "203.0.113.0/24"),
        case("an allowed source to a stranger passes", Packet::v4("203.0.113.7", "10.9.0.200").tcp(1, 22).syn())
            .listed(Allow, "203.0.113.7/32"),
        case("a denied source's echo request is not answered", Packet::v4("203.0.113.8", "10.9.0.100").echo_request(1))
            .drops(Denied)
            .listed(Deny, "203.0.113.0/24"),
        case("a denied source's protocol does not matter", Packet::v4("203.0.113.8", "10.9.0.200").protocol(132))
            .drops(Denied)
            .listed(Deny, "203.0.113.0/24"),
        case("a denied source's later fragment", {
            let [_, later] = Packet::v4("203.0.113.8", "10.9.0.200").udp(1, 2).payload(&[0; 64]).fragments(48);
            later
        })
        .drops(Denied)
        .listed(Deny, "203.0.113.0/24"),
        case("a denied source's malformed packet", from("203.0.113.8").claimed_bytes(1000))
            .drops(Denied)
            .listed(Deny, "203.0.113.0/24"),
        case("an allowed source's malformed packet is still malformed", from("203.0.113.7").claimed_bytes(1000))
            .drops(MalformedIp)
            .listed(Allow, "203.0.113.7/32"),
        case("a denied source behind two tags", from("203.0.113.8").service_tagged(6).tagged(7))
            .drops(Denied)
            .listed(Deny, "203.0.113.0/24"),
        case("ARP has no source to look up and passes", from("203.0.113.8").bytes().set(12, &[0x08, 0x06])),
    ]
}

fn edges() -> Vec<Case> {
    let denied = |prefix: &'static str| {
        move |setup: &mut Setup| setup.model.firewall.deny = vec![prefix.parse().expect("a prefix")]
    };
    let allowed = |setup: &mut Setup| setup.model.firewall.allow = vec!["203.0.113.0/24".parse().expect("a prefix")];
    vec![
        Case::new("firewall: 0.0.0.0/0 denies all of IPv4", from(CLIENT))
            .with(denied("0.0.0.0/0"))
            .drops(Denied)
            .listed(Deny, "0.0.0.0/0"),
        Case::new("firewall: 0.0.0.0/0 leaves IPv6 alone", from(CLIENT6).tcp(1, 9999)).with(denied("0.0.0.0/0")),
        Case::new("firewall: ::/0 denies all of IPv6", from(CLIENT6))
            .with(denied("::/0"))
            .drops(Denied)
            .listed(Deny, "::/0"),
        Case::new("firewall: ::/0 leaves IPv4 alone", from(CLIENT).udp(1, 9999)).with(denied("::/0")),
        Case::new("firewall: an allow list alone denies nobody", from(CLIENT).udp(1, 9999)).with(allowed),
        Case::new("firewall: a denied backend's `nat` reply", Packet::v4("10.9.1.41", CLIENT).tcp(8080, 40000).ack())
            .from(BACK)
            .with(denied("10.9.1.41/32"))
            .drops(Denied)
            .listed(Deny, "10.9.1.41/32"),
    ]
}
