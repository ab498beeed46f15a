//! The road that packets travel: generator → veth → node → veth → sink.

use std::{
    process,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf,
    maps::{Array, DevMap, PerCpuArray},
    programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp, XdpMode, xdp::XdpLinkId},
};
use lb_common::{BenchPacket, Hits};
use lb_userspace::dataplane::{BENCH_OBJECT, Plain};
use nix::net::if_::if_nametoindex;

use super::napi::{Receiver, hurry};
use crate::{
    bench::packet::{Payload, Template, Walk},
    lab::Namespace,
};

/// MAC addresses of generator and node, as they stand in the packets.
const GENERATOR_MAC: &str = "02:00:00:00:00:01";
const NODE_MAC: &str = "02:00:00:00:00:02";
/// The node's address on the backends' network, and its length of prefix.
const BACK_ADDRESS: &str = "10.1.255.254/16";

/// Frames that are in flight between two looks at the clock.
const BURST: u32 = 100_000;
/// Frames that the generator makes at a time.
const BATCH: u32 = 64;

/// The packets: 64 bytes, of a thousand flows.
const FLOW_BITS: u32 = 10;
/// The length of a packet that the generator sends, in bytes.
pub(in crate::bench) const FRAME_BYTES: usize = 64;

/// The road. Its ends are namespaces that end with it.
pub(super) struct Road {
    generator: Namespace,
    /// What stands in the middle.
    pub(super) node: Namespace,
    _sink: Namespace,
    /// The interface that packets come in by.
    pub(super) front: String,
    /// The one that they leave by.
    pub(super) back: String,
    receiver: Receiver,
    source: Ebpf,
    middle: Ebpf,
    end: Ebpf,
    frame: Vec<u8>,
}

/// What arrived at a place in some time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Passed {
    /// Packets.
    pub(super) packets: u64,
    /// Their bytes.
    pub(super) bytes: u64,
    /// Seconds.
    pub(super) seconds: f64,
    /// The run time of the node's receiver, in nanoseconds.
    pub(super) run_ns: u64,
}

/// Where packets are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At the node, where the road ends early.
    Node,
    /// At its end.
    Sink,
}

impl Road {
    /// Builds the road for packets to a service.
    pub(super) fn build(service: std::net::SocketAddr) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let front = format!("f{}{}", process::id(), char::from(b'a' + (number % 26) as u8));
        let back = "back".to_owned();
        let [generator, node, sink] = ["generator", "node", "sink"].map(Namespace::new);
        let (generator, node, sink) = (generator?, node?, sink?);
        link(&generator, "out", GENERATOR_MAC, &node, &front, NODE_MAC)?;
        link(&node, &back, "02:00:00:00:00:03", &sink, "in", "02:00:00:00:00:04")?;
        node.ip(&format!("address add {BACK_ADDRESS} dev {back}"))?;
        node.set("ipv4/ip_forward", "1")?;
        // Without a program, veth polls nothing unless it is to gather segments.
        node.run("ethtool", &["-K", &front, "gro", "on"])?;
        let receiver = Receiver::start(&node, &front)?;
        let (source, mut middle, mut end) = (load()?, load()?, load()?);
        for name in ["sluice_bare", "sluice_sink"] {
            program(&mut middle, name)?.load()?;
        }
        program(&mut end, "sluice_sink")?.load()?;
        let mut road = Self {
            generator,
            node,
            _sink: sink.clone(),
            front,
            back,
            receiver,
            source,
            middle,
            end,
            frame: Vec::new(),
        };
        road.aim(service)?;
        attach(&sink, program(&mut road.end, "sluice_sink")?, "in")?;
        set_outlet(&road.node, &mut road.middle, &road.back)?;
        Ok(road)
    }

    /// Makes the generator send to a service.
    fn aim(&mut self, service: std::net::SocketAddr) -> Result<()> {
        let source = "10.2.0.1:1024".parse()?;
        let template = Template { payload: Payload::Tcp, source, destination: service, frame_bytes: FRAME_BYTES };
        self.frame = template.build()?;
        let packet = Walk::clients(FLOW_BITS).wrap(&self.frame)?;
        program(&mut self.source, "sluice_generator")?.load()?;
        let map = self.source.map_mut("packet").context("the object has no map packet")?;
        Array::<_, Plain<BenchPacket>>::try_from(map)?.set(0, &Plain(packet), 0)?;
        set_outlet(&self.generator, &mut self.source, "out")
    }

    /// Puts the bare forwarder (or, to count at the node, a sink) in the middle, and sends for a while.
    pub(super) fn through_bare(&mut self, place: Place, duration: Duration) -> Result<Passed> {
        let name = if place == Place::Node { "sluice_sink" } else { "sluice_bare" };
        let link = attach(&self.node, program(&mut self.middle, name)?, &self.front)?;
        let passed = self.send(place, duration);
        program(&mut self.middle, name)?.detach(link)?;
        passed
    }

    /// Sends for a while through whatever is in the middle.
    pub(super) fn send(&mut self, place: Place, duration: Duration) -> Result<Passed> {
        self.burst()?;
        let (before, run_ns, start) = (self.arrived(place)?, self.receiver.run_ns()?, Instant::now());
        while start.elapsed() < duration {
            self.burst()?;
        }
        let seconds = start.elapsed().as_secs_f64();
        let (after, run_ns) = (self.arrived(place)?, self.receiver.run_ns()? - run_ns);
        let (packets, bytes) = (after.packets - before.packets, after.bytes - before.bytes);
        ensure!(packets > 0, "no packet has arrived at the end of the road");
        Ok(Passed { packets, bytes, seconds, run_ns })
    }

    /// Sends some packets, as fast as possible.
    fn burst(&mut self) -> Result<()> {
        let Self { generator, source, frame, .. } = self;
        send_live(generator, program(source, "sluice_generator")?, frame)
    }

    fn arrived(&self, place: Place) -> Result<Hits> {
        let object = if place == Place::Node { &self.middle } else { &self.end };
        let map = object.map("arrived").context("the object has no map arrived")?;
        let values = PerCpuArray::<_, Plain<Hits>>::try_from(map)?.get(&0, 0)?;
        let add = |sum: Hits, Plain(cpu): &Plain<Hits>| Hits {
            packets: sum.packets + cpu.packets,
            bytes: sum.bytes + cpu.bytes,
        };
        Ok(values.iter().fold(Hits::default(), add))
    }
}

