//! What the machine must have, checked before anything is loaded, so that a lack is named and not guessed from an errno.

use std::path::Path;

use nix::{mount::MsFlags, sys::statfs, unistd::Uid};

use super::DataplaneError;

/// The oldest kernel that has all that is in use; it is the first with XDP programs for frames in several buffers.
const OLDEST_KERNEL: (u32, u32) = (5, 18);

/// Checks permissions, kernel and BPF file system; mounts the latter if nobody has.
///
/// # Errors
///
/// What is missing, and how to get it.
pub fn preflight(pins: &Path) -> Result<(), DataplaneError> {
    if !Uid::effective().is_root() {
        return Err(refuse("Sluice loads BPF programs and must run as root: use sudo, or a service manager"));
    }
    let release = nix::sys::utsname::uname().map_err(|errno| refuse(&format!("uname failed: {errno}")))?;
    let release = release.release().to_string_lossy().into_owned();
    if kernel_version(&release).is_some_and(|version| version < OLDEST_KERNEL) {
        let (major, minor) = OLDEST_KERNEL;
        return Err(refuse(&format!("this kernel is {release}; Sluice needs {major}.{minor} or newer")));
    }
    mount_bpf(pins)
}

fn refuse(text: &str) -> DataplaneError {
    DataplaneError::Preflight(text.to_owned())
}

fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Makes sure that the pins' directory lies in a BPF file system.
fn mount_bpf(pins: &Path) -> Result<(), DataplaneError> {
    const USUAL: &str = "/sys/fs/bpf";
    if pins.starts_with(USUAL) && !is_bpf(Path::new(USUAL)) {
        nix::mount::mount(Some("bpf"), USUAL, Some("bpf"), MsFlags::empty(), None::<&str>)
            .map_err(|errno| refuse(&format!("could not mount a BPF file system at {USUAL}: {errno}")))?;
        tracing::info!("mounted a BPF file system at {USUAL}");
    }
    let existing = pins.ancestors().find(|path| path.exists()).unwrap_or(pins);
    if !is_bpf(existing) {
        return Err(refuse(&format!(
            "{} is not in a BPF file system: choose a directory below {USUAL} with --pins, or mount one there \
             (mount -t bpf bpf {})",
            pins.display(),
            existing.display()
        )));
    }
    Ok(())
}

fn is_bpf(path: &Path) -> bool {
    statfs::statfs(path).is_ok_and(|file_system| file_system.filesystem_type() == statfs::BPF_FS_MAGIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_understood() {
        assert_eq!(kernel_version("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(kernel_version("5.15.0-91-generic"), Some((5, 15)));
        assert!(kernel_version("5.4.0") < Some(OLDEST_KERNEL) && kernel_version("5.17.9") < Some(OLDEST_KERNEL));
        assert!(kernel_version("5.18.0") >= Some(OLDEST_KERNEL));
        assert_eq!(kernel_version("odd"), None);
    }
}
