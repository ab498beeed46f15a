//! The drops of the last minutes, by what an operator may ask for.

use std::{cmp::Reverse, collections::VecDeque};

use lb_common::{Address, DropSample};
use serde::{Deserialize, Serialize};

use super::sketch::{Estimate, Sketch, combined};

/// How long drops are remembered, in minutes, each with sketches of its own.
const MINUTES: u64 = 5;

/// The counters of a sketch: a source with a thousandth of a minute's drops is found.
const ROOM: usize = 1024;

/// How many bits of a source are its prefix: those of the networks that are commonly given to one customer or site.
const PREFIX_BITS: (u8, u8) = (24, 48);

/// What drops are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The source address.
    Source(Address),
    /// The source's network: its address, and how many bits of it count.
    Prefix(Address, u8),
    /// The protocol number and the destination port.
    Port(u8, u16),
    /// The reason, as its index.
    Reason(u32),
}

/// What an operator may ask for the most frequent of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Source addresses.
    Source,
    /// The networks of source addresses: /24 of IPv4, /48 of IPv6.
    Prefix,
    /// Destination ports and protocols.
    Port,
    /// Reasons.
    Reason,
}

impl By {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Source, Self::Prefix, Self::Port, Self::Reason];

    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Prefix => "prefix",
            Self::Port => "port",
            Self::Reason => "reason",
        }
    }

    /// What a drop counts for.
    fn subject(self, sample: &DropSample) -> Subject {
        match self {
            Self::Source => Subject::Source(sample.source),
            Self::Prefix => prefix(&sample.source),
            Self::Port => Subject::Port(sample.protocol, sample.destination_port),
            Self::Reason => Subject::Reason(sample.reason),
        }
    }
}

/// The sketches of one minute.
#[derive(Debug)]
struct Minute {
    number: u64,
    /// For how many of its seconds drops were sampled.
    seconds: u64,
    samples: u64,
    drops: u64,
    /// In the order of [`By::ALL`].
    sketches: [Sketch<Subject>; By::ALL.len()],
}

impl Minute {
    fn new(number: u64) -> Self {
        Self { number, seconds: 0, samples: 0, drops: 0, sketches: By::ALL.map(|_| Sketch::new(ROOM)) }
    }
}

/// What was dropped in the last minutes, as far as it was sampled.
#[derive(Debug, Default)]
pub struct Window {
    minutes: VecDeque<Minute>,
}

/// Who is behind most drops.
#[derive(Clone, Debug, PartialEq)]
pub struct Heaviest {
    /// For how many seconds drops were sampled.
    pub seconds: u64,
    /// Records.
    pub samples: u64,
    /// Drops that they stand for.
    pub drops: u64,
    /// Those who certainly have the most, the first before the others.
    pub entries: Vec<(Subject, Estimate)>,
}

impl Window {
    /// Counts a record that came at a time, in seconds of any clock.
    pub fn add(&mut self, now_s: u64, sample: &DropSample) {
        let minute = self.minute(now_s);
        minute.samples += 1;
        minute.drops += sample.weight;
        for (by, sketch) in By::ALL.into_iter().zip(&mut minute.sketches) {
            sketch.add(by.subject(sample), sample.weight);
        }
    }

    /// Notes that drops were sampled for one more second.
    pub fn note_second(&mut self, now_s: u64) {
        self.minute(now_s).seconds += 1;
    }

    /// The sketches of the present minute; forgets those that are too old.
    fn minute(&mut self, now_s: u64) -> &mut Minute {
        let number = now_s / 60;
        self.minutes.retain(|minute| minute.number + MINUTES > number);
        if self.minutes.back().is_none_or(|minute| minute.number != number) {
            self.minutes.push_back(Minute::new(number));
        }
        let last = self.minutes.len() - 1;
        &mut self.minutes[last]
    }

    /// The `count` with the most drops.
    pub fn heaviest(&mut self, now_s: u64, by: By, count: usize) -> Heaviest {
        self.minute(now_s);
        let sketches = self.minutes.iter().map(|minute| &minute.sketches[by as usize]);
        let mut entries: Vec<_> = combined(sketches).into_iter().collect();
        // Whoever may have much, but perhaps has nothing, comes after those who have.
        entries.sort_by_key(|(subject, estimate)| (Reverse(estimate.at_least()), *subject));
        entries.truncate(count);
        let sum = |what: fn(&Minute) -> u64| self.minutes.iter().map(what).sum();
        Heaviest {
            seconds: sum(|minute| minute.seconds),
            samples: sum(|minute| minute.samples),
            drops: sum(|minute| minute.drops),
            entries,
        }
    }
}

fn prefix(source: &Address) -> Subject {
    let (v4, v6) = PREFIX_BITS;
    let bits = if source.is_v4() { v4 } else { v6 };
    let before = if source.is_v4() { Address::MAPPED_BITS as u8 } else { 0 };
    Subject::Prefix(source.prefix(before + bits), bits)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn sample(source: &str, port: u16, weight: u64) -> DropSample {
        let source: IpAddr = source.parse().unwrap();
        DropSample { source: source.into(), destination_port: port, protocol: 6, weight, ..DropSample::default() }
    }

    fn address(text: &str) -> Address {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn drops_are_counted_by_all_that_may_be_asked_for() {
        let mut window = Window::default();
        for (source, port, weight) in
            [("192.0.2.1", 80, 5), ("192.0.2.2", 80, 4), ("2001:db8:1:2::3", 443, 6), ("192.0.2.1", 443, 3)]
        {
            window.add(1000, &sample(source, port, weight));
        }
        let mut most = |by| {
            let heaviest = window.heaviest(1001, by, 2);
            assert_eq!((heaviest.drops, heaviest.samples), (18, 4));
            heaviest.entries.into_iter().map(|(subject, estimate)| (subject, estimate.count)).collect::<Vec<_>>()
        };
        let sources = [("192.0.2.1", 8), ("2001:db8:1:2::3", 6)].map(|(a, n)| (Subject::Source(address(a)), n));
        assert_eq!(most(By::Source), sources);
        let prefixes = [("192.0.2.0", 24, 12), ("2001:db8:1::", 48, 6)];
        assert_eq!(most(By::Prefix), prefixes.map(|(a, bits, n)| (Subject::Prefix(address(a), bits), n)));
        assert_eq!(most(By::Port), [(Subject::Port(6, 80), 9), (Subject::Port(6, 443), 9)]);
        assert_eq!(most(By::Reason), [(Subject::Reason(0), 18)]);
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = Window::default();
        for minute in 0..10 {
            window.note_second(minute * 60);
            window.add(minute * 60, &sample("192.0.2.1", 80, 1));
        }
        let heaviest = window.heaviest(9 * 60 + 59, By::Source, 10);
        assert_eq!((heaviest.drops, heaviest.seconds), (5, 5));
        assert_eq!(heaviest.entries.len(), 1);
        let later = window.heaviest(20 * 60, By::Source, 10);
        assert_eq!((later.drops, later.seconds, later.entries.len()), (0, 0, 0));
    }
}
