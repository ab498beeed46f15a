//! A service's ring in the tables: whose each row is, and what leads there from what the rows are.

use std::{ops::Range, sync::Arc};

use lb_common::{BackendFlags, MAX_ROWS, ROWS_PER_ELEMENT, Row, RowState, ServiceValue};

use super::{
    Inputs, PlanError, Planner, Snapshot,
    history::{self, Epoch, Party, Replay},
    rows::{self, Ripeness, Times},
};
use crate::{
    model::{RingSettings, Service, Track},
    ring::{self, Member},
};

/// A ring, and what it was built of.
#[derive(Clone, Debug)]
pub(super) struct CachedRing {
    settings: RingSettings,
    members: Vec<Member>,
    owners: Arc<[Option<u16>]>,
}

/// A service's backends, in its order: where each stands, and what it may be given.
pub(super) struct Crew {
    pub(super) slots: Vec<u16>,
    pub(super) parties: Vec<Party>,
}

impl Crew {
    /// The slot of the backend with this name.
    fn slot(&self, name: &str) -> Option<u16> {
        let named = self.parties.iter().position(|party| party.name == name);
        named.and_then(|index| self.slots.get(index).copied())
    }
}

impl Planner {
    /// Puts the service's ring into the snapshot: where it is if its rows are the same, in a free region otherwise.
    pub(super) fn put_ring(
        &mut self,
        service: &Service,
        crew: &Crew,
        inputs: Inputs<'_>,
        present: Option<&ServiceValue>,
        current: &Snapshot,
        snapshot: &mut Snapshot,
    ) -> Result<u32, PlanError> {
        let rows = self.rows(service, crew, inputs, present, current, snapshot);
        let kept = present.map(|value| value.ring.into()).filter(|first| current.rings.get(first) == Some(&rows));
        let first = match kept {
            Some(first) => first,
            None => {
                let used: Vec<Range<u32>> = current
                    .rings
                    .iter()
                    .chain(&snapshot.rings)
                    .map(|(&first, rows)| first..first + elements(rows))
                    .collect();
                let end = MAX_ROWS / ROWS_PER_ELEMENT;
                self.regions.take(elements(&rows), &used, end).ok_or(PlanError::Rows)?
            }
        };
        snapshot.rings.insert(first, rows);
        Ok(first)
    }

    /// The rows that lead from what the kernel has to the owners, without breaking a flow.
    fn rows(
        &mut self,
        service: &Service,
        crew: &Crew,
        inputs: Inputs<'_>,
        present: Option<&ServiceValue>,
        current: &Snapshot,
        snapshot: &Snapshot,
    ) -> Arc<[Row]> {
        let owners = self.owners(service, crew);
        let now_s = inputs.now_s.cast_signed();
        let (id, before) = match present.and_then(|value| Some((value.id, current.rings.get(&value.ring.into())?))) {
            Some((id, rows)) => (Some(id), Some(Arc::clone(rows))),
            None => (None, self.remembered(service, crew, inputs)),
        };
        self.remember(service, crew, inputs);
        let Some(before) = before.map(|rows| rows::inherited(&rows, owners.len())) else {
            self.times.insert(service.name.clone(), Times::new(owners.len(), now_s));
            return owners
                .iter()
                .map(|&owner| rows::moved(Row::settled(owner), owner, &|_| true, service.track))
                .collect();
        };
        let times = self.times.entry(service.name.clone()).or_default();
        if times.len() != owners.len() {
            *times = Times::new(owners.len(), now_s);
        }
        let serves =
            |slot: u16| snapshot.backends.get(&slot).is_some_and(|value| value.flags & BackendFlags::SERVES != 0);
        let moved = |(row, &owner): (&Row, &u16)| rows::moved(*row, owner, &serves, service.track);
        let moved: Arc<[Row]> = before.iter().zip(&owners).map(moved).collect();
        times.note(&before, &moved, now_s);
        let Some(id) = id else { return moved };
        if service.track != Track::Never {
            self.untracked.remove(&id.into());
        } else if before.iter().any(|row| row.state() != RowState::Settled) {
            self.untracked.insert(id.into(), inputs.now_s);
        }
        let Some(census) = inputs.census else { return moved };
        let flip_s = inputs.patience.flip_s(service, census.is_crowded);
        let ripeness = Ripeness { census, service: id.into(), track: service.track, flip_s, now_s };
        let ripened = rows::ripened(&moved, times, &ripeness);
        times.note(&moved, &ripened, now_s);
        ripened
    }

    /// The rows that the service would have, had this node never been without tables. Its flows are not in the flow table.
    fn remembered(&mut self, service: &Service, crew: &Crew, inputs: Inputs<'_>) -> Option<Arc<[Row]>> {
        let (now_s, since_1970_s) = (inputs.now_s.cast_signed(), inputs.now.seconds());
        let replay = Replay {
            owner: service.owner(),
            track: service.track,
            flip_s: inputs.patience.flip_s(service, false),
            slot: &|name| crew.slot(name),
            now_s: since_1970_s,
        };
        let (rows, times) = history::replay(self.history.of(&service.name), &replay)?;
        let times = times.by_other_clock(now_s - since_1970_s.cast_signed(), now_s);
        self.times.insert(service.name.clone(), times);
        Some(rows)
    }

    /// Notes what the service's backends may be given from now on.
    fn remember(&mut self, service: &Service, crew: &Crew, inputs: Inputs<'_>) {
        let parties = crew.parties.clone();
        let epoch = Epoch { since_s: inputs.now.seconds(), ring: service.ring, parties };
        self.has_news |= self.history.note(&service.name, epoch, inputs.patience.flip_s(service, false));
    }

    /// The slot that owns each row.
    fn owners(&mut self, service: &Service, crew: &Crew) -> Vec<u16> {
        let owners = self.ring(service, &crew.parties);
        let slot = |owner: &Option<u16>| owner.and_then(|index| crew.slots.get(usize::from(index)).copied());
        owners.iter().map(|owner| slot(owner).unwrap_or(Row::NOBODY)).collect()
    }

    /// Which of the service's backends owns each row.
    fn ring(&mut self, service: &Service, parties: &[Party]) -> Arc<[Option<u16>]> {
        let members: Vec<Member> =
            parties.iter().map(|party| Member { id: ring::identity(&party.name), weight: party.weight }).collect();
        if let Some(cached) = self.rings.get(&service.name)
            && cached.settings == service.ring
            && cached.members == members
        {
            return Arc::clone(&cached.owners);
        }
        let seed = service.ring.seed_of(service.owner());
        let owners: Arc<[Option<u16>]> = ring::build(&service.ring, seed, &members).into();
        let cached = CachedRing { settings: service.ring, members, owners: Arc::clone(&owners) };
        self.rings.insert(service.name.clone(), cached);
        owners
    }
}

fn elements(rows: &[Row]) -> u32 {
    (rows.len() as u32).div_ceil(ROWS_PER_ELEMENT)
}
