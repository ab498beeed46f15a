//! Services that only some sources may use.

use lb_common::{
    DropReason::{Denied, MalformedIp, SourceNotAllowed},
    ListKind::Deny,
};
use lb_userspace::model::{Delivery::L2, PortSpan, Ports, Protocol::Tcp};

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, Setup, service},
};

pub(super) fn cases() -> Vec<Case> {
    [restricted(), others(), edges()].concat()
}

/// `web` and `web6` of the world, and a range and a prefix of their own, are restricted.
fn lists(setup: &mut Setup) {
    let sources = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a prefix")).collect::<Vec<_>>();
    setup.service("web").allow_from = sources(&["192.0.2.0/24", "198.51.100.7/32", "2001:db8:1::/48"]);
    setup.service("dns").allow_from = sources(&["203.0.113.0/24"]);
    setup.service("web6").allow_from = sources(&["2001:db8:1::/48", "2001:db8:2::7/128", "10.0.0.0/8"]);
    for (name, address, ports) in [("range", "10.9.0.110/32", (8000, 8100)), ("net", "10.20.0.0/24", (80, 80))] {
        let ports = Ports::new(vec![PortSpan { first: ports.0, last: ports.1 }]);
        let mut service = service(name, Tcp, address.parse().expect("a prefix"), ports, L2, &[("10.9.1.51", 0)]);
        service.allow_from = sources(&["192.0.2.0/24"]);
        setup.add(service);
    }
}

fn from(source: &str) -> Packet {
    let service = if source.contains(':') { "fd09::100" } else { "10.9.0.100" };
    Packet::ip(source, service).tcp(40000, 80).syn()
}

fn case(name: &str, packet: impl Into<Vec<u8>>) -> Case {
    Case::new(format!("sources: {name}"), packet).with(lists)
}

fn allowed(source: &str) -> Case {
    let (service, backend) = if source.contains(':') { ("web6", "fd09::11") } else { ("web", "10.9.0.11") };
    case(&format!("{source} may use {service}"), from(source))
        .transmits(backend, from(source).ttl(63))
        .counts(service, backend)
        .opens_flow()
}

fn refused(source: &str) -> Case {
    case(&format!("{source} may not"), from(source)).drops(SourceNotAllowed)
}

fn restricted() -> Vec<Case> {
    let at = |source: &str, address: &str, port| Packet::v4(source, address).tcp(40000, port).ack();
    let refused_at = |address: &str, port| {
        case(&format!("{address} port {port} is restricted, too"), at(CLIENT, address, port)).drops(SourceNotAllowed)
    };
    let allowed_at = |name: &'static str, address: &str, port| {
        case(&format!("192.0.2.9 may use {address} port {port}"), at("192.0.2.9", address, port))
            .redirects(BACK, "10.9.1.51", at("192.0.2.9", address, port).ttl(63))
            .counts(name, "10.9.1.51")
    };
    vec![
        allowed("192.0.2.0"),
        allowed("192.0.2.255"),
        refused("192.0.1.255"),
        refused("192.0.3.0"),
        allowed("198.51.100.7"),
        refused("198.51.100.8"),
        refused(CLIENT),
        allowed("2001:db8:1::"),
        allowed("2001:db8:1:ffff:ffff:ffff:ffff:ffff"),
        refused("2001:db8:2::"),
        allowed("2001:db8:2::7"),
        refused("2001:db8:2::8"),
        refused(CLIENT6),
        refused_at("10.9.0.110", 8000),
        allowed_at("range", "10.9.0.110", 8100),
        refused_at("10.20.0.9", 80),
        allowed_at("net", "10.20.0.9", 80),
    ]
}

fn others() -> Vec<Case> {
    let dns = |source: &str, ttl| Packet::v4(source, "10.9.0.100").ttl(ttl).udp(40000, 53);
    let any = |ttl| Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 81).ack();
    vec![
        case("each service has its own list", dns("203.0.113.9", 64))
            .transmits("10.9.0.13", dns("203.0.113.9", 63))
            .counts("dns", "10.9.0.13"),
        case("the list of another service does not help", dns("192.0.2.9", 64)).drops(SourceNotAllowed),
        case("any port of the same address is not restricted", any(64))
            .redirects(BACK, "10.9.1.12", any(63))
            .counts("web-any", "10.9.1.12"),
        case("the address answers echo requests of all", Packet::v4(CLIENT, "10.9.0.100").echo_request(7))
            .answers(Packet::v4("10.9.0.100", CLIENT).echo_reply(7).ttl(64)),
        case("a malformed packet is malformed first", from(CLIENT).claimed_bytes(1000)).drops(MalformedIp),
        case("what is no service passes", Packet::v4(CLIENT, "10.9.0.200").tcp(40000, 80).syn()),
        case("the deny list comes first", from("192.0.2.9"))
            .with(|setup| setup.model.firewall.deny = vec!["192.0.2.0/24".parse().expect("a prefix")])
            .drops(Denied)
            .listed(Deny, "192.0.2.0/24"),
    ]
}

fn edges() -> Vec<Case> {
    let only = |source: &'static str| {
        move |setup: &mut Setup| {
            for name in ["web", "web6"] {
                setup.service(name).allow_from = vec![source.parse().expect("a prefix")];
            }
        }
    };
    let case = |source: &'static str, client: &str, may: bool| {
        let case = Case::new(format!("sources: {client} with {source}"), from(client)).with(only(source));
        let (service, backend) = if client == CLIENT { ("web", "10.9.0.11") } else { ("web6", "fd09::11") };
        if !may {
            return case.drops(SourceNotAllowed);
        }
        case.transmits(backend, from(client).ttl(63)).counts(service, backend).opens_flow()
    };
    vec![
        case("0.0.0.0/0", CLIENT, true),
        case("0.0.0.0/0", CLIENT6, false),
        case("::/0", CLIENT6, true),
        case("::/0", CLIENT, false),
    ]
}