fn load() -> Result<Ebpf> {
    Ebpf::load(BENCH_OBJECT).context("could not load the bench's object")
}

/// Has a program make some packets, as fast as possible.
pub(in crate::bench) fn send_live(generator: &Namespace, program: &mut Xdp, frame: &[u8]) -> Result<()> {
    let mut options = TestRunOptions::new();
    options.data_in = Some(frame);
    options.repeat = BURST;
    options.attrs = TestRunAttrs::new().xdp_live_frames(BATCH);
    // The map names an interface of this namespace.
    let sent = generator.enter(|| -> Result<_> {
        hurry(0)?;
        Ok(program.test_run(options)?)
    })?;
    sent.context("the kernel refuses to send live frames").map(drop)
}

/// A program of the bench's object.
pub(in crate::bench) fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp> {
    Ok(ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?.try_into()?)
}

/// Attaches a program to an interface of a namespace.
pub(in crate::bench) fn attach(namespace: &Namespace, program: &mut Xdp, interface: &str) -> Result<XdpLinkId> {
    let attached =
        namespace.enter(|| -> Result<_> { Ok(program.attach(if_nametoindex(interface)?, XdpMode::Driver)?) })?;
    attached.with_context(|| format!("cannot attach to {interface} in {}", namespace.name()))
}

/// Names the interface that the generator sends by.
pub(in crate::bench) fn set_outlet(namespace: &Namespace, ebpf: &mut Ebpf, interface: &str) -> Result<()> {
    let map = ebpf.map_mut("outlet").context("the object has no map outlet")?;
    let mut outlet = DevMap::try_from(map)?;
    namespace.enter(|| -> Result<_> { Ok(outlet.set(0, if_nametoindex(interface)?, None, 0)?) })?
}

/// Two interfaces that are each other's peers, without IPv6, whose chatter would be counted.
pub(in crate::bench) fn link(
    one: &Namespace,
    name: &str,
    mac: &str,
    other: &Namespace,
    peer: &str,
    peer_mac: &str,
) -> Result<()> {
    one.set("ipv6/conf/default/disable_ipv6", "1")?;
    other.set("ipv6/conf/default/disable_ipv6", "1")?;
    let path = other.path();
    one.ip(&format!(
        "link add {name} address {mac} type veth peer name {peer} address {peer_mac} netns {}",
        path.display()
    ))?;
    one.ip(&format!("link set {name} up"))?;
    other.ip(&format!("link set {peer} up")).map(drop)
}
