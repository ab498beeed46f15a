//! The agent's part of the table: which packets lose their outer header, and which do not.

use super::poison::FIRST_BUFFER_BYTES;
use crate::packet::{Damage, Packet};

/// One packet that reaches a backend.
#[derive(Clone, Debug)]
pub struct AgentCase {
    /// What the case shows; unique.
    pub name: String,
    /// The packet.
    pub frame: Vec<u8>,
    /// Whether only the nodes' packets are taken, or everybody's.
    pub restricted: bool,
    /// How many bytes of the packet lie in its first buffer, if not all.
    in_first_buffer: Option<usize>,
    /// What is left without the outer header; `None` if the packet passes untouched.
    pub unwrapped: Option<Vec<u8>>,
}

/// The UDP port at which the backend takes GUE.
pub const GUE_PORT: u16 = 6080;
/// The services' addresses that the backend owns.
pub const ADDRESSES: [&str; 2] = [SERVICE, SERVICE6];
/// The services' prefixes that the backend owns, and their lengths.
pub const PREFIXES: [(&str, u8); 2] = [("198.51.100.0", 24), ("2001:db8:7::", 48)];
/// The addresses of the nodes.
pub const NODES: [&str; 2] = [NODE, NODE6];

const SERVICE: &str = "10.9.0.102";
const SERVICE6: &str = "fd09::102";
const NODE: &str = "10.9.1.1";
const NODE6: &str = "fd09:1::1";
const BACKEND: &str = "10.9.1.31";
const BACKEND6: &str = "fd09:1::33";

/// The agent's table.
pub fn table() -> Vec<AgentCase> {
    let ipip = [families(), prefixes(), trust(), untouched(), truncated(), congestion()];
    let gue = [gue_families(), gue_trust(), gue_untouched(), gue_truncated(), gue_congestion()];
    [ipip.concat(), gue.concat(), jumbo()].concat()
}

fn client4() -> Packet {
    Packet::v4("10.9.0.7", SERVICE).ttl(63).tcp(40000, 80).syn().payload(b"early")
}

fn client6() -> Packet {
    Packet::v6("fd09::7", SERVICE6).ttl(63).udp(5000, 53).payload(b"query")
}

fn outer4(source: &str) -> Packet {
    super::ipip::outer4(source, BACKEND)
}

fn outer6(source: &str) -> Packet {
    Packet::v6(source, BACKEND6).flow_label(0xabcde)
}

fn case(name: impl Into<String>, packet: impl Into<Vec<u8>>) -> AgentCase {
    AgentCase {
        name: format!("agent: {}", name.into()),
        frame: packet.into(),
        restricted: true,
        in_first_buffer: None,
        unwrapped: None,
    }
}

impl AgentCase {
    fn leaves(mut self, packet: Packet) -> Self {
        self.unwrapped = Some(packet.bytes());
        self
    }

    const fn unrestricted(mut self) -> Self {
        self.restricted = false;
        self
    }

    const fn in_pieces(mut self, first_bytes: usize) -> Self {
        self.in_first_buffer = Some(first_bytes);
        self
    }

    /// How many bytes of the packet lie in its first buffer.
    pub fn first_bytes(&self) -> usize {
        self.in_first_buffer.unwrap_or(self.frame.len()).min(FIRST_BUFFER_BYTES)
    }
}

fn families() -> Vec<AgentCase> {
    vec![
        case("IPv4 in IPv4", outer4(NODE).carrying(&client4())).leaves(client4()),
        case("IPv6 in IPv4", outer4(NODE).carrying(&client6())).leaves(client6()),
        case("IPv4 in IPv6", outer6(NODE6).carrying(&client4())).leaves(client4()),
        case("IPv6 in IPv6", outer6(NODE6).carrying(&client6())).leaves(client6()),
        case("inner options stay", outer4(NODE).carrying(&client4().options(&[1; 8])))
            .leaves(client4().options(&[1; 8])),
        case("inner fragments are fragments still", outer4(NODE).carrying(&client4().fragments(8)[1]))
            .leaves(client4().fragments(8)[1].clone()),
        case("padding stays", outer4(NODE).carrying(&client4()).trailer(9)).leaves(client4().trailer(9)),
        case("DSCP of the outer header is not copied", outer4(NODE).traffic_class(0xb8).carrying(&client4()))
            .leaves(client4()),
    ]
}

fn prefixes() -> Vec<AgentCase> {
    let v4 = |to: &str| Packet::v4("10.9.0.7", to).tcp(1, 2);
    let v6 = |to: &str| Packet::v6("fd09::7", to).udp(1, 2);
    let in4 = |to: &str| case(format!("an inner {to}"), outer4(NODE).carrying(&v4(to)));
    let in6 = |to: &str| case(format!("an inner {to}"), outer6(NODE6).carrying(&v6(to)));
    vec![
        in4("198.51.100.0").leaves(v4("198.51.100.0")),
        in4("198.51.100.255").leaves(v4("198.51.100.255")),
        in4("198.51.99.255"),
        in4("198.51.101.0"),
        in6("2001:db8:7::").leaves(v6("2001:db8:7::")),
        in6("2001:db8:7:ffff::1").leaves(v6("2001:db8:7:ffff::1")),
        in6("2001:db8:8::"),
    ]
}

