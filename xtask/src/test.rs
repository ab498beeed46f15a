//! All tests, and one closing line that says how they went.

use std::process::ExitCode;

use crate::{build, cargo::cargo, setup, tally::Tally};

/// The packages whose tests need nothing but the host.
const HOST: [&str; 4] = ["lb-common", "lb-ebpf", "lb-userspace", "xtask"];

/// Runs everything even if something fails; what needs a browser only if asked to.
pub(crate) fn run(browser: bool) -> anyhow::Result<ExitCode> {
    build::require_root("test")?;
    setup::to_test()?;
    if browser {
        setup::to_browse()?;
    }
    let sluice = build::build_sluice()?;

    let mut tally = Tally::default();
    let mut host = cargo(&["test", "--no-fail-fast"])?;
    for package in HOST {
        host.args(["--package", package]);
    }
    tally.run(&mut host)?;
    // One at a time: these tests share the machine's kernel, its two processors and its clock.
    let mut lab = cargo(&["test", "--no-fail-fast", "--package", "tests", "--", "--test-threads=1"])?;
    if browser {
        lab.arg("--include-ignored");
    }
    tally.run(lab.env("SLUICE_BIN", sluice))?;

    if tally.ignored > 0 {
        println!("left out because they need a browser: {} (`cargo xtask test --browser`)", tally.ignored);
    }
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
