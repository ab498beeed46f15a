//! `sluice agent`.

use std::net::IpAddr;

use clap::Args;
use ipnet::IpNet;

use super::{Failure, log};
use crate::{
    agent::{self, Options},
    config::prefix,
    model::Service,
};

const EXAMPLES: &str = "\
Examples:
  sluice agent --interface eth0 --address 192.0.2.80
  sluice agent --interface eth0 --address 192.0.2.80 2001:db8::80 --from 10.0.0.1 10.0.0.2
  sluice agent --interface eth0 --address 198.51.100.0/24";

/// Run on a backend of an ipip or gue service: unwrap what Sluice sends and own the services' addresses.
///
/// Attaches an XDP program that takes the outer headers off, and puts the addresses on the loopback interface without
/// announcing them. All of that is undone when the agent ends.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Agent {
    /// The interface on which the encapsulated packets arrive.
    #[arg(long, value_name = "IFACE")]
    interface: String,

    /// The addresses or prefixes of the services that this backend stands behind.
    #[arg(long = "address", value_name = "ADDRESS", required = true, num_args = 1.., value_parser = prefix::prefix)]
    addresses: Vec<IpNet>,

    /// Unwrap only packets from these nodes (their addresses as this backend sees them); without it, from anywhere.
    #[arg(long, value_name = "NODE", num_args = 1..)]
    from: Vec<IpAddr>,

    /// The UDP port of the gue services (their `gue_port`).
    #[arg(long, value_name = "PORT", default_value_t = Service::DEFAULT_GUE_PORT, value_parser = clap::value_parser!(u16).range(1..))]
    gue_port: u16,
}

impl Agent {
    pub(super) async fn run(self) -> Result<(), Failure> {
        log::start()?;
        let Self { interface, addresses, from, gue_port } = self;
        let options = Options { interface, addresses, from, gue_port };
        agent::run(options).await.map_err(|error| Failure::machine(format_args!("{error:#}")))
    }
}
