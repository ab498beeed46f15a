//! Attaching the program to interfaces.

use std::{
    io,
    path::{Path, PathBuf},
};

use aya::programs::{
    ProgramError, Xdp, XdpMode,
    links::{FdLink, PinnedLink},
    xdp::XdpLink,
};
use nix::net::if_::if_indextoname;

use super::{DataplaneError, pin};

/// An interface that the program is attached to. The link is pinned, so dropping this changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// Its index.
    pub ifindex: u32,
    /// Its name.
    pub name: String,
}

/// Attaches the program to an interface, or replaces the program behind the link that a former daemon has pinned, one of
/// another layout included.
pub(super) fn attach(program: &mut Xdp, pins: &Path, ifindex: u32, name: &str) -> Result<Attached, DataplaneError> {
    let path = pin::link(pins, ifindex);
    if let Some(foreign) = pin::foreign_link(pins, ifindex) {
        std::fs::rename(&foreign, &path).map_err(|error| pin::error("take over the link at", &foreign, error))?;
    }
    if !path.exists() {
        attach_new(program, &path, ifindex, name)?;
    } else if let Err(error) = replace(program, &path) {
        if errno(&error) != Some(libc::ENOLINK) {
            return Err(refused(name, &error));
        }
        // The link is of a former interface whose index this one has got.
        detach(pins, ifindex)?;
        attach_new(program, &path, ifindex, name)?;
    }
    Ok(Attached { ifindex, name: name.to_owned() })
}

/// Puts the program behind a pinned link, atomically.
fn replace(program: &mut Xdp, path: &Path) -> Result<(), ProgramError> {
    let link: FdLink = PinnedLink::from_pin(path)?.into();
    let id = program.attach_to_link(XdpLink::try_from(link)?)?;
    // The program would keep the link open and so attached, even when its pin is removed. Dropping it only closes it.
    program.take_link(id).map(drop)
}

fn attach_new(program: &mut Xdp, path: &Path, ifindex: u32, name: &str) -> Result<(), DataplaneError> {
    let id = match program.attach(ifindex, XdpMode::Driver) {
        Ok(id) => id,
        Err(error) if is_unsupported(&error) => {
            tracing::warn!(
                "the driver of {name} has no native XDP; using the generic mode, which is several times slower"
            );
            program.attach(ifindex, XdpMode::Skb).map_err(|error| refused(name, &error))?
        }
        Err(error) => return Err(refused(name, &error)),
    };
    let link = program.take_link(id).map_err(|error| refused(name, &error))?;
    let link = FdLink::try_from(link).map_err(|_| DataplaneError::Attach {
        interface: name.to_owned(),
        reason: "the kernel has no BPF links for XDP; Linux 5.9 or newer has".to_owned(),
    })?;
    link.pin(path).map_err(|error| pin::error("pin the link at", path, io::Error::other(error)))?;
    Ok(())
}

fn is_unsupported(error: &ProgramError) -> bool {
    errno(error).is_some_and(|errno| errno == libc::EOPNOTSUPP)
}

fn errno(error: &ProgramError) -> Option<i32> {
    match error {
        ProgramError::SyscallError(error) => error.io_error.raw_os_error(),
        ProgramError::IOError(error) => error.raw_os_error(),
        _ => None,
    }
}

fn refused(interface: &str, error: &ProgramError) -> DataplaneError {
    let reason = match errno(error) {
        Some(libc::EBUSY) => "another XDP program is attached there; remove it first (`ip link set dev \
                              INTERFACE xdp off`, or stop the program that owns it)"
            .replace("INTERFACE", interface),
        Some(libc::ERANGE | libc::EINVAL) => {
            format!(
                "the driver refuses: {error}; is the MTU too large for XDP, or a hardware offload (LRO) in the way?"
            )
        }
        _ => error.to_string(),
    };
    DataplaneError::Attach { interface: interface.to_owned(), reason }
}

/// The interfaces that a program is attached to by the pins below a directory.
pub(super) fn attached(pins: &Path) -> io::Result<Vec<Attached>> {
    pin::links(pins).map(named)
}

/// The interfaces of links. One that is gone has taken its link with it.
fn named(links: Vec<(u32, PathBuf)>) -> Vec<Attached> {
    let attached = |(ifindex, _): (u32, PathBuf)| {
        if_indextoname(ifindex).ok().map(|name| Attached { ifindex, name: name.to_string_lossy().into_owned() })
    };
    links.into_iter().filter_map(attached).collect()
}

/// Removes the link to an interface: packets there are no longer forwarded, as soon as the kernel has cleaned up.
pub(super) fn detach(pins: &Path, ifindex: u32) -> Result<(), DataplaneError> {
    let path = pin::link(pins, ifindex);
    std::fs::remove_file(&path).map_err(|error| pin::error("remove the link at", &path, error))
}

/// Removes every pin: forwarding stops, and all that the maps held is forgotten. Returns the interfaces that the
/// program was attached to.
///
/// # Errors
///
/// A pin that could not be removed.
pub fn detach_all(pins: &Path) -> io::Result<Vec<Attached>> {
    let attached = named(pin::all_links(pins)?);
    pin::remove_all(pins)?;
    Ok(attached)
}
