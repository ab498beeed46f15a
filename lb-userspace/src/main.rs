//! `sluice`: the daemon, the command line and the agent in one program. See [`lb_userspace::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    lb_userspace::cli::main().into()
}
