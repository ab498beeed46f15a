//! A place of the bench's own, of which nothing is left however the process ends: a network namespace, and a mount
//! namespace with an empty BPF file system where pins go.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use lb_common::Mac;
use nix::{
    mount::{MsFlags, mount},
    net::if_::if_nametoindex,
    sched::{CloneFlags, CpuSet, sched_setaffinity, unshare},
    unistd::Pid,
};

/// Where the private BPF file system is mounted.
const PINS: &str = "/sys/fs/bpf";

/// The interface that test runs come in by: the loopback interface, index 1 in every network namespace.
pub const INGRESS: u32 = 1;

/// An interface with a neighbour behind it, for packets that the kernel routes.
#[derive(Clone, Copy, Debug)]
pub struct Uplink {
    /// Its index.
    pub ifindex: u32,
    /// Its MAC address.
    pub mac: Mac,
    /// The MAC address of every client behind it.
    pub neighbour: Mac,
}

const UPLINK_MAC: [u8; 6] = [2, 0, 0, 0, 1, 1];
const NEIGHBOUR_MAC: [u8; 6] = [2, 0, 0, 0, 1, 2];

/// Moves the process, which must have one thread, into the sandbox.
///
/// # Errors
///
/// No permission, most likely.
pub fn enter() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET)
        .context("could not make namespaces: the bench must run as root")?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
        .context("could not make the mounts private")?;
    mount(Some("bpf"), PINS, Some("bpf"), MsFlags::empty(), None::<&str>)
        .with_context(|| format!("could not mount a BPF file system at {PINS}"))
}

/// A directory for pins.
pub fn pins(name: &str) -> PathBuf {
    Path::new(PINS).join(name)
}

/// Runs this process on one CPU only.
///
/// # Errors
///
/// There is no such CPU.
pub fn pin_to_cpu(cpu: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("could not move to CPU {cpu}"))
}

/// Makes the uplink, with `client` behind it, and turns forwarding on.
///
/// # Errors
///
/// A command failed.
pub fn make_uplink(client: &str) -> Result<Uplink> {
    ip(&["link", "set", "lo", "up"])?;
    let (mac, neighbour) = (text(UPLINK_MAC), text(NEIGHBOUR_MAC));
    ip(&["link", "add", "uplink", "address", &mac, "type", "veth", "peer", "name", "far"])?;
    ip(&["link", "set", "far", "up"])?;
    ip(&["link", "set", "uplink", "up"])?;
    ip(&["route", "add", client, "dev", "uplink"])?;
    ip(&["neighbour", "add", client, "lladdr", &neighbour, "dev", "uplink", "nud", "permanent"])?;
    fs::write("/proc/sys/net/ipv4/conf/all/forwarding", "1").context("could not turn forwarding on")?;
    let ifindex = if_nametoindex("uplink")?;
    Ok(Uplink { ifindex, mac: Mac::new(UPLINK_MAC), neighbour: Mac::new(NEIGHBOUR_MAC) })
}

fn text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn ip(arguments: &[&str]) -> Result<()> {
    let command = || format!("ip {}", arguments.join(" "));
    let output = Command::new("ip").args(arguments).output().with_context(command)?;
    ensure!(output.status.success(), "{}: {}", command(), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}
