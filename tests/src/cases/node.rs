//! The protected node: what is for no service and belongs to no connection of the node's is dropped, unless the firewall lets
//! it in. The sockets are those of [`crate::world::SOCKETS`].

use lb_common::{
    DropReason::{
        Denied, ExtensionHeaders, Land, MalformedTransport, MartianSource, NodeProtected, PortZero, SourceRoute,
        TcpFlags, TinyFragment,
    },
    ListKind::{Allow, Deny},
};
use lb_userspace::{
    config::Document,
    model::{Protect, Rule},
};

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, SIDE, Setup},
};

const NODE: &str = "10.9.0.1";
const NODE6: &str = "fd09::1";

/// A packet that gets in.
fn enters(name: &str, packet: impl Into<Vec<u8>>) -> Case {
    Case::new(format!("node: {name}"), packet).protected()
}

/// One that does not.
fn refused(name: &str, packet: impl Into<Vec<u8>>) -> Case {
    enters(name, packet).drops(NodeProtected)
}

fn to_node(client: &str) -> Packet {
    Packet::ip(client, if client.contains(':') { NODE6 } else { NODE })
}

fn syn(client: &str) -> Packet {
    to_node(client).tcp(40000, 22).syn()
}

pub(super) fn cases() -> Vec<Case> {
    [tcp(), udp(), messages(), let_in(), rare(), nonsense(), of_others(), side_roads(), unprotected()].concat()
}

fn tcp() -> Vec<Case> {
    vec![
        refused("a SYN to a port that listens", syn(CLIENT)),
        refused("a SYN to a port that listens over IPv6", syn(CLIENT6)),
        refused("a SYN to a port that nobody has", to_node(CLIENT).tcp(40000, 23).syn()),
        enters("a segment of a connection", to_node(CLIENT).tcp(50000, 22).ack()),
        enters("a segment of a connection over IPv6", to_node(CLIENT6).tcp(50000, 22).ack()),
        refused("a segment of another client's port", to_node(CLIENT).tcp(50001, 22).ack()),
        refused("a reset of no connection", to_node(CLIENT).tcp(40000, 22).rst()),
        enters(
            "a segment of a connection behind tags",
            to_node(CLIENT).tcp(50000, 22).ack().service_tagged(6).tagged(7),
        ),
        enters("a segment of a connection with options", to_node(CLIENT).options(&[1; 8]).tcp(50000, 22).ack()),
        enters("a segment of a connection with extensions", to_node(CLIENT6).hop_by_hop(0).tcp(50000, 22).ack()),
    ]
}

fn udp() -> Vec<Case> {
    vec![
        refused("a datagram to a server", to_node(CLIENT).udp(40000, 161)),
        refused("a datagram to a server over IPv6", to_node(CLIENT6).udp(40000, 161)),
        enters("an answer to a port that the kernel chose, the first", to_node(CLIENT).udp(53, 32_768)),
        enters("an answer to a port that the kernel chose, the last", to_node(CLIENT6).udp(53, 60_999)),
        refused("a datagram to the port behind them", to_node(CLIENT).udp(53, 61_000)),
        refused("a datagram to such a port that nobody has", to_node(CLIENT).udp(53, 32_769)),
        enters("a datagram of a connected socket's peer", to_node(CLIENT).udp(123, 123)),
        enters("a datagram of a connected socket's peer over IPv6", to_node(CLIENT6).udp(123, 123)),
        refused("a datagram of another", Packet::v4("10.9.0.8", NODE).udp(123, 123)),
        enters("a DHCP server's answer", to_node(CLIENT).udp(67, 68)),
        refused("a question to a DHCP server", to_node(CLIENT).udp(68, 67)),
        enters("a DHCPv6 server's answer", to_node(CLIENT6).udp(547, 546)),
        refused("a DHCPv6 server's answer over IPv4", to_node(CLIENT).udp(547, 546)),
    ]
}

