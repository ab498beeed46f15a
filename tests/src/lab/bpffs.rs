//! The BPF file system, where Sluice pins what outlives it.

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::Context;
use nix::{
    mount::{MsFlags, mount},
    sys::statfs::{BPF_FS_MAGIC, statfs},
};

const MOUNT_POINT: &str = "/sys/fs/bpf";
/// Followed by the process id of who made the folder and a number.
const PREFIX: &str = "sluice-test-";

/// A folder for pins that nobody else uses; not made yet. Mounts the file system if it is not there, and removes the
/// folders of test processes that died before they could.
pub(super) fn fresh_pins() -> anyhow::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    mount_once()?;
    remove_stale()?;
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Ok(Path::new(MOUNT_POINT).join(format!("{PREFIX}{}-{number}", process::id())))
}

fn mount_once() -> anyhow::Result<()> {
    let found = statfs(MOUNT_POINT).with_context(|| format!("cannot look at {MOUNT_POINT}"))?;
    if found.filesystem_type() == BPF_FS_MAGIC {
        return Ok(());
    }
    mount(Some("bpf"), MOUNT_POINT, Some("bpf"), MsFlags::empty(), None::<&str>)
        .with_context(|| format!("cannot mount the BPF file system on {MOUNT_POINT}: this needs root"))
}

fn remove_stale() -> anyhow::Result<()> {
    for entry in fs::read_dir(MOUNT_POINT).with_context(|| format!("cannot list {MOUNT_POINT}"))? {
        let entry = entry.with_context(|| format!("cannot list {MOUNT_POINT}"))?;
        if entry.file_name().to_str().and_then(owner).is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            fs::remove_dir_all(entry.path()).with_context(|| format!("cannot remove {}", entry.path().display()))?;
        }
    }
    Ok(())
}

fn owner(folder: &str) -> Option<&str> {
    folder.strip_prefix(PREFIX)?.split('-').next()
}
