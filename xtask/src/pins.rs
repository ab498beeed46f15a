//! The versions that everybody builds with, and where the tools live.
//!
//! There is no `rust-toolchain.toml` on purpose: where rustup may not install by itself, it would stop cargo before
//! this program could install anything or explain.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// The Rust toolchain for host and BPF.
pub(crate) const TOOLCHAIN: &str = "1.99.1";
/// What the toolchain must have besides the compiler; `rust-src` is for `core` on BPF.
pub(crate) const COMPONENTS: [&str; 3] = ["rust-src", "clippy", "rustfmt"];
/// Newer ones need an LLVM of the system's; this one uses rustc's.
pub(crate) const BPF_LINKER: &str = "0.10.3";
/// The audit of dependencies.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// A private folder, so that the tools of other projects stay as they are.
pub(crate) fn tools() -> anyhow::Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME") {
        Some(cache) if !cache.is_empty() => PathBuf::from(cache),
        _ => PathBuf::from(
            env::var_os("HOME")
                .context("neither XDG_CACHE_HOME nor HOME is set: set one, tools are installed below")?,
        )
        .join(".cache"),
    };
    Ok(cache.join("sluice/tools"))
}

/// The root of the workspace.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}
