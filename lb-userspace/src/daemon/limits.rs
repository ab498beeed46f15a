//! What the daemon does about rate limits, and what it tells of them.

use std::{net::IpAddr, time::Instant};

use ipnet::IpNet;
use nix::ifaddrs::getifaddrs;

use super::{bans::Outcome, state::State};
use crate::{
    api::types::{ApiError, BanStatus, LimitStatus},
    model::{Firewall, Limit, Model, Moment, measure_name},
    plan::limit_number,
};

/// How many notices are looked at before the tables are written.
const BATCH: usize = 256;

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
        let now = Moment::now();
        let bans = self.bans.all().iter().filter(|(_, ban)| ban.limit == limit.name);
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
            bans: bans
                .map(|(prefix, ban)| BanStatus {
                    source: prefix.to_string(),
                    until: ban.until,
                    seconds_left: ban.until.since(now),
                })
                .collect(),
        })
    }

    /// Bans those who were over a limit, as many as wait.
    pub(super) fn note_excesses(&mut self, first: Excess) {
        let sheltered = sheltered(&self.model);
        let mut is_changed = self.note_excess(first, &sheltered);
        for _ in 1..BATCH {
            let Ok(excess) = self.excesses.try_recv() else { break };
            is_changed |= self.note_excess(excess, &sheltered);
        }
        if is_changed {
            self.follow_world();
            self.write_bans();
        }
    }

    /// Whether there is a new ban.
    fn note_excess(&mut self, excess: Excess, sheltered: &[IpNet]) -> bool {
        let Excess { limit: number, source } = excess;
        let snapshot = &self.snapshot;
        let limits = &self.model.firewall.limits;
        let Some(limit) = limits.iter().find(|limit| limit_number(limit, snapshot) == Some(number)) else {
            return false;
        };
        let covers = |prefix: IpNet| sheltered.iter().any(|net| prefix.contains(net) || net.contains(&prefix));
        let limit = limit.clone();
        match self.bans.note(&limit, source, &covers, Moment::now(), Instant::now()) {
            Some(Outcome::Banned(prefix)) => {
                tracing::info!(limit = limit.name, source = %prefix, action = %limit.action, "banned a source over its limit");
                true
            }
            Some(Outcome::Sheltered(prefix)) => {
                tracing::warn!(limit = limit.name, source = %prefix, "not banned: it is the node's, a service's or a backend's");
                false
            }
            Some(Outcome::Crowd { is_new: true }) => {
                tracing::warn!(
                    limit = limit.name,
                    "too many sources are over the limit at once, which looks forged: they are limited, not banned"
                );
                false
            }
            Some(Outcome::Crowd { is_new: false } | Outcome::Known) | None => false,
        }
    }

    /// Lifts the bans whose time is over.
    pub(super) fn expire_bans(&mut self) {
        if self.bans.expire(&self.model.firewall.limits, Moment::now()) {
            self.follow_world();
            self.write_bans();
        }
    }

    fn write_bans(&mut self) {
        if let Err(error) = self.bans.write(&self.state_directory) {
            tracing::error!(%error, "could not keep the bans in {}", self.state_directory.display());
        }
    }
}

/// The addresses that no ban may cover: the node's, the services' and the backends'.
fn sheltered(model: &Model) -> Vec<IpNet> {
    let own = getifaddrs().into_iter().flatten().filter_map(|interface| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|v6| v6.ip().into()))
    });
    let backends = model.services.iter().flat_map(|service| &service.backends).map(|backend| backend.address);
    let services = model.services.iter().map(|service| service.address);
    services.chain(backends.chain(own).map(IpNet::from)).collect()
}

/// What differs between the limits of two configurations, a sentence each.
pub(super) fn differences(from: &Firewall, to: &Firewall) -> Vec<String> {
    super::rules::named("limit", &from.limits, &to.limits, |limit| &limit.name)
}
