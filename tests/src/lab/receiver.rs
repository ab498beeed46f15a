//! An XDP program that passes everything, for the ends of links that XDP programs transmit to.
//!
//! Problem: what a program transmits (`XDP_TX`) on a veth goes into a ring at its peer, and the kernel wakes the peer up
//! only if that has a program, too (`veth_xdp_flush` in drivers/net/veth.c); with GRO alone the frame waits there for
//! whatever happens to be sent next in the ordinary way. Cards know nothing of this. Mechanism: Sluice's agent without
//! addresses, which passes every packet untouched.

use std::fmt;

use anyhow::Context;
use aya::{
    Ebpf,
    programs::{Xdp, XdpMode},
};
use lb_userspace::dataplane::AGENT_OBJECT;
use nix::net::if_::if_nametoindex;

use super::Namespace;

const PROGRAM: &str = "sluice_agent";

/// The loaded program. What it is attached to receives as cards do, until it is dropped.
pub(super) struct Receiver {
    ebpf: Ebpf,
}

impl Receiver {
    /// Loads the program.
    pub(super) fn load() -> anyhow::Result<Self> {
        let mut ebpf = Ebpf::load(AGENT_OBJECT).context("cannot load the program that passes everything")?;
        program(&mut ebpf)?.load()?;
        Ok(Self { ebpf })
    }

    /// Attaches the program to an interface.
    pub(super) fn attach(&mut self, namespace: &Namespace, interface: &str) -> anyhow::Result<()> {
        let program = program(&mut self.ebpf)?;
        namespace
            .enter(|| -> anyhow::Result<()> {
                program.attach(if_nametoindex(interface)?, XdpMode::Driver)?;
                Ok(())
            })?
            .with_context(|| format!("cannot attach to {interface} in {}", namespace.name()))
    }
}

fn program(ebpf: &mut Ebpf) -> anyhow::Result<&mut Xdp> {
    Ok(ebpf.program_mut(PROGRAM).with_context(|| format!("the object has no program {PROGRAM}"))?.try_into()?)
}

impl fmt::Debug for Receiver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Receiver")
    }
}
