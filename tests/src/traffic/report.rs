//! What became of the traffic.

use std::{collections::BTreeMap, time::Duration};

use super::Failure;

/// Requests over some time, by who answered them or why nobody did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Answers, by the name of the backend that gave them.
    pub answers: BTreeMap<String, u64>,
    /// Requests that failed, by reason.
    pub failures: BTreeMap<Failure, u64>,
    /// Connections that were opened. Each is a flow of its own.
    pub connections: u64,
    /// The time from request to complete answer, of each answer.
    latencies_us: Vec<u32>,
}

impl Report {
    /// All requests, whatever became of them.
    pub fn requests(&self) -> u64 {
        self.answered() + self.failed()
    }

    /// Requests that were answered.
    pub fn answered(&self) -> u64 {
        self.answers.values().sum()
    }

    /// Requests that failed.
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// A backend's part of the answers, 0 to 1.
    pub fn share(&self, backend: &str) -> f64 {
        let answers = self.answers.get(backend).copied().unwrap_or(0);
        if answers == 0 { 0.0 } else { answers as f64 / self.answered() as f64 }
    }

    /// The latency that this part of the answers (0.5, 0.99) does not exceed; none without answers.
    pub fn latency(&self, quantile: f64) -> Option<Duration> {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        let index = (last as f64 * quantile.clamp(0.0, 1.0)).round() as usize;
        Some(Duration::from_micros(sorted[index].into()))
    }

    /// The failures in words, `3 reset, 1 refused`; empty without any.
    pub fn reasons(&self) -> String {
        let reasons: Vec<_> = self.failures.iter().map(|(failure, count)| format!("{count} {failure}")).collect();
        reasons.join(", ")
    }

    /// Adds another report.
    pub fn add(&mut self, other: &Self) {
        for (backend, count) in &other.answers {
            *self.answers.entry(backend.clone()).or_default() += count;
        }
        for (failure, count) in &other.failures {
            *self.failures.entry(failure.clone()).or_default() += count;
        }
        self.connections += other.connections;
        self.latencies_us.extend(&other.latencies_us);
    }

    /// Counts one request.
    pub(super) fn count(&mut self, outcome: Result<String, Failure>, took: Duration) {
        match outcome {
            Ok(backend) => {
                *self.answers.entry(backend).or_default() += 1;
                self.latencies_us.push(took.as_micros().try_into().unwrap_or(u32::MAX));
            }
            Err(failure) => *self.failures.entry(failure).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_quantiles_are_of_the_answers_alone() {
        let mut report = Report::default();
        for (backend, milliseconds) in [("a", 1), ("a", 2), ("a", 3), ("b", 100)] {
            report.count(Ok(backend.into()), Duration::from_millis(milliseconds));
        }
        report.count(Err(Failure::Reset), Duration::from_secs(9));
        assert_eq!((report.requests(), report.answered(), report.failed()), (5, 4, 1));
        assert_eq!((report.share("a"), report.share("b"), report.share("c")), (0.75, 0.25, 0.0));
        assert_eq!(report.latency(0.5), Some(Duration::from_millis(3)));
        assert_eq!(report.latency(0.99), Some(Duration::from_millis(100)));
        assert_eq!(report.reasons(), "1 reset");
    }

    #[test]
    fn an_empty_report_has_no_shares_and_no_latency() {
        let report = Report::default();
        assert_eq!(report.share("a"), 0.0);
        assert_eq!(report.latency(0.5), None);
        assert_eq!(report.reasons(), "");
    }

    #[test]
    fn adding_a_report_adds_everything() {
        let mut sum = Report::default();
        let mut part = Report { connections: 2, ..Report::default() };
        part.count(Ok("a".into()), Duration::from_millis(1));
        part.count(Err(Failure::Refused), Duration::ZERO);
        sum.add(&part);
        sum.add(&part);
        assert_eq!((sum.connections, sum.answers["a"], sum.failures[&Failure::Refused]), (4, 2, 2));
        assert_eq!(sum.latencies_us.len(), 2);
    }
}
