//! Compiles the BPF programs, which the `sluice` binary carries inside itself.
//!
//! One nested cargo call with a target folder of its own, shared by all profiles, so that an unchanged datapath costs
//! a few seconds at most. It needs bpf-linker on the PATH and rust-src; `cargo xtask setup` installs both.

use std::{env, error::Error, fs, path::Path, process::Command};

/// The BPF objects, as binary targets of `lb-ebpf`.
const OBJECTS: [&str; 3] = ["sluice-lb", "sluice-agent", "sluice-bench"];
const TARGET: &str = "bpfel-unknown-none";

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("..");
    for source in ["lb-ebpf/src", "lb-ebpf/Cargo.toml", "lb-common/src", ".cargo/config.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed=../{source}");
    }
    let target_dir = root.join("target").join("bpf");
    compile(&root, &target_dir)?;
    let out = env::var("OUT_DIR")?;
    for object in OBJECTS {
        fs::copy(target_dir.join(TARGET).join("release").join(object), Path::new(&out).join(object))?;
    }
    Ok(())
}

fn compile(root: &Path, target_dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut cargo = Command::new(env::var("CARGO")?);
    cargo.current_dir(root).args(["build", "--locked", "--release", "--package", "lb-ebpf", "--features", "kernel"]);
    cargo.args(["--target", TARGET, "-Z", "build-std=core", "--target-dir"]).arg(target_dir);
    for object in OBJECTS {
        cargo.args(["--bin", object]);
    }
    // `build-std` is a nightly feature that the pinned stable toolchain is allowed to use this way. What the outer
    // cargo tells its build scripts about the host's compiler must not reach the inner one.
    cargo.env("RUSTC_BOOTSTRAP", "1");
    for name in ["RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "TARGET"]
    {
        cargo.env_remove(name);
    }
    let status = cargo.status()?;
    if status.success() {
        return Ok(());
    }
    Err("the BPF programs could not be compiled (see above); if bpf-linker or rust-src is missing, \
         run `cargo xtask setup` and build with `cargo xtask build`"
        .into())
}
