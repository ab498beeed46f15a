//! What holds for every packet: on the host, where many can be tried, and between the host and the kernel.

mod support;

use std::{cell::RefCell, net::IpAddr};

use anyhow::Result;
use lb_common::DropReason;
use proptest::{prelude::*, test_runner::TestRunner};
use support::{
    Breakage, GUARDED, Shape, WORLD, breakages, broken, client_ports, damaged, destination, interfaces,
    is_service_address, properties, replies, run, shapes,
};
use tests::{
    cases::{Case, host, kernel},
    packet::{Packet, ends, oracle},
    world::{BACK, FRONT, Setup, World},
};

/// What holds whatever the frame.
fn check_run(frame: &[u8], ingress: u32) -> Result<(), TestCaseError> {
    const HEADROOM: usize = 64;
    let ran = run(frame, ingress, HEADROOM);
    prop_assert!(ran.frame.len() <= frame.len() + HEADROOM);
    if ran.passed() {
        prop_assert_eq!(&ran.frame, frame, "a packet that passes is untouched");
    }
    if ran.left() && oracle::check(frame).is_ok() {
        let valid = oracle::check(&ran.frame);
        prop_assert!(valid.is_ok(), "{:?} became {:?}: {:?}", frame, ran.frame, valid);
    }
    use DropReason::{ExtensionHeaders, FragmentUnknown, MalformedIp, MalformedTransport};
    if let Some(MalformedIp | MalformedTransport | ExtensionHeaders | FragmentUnknown) = ran.dropped {
        let destination = destination(frame);
        prop_assert!(destination.is_some_and(is_service_address), "a stranger's defect is no reason: {destination:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(properties(20_000))]

    #[test]
    fn arbitrary_bytes_do_no_harm(frame in prop::collection::vec(any::<u8>(), 0..200), ingress in interfaces()) {
        check_run(&frame, ingress)?;
    }

    #[test]
    fn broken_packets_do_no_harm(
        shape in prop_oneof![3 => shapes(), 1 => replies()],
        breakages in breakages(),
        ingress in interfaces(),
    ) {
        check_run(&broken(&shape, &breakages), ingress)?;
    }
}

/// The tunnels that the agent knows.
#[derive(Clone, Copy, Debug)]
enum Tunnel {
    Ipip,
    Gue,
    DirectGue,
}

fn tunnels() -> impl Strategy<Value = Tunnel> {
    prop::sample::select(vec![Tunnel::Ipip, Tunnel::Gue, Tunnel::DirectGue])
}

/// A packet in a tunnel, damaged; where the inner header begins.
fn tunnelled(inner: &Shape, is_v4: bool, tunnel: Tunnel, breakages: &[Breakage]) -> (Vec<u8>, usize) {
    let (outer, offset) =
        if is_v4 { (Packet::v4("10.9.1.1", "10.9.1.31"), 34) } else { (Packet::v6("fd09:1::1", "fd09:1::33"), 54) };
    let (packet, offset) = match tunnel {
        Tunnel::Ipip => (outer.carrying(&inner.packet()), offset),
        Tunnel::Gue => (outer.gue(50000, 6080, &inner.packet()), offset + 12),
        Tunnel::DirectGue => (outer.gue_direct(50000, 6080, &inner.packet()), offset + 8),
    };
    (damaged(packet.bytes(), breakages), offset)
}

proptest! {
    #![proptest_config(properties(3_000))]

    #[test]
    fn broken_tunnels_do_the_agent_no_harm(
        inner in shapes(),
        is_v4: bool,
        tunnel in tunnels(),
        breakages in breakages(),
    ) {
        let (frame, inner_offset) = tunnelled(&inner, is_v4, tunnel, &breakages);
        let left = support::decapsulate(&frame);
        // Addresses and inner packet stay, but for the traffic class and checksum of a packet that met congestion. A broken
        // GUE header may look like the first bytes of a packet, or the other way round.
        let is_unwrapped = [inner_offset - 4, inner_offset, inner_offset + 4].into_iter().any(|inner_offset| {
            left.len() + inner_offset == frame.len() + 14
                && left[..12] == frame[..12]
                && left[14 + 12..] == frame[inner_offset + 12..]
        });
        prop_assert!(is_unwrapped || left == frame, "{frame:?} became {left:?}");
    }

    #[test]
    fn parsing_agrees_with_etherparse(shape in shapes()) {
        support::check_parse(&shape)?;
    }

    #[test]
    fn the_agent_undoes_a_tunnel(shape in shapes(), service in 0usize..8) {
        let destination = [
            "10.9.0.102", "10.9.0.103", "fd09::102", "fd09::103",
            "10.9.0.160", "10.9.0.161", "fd09::160", "fd09::161",
        ][service];
        let shape = Shape { destination_port: 80, protocol: 6, tags: Vec::new(), destination, ..shape };
        let sent = run(&shape.packet().bytes(), FRONT, 64);
        prop_assert!(sent.left(), "{:?}: {:?}", shape, sent);
        let unwrapped = support::decapsulate(&sent.frame);
        let expected = Shape { ttl: shape.ttl - 1, ..shape }.packet().bytes();
        prop_assert_eq!(&unwrapped[14..], &expected[14..]);
        prop_assert_eq!(&unwrapped[12..14], &expected[12..14]);
    }

    #[test]
    fn gue_over_ipv6_has_the_right_checksum(
        shape in shapes(),
        source_port in client_ports(),
        is_v4: bool,
        is_udp: bool,
        has_checksum in prop::bool::weighted(0.9),
    ) {
        let destination = if is_v4 { "10.9.0.161" } else { "fd09::161" };
        let (protocol, destination_port) = if is_udp { (17, 53) } else { (6, 80) };
        let shape = Shape { source_port, destination_port, protocol, tags: Vec::new(), destination, ..shape };
        let packet = if is_udp && !has_checksum { shape.packet().without_checksum() } else { shape.packet() };
        let sent = run(&packet.bytes(), FRONT, 64);
        prop_assert!(sent.left(), "{:?}: {:?}", shape, sent);
        let has_extensions = !is_v4 && !shape.options.is_empty();
        let is_known = !has_extensions && (!is_udp || has_checksum);
        let written = u16::from_be_bytes([sent.frame[60], sent.frame[61]]);
        let expected = if is_known { oracle::udp_checksum(&sent.frame, 14) } else { 0 };
        prop_assert_eq!(written, expected, "{:?}: {:x?}", shape, sent.frame);
    }

    #[test]
    fn a_reply_undoes_nat(
        client: u8,
        client_port in client_ports(),
        number in 0usize..6,
        payload in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let (service, port, protocol) = [
            ("10.9.0.105", 80, 6), ("10.9.0.105", 53, 17), ("10.9.0.106", client_port ^ 1, 6),
            ("fd09::105", 80, 6), ("fd09::105", 53, 17), ("fd09::106", client_port ^ 1, 17),
        ][number];
        // The clients behind the world's routers.
        let is_v6 = service.contains(':');
        let client = if is_v6 { format!("2001:db8:1::{client:x}") } else { format!("192.0.2.{client}") };
        let packet = |source: &str, source_port, destination: &str, destination_port, ttl| {
            let packet = Packet::ip(source, destination).ttl(ttl);
            let packet = match protocol {
                6 => packet.tcp(source_port, destination_port).ack(),
                _ => packet.udp(source_port, destination_port),
            };
            packet.payload(&payload)
        };
        let request = run(&packet(&client, client_port, service, port, 64).bytes(), FRONT, 0);
        prop_assert!(request.left(), "{:?}", request);
        let (_, (backend, backend_port)) = ends(&request.frame);
        prop_assert!(backend.to_string() != service);

        let reply = run(&packet(&backend.to_string(), backend_port, &client, client_port, 64).bytes(), BACK, 0);
        prop_assert!(reply.left(), "{:?}", reply);
        let expected = packet(service, port, &client, client_port, 63).bytes();
        prop_assert_eq!(&reply.frame[14..], &expected[14..]);
    }
}

/// Services by `nat`: address, port, protocol, backend and its port.
const TRANSLATED: [(&str, u16, u8, &str, u16); 6] = [
    ("10.9.0.105", 80, 6, "10.9.1.41", 8080),
    ("10.9.0.105", 53, 17, "10.9.1.42", 5353),
    ("10.9.0.106", 4711, 6, "10.9.1.43", 4711),
    ("fd09::105", 80, 6, "fd09:1::41", 8080),
    ("fd09::105", 53, 17, "fd09:1::42", 5353),
    ("fd09::106", 4711, 17, "fd09:1::43", 4711),
];

proptest! {
    #![proptest_config(properties(3_000))]

    /// Of an error that quotes a whole packet, all checksums can be checked, the quoted ones too.
    #[test]
    fn an_error_is_as_valid_as_it_came(
        number in 0usize..TRANSLATED.len(),
        is_complaint: bool,
        client: u8,
        client_port in 1u16..,
        options in 0usize..4,
        has_checksum: bool,
        payload in prop::collection::vec(any::<u8>(), 0..60),
        rest: u32,
    ) {
        let (service, port, protocol, backend, backend_port) = TRANSLATED[number];
        let is_v6 = service.contains(':');
        let (client, router) = if is_v6 {
            (format!("2001:db8:1::{client:x}"), "2001:db8:1::ffff")
        } else {
            (format!("192.0.2.{client}"), "198.51.100.1")
        };
        let carrying = |packet: Packet, source_port, destination_port| {
            let packet = match (is_v6, options) {
                (_, 0) => packet,
                (true, _) => packet.destination_options(options as u8),
                (false, _) => packet.options(&vec![1; 4 * options]),
            };
            let packet = match protocol {
                6 => packet.tcp(source_port, destination_port).ack(),
                _ if has_checksum || is_v6 => packet.udp(source_port, destination_port),
                _ => packet.udp(source_port, destination_port).without_checksum(),
            };
            packet.payload(&payload)
        };
        // To the service about what it sent; or to the client about what it sent, before or behind the node.
        let quoted = |from_or_to: &str, port| match is_complaint {
            false => carrying(Packet::ip(from_or_to, &client), port, client_port),
            true => carrying(Packet::ip(&client, from_or_to), client_port, port),
        };
        let (before, after) = match is_complaint {
            false => (quoted(service, port), quoted(backend, backend_port)),
            true => (quoted(backend, backend_port), quoted(service, port)),
        };
        let error = |quoted: &Packet, source: &str, destination: &str| {
            let packet = Packet::ip(source, destination).icmp(if is_v6 { 1 } else { 3 }, 1, rest);
            packet.quoting(quoted, quoted.clone().bytes().len() - 14)
        };
        let (came, left, ingress) = match is_complaint {
            false => (error(&before, router, service), error(&after, router, backend), FRONT),
            true => (error(&before, backend, &client), error(&after, service, &client), BACK),
        };
        let ran = run(&came.bytes(), ingress, 64);
        prop_assert!(ran.left(), "{:?}", ran);
        prop_assert_eq!(&ran.frame[14..], &left.ttl(63).bytes()[14..]);
        prop_assert!(oracle::check(&ran.frame).is_ok());
        // What is quoted, in a frame of its own.
        let quote = [&after.bytes()[..14], &ran.frame[14 + if is_v6 { 48 } else { 28 }..]].concat();
        prop_assert!(oracle::check(&quote).is_ok(), "{:?}", oracle::check(&quote));
    }
}

proptest! {
    #![proptest_config(properties(20_000))]

    /// Whoever makes a source up reaches it with no more than he has sent.
    #[test]
    fn a_question_is_never_larger_than_the_syn(shape in shapes(), breakages in breakages(), ingress in interfaces()) {
        let frame = broken(&shape, &breakages);
        let (guarded, open) = (support::run_in(&GUARDED, &frame, ingress, 64), run(&frame, ingress, 64));
        if guarded.left() && guarded.frame != open.frame {
            prop_assert!(guarded.frame.len() <= frame.len(), "{} bytes for {}", guarded.frame.len(), frame.len());
            prop_assert!(oracle::check(&frame).is_err() || oracle::check(&guarded.frame).is_ok(), "{:?}", guarded.frame);
        }
    }

    #[test]
    fn nothing_but_a_syn_is_answered_or_held_up(shape in shapes(), ingress in interfaces()) {
        let frame = shape.packet().bytes();
        let (guarded, open) = (support::run_in(&GUARDED, &frame, ingress, 64), run(&frame, ingress, 64));
        if !(shape.protocol == 6 && shape.is_opening) {
            prop_assert_eq!((guarded.left(), guarded.dropped, guarded.frame), (open.left(), open.dropped, open.frame));
        }
    }
}

/// A number that is right by chance is one in two thousand millions: none of these is, nor is one that is nearly right.
#[test]
fn no_reset_is_believed_by_chance() {
    let reset = |sequence| Packet::v4("10.9.0.7", "10.9.0.100").tcp(40000, 80).rst().sequence(sequence).bytes();
    let believed =
        |sequence| support::run_in(&GUARDED, &reset(sequence), FRONT, 0).dropped == Some(DropReason::SynProof);
    let syn = Packet::v4("10.9.0.7", "10.9.0.100").tcp(40000, 80).syn().bytes();
    let question = support::run_in(&GUARDED, &syn, FRONT, 0).frame;
    let cookie = u32::from_be_bytes(*question[14 + 20 + 8..].first_chunk().expect("an acknowledgement number"));
    assert!(believed(cookie));
    for bit in 0..32 {
        assert!(!believed(cookie ^ 1 << bit), "bit {bit}");
    }
    let mut random = tests::fuzz::Random::new(0xc0_01e);
    let by_chance = (0..200_000).filter(|_| believed(random.bits() as u32)).count();
    assert_eq!(by_chance, 0);
}

/// A differential test: what the compiler made of the datapath, and the kernel's maps and routes, against the library.
#[test]
fn the_loaded_program_agrees_with_the_library() -> Result<()> {
    let mut setup = Setup::default();
    setup.model.firewall.allow = vec!["172.16.64.0/20".parse()?, "2001:db8::2000/115".parse()?];
    setup.model.firewall.deny = vec!["172.16.64.0/18".parse()?, "2001:db8::/114".parse()?];
    let world = World::new(&setup);
    let strategy = (prop_oneof![3 => shapes(), 1 => replies()], breakages(), interfaces());
    kernel::with_runner(|runner| {
        let runner = RefCell::new(runner);
        let agree = |(shape, breakages, ingress): (Shape, Vec<_>, u32)| {
            let frame = broken(&shape, &breakages);
            prop_assume!(frame.len() >= 14, "the kernel refuses to run on less than an Ethernet header");
            let case = Case::bare(frame, ingress);
            let expected = host::run(&case, &world).without_egress();
            let found =
                runner.borrow_mut().run(&case, &world).map_err(|error| TestCaseError::fail(format!("{error:#}")))?;
            let complaint = found.complaint(&expected);
            prop_assert!(complaint.is_none(), "{}", complaint.unwrap_or_default());
            Ok(())
        };
        Ok(TestRunner::new(properties(3_000)).run(&strategy, agree)?)
    })
}

/// The service addresses that the properties rely on are the world's.
#[test]
fn the_worlds_services_are_known() {
    assert!(is_service_address("10.9.0.100".parse::<IpAddr>().unwrap()));
    assert!(!is_service_address("10.9.0.200".parse::<IpAddr>().unwrap()));
    assert_eq!(WORLD.service_ids.len(), 35);
}
