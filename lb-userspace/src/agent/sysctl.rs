//! Kernel settings that are put back.

use std::{fs, path::PathBuf};

use anyhow::Context;

/// Settings that were changed, with their former values.
#[derive(Debug, Default)]
pub(super) struct Sysctls {
    former: Vec<(PathBuf, String)>,
}

impl Sysctls {
    /// Sets a value, given its path below `/proc/sys`.
    pub(super) fn set(&mut self, name: &str, value: &str) -> anyhow::Result<()> {
        let path = PathBuf::from("/proc/sys").join(name);
        let former = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
        if former.trim() == value {
            return Ok(());
        }
        fs::write(&path, value).with_context(|| format!("could not write {}", path.display()))?;
        self.former.push((path, former));
        Ok(())
    }

    /// Puts the former values back, last first.
    pub(super) fn restore(&mut self) {
        while let Some((path, former)) = self.former.pop() {
            if let Err(error) = fs::write(&path, former.trim()) {
                tracing::error!(path = %path.display(), former, %error, "could not restore a kernel setting");
            }
        }
    }
}
