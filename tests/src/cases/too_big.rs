//! Packets that fit no way to the backend: the sender is told what would fit, and the drop is counted.

use lb_common::DropReason::{MtuExceeded, TtlExpired};

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6},
};

pub(super) fn cases() -> Vec<Case> {
    [deliveries(), shapes(), small_links(), replies(), limits()].concat()
}

/// A segment that is an IP packet of so many bytes.
fn segment(source: &str, port: u16, destination: &str, to_port: u16, bytes: usize) -> Packet {
    let headers = if destination.contains(':') { 60 } else { 40 };
    let payload: Vec<u8> = (0..bytes - headers).map(|byte| byte as u8).collect();
    Packet::ip(source, destination).tcp(port, to_port).ack().payload(&payload)
}

/// A client's segment to a service.
fn to(service: &str, port: u16, bytes: usize) -> Packet {
    segment(if service.contains(':') { CLIENT6 } else { CLIENT }, 40000, service, port, bytes)
}

/// What the sender is told: from the receiver, with as much of the packet as leaves 576 bytes, 1280 in IPv6.
pub(super) fn answer(packet: &Packet, receiver: &str, sender: &str, mtu: u32) -> Packet {
    if receiver.contains(':') {
        Packet::v6(receiver, sender).icmp(2, 0, mtu).quoting(packet, 1280 - 48)
    } else {
        Packet::v4(receiver, sender).identification(0).dont_fragment().icmp(3, 4, mtu).quoting(packet, 576 - 28)
    }
}

fn client_of(service: &str) -> &'static str {
    if service.contains(':') { CLIENT6 } else { CLIENT }
}

/// Puts tags on a packet, or none.
type Tag = fn(Packet) -> Packet;

/// By each delivery: what does not fit by one byte, and by many; untagged and in VLANs.
fn deliveries() -> Vec<Case> {
    let tags: [(&str, Tag); 3] = [
        ("untagged", |packet| packet),
        ("tagged", |packet| packet.tagged(0xe007)),
        ("twice tagged", |packet| packet.service_tagged(6).tagged(7)),
    ];
    let mut cases = Vec::new();
    for (service, address, backend, fitting) in [
        ("web", "10.9.0.100", "10.9.0.11", 1500),
        ("4in4", "10.9.0.102", "10.9.1.31", 1480),
        ("4in6", "10.9.0.103", "fd09:1::33", 1460),
        ("nat", "10.9.0.105", "10.9.1.41", 1500),
        ("web6", "fd09::100", "fd09::11", 1500),
        ("6in4", "fd09::102", "10.9.1.34", 1480),
        ("6in6", "fd09::103", "fd09:1::35", 1460),
        ("nat6", "fd09::105", "fd09:1::41", 1500),
    ] {
        for excess in [1, 17, 500] {
            for (tagged, tag) in tags {
                let packet = to(address, 80, fitting + excess);
                let told = tag(answer(&packet, address, client_of(address), fitting as u32));
                cases.push(
                    Case::new(format!("too big: {service} by {excess}, {tagged}"), tag(packet))
                        .refuses(told)
                        .counts(service, backend),
                );
            }
        }
    }
    cases
}

fn shapes() -> Vec<Case> {
    let case = |name: &str, address: &str, mtu, packet: Packet| {
        let told = answer(&packet, address, client_of(address), mtu);
        Case::new(format!("too big: {name}"), packet).refuses(told)
    };
    let udp = Packet::v4(CLIENT, "10.9.0.102").udp(5000, 53).payload(&[3; 1500]);
    let [fragment, _] = udp.clone().fragments(1472);
    let small = Packet::v4(CLIENT, "10.9.0.102").udp(5000, 53).payload(&[3; 1500]);
    let [small_first, _] = small.clone().fragments(48);
    // Made by hand: a later fragment that is too long.
    let [first, long_later] = Packet::v4(CLIENT, "10.9.0.102").udp(5000, 53).payload(&[3; 1600]).fragments(48);
    vec![
        case("a packet that may not be fragmented", "10.9.0.102", 1480, to("10.9.0.102", 80, 1500).dont_fragment())
            .counts("4in4", "10.9.1.31"),
        case("IPv4 options", "10.9.0.102", 1480, to("10.9.0.102", 80, 1500).options(&[1; 40]))
            .counts("4in4", "10.9.1.31"),
        case("extension headers", "fd09::102", 1480, to("fd09::102", 80, 1500).destination_options(2))
            .counts("6in4", "10.9.1.34"),
        case("UDP", "10.9.0.102", 1480, udp).counts("4in4-dns", "10.9.1.31"),
        case("a first fragment", "10.9.0.102", 1480, fragment).counts("4in4-dns", "10.9.1.31"),
        Case::new("too big: a later fragment is not answered", long_later)
            .after(first)
            .drops(MtuExceeded)
            .counts("4in4-dns", "10.9.1.31"),
        Case::new("too big: a wrong checksum is quoted as it is", to("10.9.0.102", 80, 1500).set(60, b"!!"))
            .refuses({
                let quoted = to("10.9.0.102", 80, 1500).bytes().set(60, b"!!");
                Packet::v4("10.9.0.102", CLIENT)
                    .identification(0)
                    .dont_fragment()
                    .icmp(3, 4, 1480)
                    .payload(&quoted[14..14 + 548])
            })
            .counts("4in4", "10.9.1.31"),
        Case::new("too big: a fragment that fits is not", small_first)
            .redirects(BACK, "10.9.1.31", {
                let [inner, _] = small.ttl(63).fragments(48);
                super::ipip::outer4("10.9.1.1", "10.9.1.31").carrying(&inner)
            })
            .counts("4in4-dns", "10.9.1.31"),
        Case::new("too big: what would end here anyhow is not answered", to("10.9.0.102", 80, 1500).ttl(1))
            .drops(TtlExpired)
            .counts("4in4", "10.9.1.31"),
    ]
}

