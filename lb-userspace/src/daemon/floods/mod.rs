//! Which services are being flooded with SYNs, and the keys of the cookies that strangers are asked for then.
//!
//! While a service is not flooded, a sample of its flows tells how many handshakes are not finished; while it is, the
//! strangers tell who have been asked and have not answered. Protection begins with the first second above a rate, and ends
//! when it was below a lower one for a time.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use lb_common::{SYN_SAMPLE_ONE_IN, ServiceValue, SynEvent, SynTraffic};

use crate::{
    model::{Model, Protocol, Service, Syn, SynProtection},
    plan::{self, Guard, Snapshot},
};

/// For how long cookies are made with one key, in seconds. A cookie is good for one to two times this: a client's reset comes
/// after one round trip.
const EPOCH_S: u64 = 16;

/// The state of all services' protection.
pub(super) struct Floods {
    /// What the planner is to know.
    pub(super) guard: Guard,
    rotated_s: u64,
    seen: BTreeMap<String, Seen>,
}

/// What was last seen of a service.
#[derive(Clone, Copy)]
struct Seen {
    id: u32,
    traffic: SynTraffic,
    at_ms: u64,
    /// Handshakes a second that were not finished, between the last two looks.
    unfinished: u64,
    /// Since when the service is flooded, or is not, in seconds.
    since_s: u64,
    /// Since when the rate has been low enough for protection to end, in seconds.
    calm_since_s: Option<u64>,
}

/// Protection begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// It begins, because so many handshakes a second are not finished.
    Begins(u64),
    /// It ends, after so many seconds.
    Ends(u64),
}

/// How it stands with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Handshakes a second that are not finished.
    pub(super) unfinished: u64,
    /// For how long it has been flooded, or not, in seconds.
    pub(super) seconds: u64,
}

impl Floods {
    /// Goes on with what a former daemon has left in the tables: its keys, and its services under protection. The keys are new if
    /// there was none.
    pub(super) fn after(
        snapshot: &Snapshot,
        model: &Model,
        now_s: u64,
        random: impl FnMut() -> io::Result<[u64; 2]>,
    ) -> io::Result<Self> {
        let present = plan::present(model, snapshot);
        let was_flooded = |service: &&Service| {
            present.get(service.name.as_str()).is_some_and(ServiceValue::is_guarded) && is_followed(service)
        };
        let flooded: BTreeSet<String> =
            model.services.iter().filter(was_flooded).map(|service| service.name.clone()).collect();
        let (keys, epoch) = (snapshot.syn.keys, snapshot.syn.epoch);
        let mut floods = Self { guard: Guard { keys, epoch, flooded }, rotated_s: now_s, seen: BTreeMap::new() };
        if epoch == 0 {
            floods.renew(2, now_s, random)?;
        }
        Ok(floods)
    }

    /// Begins a new epoch when it is time, if anybody is asked for cookies; whether it has.
    ///
    /// After a pause nothing that was made before it is good any more.
    pub(super) fn rotate(
        &mut self,
        model: &Model,
        now_s: u64,
        random: impl FnMut() -> io::Result<[u64; 2]>,
    ) -> io::Result<bool> {
        let guards = |service: &Service| plan::is_guarded(&self.guard, service);
        let passed = now_s.saturating_sub(self.rotated_s) / EPOCH_S;
        if passed == 0 || !model.services.iter().any(guards) {
            return Ok(false);
        }
        self.renew(passed.min(2), now_s, random)?;
        Ok(true)
    }

    fn renew(&mut self, epochs: u64, now_s: u64, mut random: impl FnMut() -> io::Result<[u64; 2]>) -> io::Result<()> {
        for _ in 0..epochs {
            let epoch = self.guard.epoch.wrapping_add(1);
            self.guard.keys[epoch as usize & 1] = random()?;
            self.guard.epoch = epoch;
        }
        self.rotated_s = now_s;
        Ok(())
    }

