//! The line that packets come by: generator → veth → what drops them.

use std::{
    process, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use aya::{Ebpf, EbpfLoader, maps::Array};
use lb_common::BenchPacket;
use lb_userspace::{
    dataplane::{BENCH_OBJECT, Plain},
    lists::Prefixes,
};

use super::barrier::{Barrier, Standing};
use crate::{
    bench::{
        packet::{Payload, Template, Walk},
        traffic::{FRAME_BYTES, Receiver, link, program, send_live, set_outlet},
    },
    lab::Namespace,
};

/// The address and port that all packets are for.
pub(super) const DESTINATION: &str = "198.18.0.1:80";

/// The generator of packets from many sources.
pub(super) struct Crowd {
    namespace: Namespace,
    ebpf: Ebpf,
    frame: Vec<u8>,
    packet: BenchPacket,
}

impl Crowd {
    /// A generator with room for so many sources, a power of two.
    pub(super) fn new(sources: u32) -> Result<Self> {
        let mut loader = EbpfLoader::new();
        let mut ebpf = loader.map_max_entries("sources", sources).load(BENCH_OBJECT)?;
        let (source, destination) = ("10.2.0.1:1024".parse()?, DESTINATION.parse()?);
        let template = Template { payload: Payload::Tcp, source, destination, frame_bytes: FRAME_BYTES };
        let frame = template.build()?;
        let packet = Walk::default().wrap(&frame)?;
        set_packet(&mut ebpf, packet)?;
        program(&mut ebpf, "sluice_crowd")?.load()?;
        Ok(Self { namespace: Namespace::new("crowd")?, ebpf, frame, packet })
    }

    /// Gives the packets these sources.
    pub(super) fn set_sources(&mut self, sources: &[[u32; 4]]) -> Result<()> {
        let map = self.ebpf.map_mut("sources").context("the object has no map sources")?;
        let mut map = Array::<_, [u32; 4]>::try_from(map)?;
        for (number, source) in (0..).zip(sources) {
            map.set(number, source, 0)?;
        }
        let mask = self.ebpf.map_mut("source_mask").context("the object has no map source_mask")?;
        Ok(Array::<_, u64>::try_from(mask)?.set(0, &(sources.len() as u64 - 1), 0)?)
    }

    /// The packet that all are made of.
    pub(super) const fn packet(&self) -> BenchPacket {
        self.packet
    }
}

/// Says which packet the programs of the bench's object make or expect.
pub(super) fn set_packet(ebpf: &mut Ebpf, packet: BenchPacket) -> Result<()> {
    let map = ebpf.map_mut("packet").context("the object has no map packet")?;
    Ok(Array::<_, Plain<BenchPacket>>::try_from(map)?.set(0, &Plain(packet), 0)?)
}

/// A line with something at its end that drops what comes.
pub(super) struct Line {
    barrier: Barrier,
    standing: Standing,
    outlet: String,
    node: Namespace,
    front: String,
    receiver: Receiver,
}

impl Line {
    pub(super) fn new(barrier: Barrier, crowd: &Crowd, nets: &Prefixes) -> Result<Self> {
        let node = Namespace::new("node")?;
        let (outlet, front) = (format!("to-{}", barrier.name()), format!("w{}{}", process::id(), barrier.letter()));
        link(&crowd.namespace, &outlet, "02:00:00:00:00:01", &node, &front, "02:00:00:00:00:02")?;
        // Without a program, veth polls nothing unless it is to gather segments.
        node.run("ethtool", &["-K", &front, "gro", "on"])?;
        let receiver = Receiver::start(&node, &front)?;
        let standing = barrier.stand(&node, &front, nets, crowd.packet())?;
        Ok(Self { barrier, standing, outlet, node, front, receiver })
    }

    pub(super) const fn barrier(&self) -> Barrier {
        self.barrier
    }

    /// Sends for a while; returns the run time of the receiver for a packet, in nanoseconds.
    pub(super) fn send(&mut self, crowd: &mut Crowd, duration: Duration) -> Result<f64> {
        set_outlet(&crowd.namespace, &mut crowd.ebpf, &self.outlet)?;
        self.burst(crowd)?;
        let (packets, run_ns, start) = (self.received()?, self.receiver.run_ns()?, Instant::now());
        while start.elapsed() < duration {
            self.burst(crowd)?;
        }
        let packets = self.received()? - packets;
        ensure!(packets > 0, "no packet has arrived");
        Ok((self.receiver.run_ns()? - run_ns) as f64 / packets as f64)
    }

    fn burst(&self, crowd: &mut Crowd) -> Result<()> {
        let Crowd { namespace, ebpf, frame, .. } = crowd;
        send_live(namespace, program(ebpf, "sluice_crowd")?, frame)?;
        // What is still on the way is soon through.
        thread::sleep(Duration::from_millis(1));
        Ok(())
    }

    /// How many packets the interface has received, by its own account, with a program or without.
    fn received(&self) -> Result<u64> {
        let text = self.node.run("ethtool", &["-S", &self.front])?;
        let number = text.lines().find_map(|line| line.trim().strip_prefix("rx_queue_0_xdp_packets: "));
        number.and_then(|number| number.trim().parse().ok()).context("ethtool does not say what was received")
    }

    /// Makes sure that what was sent was listed, or that nothing was.
    pub(super) fn check(&self, is_listed: bool) -> Result<()> {
        let Some(counted) = self.standing.counted()? else { return Ok(()) };
        ensure!((counted > 0) == is_listed, "{counted} packets were found on the list");
        Ok(())
    }
}
