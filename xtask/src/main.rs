//! Everything that a person or CI does with this repository, as `cargo xtask VERB`.
//!
//! A fresh clone must work with whatever stable Rust started this program, so it depends on little, and hands the
//! real work to the pinned toolchain (see [`pins`]). Every verb first sets up what it needs ([`setup`]): a step that
//! is already done costs a look, one that is not is announced, and one that can't be done is explained.

mod build;
mod cargo;
mod check;
mod packages;
mod pins;
mod setup;
mod tally;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Sluice's tasks. Each sets up what it needs: pinned toolchain, bpf-linker, Debian packages.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install everything that the other verbs need.
    Setup,
    /// Build the release binary, target/release/sluice.
    Build,
    /// Check formatting, lints on host and BPF, documentation, licences and advisories.
    Check,
    /// Run all tests (as root: they use network namespaces and BPF).
    Test {
        /// Also those with a real browser, which is installed if it is not there (some hundred megabytes).
        #[arg(long)]
        browser: bool,
    },
    /// Show the main job on real HTTP traffic between network namespaces (as root).
    Demo {
        /// Leave the network up when the steps are done, and print commands to play with it.
        #[arg(long)]
        keep: bool,
    },
    /// Measure: `bench datapath`, `bench traffic`, `bench flood` (all as root), `bench ring`.
    Bench {
        /// What to measure, and its options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Simulate: `sim state` shows which connections break in hours of changes.
    Sim {
        /// What to simulate, and its options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Change the packet table's packets at random: library and loaded program must keep the laws and agree (as root).
    Fuzz {
        /// How many seconds (60), and other options.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Load each BPF program and report how much work the verifier had with it (as root).
    Verify {
        /// Options of the report.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(verb: Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Setup => setup::everything().map(|()| ExitCode::SUCCESS),
        Verb::Build => build::sluice().map(|binary| {
            println!("built {}", binary.display());
            ExitCode::SUCCESS
        }),
        Verb::Check => check::run_all(),
        Verb::Test { browser } => test::run(browser),
        Verb::Demo { keep } => build::demo(keep),
        Verb::Bench { arguments } => build::bench(&arguments),
        Verb::Sim { arguments } => build::run_bin("sim", &arguments),
        Verb::Verify { arguments } => build::run_as_root("verify", &arguments),
        Verb::Fuzz { arguments } => build::run_as_root("fuzz", &arguments),
    }
}