fn trust() -> Vec<AgentCase> {
    let stranger = || outer4("10.9.1.2").carrying(&client4());
    let stranger6 = || outer6("fd09:1::2").carrying(&client6());
    vec![
        case("an IPv4 source that is no node", stranger()),
        case("an IPv6 source that is no node", stranger6()),
        case("any source if nobody restricts it", stranger()).unrestricted().leaves(client4()),
        case("any IPv6 source if nobody restricts it", stranger6()).unrestricted().leaves(client6()),
        case(
            "an inner address that is not ours",
            outer4(NODE).carrying(&Packet::v4("10.9.0.7", "10.9.0.200").tcp(1, 2)),
        ),
        case(
            "an inner IPv6 address that is not ours",
            outer4(NODE).carrying(&Packet::v6("fd09::7", "fd09::200").udp(1, 2)),
        ),
    ]
}

fn untouched() -> Vec<AgentCase> {
    let mut arp = vec![0xff; 42];
    arp[12..14].copy_from_slice(&[8, 6]);
    vec![
        case("what is not encapsulated", client4()),
        case("what is not encapsulated in IPv6", client6()),
        case("ARP", arp),
        case("outer options", outer4(NODE).options(&[1; 4]).carrying(&client4())),
        case("an outer header that is too short", outer4(NODE).carrying(&client4()).set(14, &[0x44])),
        case("the first outer fragment", outer4(NODE).carrying(&client4()).fragments(32)[0].clone()),
        case("a later outer fragment", outer4(NODE).carrying(&client4()).fragments(32)[1].clone()),
        case("an outer extension header", outer6(NODE6).destination_options(0).carrying(&client4())),
        case("a tagged frame", outer4(NODE).tagged(7).carrying(&client4())),
        case("GRE", outer4(NODE).protocol(47).payload(&[0; 40])),
    ]
}

fn truncated() -> Vec<AgentCase> {
    let v4 = outer4(NODE).carrying(&client4());
    let v6 = outer6(NODE6).carrying(&client6());
    let cut = |packet: &Packet, bytes: usize| case(format!("cut at {bytes}"), packet.clone().cut(bytes));
    // Outer headers end at 34 and 54; inner ones at 54 and 94.
    [14, 20, 33, 34, 44, 53]
        .map(|bytes| cut(&v4, bytes))
        .into_iter()
        .chain([52, 54, 93].map(|bytes| cut(&v6, bytes)))
        .collect()
}

/// RFC 6040, section 4.2: congestion that the outer header has met is congestion of the inner packet.
fn congestion() -> Vec<AgentCase> {
    const CONGESTION: u8 = 0b11;
    let marked = |name: &str, class: u8, left: u8| {
        vec![
            case(
                format!("{name} in IPv4"),
                outer4(NODE).traffic_class(CONGESTION).carrying(&client4().traffic_class(class)),
            )
            .leaves(client4().traffic_class(left)),
            case(
                format!("{name} in IPv6"),
                outer6(NODE6).traffic_class(CONGESTION).carrying(&client6().traffic_class(class)),
            )
            .leaves(client6().traffic_class(left)),
        ]
    };
    [
        marked("congestion met by ECT(0)", 0xb8 | 0b10, 0xb8 | CONGESTION),
        marked("congestion met by ECT(1)", 0b01, CONGESTION),
        marked("congestion that was met before", CONGESTION, CONGESTION),
        marked("congestion that the ends do not ask for", 0xb8, 0xb8),
    ]
    .concat()
}

fn gue(outer: Packet, inner: &Packet) -> Packet {
    outer.gue(51234, GUE_PORT, inner)
}

fn gue_families() -> Vec<AgentCase> {
    vec![
        case("GUE of IPv4 over IPv4", gue(outer4(NODE), &client4())).leaves(client4()),
        case("GUE of IPv6 over IPv4", gue(outer4(NODE), &client6())).leaves(client6()),
        case("GUE of IPv4 over IPv6", gue(outer6(NODE6), &client4())).leaves(client4()),
        case("GUE of IPv6 over IPv6", gue(outer6(NODE6), &client6())).leaves(client6()),
        case(
            "GUE with an outer checksum over IPv4",
            outer4(NODE).udp(51234, GUE_PORT).payload(&{ [&[0, 4, 0, 0][..], &client4().bytes()[14..]].concat() }),
        )
        .leaves(client4()),
        case("GUE without an outer checksum over IPv6", gue(outer6(NODE6), &client4()).without_checksum())
            .leaves(client4()),
        case("GUE's variant 1 of IPv4", outer4(NODE).gue_direct(51234, GUE_PORT, &client4())).leaves(client4()),
        case("GUE's variant 1 of IPv6", outer6(NODE6).gue_direct(51234, GUE_PORT, &client6())).leaves(client6()),
        case("GUE around inner options", gue(outer4(NODE), &client4().options(&[1; 8])))
            .leaves(client4().options(&[1; 8])),
        case("GUE around an inner fragment", gue(outer4(NODE), &client4().fragments(8)[1]))
            .leaves(client4().fragments(8)[1].clone()),
        case("GUE and padding", gue(outer4(NODE), &client4()).trailer(9)).leaves(client4().trailer(9)),
        case("GUE whose DSCP is not copied", gue(outer6(NODE6).traffic_class(0xb8), &client6())).leaves(client6()),
    ]
}

