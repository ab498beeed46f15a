//! Slow start: a backend that comes up beside others is given its share in steps.
//!
//! A server that has just started has cold caches and few workers, and would be met by its whole share of the new flows
//! at once. Here stands who is ramping, and how far; what a daemon finds when it starts is not.

use std::{collections::BTreeMap, time::Duration};

use crate::model::Backend;

/// How many steps there are above the first weight.
const STEPS: u64 = 10;

/// The first weight, in hundredths of the whole.
const FIRST_PERCENT: u64 = 10;

/// The weight of a backend that has been up for so long. Never 0 if `weight` is not: it may be the only one.
pub(super) fn weight(weight: u32, up: Duration, slow_start: Duration) -> u32 {
    let step = (up.as_millis() * u128::from(STEPS)).checked_div(slow_start.as_millis()).unwrap_or(u128::from(STEPS));
    let step = u64::try_from(step).unwrap_or(STEPS).min(STEPS);
    let percent = FIRST_PERCENT + (100 - FIRST_PERCENT) * step / STEPS;
    let scaled = u64::from(weight) * percent / 100;
    u32::try_from(scaled).unwrap_or(weight).max(weight.min(1))
}

/// What a backend does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It takes no new flows. Whether it will ramp when it does.
    Waiting { ramps: bool },
    /// It takes new flows; if it ramps, since when, in seconds.
    Taking { since_s: Option<u64> },
}

/// The backends' standings, by service and backend.
#[derive(Clone, Debug, Default)]
pub(super) struct Ramps {
    standings: BTreeMap<String, BTreeMap<String, Standing>>,
}

impl Ramps {
    /// Takes note of which backends of a service take new flows, and which of the others only wait for their first check.
    ///
    /// A backend that is new ramps if others were there before it: those of a new service begin together. One that was
    /// there and did not take new flows ramps when it does.
    pub(super) fn follow<'a>(
        &mut self,
        service: &str,
        backends: impl Iterator<Item = (&'a Backend, Takes)>,
        now_s: u64,
    ) {
        let before = self.standings.remove(service).unwrap_or_default();
        let has_others = before.values().any(|standing| matches!(standing, Standing::Taking { .. }));
        let next = |standing: Option<&Standing>, takes| match (standing.copied(), takes) {
            (Some(taking @ Standing::Taking { .. }), Takes::All) => taking,
            (Some(Standing::Taking { .. }), _) => Standing::Waiting { ramps: true },
            (Some(Standing::Waiting { ramps }), Takes::All) => Standing::Taking { since_s: ramps.then_some(now_s) },
            (Some(Standing::Waiting { ramps }), takes) => Standing::Waiting { ramps: ramps || takes == Takes::Nothing },
            (None, Takes::All) => Standing::Taking { since_s: has_others.then_some(now_s) },
            (None, takes) => Standing::Waiting { ramps: has_others || takes == Takes::Nothing },
        };
        let standings =
            backends.map(|(backend, takes)| (backend.name.clone(), next(before.get(&backend.name), takes))).collect();
        self.standings.insert(service.to_owned(), standings);
    }

    /// Forgets other services than these.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.standings.retain(|service, _| is_there(service));
    }

    /// For how long a backend has been up, if it ramps.
    pub(super) fn up(&self, service: &str, backend: &str, now_s: u64) -> Option<Duration> {
        match self.standings.get(service)?.get(backend)? {
            Standing::Taking { since_s: Some(since_s) } => Some(Duration::from_secs(now_s.saturating_sub(*since_s))),
            _ => None,
        }
    }
}

/// Whether a backend takes new flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// It does.
    All,
    /// Not yet: it has not been checked.
    NotYet,
    /// It does not.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AdminState;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_weight_grows_in_ten_steps() {
        let after = |seconds| weight(200, Duration::from_secs(seconds), MINUTE);
        assert_eq!(
            [after(0), after(5), after(6), after(12), after(54), after(59), after(60)],
            [20, 20, 38, 56, 182, 182, 200]
        );
        assert_eq!(after(u64::MAX / 1000), 200);
        assert_eq!(weight(200, Duration::ZERO, Duration::ZERO), 200, "without a slow start");
    }

    #[test]
    fn a_small_weight_is_never_none() {
        assert_eq!((weight(1, Duration::ZERO, MINUTE), weight(5, Duration::ZERO, MINUTE)), (1, 1));
        assert_eq!(weight(0, Duration::ZERO, MINUTE), 0, "which was wanted");
    }

    fn backend(name: &str) -> Backend {
        Backend {
            name: name.to_owned(),
            address: [10, 0, 0, 1].into(),
            port: None,
            weight: 100,
            state: AdminState::Up,
            drain_until: None,
            server_id: None,
        }
    }

    /// For how long `b` has been ramping after each moment, of which there is one a second; `None` if it is not. `a` takes
    /// flows from the second one on.
    fn ramp_of_b(moments: &[Option<Takes>]) -> Vec<Option<u64>> {
        let (a, b) = (backend("a"), backend("b"));
        let mut ramps = Ramps::default();
        let mut up = Vec::new();
        for (now_s, b_takes) in (0..).zip(moments) {
            let a_takes = if now_s == 0 { Takes::NotYet } else { Takes::All };
            let there = [Some((&a, a_takes)), b_takes.map(|takes| (&b, takes))];
            ramps.follow("web", there.into_iter().flatten(), now_s);
            assert_eq!(ramps.up("web", "a", now_s), None);
            up.push(ramps.up("web", "b", now_s).map(|up| up.as_secs()));
        }
        up
    }

    #[test]
    fn who_ramps() {
        const ALL: Option<Takes> = Some(Takes::All);
        const NOT_YET: Option<Takes> = Some(Takes::NotYet);
        const NOTHING: Option<Takes> = Some(Takes::Nothing);
        assert_eq!(ramp_of_b(&[ALL, ALL]), [None, None], "found to be up");
        assert_eq!(ramp_of_b(&[NOT_YET, NOT_YET, ALL]), [None, None, None], "its first check comes a moment later");
        assert_eq!(ramp_of_b(&[NOT_YET, NOTHING, ALL, ALL]), [None, None, Some(0), Some(1)], "found to be down");
        assert_eq!(ramp_of_b(&[ALL, NOTHING, ALL, ALL]), [None, None, Some(0), Some(1)], "back again");
        assert_eq!(ramp_of_b(&[None, None, ALL, ALL]), [None, None, Some(0), Some(1)], "added, without a check");
        assert_eq!(ramp_of_b(&[None, None, NOT_YET, ALL]), [None, None, None, Some(0)], "added, with a check");
    }
}
