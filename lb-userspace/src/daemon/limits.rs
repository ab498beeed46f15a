//! What the daemon does about rate limits, and what it tells of them.

use std::{collections::BTreeMap, net::IpAddr, time::Instant};

use ipnet::IpNet;

use super::{
    bans::Leave,
    clock,
    guard::{Guard, own_addresses},
    listed::{self, Expiring},
    state::State,
};
use crate::{
    api::types::{ApiError, BanStatus, LimitStatus},
    config::prefix,
    model::{Firewall, Limit, LimitAction, LimitBy, ListKind, Moment, Origin, measure_name},
    plan::limit_number,
};

/// How many notices are looked at before the tables are written.
const BATCH: usize = 256;

/// The list that bans are put on.
const LIST: &str = ListKind::Deny.name();

/// A source that was over the limit with a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Excess {
    pub(super) limit: u32,
    pub(super) source: IpAddr,
}

impl State {
    pub(super) fn limits(&self) -> Result<Vec<LimitStatus>, ApiError> {
        self.model.firewall.limits.iter().map(|limit| self.limit_status(limit)).collect()
    }

    fn limit_status(&self, limit: &Limit) -> Result<LimitStatus, ApiError> {
        let number = limit_number(limit, &self.snapshot);
        let hits = number.map(|number| self.kernel.counters().limit(number)).transpose().map_err(ApiError::failure)?;
        let hits = hits.unwrap_or_default();
        Ok(LimitStatus {
            name: limit.name.clone(),
            by: limit.by.to_string(),
            measure: measure_name(limit.measure).to_owned(),
            rate: limit.rate,
            burst: limit.burst,
            services: limit.services.clone(),
            action: limit.action.to_string(),
            passed: hits.passed,
            limited: hits.limited,
            limited_bytes: hits.limited_bytes,
            bans: self.bans_of(limit),
        })
    }

    /// The sources that a limit has banned: its entries of the deny list.
    fn bans_of(&self, limit: &Limit) -> Vec<BanStatus> {
        let (now, reason) = (Moment::now(), reason(limit));
        let entries = self.listed.expiring.get(LIST).into_iter().flatten();
        let own = entries
            .filter(|(_, entry)| entry.origin == Origin::Ban && entry.reason.as_deref() == Some(reason.as_str()));
        let told = |(&net, entry): (&IpNet, &Expiring)| BanStatus {
            source: prefix::written(net),
            until: entry.until,
            seconds_left: entry.until.since(now),
        };
        own.map(told).collect()
    }

    /// Bans those who were over a limit, as many as wait.
    pub(super) fn note_excesses(&mut self, first: Excess) {
        let guard = Guard::of(&self.model, &own_addresses());
        let mut bans = BTreeMap::new();
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(excess) = next else { break };
            self.note_excess(excess, &guard, &mut bans);
            next = self.excesses.try_recv().ok();
        }
        if bans.is_empty() {
            return;
        }
        let mut wanted = self.listed.clone();
        wanted.expiring.entry(LIST.to_owned()).or_default().extend(bans);
        if let Err(error) = self.adopt_listed(wanted, |state| state.listed.write(&state.state_directory)) {
            tracing::error!("sources over a limit could not be banned: {}", error.error);
        }
    }

    /// Adds the ban of a source, if there is to be one.
    fn note_excess(&mut self, excess: Excess, guard: &Guard, bans: &mut BTreeMap<IpNet, Expiring>) {
        let Excess { limit: number, source } = excess;
        let snapshot = &self.snapshot;
        let mut limits = self.model.firewall.limits.iter();
        let Some(limit) = limits.find(|limit| limit_number(limit, snapshot) == Some(number)) else { return };
        let Some((net, seconds)) = ban(limit, source) else { return };
        let is_listed = self.listed.expiring.get(LIST).is_some_and(|entries| entries.contains_key(&net));
        if is_listed || bans.contains_key(&net) {
            return;
        }
        if let Err(covered) = guard.check(LIST, |other| other == net) {
            tracing::warn!(limit = limit.name, source = %net, "not banned: it covers {}", covered.what);
            return;
        }
        match self.crowds.ask(&limit.name, Instant::now()) {
            Leave::Ban => {
                tracing::info!(limit = limit.name, source = %net, seconds, "banned a source over its limit");
                let until = listed::until(Moment::now(), seconds);
                let expires_s = listed::expiry(clock::now_s(), seconds);
                bans.insert(net, Expiring { until, expires_s, reason: Some(reason(limit)), origin: Origin::Ban });
            }
            Leave::Limit { is_first: true } => tracing::warn!(
                limit = limit.name,
                "too many sources are over the limit at once, which looks forged: they are limited, not banned"
            ),
            Leave::Limit { is_first: false } => {}
        }
    }
}

/// Why a source is on the deny list.
fn reason(limit: &Limit) -> String {
    format!("over the limit {}", limit.name)
}

/// The prefix of a source that a limit bans, and for how many seconds.
fn ban(limit: &Limit, source: IpAddr) -> Option<(IpNet, u64)> {
    let (LimitAction::Ban(duration), LimitBy::Source { v4, v6 }) = (limit.action, limit.by) else { return None };
    let net = IpNet::new(source, if source.is_ipv4() { v4 } else { v6 }).ok()?.trunc();
    Some((net, duration.as_secs()))
}

/// What differs between the limits of two configurations, a sentence each.
pub(super) fn differences(from: &Firewall, to: &Firewall) -> Vec<String> {
    super::rules::named("limit", &from.limits, &to.limits, |limit| &limit.name)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::LimitMeasure;

    #[test]
    fn a_ban_is_for_the_prefix_and_the_time_of_its_limit() {
        let limit = Limit {
            name: "clients".to_owned(),
            by: LimitBy::Source { v4: 24, v6: 64 },
            services: Vec::new(),
            measure: LimitMeasure::Packets,
            rate: 1,
            burst: 1,
            action: LimitAction::Ban(Duration::from_secs(60)),
        };
        let of = |limit: &Limit, source: &str| ban(limit, source.parse().unwrap()).map(|(net, s)| (net.to_string(), s));
        assert_eq!(of(&limit, "10.0.0.7"), Some(("10.0.0.0/24".to_owned(), 60)));
        assert_eq!(of(&limit, "2001:db8::7"), Some(("2001:db8::/64".to_owned(), 60)));
        assert_eq!(of(&Limit { action: LimitAction::Drop, ..limit }, "10.0.0.7"), None);
    }
}
