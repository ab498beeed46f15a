//! The agent: what a backend runs so that packets delivered by `ipip` or `gue` (or `l2`) reach its servers.
//!
//! Three things make a machine a backend, and the agent does all of them and undoes them when it ends: the service's
//! address on loopback, so that the machine takes the packets and answers from it; the ARP settings without which it
//! would claim the address from the node; and an XDP program that takes the outer headers off. The program is attached
//! by a link that lives as long as the process, so even a killed agent leaves none behind.

mod address;
mod program;
mod sysctl;

use std::net::IpAddr;

use anyhow::Context;
use ipnet::IpNet;
use tokio::signal::unix::{SignalKind, signal};

use self::{address::Loopback, program::Program, sysctl::Sysctls};

/// What the agent is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The interface that encapsulated packets arrive on.
    pub interface: String,
    /// The services' addresses and prefixes.
    pub addresses: Vec<IpNet>,
    /// The nodes that packets are taken from; empty: any.
    pub from: Vec<IpAddr>,
    /// The UDP port at which GUE packets arrive.
    pub gue_port: u16,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
///
/// Something could not be set up; what was set up before has been undone.
pub async fn run(options: Options) -> anyhow::Result<()> {
    anyhow::ensure!(nix::unistd::Uid::effective().is_root(), "the agent loads a BPF program and must run as root");
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut sysctls = Sysctls::default();
    let mut loopback = Loopback::connect()?;
    let result = set_up(&options, &mut sysctls, &mut loopback).await;
    if result.is_ok() {
        tracing::info!(interface = options.interface, addresses = ?options.addresses, "ready");
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    // First the addresses: while they are there, the ARP settings must be.
    loopback.remove_added().await;
    sysctls.restore();
    result.map(drop)
}

/// Sets everything up; the program runs for as long as the result lives.
async fn set_up(options: &Options, sysctls: &mut Sysctls, loopback: &mut Loopback) -> anyhow::Result<Program> {
    let interface = options.interface.as_str();
    let program = Program::attach(options).with_context(|| format!("could not attach to {interface}"))?;
    // RFC 826 knows nothing of addresses on loopback: answer ARP only for the interface's own addresses, and never
    // announce the service's.
    sysctls.set(&format!("net/ipv4/conf/{interface}/arp_ignore"), "1")?;
    sysctls.set(&format!("net/ipv4/conf/{interface}/arp_announce"), "2")?;
    for address in &options.addresses {
        let added =
            if is_prefix(address) { loopback.add_prefix(*address).await } else { loopback.add(address.addr()).await };
        added.with_context(|| format!("could not add {address} to the loopback interface"))?;
    }
    Ok(program)
}

/// Whether this is more than one address.
fn is_prefix(address: &IpNet) -> bool {
    address.prefix_len() < address.max_prefix_len()
}
