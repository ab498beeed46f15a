//! Runs, random packets and independent readings of them, for the properties.

mod breakage;
mod shape;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::LazyLock,
};

use etherparse::{SlicedPacket, TransportSlice};
use lb_common::{Address, DropReason};
use lb_ebpf::{
    agent::AgentTables,
    frame::MemoryFrame,
    parse::{self, Transport},
    verdict::Verdict,
};
use lb_userspace::model::{Sanity, SynProtection};
use proptest::{
    prelude::*,
    test_runner::{Config, RngSeed},
};
use tests::{
    packet::ends,
    tables::SnapshotTables,
    world::{BACK, FAR, FRONT, SIDE, Setup, World, route},
};

pub(crate) use self::{
    breakage::{Breakage, breakages, broken, damaged},
    shape::{Shape, replies, shapes},
};

/// The world that all properties run in.
pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| World::new(&Setup::default()));

/// The same world, in which every TCP service is protected against SYNs at any time.
pub(crate) static GUARDED: LazyLock<World> = LazyLock::new(|| {
    let mut setup = Setup::default();
    setup.model.services.iter_mut().for_each(|service| service.syn_protection = SynProtection::Always);
    World::new(&setup)
});

/// The same packets in every run: a test that fails today failed yesterday.
pub(crate) fn properties(cases: u32) -> Config {
    Config { cases, rng_seed: RngSeed::Fixed(0x51_1ce), failure_persistence: None, ..Config::default() }
}

/// An interface of the world.
pub(crate) fn interfaces() -> impl Strategy<Value = u32> {
    prop::sample::select(vec![FRONT, BACK, SIDE, FAR])
}

/// Ports that clients have, and amplifiers have not; 0, which is nobody's, is no neighbour of theirs.
pub(crate) fn client_ports() -> impl Strategy<Value = u16> {
    (2u16..).prop_filter("a client's port", |port| !Sanity::AMPLIFIERS.contains(port))
}

/// What a run shows.
#[derive(Debug)]
pub(crate) struct Ran {
    verdict: Verdict,
    pub(crate) frame: Vec<u8>,
    pub(crate) dropped: Option<DropReason>,
}

impl Ran {
    pub(crate) fn passed(&self) -> bool {
        self.verdict == Verdict::Pass
    }

    pub(crate) fn left(&self) -> bool {
        matches!(self.verdict, Verdict::Transmit | Verdict::Redirect(_))
    }
}

/// Runs the datapath on a frame.
pub(crate) fn run(frame: &[u8], ingress: u32, headroom: usize) -> Ran {
    run_in(&WORLD, frame, ingress, headroom)
}

/// Runs the datapath on a frame in another world.
pub(crate) fn run_in(world: &World, frame: &[u8], ingress: u32, headroom: usize) -> Ran {
    let tables = SnapshotTables::new(&world.snapshot, |packet| route(packet, ingress));
    let mut buffer = vec![0xa5; headroom];
    buffer.extend(frame);
    let mut frame = MemoryFrame::new(&mut buffer, headroom, ingress);
    let verdict = lb_ebpf::process(&mut frame, &tables);
    let dropped = tables.counts().drops.into_keys().next();
    Ran { verdict, frame: frame.bytes().to_vec(), dropped }
}

/// Takes the outer header off a frame, as an agent that trusts everybody.
pub(crate) fn decapsulate(frame: &[u8]) -> Vec<u8> {
    struct Trusting;
    impl AgentTables for Trusting {
        fn serves(&self, _: &Address) -> bool {
            true
        }
        fn trusts(&self, _: &Address) -> bool {
            true
        }
        fn gue_port(&self) -> u16 {
            6080
        }
        fn count_decapsulated(&self, _: u64) {}
    }
    let mut bytes = frame.to_vec();
    let mut frame = MemoryFrame::new(&mut bytes, 0, 1);
    lb_ebpf::agent::decapsulate(&mut frame, &Trusting);
    frame.bytes().to_vec()
}

/// Where a frame says that it goes, read at fixed places.
pub(crate) fn destination(frame: &[u8]) -> Option<IpAddr> {
    let mut at = 12;
    for _ in 0..2 {
        if matches!(frame.get(at..at + 2)?, [0x81, 0] | [0x88, 0xa8]) {
            at += 4;
        }
    }
    let header = frame.get(at + 2..)?;
    match frame.get(at..at + 2)? {
        [8, 0] => Some(Ipv4Addr::from(<[u8; 4]>::try_from(header.get(16..20)?).ok()?).into()),
        [0x86, 0xdd] => Some(Ipv6Addr::from(<[u8; 16]>::try_from(header.get(24..40)?).ok()?).to_canonical()),
        _ => None,
    }
}

/// Whether an address is that of a service of the world.
pub(crate) fn is_service_address(address: IpAddr) -> bool {
    WORLD.snapshot.services.keys().any(|key| key.address == address.into())
}

/// Checks that the datapath and etherparse read a well-formed packet alike.
pub(crate) fn check_parse(shape: &Shape) -> Result<(), TestCaseError> {
    let bytes = shape.packet().bytes();
    let (source, destination) = ends(&bytes);
    let sliced = SlicedPacket::from_ethernet(&bytes).expect("a well-formed frame");
    let flags = match &sliced.transport {
        Some(TransportSlice::Tcp(tcp)) => Some(tcp.slice()[13]),
        _ => None,
    };
    let (is_udp, is_echo) = (matches!(sliced.transport, Some(TransportSlice::Udp(_))), shape.is_echo());

    let mut place = None;
    let packet = parse::packet(&MemoryFrame::new(&mut bytes.clone(), 0, 1), &mut place).expect("an IP packet");
    prop_assert_eq!(packet.defect, None);
    prop_assert_eq!((IpAddr::from(packet.source), packet.source_port), source);
    prop_assert_eq!((IpAddr::from(packet.destination), packet.destination_port), destination);
    prop_assert_eq!(packet.ttl, shape.ttl);
    prop_assert_eq!(packet.traffic_class, shape.traffic_class);
    let expected = match flags {
        Some(flags) => Transport::Tcp { flags },
        None if is_udp => Transport::Udp,
        None if is_echo => Transport::EchoRequest,
        None => Transport::Other,
    };
    prop_assert_eq!(packet.transport, expected);
    Ok(())
}
