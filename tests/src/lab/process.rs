//! A running program whose output is kept for the case that something goes wrong.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use anyhow::Context;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::until;

/// A child process; killed on drop. If that is because a test fails, its output is shown.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command with its output appended to the file `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log).context("cannot open the log")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("cannot share the log")?)
            .stderr(output)
            // A group of its own, so that ctrl-C reaches whoever started this, and not the process behind its back.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}, `{}`", command.get_program().display()))?;
        Ok(Self { name: name.into(), child, log: log.into() })
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Everything it has printed.
    pub fn output(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let id = i32::try_from(self.id()).context("a process id beyond the kernel's")?;
        kill(Pid::from_raw(id), signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Asks it to end and waits; an error if it takes longer than `patience`.
    pub fn stop(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.exited() {
            return Ok(status);
        }
        self.signal(Signal::SIGTERM)?;
        let name = self.name.clone();
        until(&format!("{name} should end on SIGTERM"), patience, || self.exited())
    }

    /// Ends it at once, without a chance to clean up.
    pub fn kill(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until `look` finds something; an error with the output if the process ends first, or time does.
    pub fn until<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut look: impl FnMut() -> Option<T>,
    ) -> anyhow::Result<T> {
        let found = until(what, patience, || match self.exited() {
            Some(status) => Some(Err(status)),
            None => look().map(Ok),
        });
        let problem = match found {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(status)) => format!("{what}: {} ended ({status})", self.name),
            Err(error) => error.to_string(),
        };
        Err(anyhow::anyhow!("{problem}; its output:\n{}", self.output()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- output of {} ---\n{}---", self.name, self.output());
        }
    }
}
