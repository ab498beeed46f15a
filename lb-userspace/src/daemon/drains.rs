//! How far drains have come.

use std::collections::BTreeMap;

use crate::model::{AdminState, Model, Moment};

/// A backend of which no flow has been seen for this long since its drain began is drained, in seconds.
///
/// A flow that has been silent ever since may still be there: the backend's rows default to it for as long as they move
/// (an hour for TCP). Few operators want to wait for that; who does gives the drain no end, and looks at the rows' share.
pub(super) const QUIET_S: u64 = 30;

/// What a backend still has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// How many flows are known.
    pub(super) flows: u64,
    /// Whether a row names it, so that a flow which nobody knows would go there.
    pub(super) is_named: bool,
}

/// The drain of one backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drain {
    /// How many flows were left at the last look.
    pub(super) flows: u64,
    /// When a flow was last known, or the drain began, in seconds.
    pub(super) busy_s: u64,
    /// Whether nothing is left, as far as can be told.
    pub(super) is_drained: bool,
    /// Whether the deadline has passed.
    is_over: bool,
}

/// Something that the operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing is left of the backend.
    Drained,
    /// The deadline has passed, and this was left.
    Over {
        /// How many flows were let go.
        flows: u64,
    },
}

/// All drains, by service and backend.
#[derive(Debug, Default)]
pub(super) struct Drains {
    drains: BTreeMap<(String, String), Drain>,
}

impl Drains {
    /// Looks at every backend that drains; what is new, by service and backend.
    pub(super) fn follow(
        &mut self,
        model: &Model,
        now: Moment,
        now_s: u64,
        left: impl Fn(&str, &str) -> Left,
    ) -> Vec<(String, String, News)> {
        let mut drains = BTreeMap::new();
        let mut news = Vec::new();
        for service in &model.services {
            for backend in service.backends.iter().filter(|backend| backend.state == AdminState::Drain) {
                let key = (service.name.clone(), backend.name.clone());
                let is_over = backend.state_at(now) == AdminState::Disabled;
                // One that was over before anybody looked is no news.
                let new = Drain { flows: 0, busy_s: now_s, is_drained: false, is_over };
                let mut drain = self.drains.remove(&key).unwrap_or(new);
                let found = drain.look(left(&service.name, &backend.name), is_over, now_s);
                news.extend(found.map(|found| (key.0.clone(), key.1.clone(), found)));
                drains.insert(key, drain);
            }
        }
        self.drains = drains;
        news
    }

    /// Forgets backends that do not drain in a new model: should one drain again, that is another drain.
    pub(super) fn retain(&mut self, model: &Model) {
        self.drains.retain(|(service, name), _| {
            let service = model.services.iter().find(|other| other.name == *service);
            let backend = service.and_then(|service| service.backends.iter().find(|backend| backend.name == *name));
            backend.is_some_and(|backend| backend.state == AdminState::Drain)
        });
    }

    /// What is known of the drain of a backend.
    pub(super) fn of(&self, service: &str, backend: &str) -> Option<Drain> {
        self.drains.get(&(service.to_owned(), backend.to_owned())).copied()
    }
}

impl Drain {
    fn look(&mut self, left: Left, is_over: bool, now_s: u64) -> Option<News> {
        let before = std::mem::replace(self, Self { flows: left.flows, is_over, ..*self });
        if is_over {
            return (!before.is_over).then_some(News::Over { flows: left.flows.max(before.flows) });
        }
        if left.flows > 0 {
            self.busy_s = now_s;
        }
        let is_quiet = now_s.saturating_sub(self.busy_s) >= QUIET_S;
        self.is_drained = left.flows == 0 && (is_quiet || !left.is_named);
        (self.is_drained && !before.is_drained).then_some(News::Drained)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: Drain = Drain { flows: 0, busy_s: 100, is_drained: false, is_over: false };

    fn left(flows: u64, is_named: bool) -> Left {
        Left { flows, is_named }
    }

    #[test]
    fn a_drain_is_done_when_no_flow_was_seen_for_half_a_minute() {
        let mut drain = NEW;
        assert_eq!(drain.look(left(0, true), false, 129), None);
        assert_eq!(drain.look(left(2, true), false, 130), None);
        assert_eq!(drain.look(left(0, true), false, 159), None);
        assert_eq!(drain.look(left(0, true), false, 160), Some(News::Drained));
        assert_eq!(drain.look(left(0, true), false, 161), None, "said once");
        assert_eq!(drain.look(left(1, true), false, 162), None);
        assert!(!drain.is_drained, "somebody who was silent has spoken");
    }

    #[test]
    fn a_backend_that_no_row_names_need_not_be_waited_for() {
        let mut drain = NEW;
        assert_eq!(drain.look(left(1, false), false, 100), None);
        assert_eq!(drain.look(left(0, false), false, 101), Some(News::Drained));
    }

    #[test]
    fn what_is_left_at_the_deadline_is_said_once() {
        let mut drain = NEW;
        assert_eq!(drain.look(left(7, true), false, 101), None);
        assert_eq!(drain.look(left(0, false), true, 102), Some(News::Over { flows: 7 }), "they are gone already");
        assert_eq!(drain.look(left(0, false), true, 103), None);
        let mut found_over = Drain { is_over: true, ..NEW };
        assert_eq!(found_over.look(left(0, false), true, 101), None);
    }
}
