//! Sluice itself: a daemon in a namespace, and the command line that talks to it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, bail};
use lb_userspace::api::types::{BackendState, BackendStatus, ServiceStatus, Status};
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use super::{Namespace, Process, bpffs, until};

/// How long the daemon may take to start: it loads its programs and makes its maps.
const START: Duration = Duration::from_secs(20);
/// The certificates that it trusts instead of the system's, if there is such a file.
const AUTHORITIES: &str = "authorities.pem";
/// How long it may take to end.
const STOP: Duration = Duration::from_secs(10);

/// A daemon with its own configuration, socket, pins and state. Dropping it stops forwarding and removes all of that.
#[derive(Debug)]
pub struct Sluice {
    process: Process,
    namespace: Namespace,
    pins: PathBuf,
    folder: TempDir,
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Sluice {
    /// Starts a daemon on this configuration and waits until it answers.
    pub fn start(namespace: &Namespace, configuration: &str) -> anyhow::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("sluice-node-").tempdir().context("cannot make Sluice's folder")?;
        fs::write(folder.path().join("sluice.toml"), configuration).context("cannot write Sluice's configuration")?;
        let pins = bpffs::fresh_pins()?;
        let process = launch(namespace, folder.path(), &pins)?;
        let mut sluice = Self { process, namespace: namespace.clone(), pins, folder };
        sluice.await_answer()?;
        Ok(sluice)
    }

    /// Runs a command, for example `backend drain web web1`, whatever comes of it.
    pub fn cli(&self, arguments: &[&str]) -> anyhow::Result<Answer> {
        let output = self.command()?.args(arguments).output().context("cannot run sluice")?;
        Ok(Answer::from(output))
    }

    /// The same for somebody whose shell runs on this connection, as sshd writes it.
    pub fn cli_over(&self, connection: &str, arguments: &[&str]) -> anyhow::Result<Answer> {
        let output = self.command()?.args(arguments).env("SSH_CONNECTION", connection).output();
        Ok(Answer::from(output.context("cannot run sluice")?))
    }

    /// Runs a command that must succeed; returns what it printed.
    pub fn succeed(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let answer = self.cli(arguments)?;
        if answer.code != 0 {
            bail!("`sluice {}` failed ({}): {}", arguments.join(" "), answer.code, answer.stderr.trim());
        }
        Ok(answer.stdout)
    }

    /// Runs a command that must succeed, with `--json`; returns what it says.
    pub fn json<T: DeserializeOwned>(&self, arguments: &[&str]) -> anyhow::Result<T> {
        let printed = self.succeed(&[&["--json"], arguments].concat())?;
        serde_json::from_str(&printed)
            .with_context(|| format!("`sluice --json {}` printed something else: {printed}", arguments.join(" ")))
    }

    /// Starts a command that does not end by itself; its output is in a file called `name`.
    pub fn spawn(&self, name: &str, arguments: &[&str]) -> anyhow::Result<Process> {
        Process::start(name, self.command()?.args(arguments), &self.folder.path().join(name))
    }

    /// A backend's state.
    pub fn backend_state(&self, service: &str, backend: &str) -> anyhow::Result<BackendState> {
        let services: Vec<ServiceStatus> = self.json(&["services"])?;
        services
            .iter()
            .filter(|status| status.name == service)
            .flat_map(|status| &status.backends)
            .find(|status| status.name == backend)
            .map(|status| status.state)
            .with_context(|| format!("`sluice services` does not show the backend {backend} of {service}"))
    }

    /// Waits until a backend is in a state.
    pub fn await_state(&self, service: &str, backend: &str, state: BackendState) -> anyhow::Result<()> {
        until(&format!("{backend} of {service} should be {}", state.name()), START, || {
            (self.backend_state(service, backend).ok()? == state).then_some(())
        })
    }

    /// The backends of a service.
    pub fn backends(&self, service: &str) -> anyhow::Result<Vec<BackendStatus>> {
        self.json(&["backends", service])
    }

