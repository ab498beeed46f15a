//! Building Sluice, and building and running the programs of the `tests` package.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::bail;

use crate::{
    cargo::{become_command, cargo, run},
    packages, pins, setup,
};

/// Builds the release binary; says where it is. The BPF programs are built into it by its build script.
pub(crate) fn sluice() -> anyhow::Result<PathBuf> {
    setup::to_build()?;
    build_sluice()
}

/// As [`sluice`], once the set-up is done.
pub(crate) fn build_sluice() -> anyhow::Result<PathBuf> {
    run(&mut cargo(&["build", "--release", "--package", "lb-userspace"])?)?;
    Ok(pins::target().join("release/sluice"))
}

/// Refuses at once what would fail later without root's rights.
pub(crate) fn require_root(verb: &str) -> anyhow::Result<()> {
    if !packages::is_root() {
        bail!(
            "`cargo xtask {verb}` makes network namespaces and loads BPF programs, which needs root: run it as root, \
             for example with `sudo -E env PATH=\"$PATH\" cargo xtask {verb}`"
        );
    }
    Ok(())
}

/// Builds everything and becomes the demo.
pub(crate) fn demo(keep: bool) -> anyhow::Result<ExitCode> {
    require_root("demo")?;
    setup::to_run()?;
    let sluice = build_sluice()?;
    run(&mut cargo(&["build", "--release", "--package", "tests", "--bin", "demo"])?)?;
    let mut demo = Command::new(pins::target().join("release/demo"));
    demo.current_dir(pins::root()).env("SLUICE_BIN", sluice);
    if keep {
        demo.arg("--keep");
    }
    become_command(&mut demo)
}

/// Builds and becomes the bench. What measures real traffic needs Sluice itself and what it is compared with.
pub(crate) fn bench(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let is_real = |what: &str| match what {
        "firewall" => arguments.iter().any(|argument| argument.starts_with("--veth")),
        _ => matches!(what, "traffic" | "flood"),
    };
    match arguments.first().map(String::as_str) {
        Some(what) if is_real(what) => {
            require_root(&format!("bench {what}"))?;
            setup::to_compare()?;
            let sluice = build_sluice()?;
            become_command(bin("bench", arguments)?.env("SLUICE_BIN", sluice))
        }
        Some("datapath" | "firewall") => run_as_root("bench", arguments),
        _ => run_bin("bench", arguments),
    }
}

/// As [`run_bin`], for what root alone may do.
pub(crate) fn run_as_root(name: &str, arguments: &[String]) -> anyhow::Result<ExitCode> {
    require_root(name)?;
    run_bin(name, arguments)
}

/// Builds and becomes another binary of the `tests` package.
pub(crate) fn run_bin(name: &str, arguments: &[String]) -> anyhow::Result<ExitCode> {
    setup::to_build()?;
    become_command(&mut bin(name, arguments)?)
}

fn bin(name: &str, arguments: &[String]) -> anyhow::Result<Command> {
    let mut command = cargo(&["run", "--release", "--quiet", "--package", "tests", "--bin", name, "--"])?;
    command.args(arguments);
    Ok(command)
}
