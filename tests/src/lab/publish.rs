//! A name for a namespace, so that a person can enter it.

use std::{fs, path::PathBuf};

use anyhow::Context;
use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
};

use super::Namespace;

/// Where `ip netns` looks.
const FOLDER: &str = "/run/netns";

/// While this lives, `ip netns exec NAME …` enters the namespace.
#[derive(Debug)]
pub struct Published {
    path: PathBuf,
}

impl Namespace {
    /// Publishes the namespace under a name that must be free.
    pub fn publish(&self, name: &str) -> anyhow::Result<Published> {
        prepare_folder()?;
        let path = PathBuf::from(FOLDER).join(name);
        fs::File::create_new(&path).with_context(|| {
            format!("cannot publish the namespace {name}; if it was left behind, `ip netns delete {name}` removes it")
        })?;
        let published = Published { path };
        mount(Some(&self.path()), &published.path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .with_context(|| format!("cannot mount the namespace {name}"))?;
        Ok(published)
    }
}

/// Makes the folder a shared mount of its own, as `ip netns add` does when it finds that it is none: done later, over our
/// mounts, it would copy them, and the originals below it could not be removed any more.
fn prepare_folder() -> anyhow::Result<()> {
    fs::create_dir_all(FOLDER).with_context(|| format!("cannot make {FOLDER}"))?;
    let share = || mount(None::<&str>, FOLDER, None::<&str>, MsFlags::MS_SHARED | MsFlags::MS_REC, None::<&str>);
    if share() == Err(Errno::EINVAL) {
        let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(FOLDER), FOLDER, None::<&str>, bind, None::<&str>)
            .with_context(|| format!("cannot mount {FOLDER}"))?;
        share().with_context(|| format!("cannot share {FOLDER}"))?;
    }
    Ok(())
}

impl Drop for Published {
    fn drop(&mut self) {
        // Not mounted if publishing failed half way.
        let _ = umount2(&self.path, MntFlags::MNT_DETACH);
        if let Err(error) = fs::remove_file(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}