fn messages() -> Vec<Case> {
    let message = |kind| to_node(CLIENT).icmp(kind, 0, 0);
    let message6 = |kind| to_node(CLIENT6).icmp(kind, 0, 0);
    let mut cases = vec![
        enters("an echo request", to_node(CLIENT).echo_request(1)),
        enters("an echo request over IPv6", to_node(CLIENT6).echo_request(1)),
        enters("an echo reply", to_node(CLIENT).echo_reply(1)),
        enters("an echo reply over IPv6", to_node(CLIENT6).echo_reply(1)),
        enters("an ICMP error", message(3).quoting(&Packet::v4(NODE, CLIENT).tcp(22, 50000).ack(), 28)),
        refused("a redirect", message(5)),
        refused("a redirect over IPv6", message6(137)),
        refused("a question for the time", message(13)),
        refused("a message of ICMP in IPv6", to_node(CLIENT6).protocol(1).payload(&[0; 8])),
        refused("a message of ICMPv6 in IPv4", to_node(CLIENT).protocol(58).payload(&[135, 0, 0, 0, 0, 0, 0, 0])),
        refused("another protocol", to_node(CLIENT).protocol(47).payload(&[0; 8])),
        refused("another protocol over IPv6", to_node(CLIENT6).protocol(47).payload(&[0; 8])),
    ];
    let needed = [130, 131, 132, 133, 134, 135, 136, 143];
    cases.extend(needed.map(|kind| enters(&format!("ICMPv6 type {kind}, which hosts need"), message6(kind))));
    cases
}

/// What the firewall lets in.
fn let_in() -> Vec<Case> {
    let prefixes = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("a prefix")).collect();
    let listed = |setup: &mut Setup| setup.model.firewall.allow = prefixes(&["10.9.0.7/32", "fd09::/64"]);
    let denied = |setup: &mut Setup| setup.model.firewall.deny = prefixes(&["10.9.0.7/32"]);
    vec![
        enters("a SYN of an allowed source", syn(CLIENT)).with(listed).listed(Allow, "10.9.0.7/32"),
        enters("a SYN of an allowed source over IPv6", syn(CLIENT6)).with(listed).listed(Allow, "fd09::/64"),
        refused("a SYN of another source", Packet::v4("10.9.0.8", NODE).tcp(40000, 22).syn()).with(listed),
        enters("a segment of a connection with a denied source", to_node(CLIENT).tcp(50000, 22).ack())
            .with(denied)
            .drops(Denied)
            .listed(Deny, "10.9.0.7/32"),
        enters("a SYN that a rule passes", syn(CLIENT)).with(ruled("pass")).matches(&["ssh"]),
        enters("a SYN that a rule passes over IPv6", syn(CLIENT6)).with(ruled("pass")).matches(&["ssh"]),
        refused("a SYN that a rule counts", syn(CLIENT)).with(ruled("count")).matches(&["ssh"]),
        refused("a SYN that no rule passes", to_node(CLIENT).tcp(40000, 23).syn()).with(ruled("pass")),
    ]
}

