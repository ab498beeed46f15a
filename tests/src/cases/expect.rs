//! What a run of a case shows, and what it has to show.

use std::fmt;

use lb_common::{DropReason, DropSample, Hits, LimitHits, Traffic};

use super::Case;
use crate::{packet, tables::Counts, world::World};

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The kernel's stack gets it as it came.
    Pass,
    /// These bytes leave by the interface of ingress.
    Transmit(Vec<u8>),
    /// These bytes leave by the interface with this index.
    Redirect(u32, Vec<u8>),
    /// It is dropped.
    Drop(DropReason),
}

/// All that can be seen of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The verdict.
    pub verdict: Action,
    /// The frame after the run; empty if it was dropped.
    pub frame: Vec<u8>,
    /// What was counted and asked for.
    pub counts: Counts,
}

/// A verdict as a run of the loaded program shows it: without the interface, which no test run tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// XDP_PASS.
    Pass,
    /// XDP_TX.
    Transmit,
    /// XDP_REDIRECT, and where to if that is known.
    Redirect(Option<u32>),
    /// XDP_DROP.
    Drop,
}

impl Case {
    /// What a run has to show.
    pub fn expected(&self, world: &World) -> Observation {
        let (verdict, frame) = match &self.outcome {
            Outcome::Pass => (Action::Pass, self.frame.clone()),
            Outcome::Transmit(frame) => (Action::Transmit, frame.clone()),
            Outcome::Redirect(egress, frame) => (Action::Redirect(Some(*egress)), frame.clone()),
            Outcome::Drop(_) => (Action::Drop, Vec::new()),
        };
        Observation { verdict, frame, counts: self.expected_counts(world) }
    }

    fn expected_counts(&self, world: &World) -> Counts {
        let mut counts = Counts::default();
        let bytes = self.frame.len() as u64;
        if let Some(counted) = &self.counted {
            let traffic = Traffic { packets: 1, bytes, flows: counted.flows };
            counts.services.insert(world.service_ids[counted.service], traffic);
            if let Some(backend) = counted.backend {
                counts.backends.insert(world.slot(counted.service, backend), traffic);
            }
        }
        if let Some((list, entry)) = self.listed {
            let hits = Hits { packets: 1, bytes };
            counts.lists.insert(list, hits);
            counts.list_entries.extend(entry.map(|entry| ((list, entry), hits)));
        }
        counts.rules.extend(self.matched.iter().map(|name| (world.rules[*name], Hits { packets: 1, bytes })));
        for &(name, is_within) in &self.limited {
            let hits = match is_within {
                true => LimitHits { passed: 1, ..LimitHits::default() },
                false => LimitHits { limited: 1, limited_bytes: bytes, ..LimitHits::default() },
            };
            counts.limits.insert(world.limits[name], hits);
            counts.excesses.extend(self.excess.map(|source| (world.limits[name], source.into())));
        }
        if let Outcome::Drop(reason) = self.outcome {
            counts.drops.insert(reason, 1);
        }
        counts.drops.extend(self.refused.map(|reason| (reason, 1)));
        counts.samples.extend(self.recorded.map(|sample| DropSample { ifindex: self.ingress, ..sample }));
        counts.syn.extend(self.syn.map(|(service, event)| ((world.service_ids[service], event), 1)));
        counts.wanted.extend(self.wanted.map(|(ifindex, address)| (ifindex, address.into())));
        counts
    }
}

impl Observation {
    /// The same, without what the kernel does not tell.
    pub fn without_egress(mut self) -> Self {
        if let Action::Redirect(egress) = &mut self.verdict {
            *egress = None;
        }
        self
    }

    /// What differs from what was expected, for a person; `None` if nothing does.
    pub fn complaint(&self, expected: &Self) -> Option<String> {
        (self != expected).then(|| Complaint { expected, found: self }.to_string())
    }
}

struct Complaint<'a> {
    expected: &'a Observation,
    found: &'a Observation,
}

impl fmt::Display for Complaint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, found } = self;
        if expected.verdict != found.verdict {
            writeln!(f, "  verdict: expected {:?}, found {:?}", expected.verdict, found.verdict)?;
        }
        if expected.counts != found.counts {
            writeln!(f, "  counts: expected {:?}\n          found    {:?}", expected.counts, found.counts)?;
        }
        if expected.frame != found.frame {
            write!(f, "{}", packet::difference(&expected.frame, &found.frame))?;
        }
        Ok(())
    }
}
