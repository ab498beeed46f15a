//! What happens while connections come and go.

use super::{chance::Chance, scheme::Server};

/// Something that happens to a server, or to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// A server is added.
    Add(Server),
    /// A server is taken away, with all its connections.
    Remove(Server),
    /// A server takes no new connections.
    Drain(Server),
    /// A drained server takes new ones again.
    Return(Server),
    /// A server's weight changes.
    Weigh(Server, u32),
    /// A server dies, with all its connections. Nobody knows yet.
    Die(Server),
    /// A server that died is there again.
    Revive(Server),
    /// A server's check fails.
    Suspect(Server),
    /// A server's check has failed for as long as one may be suspect.
    Lose(Server),
    /// A server's check passes again.
    Trust(Server),
    /// The second node, if there are two, goes down.
    NodeDown,
    /// It is there again, and remembers nothing.
    NodeUp,
}

/// How many servers there are in the beginning.
pub(super) const SERVERS: Server = 20;

/// What happens, by the second in which it does.
pub(super) type Schedule = Vec<(u64, Operation)>;

/// The time between changes that are made one at a time, and between false alarms.
const APART_S: u64 = 420;
/// How long a check fails before the server is given up.
const SUSPICION_S: u64 = 30;
/// How long it takes to see that a server does not answer.
const DETECTION_S: u64 = 6;

/// Every kind of change, one every seven minutes.
pub(super) fn one_at_a_time(from_s: u64, until_s: u64) -> Schedule {
    let mut schedule = failovers(from_s, until_s);
    let times = (from_s..until_s).step_by(APART_S as usize);
    for (number, at_s) in (0..).zip(times) {
        let round = number / 8;
        let [drained, weighed, dying, added] = [round % 6, 6 + round % 6, 12 + round % 6, SERVERS + round];
        match number % 8 {
            0 => schedule.push((at_s, Operation::Drain(drained))),
            1 => schedule.push((at_s, Operation::Weigh(weighed, 50))),
            2 => schedule.push((at_s, Operation::Add(added))),
            3 => schedule.push((at_s, Operation::Return(drained))),
            4 => schedule.extend([
                (at_s, Operation::Die(dying)),
                (at_s + DETECTION_S, Operation::Suspect(dying)),
                (at_s + DETECTION_S + SUSPICION_S, Operation::Lose(dying)),
            ]),
            5 => schedule.push((at_s, Operation::Weigh(weighed, 100))),
            6 => schedule.extend([(at_s, Operation::Revive(dying)), (at_s, Operation::Trust(dying))]),
            _ => schedule.push((at_s, Operation::Remove(added))),
        }
    }
    in_order(schedule)
}

/// The drains of [`drains`], and the second of two nodes fails meanwhile.
pub(super) fn overlapping_drains(from_s: u64, until_s: u64) -> Schedule {
    in_order([drains(from_s), failovers(from_s, until_s)].concat())
}

/// Every server is drained for a quarter of an hour, the next one five minutes later.
pub(super) fn drains(from_s: u64) -> Schedule {
    let drain = |server| {
        let at_s = from_s + 300 * u64::from(server);
        [(at_s, Operation::Drain(server)), (at_s + 900, Operation::Return(server))]
    };
    in_order((0..SERVERS).flat_map(drain).collect())
}

/// Every seven minutes the check of a server that is well fails for a quarter of a minute.
pub(super) fn false_alarms(from_s: u64, until_s: u64, seed: u64) -> Schedule {
    let mut chance = Chance::of(seed, u64::MAX);
    let mut schedule = Schedule::new();
    for at_s in (from_s..until_s).step_by(APART_S as usize) {
        let server = (chance.word() % u64::from(SERVERS)) as Server;
        schedule.extend([(at_s, Operation::Suspect(server)), (at_s + 15, Operation::Trust(server))]);
    }
    schedule
}

/// The second of two nodes is down for ten minutes, twice.
fn failovers(from_s: u64, until_s: u64) -> Schedule {
    let third_s = (until_s - from_s) / 3;
    let fault = |at_s| [(at_s, Operation::NodeDown), (at_s + 600, Operation::NodeUp)];
    [fault(from_s + third_s), fault(from_s + 2 * third_s)].concat()
}

fn in_order(mut schedule: Schedule) -> Schedule {
    schedule.sort_by_key(|(at_s, _)| *at_s);
    schedule
}