    /// Looks at what was counted of a service since the last look; what is new.
    pub(super) fn look(
        &mut self,
        service: &Service,
        id: u32,
        traffic: SynTraffic,
        now_ms: u64,
        syn: &Syn,
    ) -> Option<News> {
        let now_s = now_ms / 1000;
        let first = Seen { id, traffic, at_ms: now_ms, unfinished: 0, since_s: now_s, calm_since_s: None };
        let seen = self.seen.entry(service.name.clone()).or_insert(first);
        if seen.id != id {
            *seen = first;
        }
        let passed_ms = now_ms - seen.at_ms;
        if passed_ms == 0 {
            return None;
        }
        let is_flooded = self.guard.flooded.contains(&service.name);
        let asks = is_flooded && service.syn_protection == SynProtection::Auto;
        let counts = Counts { before: seen.traffic, after: traffic };
        let (begun, unfinished) = if asks { counts.asked() } else { counts.sampled() };
        let rate = |number: u64| number.saturating_mul(1000) / passed_ms;
        (seen.traffic, seen.at_ms, seen.unfinished) = (traffic, now_ms, rate(unfinished));
        // Few of many are those whose answer is still on its way.
        let is_much = unfinished >= begun / 4;
        if !is_flooded && is_much && rate(unfinished) >= syn.enter.into() {
            (seen.since_s, seen.calm_since_s) = (now_s, None);
            self.guard.flooded.insert(service.name.clone());
            return Some(News::Begins(seen.unfinished));
        }
        if is_flooded && seen.is_calm(syn, now_s) {
            let lasted_s = now_s - seen.since_s;
            seen.since_s = now_s;
            self.guard.flooded.remove(&service.name);
            return Some(News::Ends(lasted_s));
        }
        None
    }

    /// Forgets services that are not followed any more.
    pub(super) fn retain(&mut self, model: &Model) {
        let followed: BTreeSet<&str> =
            model.services.iter().filter(|service| is_followed(service)).map(|service| service.name.as_str()).collect();
        self.seen.retain(|name, _| followed.contains(name.as_str()));
        self.guard.flooded.retain(|name| followed.contains(name.as_str()));
    }

    /// Whether protection of a service is active, or would be.
    pub(super) fn is_active(&self, service: &Service) -> bool {
        match service.syn_protection {
            SynProtection::Off => false,
            SynProtection::Always => true,
            SynProtection::Auto | SynProtection::Monitor => self.guard.flooded.contains(&service.name),
        }
    }

    /// How it stands with a service that is followed.
    pub(super) fn of(&self, service: &str, now_s: u64) -> Option<Standing> {
        let seen = self.seen.get(service)?;
        Some(Standing { unfinished: seen.unfinished, seconds: now_s.saturating_sub(seen.since_s) })
    }
}

impl Seen {
    /// Whether the rate has been low for long enough.
    fn is_calm(&mut self, syn: &Syn, now_s: u64) -> bool {
        if self.unfinished >= syn.leave.into() {
            self.calm_since_s = None;
            return false;
        }
        let since_s = *self.calm_since_s.get_or_insert(now_s);
        now_s - since_s >= syn.hold.as_secs()
    }
}

/// Two readings of the counters.
struct Counts {
    before: SynTraffic,
    after: SynTraffic,
}

impl Counts {
    fn of(&self, event: SynEvent) -> u64 {
        self.after.of(event).wrapping_sub(self.before.of(event))
    }

    /// The handshakes that began, and those that were not finished, by the sample.
    fn sampled(&self) -> (u64, u64) {
        let (opened, completed) = (self.of(SynEvent::Opened), self.of(SynEvent::Completed));
        (opened * SYN_SAMPLE_ONE_IN, opened.saturating_sub(completed) * SYN_SAMPLE_ONE_IN)
    }

    /// The SYNs of strangers, and those that nobody has answered for.
    fn asked(&self) -> (u64, u64) {
        let begun = self.of(SynEvent::Challenged) + self.of(SynEvent::Unanswered);
        (begun, begun.saturating_sub(self.of(SynEvent::Proved) + self.of(SynEvent::Retried)))
    }
}

/// Whether protection of a service begins and ends by itself.
pub(super) fn is_followed(service: &Service) -> bool {
    service.protocol == Protocol::Tcp && matches!(service.syn_protection, SynProtection::Auto | SynProtection::Monitor)
}