/// Ways that carry little.
fn small_links() -> Vec<Case> {
    let through = |mtu: u16| move |setup: &mut crate::world::Setup| setup.hop("6in6").mtu = mtu;
    let packet = to("fd09::103", 80, 1300);
    let small = to("fd09::103", 80, 1280);
    vec![
        Case::new("too big: no IPv6 host is told less than 1280", packet.clone())
            .with(through(1300))
            .refuses(answer(&packet, "fd09::103", CLIENT6, 1280))
            .counts("6in6", "fd09:1::35"),
        Case::new("too big: not even if it would have to be less", small.clone())
            .with(through(1300))
            .refuses(answer(&small, "fd09::103", CLIENT6, 1280))
            .counts("6in6", "fd09:1::35"),
        Case::new("too big: a packet that is too short to be quoted is dropped", to("10.9.0.102", 80, 547))
            .with(|setup| setup.hop("4in4").mtu = 566)
            .drops(MtuExceeded)
            .counts("4in4", "10.9.1.31"),
        Case::new("too big: one that is just long enough is answered", to("10.9.0.102", 80, 548))
            .with(|setup| setup.hop("4in4").mtu = 566)
            .refuses(answer(&to("10.9.0.102", 80, 548), "10.9.0.102", CLIENT, 546))
            .counts("4in4", "10.9.1.31"),
        Case::new("too big: a way that carries less than an outer header", to("10.9.0.102", 80, 600))
            .with(|setup| setup.hop("4in4").mtu = 10)
            .refuses(answer(&to("10.9.0.102", 80, 600), "10.9.0.102", CLIENT, 0))
            .counts("4in4", "10.9.1.31"),
    ]
}

/// Replies of `nat` backends that do not fit the way to the client.
fn replies() -> Vec<Case> {
    let case = |name: &str, backend: &str, client: &str, mtu, tag: Tag| {
        let packet = segment(backend, 8080, client, 40000, mtu as usize + 1);
        let told = answer(&packet, client, backend, mtu);
        Case::new(format!("too big: {name}"), tag(packet)).from(BACK).refuses(tag(told))
    };
    vec![
        case("a reply to a client", "10.9.1.41", CLIENT, 1500, |packet| packet),
        case("a reply to a client, tagged", "10.9.1.41", CLIENT, 1500, |packet| packet.tagged(7)),
        case("a reply to an IPv6 client", "fd09:1::41", CLIENT6, 1500, |packet| packet),
        case("a reply through an IPv6 router", "fd09:1::41", "2001:db8:3::9", 1280, |packet| packet),
    ]
}

fn limits() -> Vec<Case> {
    let dropped = |name: &str, address: &str, bytes| {
        Case::new(format!("too big: {name}"), to(address, 80, bytes)).exhausted().drops(MtuExceeded)
    };
    vec![
        dropped("after too many answers", "10.9.0.102", 1500).counts("4in4", "10.9.1.31"),
        dropped("after too many answers in IPv6", "fd09::103", 1500).counts("6in6", "fd09:1::35"),
        Case::new("too big: a `nat` reply after too many answers", segment("10.9.1.41", 8080, CLIENT, 40000, 1501))
            .from(BACK)
            .exhausted()
            .drops(MtuExceeded),
        Case::new("too big: what fits is not limited", to("10.9.0.100", 80, 1500))
            .exhausted()
            .transmits("10.9.0.11", to("10.9.0.100", 80, 1500).ttl(63))
            .counts("web", "10.9.0.11"),
        Case::new("too big: a second packet is answered too", to("10.9.0.102", 80, 1481))
            .after(to("10.9.0.102", 80, 1481))
            .refuses(answer(&to("10.9.0.102", 80, 1481), "10.9.0.102", CLIENT, 1480))
            .counts("4in4", "10.9.1.31"),
    ]
}
