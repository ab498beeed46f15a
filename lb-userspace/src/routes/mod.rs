//! The way to a destination: next hops from the kernel's routes and neighbours.
//!
//! Problem: the datapath must know, for each backend, which interface and MAC address lead to it, without asking the
//! kernel for every packet; and must hear at once when that changes. Mechanism: one task reads the route and the
//! neighbour of each destination through rtnetlink and listens to the kernel's notifications. A notification is never
//! believed, only taken as a hint of what to read again: so lost, repeated and reordered ones cannot lead to a wrong
//! answer, and a burst of them costs one reading. Trade-off: two requests for each destination after a route changed,
//! instead of a route table of our own that would have to agree with the kernel's on rules, metrics and multipath.

mod error;
mod follow;
mod kernel;
mod message;
mod receivers;
mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

pub use error::RoutesError;
use lb_common::Mac;
pub use receivers::receivers;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep},
};

use self::{
    follow::{Command, Follower},
    kernel::Kernel,
};

/// The way to a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextHop {
    /// The index of the interface that packets leave by; of the one below, if the route leads out of a VLAN interface.
    pub ifindex: u32,
    /// The VLAN (802.1Q) whose tag they leave with, if the route leads out of a VLAN interface.
    pub vlan: Option<u16>,
    /// The name of that interface.
    pub interface: String,
    /// The MAC address of the next hop: the destination itself, or the gateway to it.
    pub mac: Mac,
    /// The MAC address of the interface.
    pub source_mac: Mac,
    /// The kernel's preferred source address towards the destination; the unspecified address if the node has none of
    /// the destination's family.
    pub source: IpAddr,
    /// The largest IP packet, in bytes, that the way carries: the route's MTU or the interface's, whichever is less.
    pub mtu: u16,
    /// The destination is this machine itself: packets need not leave. MAC addresses mean nothing then.
    pub is_local: bool,
}

/// Next hops by destination. A destination without a complete next hop (no route, interface down, MAC address unknown)
/// is absent.
pub type NextHops = BTreeMap<IpAddr, NextHop>;

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its MAC address; zero if it is not an Ethernet interface, and then nothing is delivered through it.
    pub mac: Mac,
    /// The largest IP packet, in bytes, that it carries.
    pub mtu: u32,
    /// Whether it is set up and has a carrier.
    pub up: bool,
    /// How an XDP program is attached to it, if one is.
    pub xdp: Option<XdpMode>,
    /// What it stands on, if it is a VLAN of another interface.
    pub vlan: Option<Vlan>,
    /// The index of the interface that it stands on, as a VLAN or a macvlan does, if that is here.
    pub parent: Option<u32>,
    /// The index of the bridge, bond or team that it belongs to.
    pub controller: Option<u32>,
}

/// What a VLAN interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vlan {
    /// The index of the interface that carries the VLAN.
    pub parent: u32,
    /// The VLAN's number, 1 to 4094; `None` if its tags are not those of 802.1Q, and then nothing is delivered through it.
    pub id: Option<u16>,
}

/// Interfaces by index.
pub type Interfaces = BTreeMap<u32, Interface>;

/// How an XDP program is attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XdpMode {
    /// The driver runs it.
    Native,
    /// The kernel runs it after the driver, several times slower.
    Generic,
}

impl XdpMode {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Generic => "generic",
        }
    }
}

/// The interfaces of the caller's network namespace by index.
pub async fn interfaces() -> Result<Interfaces, RoutesError> {
    Kernel::connect()?.interfaces().await
}

/// How long the kernel may take to clean up after a program whose last reference is gone.
const DETACH_TIMEOUT: Duration = Duration::from_secs(1);
/// How often is looked meanwhile.
const DETACH_PAUSE: Duration = Duration::from_millis(1);

/// Waits until none of these interfaces has an XDP program: the kernel detaches one some time after its link's last
/// reference is gone. Gives up after a second, because somebody else may have attached another program.
pub async fn await_detached(interfaces: &BTreeSet<u32>) -> Result<(), RoutesError> {
    if interfaces.is_empty() {
        return Ok(());
    }
    let mut kernel = Kernel::connect()?;
    let end = Instant::now() + DETACH_TIMEOUT;
    while Instant::now() < end {
        let present = kernel.interfaces().await?;
        let has_program = |index| present.get(index).is_some_and(|interface| interface.xdp.is_some());
        if !interfaces.iter().any(has_program) {
            return Ok(());
        }
        sleep(DETACH_PAUSE).await;
    }
    Ok(())
}

/// Follows the kernel's routes and neighbours until it is dropped.
#[derive(Debug)]
pub struct Routes {
    commands: mpsc::Sender<Command>,
}

/// What [`Routes`] publishes whenever it changes.
#[derive(Clone, Debug)]
pub struct Published {
    /// The next hops.
    pub next_hops: watch::Receiver<Arc<NextHops>>,
    /// The network's interfaces; none before they have been read for the first time.
    pub interfaces: watch::Receiver<Arc<Interfaces>>,
}

/// How many commands may wait for the task that performs them.
const COMMAND_QUEUE: usize = 64;

impl Routes {
    /// Starts following the kernel in the caller's network namespace. Must be called inside a tokio runtime.
    pub fn start() -> Result<(Self, Published), RoutesError> {
        let (commands, queue) = mpsc::channel(COMMAND_QUEUE);
        let (publish_hops, next_hops) = watch::channel(Arc::default());
        let (publish_interfaces, interfaces) = watch::channel(Arc::default());
        let kernel = Kernel::follow()?;
        tokio::spawn(Follower::new(publish_hops, publish_interfaces).run(kernel, queue));
        Ok((Self { commands }, Published { next_hops, interfaces }))
    }

    /// Replaces the destinations and returns the next hops as the kernel knows them at this moment.
    ///
    /// Neighbours whose MAC address is unknown are asked for in the background, every second while they are unknown;
    /// the watch channel changes when an answer comes.
    pub async fn set_destinations(&self, destinations: BTreeSet<IpAddr>) -> Result<Arc<NextHops>, RoutesError> {
        self.call(|reply| Command::SetDestinations(destinations, reply)).await
    }

    /// Asks the kernel to find a neighbour's MAC address.
    pub async fn want_neighbour(&self, ifindex: u32, address: IpAddr) -> Result<(), RoutesError> {
        self.call(|reply| Command::WantNeighbour(table::Neighbour { ifindex, address }, reply)).await
    }

    async fn call<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, RoutesError>>) -> Command,
    ) -> Result<T, RoutesError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| RoutesError::Stopped)?;
        answer.await.map_err(|_| RoutesError::Stopped)?
    }
}
