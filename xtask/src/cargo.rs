//! Commands of the pinned toolchain, and how their failure is told.

use std::{
    env,
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::{Context, bail};

use crate::pins;

/// `cargo` of the pinned toolchain in the workspace's root, with the private tools on its path.
pub(crate) fn cargo(arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new("cargo");
    command
        .arg(format!("+{}", pins::TOOLCHAIN))
        .args(arguments)
        .current_dir(pins::root())
        .env("PATH", path_with_tools()?)
        // `cargo run` pointed it at the toolchain that built this program, whose LLVM bpf-linker would then load.
        .env_remove("LD_LIBRARY_PATH");
    Ok(command)
}

/// Runs a command with its output shown; an error if it does not succeed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("cannot run `{}`", words(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", words(command));
    }
    Ok(())
}

/// Becomes the command, so that it alone receives ctrl-C and may clean up before the shell returns.
pub(crate) fn become_command(command: &mut Command) -> anyhow::Result<ExitCode> {
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run `{}`", words(command)))
}

/// What a command prints, or nothing if it cannot be run or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// A command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn path_with_tools() -> anyhow::Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(pins::tools()?.join("bin")).chain(env::split_paths(&path));
    env::join_paths(folders).context("the path of the tools' folder contains a colon: set XDG_CACHE_HOME to another")
}
