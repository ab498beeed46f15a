//! Counting the tests of several `cargo test` runs while their output streams by.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use anyhow::Context;

/// How many tests passed, failed and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Tally {
    /// Runs a test command, shows its output, and adds its results.
    ///
    /// A run that fails without a failed test, because it did not compile or a test binary died, counts as one failure.
    pub(crate) fn run(&mut self, command: &mut Command) -> anyhow::Result<()> {
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
        let stdout = child.stdout.take().context("cargo test has no output")?;
        let mut run = Self::default();
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("cannot read cargo test's output")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            run.add_line(&line);
        }
        if !child.wait().context("cannot wait for cargo test")?.success() && run.failed == 0 {
            println!("`{}` failed outside of its tests", crate::cargo::words(command));
            run.failed = 1;
        }
        self.passed += run.passed;
        self.failed += run.failed;
        self.ignored += run.ignored;
        Ok(())
    }

    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`; other lines count nothing.
    fn add_line(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|result| result.split_once(". ")) else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                Some((number, "ignored")) => self.ignored += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed_and_others_pass_by() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test counts ... 7 passed; 9 failed;",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
        ] {
            tally.add_line(line);
        }
        assert_eq!(tally, Tally { passed: 15, failed: 2, ignored: 1 });
    }

    #[test]
    fn a_run_that_dies_without_a_result_is_a_failure() {
        let mut tally = Tally::default();
        tally.run(&mut Command::new("false")).unwrap();
        tally.run(&mut Command::new("true")).unwrap();
        assert_eq!(tally, Tally { passed: 0, failed: 1, ignored: 0 });
    }
}
