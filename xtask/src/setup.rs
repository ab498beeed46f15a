//! What must be on the machine: named steps, each with a look ("present?") and an action.

use std::process::Command;

use anyhow::{Context, bail};

use crate::{
    cargo::{cargo, output, run},
    packages, pins,
};

/// A thing that must be on the machine.
pub(crate) struct Step {
    name: String,
    present: fn() -> anyhow::Result<bool>,
    install: fn() -> anyhow::Result<()>,
}

/// For `setup`.
pub(crate) fn everything() -> anyhow::Result<()> {
    perform(&[toolchain(), bpf_linker(), cargo_deny(), packages::step(), packages::unpacked()])
}

/// To build Sluice.
pub(crate) fn to_build() -> anyhow::Result<()> {
    perform(&[toolchain(), bpf_linker()])
}

/// To check the sources.
pub(crate) fn to_check() -> anyhow::Result<()> {
    perform(&[toolchain(), bpf_linker(), cargo_deny()])
}

/// To build Sluice and run it between network namespaces.
pub(crate) fn to_run() -> anyhow::Result<()> {
    perform(&[toolchain(), bpf_linker(), packages::step()])
}

/// To test Sluice.
pub(crate) fn to_test() -> anyhow::Result<()> {
    perform(&[toolchain(), bpf_linker(), packages::step(), packages::unpacked()])
}

/// To test Sluice with a browser, beyond [`to_test`].
pub(crate) fn to_browse() -> anyhow::Result<()> {
    perform(&[packages::browser()])
}

/// To compare Sluice with other balancers.
pub(crate) fn to_compare() -> anyhow::Result<()> {
    perform(&[toolchain(), bpf_linker(), packages::step(), packages::others()])
}

fn perform(steps: &[Step]) -> anyhow::Result<()> {
    steps.iter().try_for_each(Step::perform)
}

impl Step {
    pub(crate) fn new(
        name: impl Into<String>,
        present: fn() -> anyhow::Result<bool>,
        install: fn() -> anyhow::Result<()>,
    ) -> Self {
        Self { name: name.into(), present, install }
    }

    fn perform(&self) -> anyhow::Result<()> {
        let Self { name, present, install } = self;
        if present()? {
            println!("ok          {name}");
            return Ok(());
        }
        println!("installing  {name} …");
        install().with_context(|| format!("cannot install {name}"))?;
        if !present()? {
            bail!("{name} was installed without an error, and still is not there");
        }
        Ok(())
    }
}

fn toolchain() -> Step {
    let name = format!("Rust {} with {} (rustup)", pins::TOOLCHAIN, pins::COMPONENTS.join(", "));
    Step::new(name, toolchain_present, install_toolchain)
}

fn toolchain_present() -> anyhow::Result<bool> {
    if output(Command::new("rustup").arg("--version")).is_none() {
        bail!(
            "rustup is not on the PATH, and Sluice is built with the pinned Rust {}.\n\
             Install rustup (see rust-lang.org, or your distribution's package), then run this again.",
            pins::TOOLCHAIN
        );
    }
    let mut list = Command::new("rustup");
    list.args(["component", "list", "--installed", "--toolchain", pins::TOOLCHAIN]);
    let installed = output(&mut list).unwrap_or_default();
    Ok(pins::COMPONENTS.iter().all(|component| installed.lines().any(|line| line.starts_with(component))))
}

fn install_toolchain() -> anyhow::Result<()> {
    let mut install = Command::new("rustup");
    install.args(["toolchain", "install", pins::TOOLCHAIN, "--profile", "minimal", "--no-self-update"]);
    for component in pins::COMPONENTS {
        install.args(["--component", component]);
    }
    run(&mut install).context("rustup needs the network, or a mirror named by RUSTUP_DIST_SERVER")
}

fn bpf_linker() -> Step {
    Step::new(
        format!("bpf-linker {} (about a minute)", pins::BPF_LINKER),
        || tool_present("bpf-linker", pins::BPF_LINKER),
        || install_tool("bpf-linker", pins::BPF_LINKER),
    )
}

fn cargo_deny() -> Step {
    Step::new(
        format!("cargo-deny {} (some minutes)", pins::CARGO_DENY),
        || tool_present("cargo-deny", pins::CARGO_DENY),
        || install_tool("cargo-deny", pins::CARGO_DENY),
    )
}

fn tool_present(tool: &str, version: &str) -> anyhow::Result<bool> {
    let printed = output(Command::new(pins::tools()?.join("bin").join(tool)).arg("--version"));
    Ok(printed.is_some_and(|printed| printed.split_whitespace().any(|word| word == version)))
}

fn install_tool(tool: &str, version: &str) -> anyhow::Result<()> {
    let tools = pins::tools()?;
    let mut install = cargo(&["install", &format!("{tool}@{version}"), "--locked", "--root"])?;
    run(install.arg(&tools)).with_context(|| format!("it is built from the crate registry into {}", tools.display()))
}
