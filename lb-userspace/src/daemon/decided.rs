//! What CrowdSec decides: entries of the deny list that are there for as long as it says.

use std::collections::HashSet;

use ipnet::IpNet;

use super::{
    clock,
    guard::{Guard, own_addresses},
    listed::{self, Expiring, Listed},
    state::State,
};
use crate::{
    crowdsec::{Decision, Decisions, Told},
    model::{ListKind, Moment, Origin},
};

impl State {
    /// Takes what CrowdSec has decided, or says why not.
    pub(super) fn take_decisions(&mut self, Told { result, taken }: Told) {
        let Some(crowdsec) = &self.model.firewall.crowdsec else { return };
        let url = crowdsec.url.clone();
        let result = result.map_err(|error| error.to_string()).and_then(|decisions| self.decide(decisions));
        let _ = taken.send(result.is_ok());
        let problem = result
            .err()
            .map(|problem| format!("CrowdSec at {url}: {problem}; its bans last as long as they were meant to"));
        if let Some(problem) = problem.as_ref().filter(|_| problem != self.listed.crowdsec_problem) {
            tracing::warn!("{problem}");
        }
        self.listed.crowdsec_problem = problem;
    }

    fn decide(&mut self, decisions: Decisions) -> Result<(), String> {
        let guard = Guard::of(&self.model, &own_addresses());
        let mut wanted = self.listed.clone();
        wanted.decide(decisions, Moment::now(), clock::now_s(), |net| {
            let covered = guard.check(ListKind::Deny.name(), |other| other == net).err();
            covered.inspect(|covered| tracing::warn!("a decision of CrowdSec's is not taken: {covered}")).is_none()
        });
        if wanted.expiring == self.listed.expiring {
            return Ok(());
        }
        self.adopt_listed(wanted, |state| state.listed.write(&state.state_directory)).map_err(|error| error.error)
    }
}

impl Listed {
    /// Takes decisions, of which only those are made that `may_be`. What somebody else has added stays as long as he said, if that is longer.
    fn decide(&mut self, decisions: Decisions, now: Moment, now_s: u64, may_be: impl Fn(IpNet) -> bool) {
        let Decisions { are_all, new, over } = decisions;
        let entries = self.expiring.entry(ListKind::Deny.name().to_owned()).or_default();
        if are_all {
            let banned: HashSet<IpNet> = new.iter().map(|decision| decision.net).collect();
            entries.retain(|net, entry| entry.origin != Origin::CrowdSec || banned.contains(net));
        }
        for Decision { net, .. } in over {
            if entries.get(&net).is_some_and(|entry| entry.origin == Origin::CrowdSec) {
                entries.remove(&net);
            }
        }
        for Decision { net, seconds, reason } in new {
            let expires_s = listed::expiry(now_s, seconds);
            let is_longer = |entry: &Expiring| entry.expires_s >= expires_s;
            if seconds > 0 && !entries.get(&net).is_some_and(is_longer) && may_be(net) {
                let until = listed::until(now, seconds);
                entries.insert(net, Expiring { until, expires_s, reason: Some(reason), origin: Origin::CrowdSec });
            }
        }
    }

    /// Lets go of what CrowdSec has decided.
    pub(super) fn forget_decisions(&mut self) {
        for entries in self.expiring.values_mut() {
            entries.retain(|_, entry| entry.origin != Origin::CrowdSec);
        }
        self.crowdsec_problem = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ban(net: &str, seconds: u64) -> Decision {
        Decision { net: net.parse().unwrap(), seconds, reason: "tries (crowdsec)".to_owned() }
    }

    fn held(listed: &Listed) -> Vec<(String, u32, &'static str)> {
        let entries = listed.expiring["deny"].iter();
        entries.map(|(net, entry)| (net.to_string(), entry.expires_s, entry.origin.name())).collect()
    }

    #[test]
    fn decisions_come_and_go_beside_what_others_have_added() {
        let now = Moment::from_seconds(1_800_000_000);
        let mut listed = Listed::default();
        let mut decide = |are_all, new: &[Decision], over: &[Decision]| {
            let decisions = Decisions { are_all, new: new.to_vec(), over: over.to_vec() };
            listed.decide(decisions, now, 1000, |net| net.prefix_len() > 8);
            held(&listed)
        };
        let of = |net: &str, expires_s| (net.to_owned(), expires_s, "crowdsec");
        let all = decide(true, &[ban("192.0.2.1/32", 60), ban("10.0.0.0/8", 60), ban("2001:db8::/64", 90)], &[]);
        assert_eq!(all, [of("192.0.2.1/32", 1061), of("2001:db8::/64", 1091)]);
        let later = decide(false, &[ban("192.0.2.2/32", 30), ban("192.0.2.3/32", 0)], &[ban("192.0.2.1/32", 0)]);
        assert_eq!(later, [of("192.0.2.2/32", 1031), of("2001:db8::/64", 1091)]);
        assert_eq!(decide(true, &[ban("192.0.2.2/32", 10)], &[]), [of("192.0.2.2/32", 1031)]);

        let entry = Expiring { until: now, expires_s: 1050, reason: None, origin: Origin::Command };
        listed.expiring.entry("deny".to_owned()).or_default().insert("192.0.2.9/32".parse().unwrap(), entry);
        let by_command = || ("192.0.2.9/32".to_owned(), 1050, "command");
        let mut decide = |new: &[Decision], over: &[Decision]| {
            let decisions = Decisions { are_all: true, new: new.to_vec(), over: over.to_vec() };
            listed.decide(decisions, now, 1000, |_| true);
            held(&listed)
        };
        assert_eq!(decide(&[ban("192.0.2.9/32", 10)], &[ban("192.0.2.9/32", 0)]), [by_command()]);
        assert_eq!(decide(&[ban("192.0.2.9/32", 100)], &[]), [of("192.0.2.9/32", 1101)]);
        listed.forget_decisions();
        assert!(held(&listed).is_empty());
    }
}
