//! Sluice's agent on a backend.

use std::time::Duration;

use anyhow::Context;
use tempfile::TempDir;

use super::{Namespace, Process, sluice_binary};

/// `sluice agent` in a namespace: takes the outer header off, and holds the service's addresses.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    folder: TempDir,
}

impl Agent {
    /// Starts an agent on an interface and waits until the host has the addresses, which may be prefixes.
    pub fn start(namespace: &Namespace, interface: &str, addresses: &[impl ToString]) -> anyhow::Result<Self> {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let folder = tempfile::Builder::new().prefix("sluice-agent-").tempdir().context("cannot make its folder")?;
        let mut command = namespace.command(sluice_binary()?.to_str().context("the binary's path is not UTF-8")?);
        command.args(["agent", "--interface", interface, "--address"]);
        command.args(&addresses);
        let name = format!("the agent of {}", namespace.name());
        let mut process = Process::start(&name, &mut command, &folder.path().join("log"))?;
        process.until(&format!("{name} should set up the addresses"), Duration::from_secs(10), || {
            let held = namespace.ip("-oneline address show").ok()?;
            let local = namespace.ip("route show table local").ok()?;
            let has = |address: &String| match address.contains('/') {
                true => local.contains(&format!("local {address} ")),
                false => held.contains(&format!(" {address}/")),
            };
            addresses.iter().all(has).then_some(())
        })?;
        Ok(Self { process, folder })
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Ends it as an operator would, so that it undoes what it did.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.process.stop(Duration::from_secs(5))?;
        anyhow::ensure!(status.success(), "the agent ended with {status}; its output:\n{}", self.process.output());
        Ok(())
    }

    /// The folder with its log.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The namespace usually ends with it, so there is nothing to undo that matters; the kill follows.
        let _ = self.process.stop(Duration::from_secs(2));
    }
}
