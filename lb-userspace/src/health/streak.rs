//! When a backend's state changes: pure counting of results.

/// A backend's state and the results that speak against it.
#[derive(Clone, Debug)]
pub(super) struct Streak {
    rise: u32,
    fall: u32,
    /// `None` while starting.
    up: Option<bool>,
    /// Results in a row that contradict the state.
    contrary: u32,
}

/// A change of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// Whether the backend is up now.
    pub up: bool,
    /// How many results in a row brought it about.
    pub results: u32,
}

impl Streak {
    /// A backend that is up, or starting.
    pub(super) fn new(rise: u32, fall: u32, initially_up: bool) -> Self {
        Self { rise, fall, up: initially_up.then_some(true), contrary: 0 }
    }

    /// Takes a result into account.
    pub(super) fn record(&mut self, passed: bool) -> Option<Change> {
        if self.up == Some(passed) {
            self.contrary = 0;
            return None;
        }
        self.contrary += 1;
        let needed = match self.up {
            None => 1,
            Some(_) if passed => self.rise,
            Some(_) => self.fall,
        };
        if self.contrary < needed {
            return None;
        }
        let results = std::mem::take(&mut self.contrary);
        self.up = Some(passed);
        Some(Change { up: passed, results })
    }

    /// Whether the latest results contradict the state, but are not yet enough to change it.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.contrary > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The state after these results, by looking at all of them anew: the last place that has enough equal results in
    /// a row decides.
    fn naive(rise: u32, fall: u32, initially_up: bool, results: &[bool]) -> Option<bool> {
        let start = initially_up.then_some(true).or(results.first().copied());
        (1..=results.len())
            .rev()
            .find_map(|end| {
                let passed = results[end - 1];
                let needed = if passed { rise } else { fall } as usize;
                (end >= needed && results[end - needed..end].iter().all(|&result| result == passed)).then_some(passed)
            })
            .or(start)
    }

    proptest! {
        #[test]
        fn the_state_is_what_a_look_at_the_whole_history_says(
            rise in 1u32..5,
            fall in 1u32..5,
            initially_up: bool,
            results in prop::collection::vec(any::<bool>(), 0..60),
        ) {
            let mut streak = Streak::new(rise, fall, initially_up);
            let mut up = initially_up.then_some(true);
            for (index, &passed) in results.iter().enumerate() {
                let change = streak.record(passed);
                if let Some(change) = change {
                    prop_assert_ne!(up, Some(change.up), "only changes are told");
                    up = Some(change.up);
                }
                let history = &results[..=index];
                prop_assert_eq!(up, naive(rise, fall, initially_up, history));
                prop_assert_eq!(streak.is_in_doubt(), up != Some(passed));
            }
        }
    }

    #[test]
    fn the_first_result_decides_and_then_it_takes_as_many_as_configured() {
        let mut streak = Streak::new(3, 2, false);
        assert_eq!(streak.record(true), Some(Change { up: true, results: 1 }));
        assert_eq!([false, true, false].map(|passed| streak.record(passed)), [None; 3]);
        assert_eq!(streak.record(false), Some(Change { up: false, results: 2 }));
        assert_eq!([true, true].map(|passed| streak.record(passed)), [None; 2]);
        assert_eq!(streak.record(true), Some(Change { up: true, results: 3 }));
    }
}
