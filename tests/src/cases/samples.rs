//! Drops that are recorded while somebody looks, and those that are not.

use lb_common::{
    DropReason::{
        self, Denied, EgressUnknown, FragmentUnknown, MalformedIp, MalformedTransport, NoBackend, SourceNotAllowed,
        TtlExpired,
    },
    DropSample, Features, ListKind,
};
use lb_userspace::plan::Snapshot;

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, FRONT, Setup},
};

/// Flags of a TCP segment (RFC 9293, section 3.1).
const SYN: u8 = 2;
const ACK: u8 = 16;

pub(super) fn cases() -> Vec<Case> {
    [recorded(), not_recorded()].concat()
}

/// Somebody looks, and each CPU may record all that it drops.
pub fn looked_at(snapshot: &mut Snapshot) {
    snapshot.settings.features |= Features::SAMPLE;
    snapshot.settings.sample_until_ns = u64::MAX;
    snapshot.settings.samples_per_interval = u32::MAX.into();
}

fn case(name: &str, packet: impl Into<Vec<u8>>, reason: DropReason, ends: [(&str, u16); 2], protocol: u8) -> Case {
    let [source, destination] = ends.map(|(address, port)| (address.parse().expect("an address"), port));
    let frame: Vec<u8> = packet.into();
    let sample = DropSample {
        source: std::net::IpAddr::into(source.0),
        destination: std::net::IpAddr::into(destination.0),
        time_ns: 0,
        weight: 1,
        reason: reason as u32,
        ifindex: FRONT,
        frame_bytes: frame.len() as u32,
        rule: 0,
        source_port: source.1,
        destination_port: destination.1,
        protocol,
        tcp_flags: 0,
        zero: 0,
    };
    Case::new(format!("samples: {name}"), frame).with_tables(looked_at).drops(reason).records(sample)
}

impl Case {
    /// What is recorded has these TCP flags.
    fn flags(mut self, flags: u8) -> Self {
        self.recorded.as_mut().expect("records comes first").tcp_flags = flags;
        self
    }
}

fn denied(setup: &mut Setup) {
    setup.model.firewall.deny =
        ["203.0.113.0/24", "2001:db8:d::/48"].map(|prefix| prefix.parse().expect("a prefix")).into();
}

fn recorded() -> Vec<Case> {
    let (client, web, web6) = ((CLIENT, 40000), ("10.9.0.100", 80), ("fd09::100", 80));
    let to_web = || Packet::v4(CLIENT, web.0).tcp(40000, 80).ack();
    let [_, later] = Packet::v4(CLIENT, web.0).udp(1, 2).payload(&[0; 64]).fragments(48);
    let empty = |setup: &mut Setup| setup.down.extend(["10.9.0.11".to_owned()]);
    let refused = |setup: &mut Setup| setup.service("web").allow_from = vec!["192.0.2.0/24".parse().expect("a prefix")];
    let stranger = Packet::v4("203.0.113.8", "10.9.0.200").udp(123, 53);
    let denied6 = Packet::v6("2001:db8:d::8", web6.0).tcp(40000, 80).syn();
    let ping = Packet::v4("203.0.113.8", web.0).echo_request(1);
    let cut_short = Packet::v4(CLIENT, web.0).tcp(40000, 80).bytes()[..14 + 20 + 10].to_vec();
    let reply = Packet::v4("10.9.1.41", "10.9.3.7").tcp(8080, 40000).ack();
    vec![
        case("a datagram to a stranger", stranger, Denied, [("203.0.113.8", 123), ("10.9.0.200", 53)], 17)
            .with(denied)
            .listed(ListKind::Deny, "203.0.113.0/24"),
        case("an IPv6 segment with its flags", denied6, Denied, [("2001:db8:d::8", 40000), web6], 6)
            .with(denied)
            .listed(ListKind::Deny, "2001:db8:d::/48")
            .flags(SYN),
        case("an echo request has no ports", ping, Denied, [("203.0.113.8", 0), (web.0, 0)], 1)
            .with(denied)
            .listed(ListKind::Deny, "203.0.113.0/24"),
        case("TTL 1", to_web().ttl(1), TtlExpired, [client, web], 6).counts("web", "10.9.0.11").flags(ACK),
        case("two tags", to_web().ttl(1).service_tagged(6).tagged(7), TtlExpired, [client, web], 6)
            .counts("web", "10.9.0.11")
            .flags(ACK),
        case("no backend", to_web(), NoBackend, [client, web], 6).with(empty).counts_service("web").flags(ACK),
        case("a source that may not", to_web(), SourceNotAllowed, [client, web], 6).with(refused).flags(ACK),
        case("a later fragment has no ports", later, FragmentUnknown, [(CLIENT, 0), (web.0, 0)], 17),
        case("an impossible length", to_web().claimed_bytes(1000), MalformedIp, [(CLIENT, 0), (web.0, 0)], 6),
        case("a transport header that is cut short", cut_short, MalformedIp, [(CLIENT, 0), (web.0, 0)], 6),
        case(
            "a UDP length that is impossible",
            Packet::v4(CLIENT, web.0).udp(40000, 80).claimed_udp_bytes(3),
            MalformedTransport,
            [(CLIENT, 0), (web.0, 0)],
            17,
        ),
        case("IPv6", Packet::v6(CLIENT6, web6.0).tcp(40000, 80).ack().ttl(0), TtlExpired, [(CLIENT6, 40000), web6], 6)
            .counts("web6", "fd09::11")
            .flags(ACK),
        // It turned out behind the rewriting.
        case(
            "a reply that cannot leave, rewritten",
            reply,
            EgressUnknown,
            [("10.9.0.105", 80), ("10.9.3.7", 40000)],
            6,
        )
        .from(BACK)
        .flags(ACK),
    ]
}

fn not_recorded() -> Vec<Case> {
    let packet = || Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).ack().ttl(1);
    let unrecorded = |name: &str, edit: fn(&mut Snapshot)| {
        Case::new(format!("samples: {name}"), packet()).with_tables(edit).drops(TtlExpired).counts("web", "10.9.0.11")
    };
    vec![
        unrecorded("nobody looks", |snapshot| {
            looked_at(snapshot);
            snapshot.settings.features &= !Features::SAMPLE;
        }),
        unrecorded("the lease is over", |snapshot| {
            looked_at(snapshot);
            snapshot.settings.sample_until_ns = 0;
        }),
        unrecorded("there is no budget", |snapshot| {
            looked_at(snapshot);
            snapshot.settings.samples_per_interval = 0;
        })
        .host_only("the next record of the kernel's would stand for this drop, too"),
        Case::new("samples: what is forwarded is not recorded", Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).ack())
            .with_tables(looked_at)
            .transmits("10.9.0.11", Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).ack().ttl(63))
            .counts("web", "10.9.0.11"),
    ]
}
