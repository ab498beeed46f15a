//! The agent.

use std::net::IpAddr;

/// What the agent is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The interface that encapsulated packets arrive on.
    pub interface: String,
    /// The services' addresses.
    pub addresses: Vec<IpAddr>,
    /// The nodes that packets are taken from; empty: any.
    pub from: Vec<IpAddr>,
}

/// Runs until it is told to stop.
pub async fn run(_options: Options) -> anyhow::Result<()> {
    anyhow::bail!("this build has no agent")
}
