//! All tests, and one closing line that says how they went.

use std::process::ExitCode;

use crate::{build, cargo::cargo, setup, tally::Tally};

/// The packages whose tests need nothing but the host.
const HOST: [&str; 4] = ["lb-common", "lb-ebpf", "lb-userspace", "xtask"];

/// Runs everything even if something fails.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    build::require_root("test")?;
    setup::to_test()?;
    let sluice = build::build_sluice()?;

    let mut tally = Tally::default();
    let mut host = cargo(&["test", "--no-fail-fast"])?;
    for package in HOST {
        host.args(["--package", package]);
    }
    tally.run(&mut host)?;
    // One at a time: these tests share the machine's kernel, its two processors and its clock.
    let mut lab = cargo(&["test", "--no-fail-fast", "--package", "tests", "--", "--test-threads=1"])?;
    tally.run(lab.env("SLUICE_BIN", sluice))?;

    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