    /// Waits until every backend is up and the way to it is known.
    pub fn await_ready(&self) -> anyhow::Result<()> {
        until("every backend should be up, and the way to it known", START, || {
            let backends: Vec<BackendStatus> = self.json(&["backends"]).ok()?;
            backends.iter().all(|backend| backend.resolved && backend.state == BackendState::Up).then_some(())
        })
    }

    /// The daemon's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("sluice.toml")
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("sluice.sock")
    }

    /// The folder of the pins.
    pub fn pins(&self) -> &Path {
        &self.pins
    }

    /// Ends the daemon as an operator would; forwarding goes on.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.process.stop(STOP)?;
        anyhow::ensure!(status.success(), "sluice ended with {status}; its output:\n{}", self.process.output());
        Ok(())
    }

    /// Ends forwarding, and removes all that is in the kernel; a reboot does no more.
    pub fn detach(&self) -> anyhow::Result<()> {
        let output = self.command()?.args(["detach", "--all", "--pins"]).arg(&self.pins).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// Ends the daemon without a warning; forwarding goes on.
    pub fn kill9(&mut self) {
        self.process.kill();
    }

    /// Tells the daemon to read its configuration file again.
    pub fn reload(&self) -> anyhow::Result<()> {
        self.process.signal(Signal::SIGHUP)
    }

    /// Starts the daemon again on the same files and pins; ends it first if it runs.
    pub fn restart(&mut self) -> anyhow::Result<()> {
        self.process.stop(STOP)?;
        self.process = launch(&self.namespace, self.folder.path(), &self.pins)?;
        self.await_answer()
    }

    /// Starts the daemon again with other authorities than the system's, in PEM.
    pub fn trust(&mut self, authorities: &str) -> anyhow::Result<()> {
        fs::write(self.folder.path().join(AUTHORITIES), authorities)?;
        self.restart()
    }

    fn await_answer(&mut self) -> anyhow::Result<()> {
        let mut asking = command(&self.namespace, self.folder.path())?;
        asking.args(["--json", "status"]);
        self.process.until("sluice should answer", START, || {
            let output = asking.output().ok().filter(|output| output.status.success())?;
            serde_json::from_slice::<Status>(&output.stdout).ok().map(drop)
        })
    }

    fn command(&self) -> anyhow::Result<Command> {
        command(&self.namespace, self.folder.path())
    }
}

impl Drop for Sluice {
    fn drop(&mut self) {
        // If it does not stop it is killed, by its own drop.
        let _ = self.process.stop(STOP);
        if let Err(error) = self.detach() {
            eprintln!("`sluice detach --all` failed, removing {}: {error:#}", self.pins.display());
        }
        if self.pins.exists() && fs::remove_dir_all(&self.pins).is_err() {
            eprintln!("cannot remove {}", self.pins.display());
        }
    }
}

impl From<Output> for Answer {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn launch(namespace: &Namespace, folder: &Path, pins: &Path) -> anyhow::Result<Process> {
    let mut daemon = command(namespace, folder)?;
    daemon.arg("run").arg("--config").arg(folder.join("sluice.toml"));
    daemon.arg("--pins").arg(pins).arg("--state").arg(folder.join("state"));
    let authorities = folder.join(AUTHORITIES);
    if authorities.exists() {
        daemon.env("SSL_CERT_FILE", authorities);
    }
    Process::start("sluice", &mut daemon, &folder.join("log"))
}

/// `sluice` with the socket of the daemon in this folder.
fn command(namespace: &Namespace, folder: &Path) -> anyhow::Result<Command> {
    let mut command = namespace.command(sluice_binary()?.to_str().context("the binary's path is not UTF-8")?);
    command.arg("--socket").arg(folder.join("sluice.sock"));
    Ok(command)
}

/// The binary under test: `$SLUICE_BIN`, or else the release build next to this program's own.
pub fn sluice_binary() -> anyhow::Result<PathBuf> {
    if let Some(binary) = env::var_os("SLUICE_BIN") {
        return Ok(binary.into());
    }
    let this = env::current_exe().context("cannot find this program's own file")?;
    this.ancestors()
        .map(|folder| folder.join("release/sluice"))
        .find(|binary| binary.is_file())
        .context("no sluice binary: build it with `cargo xtask build`, or name one with SLUICE_BIN")
}
