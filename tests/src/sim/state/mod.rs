//! `sim state`: how many connections break although their server is alive, under several ways to steer packets.
//!
//! Problem: rules for keeping connections through changes look alike on paper, and small deviations break a hundred times as
//! many. Mechanism: connections (`connection`) of every habit come and go while servers are changed (`operation`); every
//! packet is steered by the rules (`scheme`) that are compared, of which the product's are its own planner, scan, rings and
//! steering on a node without a kernel ([`super::Node`]); a connection one of whose packets goes to another server than its
//! first is broken (`world`). Time is simulated, so a run is the same every time. Trade-off: packets meet one after the
//! other, so races between processors do not occur, and one node stands for all.

mod chance;
mod connection;
mod maglev;
mod operation;
mod ours;
mod report;
mod scheme;
mod two_nodes;
mod world;

use self::{
    operation::{drains, false_alarms, one_at_a_time, overlapping_drains},
    world::{Flood, Workload, run},
};
pub use self::{
    report::{Compared, Report, Victims},
    scheme::Rules,
    world::Outcome,
};
use crate::sim::Kind;

/// How much is simulated.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections of each workload.
    pub connections: u32,
    /// What chance begins with.
    pub seed: u64,
}

/// Connections are opened for so long; changes happen after the first and before the last hour.
const ARRIVALS_S: u64 = 6 * HOUR_S;
const HOUR_S: u64 = 3600;
const QUARTER_S: u64 = 900;

/// A flood lasts so long, and has so many packets for each connection that is real.
const FLOOD_S: u64 = 600;
const FLOOD_FACTOR: f64 = 100.0;

impl Options {
    /// As many entries of a table for each connection as 1 Mi are for 4.3 million.
    fn entries(&self) -> usize {
        (self.connections as usize / 4).next_power_of_two().max(64)
    }

    fn ours(&self, flip_s: u64) -> Rules {
        Rules::Ours { flip_s, has_suspects: true, sets: self.entries() / lb_common::FLOW_WAYS }
    }

    fn rate(&self) -> f64 {
        f64::from(self.connections) / ARRIVALS_S as f64
    }

    fn workload(&self, schedule: operation::Schedule) -> Workload {
        Workload { seed: self.seed, rate: self.rate(), arrivals_s: ARRIVALS_S, schedule, flood: None }
    }

    /// The servers are drained one after the other, and a flood begins with the third.
    fn flood(&self, kinds: &'static [Kind]) -> Workload {
        let from_s = HOUR_S;
        let per_second = (self.rate() * FLOOD_FACTOR) as u32;
        let flood = Flood { kinds, from_s, until_s: from_s + FLOOD_S, per_second };
        Workload { arrivals_s: 3 * HOUR_S, flood: Some(flood), ..self.workload(drains(from_s - 600)) }
    }

    /// The rules under both workloads.
    pub fn compare(&self, rules: Rules) -> Compared {
        let (from_s, until_s) = (HOUR_S, ARRIVALS_S - HOUR_S);
        Compared {
            rules: rules.to_string(),
            one_change: run(&self.workload(one_at_a_time(from_s, until_s)), rules),
            overlapping: run(&self.workload(overlapping_drains(from_s, until_s)), rules),
        }
    }

    fn alarms(&self, has_suspects: bool) -> Outcome {
        let schedule = false_alarms(HOUR_S, ARRIVALS_S - HOUR_S, self.seed);
        let sets = self.entries() / lb_common::FLOW_WAYS;
        run(&self.workload(schedule), Rules::Ours { flip_s: HOUR_S, has_suspects, sets })
    }

    fn victims(&self, rules: Rules) -> Victims {
        let floods: [&[Kind]; 4] = [&[], &[Kind::Syn], &[Kind::Data], &[Kind::Syn, Kind::Data]];
        let [none, syn, ack, pairs] = floods.map(|kinds| run(&self.flood(kinds), rules));
        let Outcome { connections, broken, .. } = none;
        Victims {
            rules: rules.to_string(),
            connections,
            none: broken,
            syn: syn.broken,
            ack: ack.broken,
            pairs: pairs.broken,
        }
    }

    /// The whole table.
    pub fn report(&self) -> Report {
        let tables = Rules::TwoNodes { entries: self.entries() };
        let small_tables = Rules::TwoNodes { entries: self.entries() / 16 };
        let rules = [Rules::Stateless, tables, self.ours(QUARTER_S), self.ours(HOUR_S)];
        let flooded = [Rules::Stateless, small_tables, tables, self.ours(HOUR_S)];
        Report {
            connections: self.connections,
            seed: self.seed,
            workloads: rules.map(|rules| self.compare(rules)).into(),
            alarms_without_suspects: self.alarms(false),
            alarms_with_suspects: self.alarms(true),
            floods: flooded.map(|rules| self.victims(rules)).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Options = Options { connections: 20_000, seed: 1 };

    #[test]
    fn these_rules_keep_what_a_ring_alone_breaks() {
        let ours = QUICK.compare(QUICK.ours(HOUR_S));
        let stateless = QUICK.compare(Rules::Stateless);
        for (ours, stateless) in [(ours.one_change, stateless.one_change), (ours.overlapping, stateless.overlapping)] {
            assert!(ours.connections > 19_000 && ours.connections == stateless.connections);
            assert!(ours.broken_percent() < 0.01, "{ours:?}");
            assert!(stateless.broken_percent() > 1.0, "{stateless:?}");
        }
    }

    #[test]
    fn a_suspect_keeps_its_connections() {
        let [without, with] = [false, true].map(|has_suspects| QUICK.alarms(has_suspects));
        assert!(without.broken_percent() > 0.5, "{without:?}");
        assert!(with.broken_percent() < 0.01, "{with:?}");
    }

    #[test]
    fn a_run_repeats_itself() {
        assert_eq!(QUICK.compare(Rules::Stateless).one_change, QUICK.compare(Rules::Stateless).one_change);
        let other = Options { seed: 2, ..QUICK };
        assert_ne!(QUICK.compare(Rules::Stateless).one_change, other.compare(Rules::Stateless).one_change);
    }
}
