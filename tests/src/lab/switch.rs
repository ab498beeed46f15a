//! A switch that hosts are plugged into.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;

use super::{Namespace, receiver::Receiver, until};

/// Ethernet's.
const DEFAULT_MTU_BYTES: u32 = 1500;

/// How long the kernel may take to see that a link is up.
const LINK_PATIENCE: Duration = Duration::from_secs(10);

/// A learning switch: a bridge in a namespace of its own.
#[derive(Debug)]
pub struct Switch {
    namespace: Namespace,
    mtu_bytes: u32,
    ports: Mutex<Ports>,
}

#[derive(Debug)]
struct Ports {
    count: u32,
    receiver: Receiver,
}

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
        Ok(Self { namespace, mtu_bytes, ports: Mutex::new(Ports { count: 0, receiver: Receiver::load()? }) })
    }

    /// A new host with one interface, `eth0`, that has these addresses (`10.9.0.1/24`, `fd09::1/64`).
    pub fn host(&self, name: &str, addresses: &[&str]) -> anyhow::Result<Namespace> {
        let host = Namespace::new(name)?;
        self.attach(&host, "eth0", addresses)?;
        Ok(host)
    }

    /// Plugs a host in: makes this interface there, up and with these addresses.
    ///
    /// Nobody leaves checksums or segmentation to the card, as there is none: a fault would stay invisible. The host
    /// receives with GRO, without which veth silently drops what is redirected to it, and the switch with a program of
    /// its own, so that it receives what the host's XDP program transmits as a card would (see `receiver`).
    pub fn attach(&self, host: &Namespace, interface: &str, addresses: &[&str]) -> anyhow::Result<()> {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        let port = format!("port{}", ports.count);
        ports.count += 1;
        let mtu_bytes = self.mtu_bytes;
        host.ip(&format!(
            "link add {interface} mtu {mtu_bytes} type veth peer name {port} mtu {mtu_bytes} netns {}",
            self.namespace.path().display()
        ))
        .with_context(|| format!("cannot plug {} into {}", host.name(), self.namespace.name()))?;
        for (namespace, device) in [(host, interface), (&self.namespace, &*port)] {
            namespace.run("ethtool", &["-K", device, "tx", "off", "tso", "off", "gro", "on"])?;
        }
        ports.receiver.attach(&self.namespace, &port)?;
        self.namespace.ip(&format!("link set {port} master bridge up"))?;
        host.ip(&format!("link set {interface} up"))?;
        for address in addresses {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            host.ip(&format!("address add {address} dev {interface} {nodad}"))?;
        }
        await_up(host, interface)?;
        await_up(&self.namespace, &port)
    }

    /// The switch's own namespace, for those who want to listen in or pull a plug.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

/// Waits until the kernel knows that a link is up, which it learns later than who has set it up. Before that, it throws away
/// what is sent there.
fn await_up(namespace: &Namespace, interface: &str) -> anyhow::Result<()> {
    until(&format!("{interface} in {} should be up", namespace.name()), LINK_PATIENCE, || {
        let shown = namespace.ip(&format!("-oneline link show dev {interface}")).ok()?;
        shown.contains("state UP").then_some(())
    })
}
