//! Connections: how long they live, and when they speak.

use std::cmp::Ordering;

use super::{chance::Chance, scheme::Server};
use crate::sim::Kind;

/// What a connection is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// A request or a few: 0.2 s to a minute.
    Short,
    /// A transfer or a session: a minute to an hour, a packet a minute at least.
    Long,
    /// Open just in case: a quarter of an hour to an hour, a packet every few minutes.
    Idle,
    /// Idle for longer than anybody has patience with: one to three hours, silent for up to 75 minutes.
    Silent,
}

impl Habit {
    fn choose(chance: &mut Chance) -> Self {
        match chance.fraction() {
            ..0.63 => Self::Short,
            ..0.98 => Self::Long,
            ..0.9998 => Self::Idle,
            _ => Self::Silent,
        }
    }

    fn lifetime_s(self, chance: &mut Chance) -> f64 {
        match self {
            Self::Short => chance.of_any_size(0.2, 60.0),
            Self::Long => chance.of_any_size(60.0, 3600.0),
            Self::Idle => chance.of_any_size(900.0, 3600.0),
            Self::Silent => chance.between(3600.0, 10800.0),
        }
    }

    /// The time until it speaks again.
    fn pause_s(self, lifetime_s: f64, chance: &mut Chance) -> f64 {
        match self {
            Self::Short | Self::Long => chance.wait((lifetime_s / 10.0).min(60.0)),
            Self::Idle => chance.wait(150.0),
            Self::Silent => chance.of_any_size(300.0, 4500.0),
        }
    }
}

/// A connection, and the next packet of it.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    /// When it is sent.
    pub(super) at_s: f64,
    /// What it is.
    pub(super) kind: Kind,
    /// The flow's number.
    pub(super) flow: u32,
    pub(super) habit: Habit,
    /// Who answered it.
    pub(super) server: Option<Server>,
    lifetime_s: f64,
    end_s: f64,
    chance: Chance,
}

impl Connection {
    /// The connection with a number, which is the same in every run of a seed.
    pub(super) fn new(seed: u64, flow: u32, at_s: f64) -> Self {
        let mut chance = Chance::of(seed, flow.into());
        let habit = Habit::choose(&mut chance);
        let lifetime_s = habit.lifetime_s(&mut chance);
        Self { at_s, kind: Kind::Syn, flow, habit, server: None, lifetime_s, end_s: at_s + lifetime_s, chance }
    }

    /// The connection with its next packet, if there is one.
    pub(super) fn next(mut self) -> Option<Self> {
        const ROUND_TRIP_S: f64 = 0.1;
        self.at_s = match self.kind {
            Kind::Syn => self.at_s + ROUND_TRIP_S,
            Kind::Data if self.at_s < self.end_s => {
                let next_s = self.at_s + self.habit.pause_s(self.lifetime_s, &mut self.chance);
                next_s.min(self.end_s)
            }
            _ => return None,
        };
        self.kind = if self.at_s < self.end_s { Kind::Data } else { self.farewell()? };
        Some(self)
    }

    /// Most close, some reset, and some are never heard of again.
    fn farewell(&mut self) -> Option<Kind> {
        match self.chance.fraction() {
            ..0.9 => Some(Kind::Fin),
            ..0.95 => Some(Kind::Rst),
            _ => None,
        }
    }
}

/// The earlier packet is the greater one, so that a heap hands it out first.
impl Ord for Connection {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at_s.total_cmp(&self.at_s).then(other.flow.cmp(&self.flow))
    }
}

impl PartialOrd for Connection {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Connection {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Connection {}
