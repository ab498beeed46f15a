//! A switch that hosts are plugged into.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU32, Ordering},
};

use anyhow::Context;
use aya::{
    Ebpf,
    programs::{Xdp, XdpMode},
};
use lb_userspace::dataplane::BENCH_OBJECT;

use super::Namespace;

/// Ethernet's.
const DEFAULT_MTU_BYTES: u32 = 1500;

/// A learning switch: a bridge in a namespace of its own.
#[derive(Debug)]
pub struct Switch {
    namespace: Namespace,
    mtu_bytes: u32,
    ports: AtomicU32,
    /// The program on the ports, with its links.
    program: Mutex<Ebpf>,
}

/// The program that lets everything pass.
const PASS: &str = "sluice_pass";

impl Switch {
    /// A switch without hosts; its links carry 1500 bytes.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        Self::with_mtu(name, DEFAULT_MTU_BYTES)
    }

    /// A switch whose links carry this many bytes.
    pub fn with_mtu(name: &str, mtu_bytes: u32) -> anyhow::Result<Self> {
        let namespace = Namespace::new(name)?;
        namespace.set("ipv6/conf/default/disable_ipv6", "1")?;
        // Without snooping, neighbour discovery works from the first packet on.
        namespace.ip(&format!("link add bridge mtu {mtu_bytes} type bridge stp_state 0 mcast_snooping 0"))?;
        namespace.ip("link set bridge up")?;
        Ok(Self { namespace, mtu_bytes, ports: AtomicU32::new(0), program: Mutex::new(load()?) })
    }

    /// A new host with one interface, `eth0`, that has these addresses (`10.9.0.1/24`, `fd09::1/64`).
    pub fn host(&self, name: &str, addresses: &[&str]) -> anyhow::Result<Namespace> {
        let host = Namespace::new(name)?;
        self.attach(&host, "eth0", addresses)?;
        Ok(host)
    }

    /// Plugs a host in: makes this interface there, up and with these addresses.
    ///
    /// Nobody leaves checksums or segmentation to the card, as there is none: a fault would stay invisible. Both ends
    /// receive with GRO, without which veth silently drops what the other end's XDP program transmits or redirects;
    /// and the port has an XDP program, without which what the other end transmits is delivered late: veth wakes only a
    /// peer that has one (`veth_xdp_flush` in the kernel's drivers/net/veth.c).
    pub fn attach(&self, host: &Namespace, interface: &str, addresses: &[&str]) -> anyhow::Result<()> {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        let mtu_bytes = self.mtu_bytes;
        host.ip(&format!(
            "link add {interface} mtu {mtu_bytes} type veth peer name {port} mtu {mtu_bytes} netns {}",
            self.namespace.path().display()
        ))
        .with_context(|| format!("cannot plug {} into {}", host.name(), self.namespace.name()))?;
        for (namespace, device) in [(host, interface), (&self.namespace, &*port)] {
            namespace.run("ethtool", &["-K", device, "tx", "off", "tso", "off", "gro", "on"])?;
        }
        self.namespace.ip(&format!("link set {port} master bridge up"))?;
        host.ip(&format!("link set {interface} up"))?;
        self.namespace.enter(|| self.let_pass(&port))??;
        for address in addresses {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            host.ip(&format!("address add {address} dev {interface} {nodad}"))?;
        }
        Ok(())
    }

    /// Puts the program on a port; called in the switch's namespace.
    fn let_pass(&self, port: &str) -> anyhow::Result<()> {
        let mut ebpf = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        let program: &mut Xdp = ebpf.program_mut(PASS).context("no such program")?.try_into()?;
        let index = nix::net::if_::if_nametoindex(port)?;
        program.attach(index, XdpMode::Driver).with_context(|| format!("cannot attach to {port}"))?;
        Ok(())
    }

    /// The switch's own namespace, for those who want to listen in or pull a plug.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

fn load() -> anyhow::Result<Ebpf> {
    let mut ebpf = Ebpf::load(BENCH_OBJECT)?;
    let program: &mut Xdp = ebpf.program_mut(PASS).context("no such program")?.try_into()?;
    program.load()?;
    Ok(ebpf)
}
