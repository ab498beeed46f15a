//! What a change must pass besides the tests. All checks run, so that one report names everything.

use std::process::{Command, ExitCode};

use crate::{
    cargo::{cargo, run},
    pins, setup,
};

/// A check's name and its command.
type Check = (&'static str, Command);

/// Runs all checks; fails if one of them does.
pub(crate) fn run_all() -> anyhow::Result<ExitCode> {
    setup::to_check()?;
    let mut failed = Vec::new();
    for (name, mut command) in checks()? {
        println!("checking    {name} …");
        if let Err(error) = run(&mut command) {
            eprintln!("{error:#}");
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("all checks passed");
        return Ok(ExitCode::SUCCESS);
    }
    println!("failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn checks() -> anyhow::Result<Vec<Check>> {
    Ok(vec![
        ("formatting", cargo(&["fmt", "--all", "--check"])?),
        ("lints", cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?),
        ("lints on BPF", bpf_lints()?),
        ("documentation", documentation()?),
        dependencies()?,
    ])
}

/// The datapath as the kernel gets it. `core` must be built for the target, which stable Rust does only on request.
fn bpf_lints() -> anyhow::Result<Command> {
    let mut clippy = cargo(&["clippy", "--release", "--package", "lb-ebpf", "--bins", "--features", "kernel"])?;
    clippy
        .args(["--target", "bpfel-unknown-none", "-Z", "build-std=core", "--target-dir"])
        .arg(pins::target().join("bpf"))
        .args(["--", "-D", "warnings"])
        .env("RUSTC_BOOTSTRAP", "1");
    Ok(clippy)
}

fn documentation() -> anyhow::Result<Command> {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"])?;
    doc.env("RUSTDOCFLAGS", "-D warnings");
    Ok(doc)
}

/// Advisories come from a database on the network; without it the rest of the audit is still worth having.
fn dependencies() -> anyhow::Result<Check> {
    let fetched = run(&mut cargo(&["deny", "fetch", "db"])?);
    let Err(error) = fetched else {
        return Ok(("dependencies", cargo(&["deny", "check", "--disable-fetch"])?));
    };
    println!(
        "skipping    advisories: their database can't be fetched ({error:#}); licences, bans and sources are checked"
    );
    Ok(("dependencies", cargo(&["deny", "check", "licenses", "bans", "sources"])?))
}
