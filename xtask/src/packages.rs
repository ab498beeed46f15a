//! The Debian packages that tests and demo run: real servers, clients and network tools.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    cargo::{output, run},
    setup::Step,
};

/// A program that must be there, and the package that has it.
const PROGRAMS: [(&str, &str); 5] =
    [("ip", "iproute2"), ("ethtool", "ethtool"), ("nginx", "nginx-light"), ("curl", "curl"), ("ping", "iputils-ping")];

/// Asked by package scripts before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// All of them are one step, because apt takes them at once.
pub(crate) fn step() -> Step {
    let names: Vec<_> = PROGRAMS.iter().map(|(program, _)| *program).collect();
    Step::new(format!("{} (apt)", names.join(", ")), || Ok(missing().is_empty()), install)
}

fn missing() -> Vec<&'static str> {
    PROGRAMS.iter().filter(|(program, _)| !on_path(program)).map(|(_, package)| *package).collect()
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

/// Whether this process may do what tests and set-up need.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

fn install() -> anyhow::Result<()> {
    let packages = missing();
    let names = packages.join(" ");
    if !on_path("apt-get") {
        bail!("this machine has no apt: install these Debian packages' programs by hand: {names}");
    }
    if !is_root() {
        bail!("only root may install packages: run this as root, or first `sudo apt-get install {names}`");
    }
    let quiet = ServicesHeld::new()?;
    let get = |arguments: &[&str]| {
        run(Command::new("apt-get").args(arguments).args(["--yes", "--quiet"]).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install = [&["install", "--no-install-recommends"], packages.as_slice()].concat();
    if get(&install).is_err() {
        println!("            its package lists may be old: updating them, then trying again");
        get(&["update"]).context("apt can't reach its archive (see /etc/apt/sources.list)")?;
        get(&install)?;
    }
    drop(quiet);
    if packages.contains(&"nginx-light") {
        keep_nginx_off();
    }
    Ok(())
}

/// The lab starts its own servers; the package's service would hold port 80 of this machine from the next boot on.
fn keep_nginx_off() {
    match output(Command::new("systemctl").args(["disable", "nginx"])) {
        Some(_) => println!("            nginx's own service is not started, and was disabled: the lab runs its own"),
        None => println!("            nginx's own service was not started; there is no systemd to disable it in"),
    }
}

/// While this lives, installing a package starts no service.
struct ServicesHeld {
    ours: bool,
}

impl ServicesHeld {
    fn new() -> anyhow::Result<Self> {
        if Path::new(POLICY).exists() {
            return Ok(Self { ours: false });
        }
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").with_context(|| format!("cannot write {POLICY}"))?;
        let held = Self { ours: true };
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("cannot make {POLICY} executable"))?;
        Ok(held)
    }
}

impl Drop for ServicesHeld {
    fn drop(&mut self) {
        if self.ours && fs::remove_file(POLICY).is_err() {
            eprintln!("warning: {POLICY} could not be removed: remove it, or services will not start on installation");
        }
    }
}
