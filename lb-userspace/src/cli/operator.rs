//! Over which connection the operator types.

use std::{env, fs, process};

use crate::api::Operator;

/// How sshd(8) tells the programs that it starts.
const VARIABLE: &str = "SSH_CONNECTION";

/// The connection that this command was typed over, if it was one of SSH. sudo does not hand the variable on, so whoever has
/// started this process is asked, too.
pub(super) fn find() -> Option<Operator> {
    let own = env::var(VARIABLE).ok();
    own.or_else(|| ancestors().find_map(|process| variable_of(process, VARIABLE)))?.parse().ok()
}

/// The processes that have led to this one, the nearest first.
fn ancestors() -> impl Iterator<Item = u32> {
    std::iter::successors(Some(process::id()), |&process| parent(process)).skip(1).take_while(|&process| process > 1)
}

/// The process that a process was started by: the second field behind its name, which may hold anything (proc_pid_stat(5)).
fn parent(process: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn variable_of(process: u32, name: &str) -> Option<String> {
    let variables = fs::read(format!("/proc/{process}/environ")).ok()?;
    let mut variables = variables.split(|&byte| byte == 0).map(String::from_utf8_lossy);
    variables.find_map(|variable| Some(variable.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ancestors_are_found() {
        assert_eq!(ancestors().next(), Some(std::os::unix::process::parent_id()));
    }

    #[test]
    fn a_process_is_asked_for_what_it_was_started_with() {
        assert_eq!(variable_of(process::id(), "PATH"), env::var("PATH").ok());
        assert_eq!(variable_of(process::id(), "PAT"), None);
    }
}
