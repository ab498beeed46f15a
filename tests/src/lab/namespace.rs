//! A network namespace without a name.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::process::CommandExt},
    path::PathBuf,
    process::Command,
    sync::Arc,
    thread,
};

use anyhow::{Context, anyhow, bail};
use nix::{
    sched::{CloneFlags, setns, unshare},
    sys::{prctl, signal::Signal},
};

/// Settings of every host, below `/proc/sys/net`: replies may take another way than requests, addresses can be used at
/// once, routers are not asked for, and one client can open many connections in a short time.
const SETTINGS: [(&str, &str); 9] = [
    ("ipv4/conf/all/rp_filter", "0"),
    ("ipv4/conf/default/rp_filter", "0"),
    ("ipv6/conf/all/accept_dad", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/all/accept_ra", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("ipv4/tcp_tw_reuse", "1"),
];

/// A host's network. Clones are the same network; it ends with the last of them and the last process in it.
#[derive(Clone, Debug)]
pub struct Namespace {
    name: Arc<str>,
    file: Arc<File>,
}

impl Namespace {
    /// A new network with nothing but its loopback interface, which is up. The name is for messages.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let unshared = thread::spawn(|| -> io::Result<File> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            File::open("/proc/thread-self/ns/net")
        });
        let file = unshared
            .join()
            .map_err(|_| anyhow!("the thread that makes namespaces died"))?
            .with_context(|| format!("cannot make the network namespace of {name}: this needs root"))?;
        let namespace = Self { name: name.into(), file: Arc::new(file) };
        namespace.ip("link set lo up")?;
        for (setting, value) in SETTINGS {
            namespace.set(setting, value)?;
        }
        Ok(namespace)
    }

    /// The name given to [`Namespace::new`].
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A path that opens this namespace as long as this process and this value live.
    pub fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }

    /// Runs a closure in a thread that is in this namespace; sockets that it opens stay in it.
    ///
    /// The thread is gone afterwards, and with it all processes that it started.
    pub fn enter<T: Send>(&self, run: impl FnOnce() -> T + Send) -> anyhow::Result<T> {
        thread::scope(|scope| {
            let inside = scope.spawn(|| self.join().map(|()| run()));
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread into this namespace.
    pub fn join(&self) -> anyhow::Result<()> {
        setns(&*self.file, CloneFlags::CLONE_NEWNET)
            .with_context(|| format!("cannot enter the network namespace of {}", self.name))
    }

    /// A command that will run in this namespace, and be killed when the thread that starts it ends.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let file = Arc::clone(&self.file);
        let prepare = move || {
            setns(&*file, CloneFlags::CLONE_NEWNET)?;
            prctl::set_pdeathsig(Signal::SIGKILL)?;
            Ok(())
        };
        // SAFETY: between fork and exec only what is async-signal-safe may run; the closure makes two system calls and
        // neither allocates nor locks.
        unsafe { command.pre_exec(prepare) };
        command
    }

    /// Runs `ip` with these words here, for example `route add 192.0.2.80 via 10.9.0.2`; returns what it prints.
    pub fn ip(&self, words: &str) -> anyhow::Result<String> {
        self.run("ip", &words.split_whitespace().collect::<Vec<_>>())
    }

    /// The MAC address of an interface.
    pub fn mac(&self, interface: &str) -> anyhow::Result<[u8; 6]> {
        let shown = self.ip(&format!("-oneline link show dev {interface}"))?;
        let mut words = shown.split_whitespace().skip_while(|word| *word != "link/ether").skip(1);
        let text = words.next().with_context(|| format!("{interface} of {} has no MAC address", self.name))?;
        let bytes: Vec<u8> = text.split(':').map(|byte| u8::from_str_radix(byte, 16)).collect::<Result<_, _>>()?;
        bytes.try_into().map_err(|_| anyhow!("`{text}` is no MAC address"))
    }

    /// Runs a program here until it ends; returns what it prints. An error carries what it complains about.
    pub fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let what = || format!("`{program} {}` in {}", arguments.join(" "), self.name);
        let output =
            self.command(program).args(arguments).output().with_context(|| {
                format!("cannot run {}: is {program} installed? `cargo xtask setup` does that", what())
            })?;
        if !output.status.success() {
            bail!("{} failed ({}): {}", what(), output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Sets a kernel setting of this namespace, named by its path below `/proc/sys/net`.
    pub fn set(&self, setting: &str, value: &str) -> anyhow::Result<()> {
        self.enter(|| fs::write(format!("/proc/sys/net/{setting}"), value))?
            .with_context(|| format!("cannot set {setting} to {value} in {}", self.name))
    }
}