/// A rule about TCP to port 22 and about fragments of it.
fn ruled(action: &str) -> impl Fn(&mut Setup) {
    let text = format!("[[rule]]\nname = \"ssh\"\naction = \"{action}\"\nprotocol = \"tcp\"\nport = 22\n");
    let (_, model) = Document::parse("case", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let rules: Vec<Rule> = model.firewall.rules;
    move |setup| setup.model.firewall.rules = rules.clone()
}

/// Fragments and malformed packets.
fn rare() -> Vec<Case> {
    let [first, later] = syn(CLIENT).payload(&[0; 96]).fragments(64);
    let [first6, later6] = syn(CLIENT6).payload(&[0; 96]).fragments(64);
    let [answer, _] = to_node(CLIENT).udp(53, 32_768).payload(&[0; 96]).fragments(64);
    let five = to_node(CLIENT6).hop_by_hop(0).destination_options(0).routing().authentication(3);
    vec![
        refused("a first fragment", first.clone()),
        refused("a first fragment over IPv6", first6),
        enters("a later fragment, which is of no use alone", later),
        enters("a later fragment over IPv6", later6),
        enters("the first fragment of an answer", answer),
        enters("a first fragment that a rule passes", first).with(ruled("pass")).matches(&["ssh"]),
        enters("a header that is cut short", to_node(CLIENT).protocol(6).payload(&[0; 8])).drops(MalformedTransport),
        enters("a protocol behind too many headers", five.destination_options(0).tcp(50000, 22).ack())
            .drops(ExtensionHeaders),
    ]
}

/// The node's sanity checks, which look at what the firewall has not let in.
fn nonsense() -> Vec<Case> {
    let flags = || to_node(CLIENT).tcp(50000, 22).flags(3);
    let [tiny, _] = to_node(CLIENT).udp(53, 32_768).payload(&[0; 32]).fragments(16);
    vec![
        enters("SYN and FIN to a connection", flags()).drops(TcpFlags),
        enters("SYN and FIN that a rule passes", flags()).with(ruled("pass")).matches(&["ssh"]),
        enters("an echo request of a loopback address", Packet::v4("127.0.0.1", NODE).echo_request(1))
            .drops(MartianSource),
        enters("an echo request of the node's own address", Packet::v4(NODE, NODE).echo_request(1)).drops(Land),
        enters("a tiny fragment of an answer", tiny).drops(TinyFragment),
        enters("an answer from port 0", to_node(CLIENT).udp(0, 32_768)).drops(PortZero),
        enters("an answer with a source route", Packet::v4(CLIENT, NODE).options(&[131, 3, 4, 0]).udp(53, 32_768))
            .drops(SourceRoute),
        enters("an answer of an agent of SNMP", to_node(CLIENT).udp(161, 32_768)),
    ]
}

/// What is not for the node goes on to its stack, which forwards it.
fn of_others() -> Vec<Case> {
    vec![
        enters("what is forwarded", Packet::v4(CLIENT, "10.9.1.200").tcp(40000, 22).syn()),
        enters("what is forwarded over IPv6", Packet::v6(CLIENT6, "fd09:1::200").tcp(40000, 22).syn()),
        enters("what is forwarded and too big", Packet::v4(CLIENT, "198.18.0.9").udp(1, 9).payload(&[0; 100])),
        refused("what has no route", Packet::v4(CLIENT, "100.64.0.1").tcp(40000, 22).syn()),
        refused("what would be forwarded if that was on", Packet::v4("10.9.2.7", "10.9.1.7").tcp(40000, 22).syn())
            .from(SIDE),
        enters("a frame for another host", syn(CLIENT).link([2; 6], [6; 6]))
            .with(|setup| setup.macs = vec![lb_common::Mac::new([4; 6])]),
        enters("a frame for several receivers", syn(CLIENT).link([2; 6], [0xff; 6])),
    ]
}

/// What a side road leaves to the node.
fn side_roads() -> Vec<Case> {
    let [first, _] = Packet::v4("10.9.1.41", "10.9.1.1").tcp(8080, 22).syn().payload(&[0; 96]).fragments(64);
    vec![
        enters("a `nat` backend's answer to the node", Packet::v4("10.9.1.41", "10.9.1.1").tcp(8080, 51_000).ack())
            .from(BACK),
        refused(
            "a `nat` backend's SYN from the service's port",
            Packet::v4("10.9.1.41", "10.9.1.1").tcp(8080, 22).syn(),
        )
        .from(BACK),
        refused("its first fragment", first).from(BACK),
        refused(
            "a packet to a node address that no session expects",
            Packet::v4("10.9.1.51", "10.9.1.1").tcp(8080, 20_000).ack(),
        )
        .from(BACK),
    ]
}

fn unprotected() -> Vec<Case> {
    let services = |setup: &mut Setup| setup.model.firewall.protect = Protect::Services;
    vec![
        Case::new("node: a SYN, if only services are protected", syn(CLIENT)).with(services),
        Case::new("node: another protocol, if only services are protected", to_node(CLIENT).protocol(47))
            .with(services),
    ]
}
