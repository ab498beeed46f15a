//! An interface whose packets are received by a thread of their own.
//!
//! Frames that a program sends over veth are received in the sender's own time unless the receiver polls in a thread. With
//! one, generator and forwarder have a processor each, and what the forwarder needs is the run time of the thread.

use std::{fs, io, thread};

use anyhow::{Context as _, Result, anyhow};
use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

use crate::lab::{Namespace, until};

/// The thread that receives for an interface.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Receiver {
    process_id: u32,
}

impl Receiver {
    /// Has an interface polled by a thread. Its name must be unlike any other interface's on this machine: the threads are
    /// the kernel's, and are told apart by their names.
    pub(in crate::bench) fn start(namespace: &Namespace, interface: &str) -> Result<Self> {
        let setting = format!("/sys/class/net/{interface}/threaded");
        let inside = namespace.clone();
        let written = thread::spawn(move || {
            inside.join()?;
            // What is below /sys/class/net depends on who mounted /sys; this thread's mounts are its own.
            unshare(CloneFlags::CLONE_NEWNS)?;
            mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
            mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), None::<&str>)?;
            Ok::<_, anyhow::Error>(fs::write(&setting, "1")?)
        });
        let written = written.join().map_err(|_| anyhow!("the thread died"))?;
        written.with_context(|| format!("cannot have {interface} polled by a thread"))?;
        let name = format!("napi/{interface}-");
        let process_id =
            until(&format!("a kernel thread {name}… should run"), super::PATIENCE, || process_named(&name))?;
        hurry(process_id).with_context(|| format!("cannot raise the priority of {name}…"))?;
        Ok(Self { process_id })
    }

    /// How long it has run, in nanoseconds.
    pub(in crate::bench) fn run_ns(&self) -> Result<u64> {
        let path = format!("/proc/{}/schedstat", self.process_id);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
        first.with_context(|| format!("{path} does not begin with a run time"))
    }
}

/// Gives a thread, 0 being the calling one, the highest of the ordinary priorities: what is measured is how fast the road is
/// and not how soon the scheduler comes round on a machine that others use, too.
pub(super) fn hurry(thread_id: u32) -> io::Result<()> {
    const NICENESS: i32 = -20;
    // SAFETY: the call takes numbers only.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, thread_id, NICENESS) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn process_named(prefix: &str) -> Option<u32> {
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut named = ids
        .filter(|id: &u32| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|name| name.starts_with(prefix)));
    named.next()
}