fn gue_trust() -> Vec<AgentCase> {
    let stranger = || gue(outer4("10.9.1.2"), &client4());
    vec![
        case("GUE from an IPv4 source that is no node", stranger()),
        case("GUE from an IPv6 source that is no node", gue(outer6("fd09:1::2"), &client6())),
        case("GUE from any source if nobody restricts it", stranger()).unrestricted().leaves(client4()),
        case(
            "GUE around an address that is not ours",
            gue(outer4(NODE), &{ Packet::v4("10.9.0.7", "10.9.0.200").tcp(1, 2) }),
        ),
    ]
}

fn gue_untouched() -> Vec<AgentCase> {
    let header = |header: [u8; 4]| {
        let payload = [&header[..], &client4().bytes()[14..]].concat();
        outer4(NODE).udp(51234, GUE_PORT).payload(&payload).without_checksum()
    };
    vec![
        case("GUE to another port", outer4(NODE).gue(51234, GUE_PORT + 1, &client4())),
        case("GUE's port as a source", outer4(NODE).gue(GUE_PORT, 53, &client4())),
        case("a control message of GUE", header([0x20, 4, 0, 0])),
        case("optional fields of GUE", header([0x01, 4, 0, 0])),
        case("flags of GUE", header([0, 4, 0x80, 0])),
        case("private flags of GUE", header([0, 4, 0, 1])),
        case("GUE of a variant that nobody knows", header([0x80, 4, 0, 0])),
        case("GUE of another variant that nobody knows", header([0xc0, 4, 0, 0])),
        case("GUE's variant 1 of an IP that nobody knows", header([0x50, 4, 0, 0])),
        case("GUE around what is no packet", header([0, 6, 0, 0])),
        case("GUE behind outer options", gue(outer4(NODE).options(&[1; 4]), &client4())),
        case("the first outer fragment of GUE", gue(outer4(NODE), &client4()).fragments(32)[0].clone()),
        case("GUE behind an outer extension header", gue(outer6(NODE6).destination_options(0), &client4())),
        case("GUE in a tagged frame", gue(outer4(NODE).tagged(7), &client4())),
    ]
}

fn gue_truncated() -> Vec<AgentCase> {
    let v4 = gue(outer4(NODE), &client4());
    let v6 = gue(outer6(NODE6), &client6());
    let cut = |packet: &Packet, bytes: usize| case(format!("GUE cut at {bytes}"), packet.clone().cut(bytes));
    // UDP headers end at 42 and 62, GUE headers at 46 and 66; inner IP headers at 66 and 106.
    let v4s = [34, 41, 42, 45, 46, 65].map(|bytes| cut(&v4, bytes));
    v4s.into_iter().chain([54, 61, 63, 64, 105].map(|bytes| cut(&v6, bytes))).collect()
}

fn gue_congestion() -> Vec<AgentCase> {
    let met = 0b11;
    vec![
        case("congestion met by GUE over IPv4", gue(outer4(NODE).traffic_class(met), &client4().traffic_class(0b10)))
            .leaves(client4().traffic_class(met)),
        case("congestion met by GUE over IPv6", gue(outer6(NODE6).traffic_class(met), &client6().traffic_class(0b01)))
            .leaves(client6().traffic_class(met)),
        case("congestion met by GUE that the ends do not ask for", gue(outer6(NODE6).traffic_class(met), &client6()))
            .leaves(client6()),
    ]
}

/// Frames in several buffers: the outer headers and the inner one stand in the first.
fn jumbo() -> Vec<AgentCase> {
    let large = || client4().payload(&[7; 8000]);
    let small = || client4().payload(&[7; 1000]);
    vec![
        case("a jumbo frame of ipip", outer4(NODE).carrying(&large())).leaves(large()),
        case("a jumbo frame of GUE", gue(outer6(NODE6), &large())).leaves(large()),
        case("inner headers and nothing else in the first buffer", gue(outer4(NODE), &small()))
            .in_pieces(66)
            .leaves(small()),
        case("an inner header in two buffers", gue(outer4(NODE), &small())).in_pieces(65),
    ]
}
