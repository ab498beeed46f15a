//! The Debian packages that tests and demo run: real servers, clients and network tools.

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, bail};

use crate::{
    cargo::{output, run},
    pins,
    setup::Step,
};

/// A program or file that must be there, and the package that has it.
type Wanted = (&'static str, &'static str);

/// What tests and demo run.
const PROGRAMS: [Wanted; 6] = [
    ("ip", "iproute2"),
    ("ethtool", "ethtool"),
    ("nginx", "nginx-light"),
    ("curl", "curl"),
    ("ping", "iputils-ping"),
    ("nft", "nftables"),
];

/// What Sluice is compared with.
const OTHERS: [Wanted; 2] =
    [("haproxy", "haproxy"), ("/usr/lib/nginx/modules/ngx_stream_module.so", "libnginx-mod-stream")];

/// What `test --browser` alone needs.
const BROWSER: [Wanted; 1] = [("chromium-headless-shell", "chromium-headless-shell")];

/// A package whose programs tests run and which is unpacked, not installed: it would register this machine with its makers.
const UNPACKED: (&str, [&str; 2]) = ("crowdsec", ["crowdsec", "cscli"]);

/// Asked by package scripts before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// All of [`PROGRAMS`] are one step, because apt takes them at once.
pub(crate) fn step() -> Step {
    Step::new(names(&PROGRAMS), || Ok(missing(&PROGRAMS).is_empty()), || install(&missing(&PROGRAMS)))
}

/// What `bench traffic` alone needs.
pub(crate) fn others() -> Step {
    Step::new(names(&OTHERS), || Ok(missing(&OTHERS).is_empty()), || install(&missing(&OTHERS)))
}

/// See [`BROWSER`].
pub(crate) fn browser() -> Step {
    Step::new(names(&BROWSER), || Ok(missing(&BROWSER).is_empty()), || install(&missing(&BROWSER)))
}

/// See [`UNPACKED`].
pub(crate) fn unpacked() -> Step {
    let present = || Ok(UNPACKED.1.iter().all(|program| unpacked_program(program).is_ok_and(|path| path.is_file())));
    Step::new(format!("{} (apt, unpacked beside the other tools)", UNPACKED.0), present, unpack)
}

fn unpacked_program(program: &str) -> anyhow::Result<PathBuf> {
    Ok(pins::tools()?.join("bin").join(program))
}

fn unpack() -> anyhow::Result<()> {
    let (package, programs) = UNPACKED;
    let folder = pins::tools()?.join(package);
    fs::create_dir_all(&folder)?;
    let download = || run(Command::new("apt-get").args(["download", "--quiet", package]).current_dir(&folder));
    if download().is_err() {
        println!("            its package lists may be old: updating them, then trying again");
        run(Command::new("apt-get").args(["update", "--quiet"])).context("apt can't reach its archive")?;
        download()?;
    }
    let archive = fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let archive = archive.filter(|path| path.extension().is_some_and(|extension| extension == "deb")).max();
    let archive = archive.context("apt has downloaded nothing")?;
    run(Command::new("dpkg").arg("--extract").arg(&archive).arg(&folder))?;
    for program in programs {
        let link = unpacked_program(program)?;
        let _ = fs::remove_file(&link);
        symlink(folder.join("usr/bin").join(program), link)?;
    }
    Ok(fs::remove_file(archive)?)
}

fn names(wanted: &[Wanted]) -> String {
    let names: Vec<_> = wanted.iter().map(|(file, _)| file.rsplit('/').next().unwrap_or(file)).collect();
    format!("{} (apt)", names.join(", "))
}

fn missing(wanted: &[Wanted]) -> Vec<&'static str> {
    wanted.iter().filter(|(file, _)| !on_path(file)).map(|(_, package)| *package).collect()
}

/// Whether a program is on the path; a file named by its whole path is itself.
fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

/// Whether this process may do what tests and set-up need.
pub(crate) fn is_root() -> bool {
    output(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0")
}

fn install(packages: &[&'static str]) -> anyhow::Result<()> {
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
    let install = [&["install", "--no-install-recommends"], packages].concat();
    if get(&install).is_err() {
        println!("            its package lists may be old: updating them, then trying again");
        get(&["update"]).context("apt can't reach its archive (see /etc/apt/sources.list)")?;
        get(&install)?;
    }
    drop(quiet);
    for (package, service) in [("nginx-light", "nginx"), ("haproxy", "haproxy")] {
        if packages.contains(&package) {
            keep_off(service);
        }
    }
    Ok(())
}

/// The lab starts its own servers; nginx's service would hold port 80 of this machine from the next boot on.
fn keep_off(service: &str) {
    match output(Command::new("systemctl").args(["disable", service])) {
        Some(_) => {
            println!("            {service}'s own service is not started, and was disabled: the lab runs its own");
        }
        None => println!("            {service}'s own service was not started; there is no systemd to disable it in"),
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
