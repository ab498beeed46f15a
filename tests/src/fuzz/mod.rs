//! Fuzzing of the datapath with the packet table as its corpus.
//!
//! Every case of [`cases::table`] gives its packet and its tables; the packet is changed in ways that nobody has thought of
//! (see `mutation`) and run through the library, for which `laws` must hold, and through the loaded program, which must
//! do the same as the library, byte for byte. A frame with which something new has happened becomes a seed itself, so that
//! a long run gets further than one change from the table. The same seed makes the same run.

mod laws;
mod mutation;
mod random;
mod rare;

use std::{cell::OnceCell, collections::BTreeSet, fmt::Write};

use anyhow::{Context, Result, ensure};

pub use self::random::Random;
use crate::{
    cases::{self, Action, Case, Observation, Outcome, kernel::Runner},
    world::World,
};

/// The kernel refuses to run on less than an Ethernet header.
const LEAST_BYTES: usize = 14;
/// How many frames of one case may become seeds.
const MOST_SEEDS: usize = 64;

/// A case of the table, and what has grown from it.
struct Seeded {
    case: Case,
    world: OnceCell<World>,
    frames: Vec<Vec<u8>>,
    /// What has happened already.
    seen: BTreeSet<String>,
}

/// The corpus and the state of a run.
pub struct Fuzzer {
    cases: Vec<Seeded>,
    random: Random,
    growth: usize,
}

impl Fuzzer {
    /// A run over the whole packet table.
    pub fn new(seed: u64) -> Self {
        let table = cases::table();
        // Nothing may grow by more than the table shows.
        let growth = table.iter().filter_map(|case| match &case.outcome {
            Outcome::Transmit(frame) | Outcome::Redirect(_, frame) => frame.len().checked_sub(case.frame.len()),
            Outcome::Pass | Outcome::Drop(_) => None,
        });
        let growth = growth.max().unwrap_or_default();
        let cases = table.into_iter().map(Seeded::new).collect();
        Self { cases, random: Random::new(seed), growth }
    }

    /// How many cases there are.
    pub const fn cases(&self) -> usize {
        self.cases.len()
    }

    /// How many frames have become seeds besides the table's.
    pub fn found(&self) -> usize {
        self.cases.iter().map(|seeded| seeded.frames.len() - 1).sum()
    }

    /// Runs the library on so many changed packets of a case.
    ///
    /// # Errors
    ///
    /// The first frame with which a law is broken, and how to see it again.
    pub fn run_library(&mut self, case: usize, times: usize) -> Result<()> {
        for _ in 0..times {
            let frame = self.frame(case);
            let growth = self.growth;
            let seeded = &mut self.cases[case];
            let mutated = seeded.case.with_frame(frame);
            let seen = laws::check(&mutated, seeded.world(), growth).with_context(|| shown(&mutated))?;
            seeded.keep(mutated.frame, &seen);
        }
        Ok(())
    }

    /// Runs library and loaded program on so many changed packets of a case. What the kernel cannot run is left out.
    ///
    /// # Errors
    ///
    /// The first frame on which the two disagree, and how to see it again; or the kernel refuses a run.
    pub fn run_both(&mut self, case: usize, times: usize, runner: &mut Runner) -> Result<()> {
        if self.cases[case].case.host_only.is_some() || self.cases[case].case.is_remembered {
            return Ok(());
        }
        for _ in 0..times {
            let frame = self.frame(case);
            if frame.len() < LEAST_BYTES {
                continue;
            }
            let (seeded, growth) = (&self.cases[case], self.growth);
            let mutated = seeded.case.with_frame(frame);
            let expected = laws::check(&mutated, seeded.world(), growth).with_context(|| shown(&mutated))?;
            let found = runner.run(&mutated, seeded.world()).with_context(|| shown(&mutated))?;
            let complaint = found.complaint(&expected.without_egress());
            ensure!(
                complaint.is_none(),
                "library (expected) and loaded program (found) disagree: {}\n{}",
                shown(&mutated),
                complaint.unwrap_or_default()
            );
        }
        Ok(())
    }

    /// A changed packet of a case.
    fn frame(&mut self, case: usize) -> Vec<u8> {
        let other = self.random.below(self.cases.len());
        let own = self.random.one_of(&self.cases[case].frames);
        let other = self.random.one_of(&self.cases[other].frames);
        mutation::mutate(own, other, &mut self.random)
    }
}

impl Seeded {
    fn new(case: Case) -> Self {
        let frames = vec![case.frame.clone()];
        Self { case, world: OnceCell::new(), frames, seen: BTreeSet::new() }
    }

    /// The tables; planned when they are first wanted.
    fn world(&self) -> &World {
        self.world.get_or_init(|| self.case.world())
    }

    /// Makes a frame a seed if something has happened with it that is new for this case.
    fn keep(&mut self, frame: Vec<u8>, seen: &Observation) {
        let Observation { verdict, frame: left, counts } = seen;
        let grown = if *verdict == Action::Drop { 0 } else { left.len() as i64 - frame.len() as i64 };
        let drops: Vec<_> = counts.drops.keys().collect();
        let (services, backends): (Vec<_>, Vec<_>) =
            (counts.services.keys().collect(), counts.backends.keys().collect());
        let happened = format!("{verdict:?} {grown} {drops:?} {services:?} {backends:?}");
        if self.frames.len() < MOST_SEEDS && self.seen.insert(happened) {
            self.frames.push(frame);
        }
    }
}

/// What somebody needs to see a finding again: the case whose tables it met, and the frame.
fn shown(case: &Case) -> String {
    let hex = case.frame.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    format!(
        "tables of the case {:?}, in by interface {}, frame of {} bytes: {hex}",
        case.name,
        case.ingress,
        case.frame.len()
    )
}
