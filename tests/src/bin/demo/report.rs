//! Judging a step by what the client saw, and telling it to a person.

use std::fmt::Write;

use comfy_table::{CellAlignment, Table, presets};
use tests::traffic::Report;

use crate::{network::WEBS, steps::Step};

/// What the client must see.
#[derive(Clone, Copy)]
pub(crate) enum Expectation {
    /// Answers from the three servers in proportion to these weights, and no failures.
    Weights([u32; 3]),
    /// No answers at all, and counters that show why.
    Denied,
}

/// A step that was performed.
pub(crate) struct Outcome {
    step: &'static Step,
    remark: Option<String>,
    /// While it was brought about.
    meanwhile: Report,
    /// When it was in effect.
    measured: Report,
    /// Why it did not do what it says.
    faults: Vec<String>,
}

impl Outcome {
    /// Judges a step; `counted` are the packets that the two counters of denied packets rose by.
    pub(crate) fn new(
        step: &'static Step,
        remark: Option<String>,
        meanwhile: Report,
        measured: Report,
        counted: [u64; 2],
    ) -> Self {
        let mut faults = match step.expectation {
            Expectation::Weights(weights) => faults_of_spread(weights, &measured),
            Expectation::Denied => faults_of_denial(&measured, counted),
        };
        if meanwhile.failed() > 0 && step.excuse.is_none() {
            faults.push(format!("{} failures meanwhile ({})", meanwhile.failed(), meanwhile.reasons()));
        }
        Self { step, remark, meanwhile, measured, faults }
    }

    /// Whether it did what it says.
    pub(crate) fn succeeded(&self) -> bool {
        self.faults.is_empty()
    }

    /// One line about it.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{:>5} requests, {} failures", self.requests(), self.failures());
        if self.succeeded() {
            line.push_str("  ok");
        } else {
            // Writing to a string does not fail.
            let _ = write!(line, "  FAILED: {}", self.faults.join("; "));
        }
        line
    }

    fn requests(&self) -> u64 {
        self.meanwhile.requests() + self.measured.requests()
    }

    fn failures(&self) -> u64 {
        self.meanwhile.failed() + self.measured.failed()
    }

    fn notes(&self) -> String {
        let failed = self.failures();
        let excuse = self.step.excuse.filter(|_| failed > 0).map(|excuse| format!("{failed} {excuse}"));
        let notes: Vec<_> = self.remark.iter().cloned().chain(excuse).chain(self.faults.iter().cloned()).collect();
        notes.join("; ")
    }
}

fn faults_of_spread(weights: [u32; 3], measured: &Report) -> Vec<String> {
    let mut faults = Vec::new();
    if measured.failed() > 0 {
        faults.push(format!("{} failures once in effect ({})", measured.failed(), measured.reasons()));
    }
    if measured.answered() == 0 {
        faults.push("no answers".into());
        return faults;
    }
    let sum = f64::from(weights.iter().sum::<u32>());
    for ((name, _), weight) in WEBS.iter().zip(weights) {
        let (expected, found) = (f64::from(weight) / sum, measured.share(name));
        if (found - expected).abs() > tolerance(expected, measured.answered()) {
            faults.push(format!("{name} has {}, not {}", percent(found), percent(expected)));
        }
    }
    faults
}

/// How far a share may be off: five standard deviations of what chance does to so many flows, and the ring's 2 %.
/// Nothing at all where no answer is expected.
fn tolerance(share: f64, answers: u64) -> f64 {
    5.0 * (share * (1.0 - share) / answers as f64).sqrt() + 0.02 * share
}

fn faults_of_denial(measured: &Report, [listed, dropped]: [u64; 2]) -> Vec<String> {
    let mut faults = Vec::new();
    if measured.answered() > 0 {
        faults.push(format!("{} answers in spite of it", measured.answered()));
    }
    if measured.failed() == 0 {
        faults.push("no request was made".into());
    }
    if listed == 0 || dropped == 0 {
        faults.push(format!("counters did not rise: the list's by {listed}, the drop reason's by {dropped}"));
    }
    faults
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// All steps as a table.
pub(crate) fn table(outcomes: &[Outcome]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let header = ["step", "what was done", "requests", "failures", "web1", "web2", "web3", "result", "notes"];
    table.set_header(header);
    for outcome in outcomes {
        let mut row = vec![
            outcome.step.name.to_owned(),
            outcome.step.done.to_owned(),
            outcome.requests().to_string(),
            outcome.failures().to_string(),
        ];
        row.extend(WEBS.iter().map(|(name, _)| percent(outcome.measured.share(name))));
        row.push(if outcome.succeeded() { "ok" } else { "FAILED" }.into());
        row.push(outcome.notes());
        table.add_row(row);
    }
    for index in 2..=6 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The sum of it, in words.
pub(crate) fn closing(outcomes: &[Outcome]) -> String {
    let mut all = Report::default();
    for outcome in outcomes {
        all.add(&outcome.meanwhile);
        all.add(&outcome.measured);
    }
    let failed = outcomes.iter().filter(|outcome| !outcome.succeeded()).count();
    let latency = |quantile| all.latency(quantile).unwrap_or_default().as_secs_f64() * 1000.0;
    let verdict = match failed {
        0 => "Every step did what it says.".to_owned(),
        1 => "One step did not do what it says.".to_owned(),
        _ => format!("{failed} steps did not do what they say."),
    };
    format!(
        "Shares are of the answers once a step was in effect; requests and failures include the way there.\n\
         {} requests, half answered within {:.1} ms and 99 % within {:.1} ms.\n{verdict}",
        all.requests(),
        latency(0.5),
        latency(0.99),
    )
}
