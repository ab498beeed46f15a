//! What time alone changes.

use lb_common::{BackendFlags, BackendValue, Row, RowState};

use super::{
    DaemonError, census, clock,
    drains::{Left, News},
    floods, history, secret,
    state::State,
};
use crate::{
    model::{Delivery, Moment, Service, SynProtection},
    plan::Census,
};

impl State {
    /// Lets time pass: rows whose history nobody needs settle, slots that nobody uses are released, suspects are found to
    /// be gone, weights grow, drains end, and so do the
    /// sessions of backends that are gone. Costs a scan of flow table and sessions, and only while there is anything to wait for.
    pub(super) fn tick(&mut self) -> Result<(), DaemonError> {
        let result = self.sweep_lists().and(self.look());
        self.follow_drains();
        self.follow_floods();
        self.write_history();
        self.tick_drops();
        result
    }

    fn look(&mut self) -> Result<(), DaemonError> {
        let now_s = clock::now_s();
        let has_unsettled =
            self.snapshot.rings.values().any(|rows| rows.iter().any(|row| row.state() != RowState::Settled));
        let has_suspects = self.liveness.has_suspects(now_s);
        let waits = self.planner.has_retired()
            || self.planner.is_ramping()
            || self.has_drain_to_end()
            || self.has_sessions_to_end();
        if has_unsettled || has_suspects || waits || self.scan_due {
            self.scan_due = has_suspects;
            let census = census::take(&self.kernel, &self.snapshot, &self.places.keeps, now_s)?;
            let result = self.write_desired(Some(&census));
            self.census = census;
            return result;
        }
        self.census = Census::default();
        Ok(())
    }

    /// Whether a backend whose drain is over may still be given packets.
    fn has_drain_to_end(&self) -> bool {
        let now = Moment::now();
        let over = self.backends().filter(|(_, backend)| backend.drain_until.is_some_and(|until| until <= now));
        let serves =
            |slot: u16| self.snapshot.backends.get(&slot).is_some_and(|value| value.flags & BackendFlags::SERVES != 0);
        over.filter_map(|(service, backend)| self.slot(&service.name, &backend.name)).any(serves)
    }

    /// Whether a backend of `full-nat` takes nothing new: its sessions outlive the rows that led to them.
    fn has_sessions_to_end(&self) -> bool {
        let is_leaving = |value: &BackendValue| {
            value.delivery == Delivery::FullNat as u8 && value.flags & BackendFlags::ELIGIBLE == 0
        };
        self.snapshot.backends.values().any(is_leaving)
    }

    /// Looks how far drains have come, and says what is new.
    fn follow_drains(&mut self) {
        let mut drains = std::mem::take(&mut self.drains);
        let news =
            drains.follow(&self.model, Moment::now(), clock::now_s(), |service, backend| self.left(service, backend));
        self.drains = drains;
        for (service, backend, news) in &news {
            match news {
                News::Drained => tracing::info!(service, backend, "backend is drained: nothing is left of it"),
                News::Over { flows } => {
                    tracing::warn!(
                        service,
                        backend,
                        flows,
                        "the drain is over, and the backend disabled; flows were let go"
                    );
                }
            }
        }
        if news.iter().any(|(_, _, news)| matches!(news, News::Over { .. })) {
            // Whoever is disabled is not checked.
            self.set_targets();
        }
    }

    /// Looks which services are being flooded with SYNs, and renews the keys of the cookies.
    fn follow_floods(&mut self) {
        if let Err(error) = self.look_for_floods() {
            tracing::error!("SYN protection stays as it is: {:#}", anyhow::Error::from(error));
        }
    }

    fn look_for_floods(&mut self) -> Result<(), DaemonError> {
        self.floods.retain(&self.model);
        let mut has_news = false;
        for service in self.model.services.iter().filter(|service| floods::is_followed(service)) {
            let Some(&id) = self.places.service_ids.get(&service.name) else { continue };
            let traffic = self.kernel.counters().syn(id)?;
            if let Some(news) = self.floods.look(service, id, traffic, clock::now_ms(), &self.model.syn) {
                has_news = true;
                tell(service, news);
            }
        }
        let has_keys =
            self.floods.rotate(&self.model, clock::now_s(), secret::random_key).map_err(DaemonError::Random)?;
        if has_news || has_keys { self.synchronise() } else { Ok(()) }
    }

    /// What a backend still has.
    fn left(&self, service: &str, backend: &str) -> Left {
        let Some(slot) = self.slot(service, backend) else { return Left::default() };
        let ring =
            self.model.services.iter().find(|other| other.name == service).and_then(|service| self.rows(service));
        let names = |row: &Row| row.current() == slot || row.default() == slot;
        Left {
            flows: self.census.flows.get(&slot).copied().unwrap_or(0),
            is_named: ring.is_some_and(|rows| rows.iter().any(names)),
        }
    }

    /// Keeps the history for a start without tables.
    pub(super) fn write_history(&mut self) {
        let Some(history) = self.planner.news() else { return };
        if let Err(error) = history::write(&self.state_directory, history) {
            tracing::error!(%error, "could not write the history into {}", self.state_directory.display());
        }
    }
}

/// Says that SYN protection of a service begins or ends.
fn tell(service: &Service, news: floods::News) {
    let name = service.name.as_str();
    match (news, service.syn_protection) {
        (floods::News::Begins(unfinished), SynProtection::Monitor) => tracing::warn!(
            service = name,
            unfinished,
            "a flood of SYNs: SYN protection would begin, and only counts, because it is set to `monitor`"
        ),
        (floods::News::Begins(unfinished), _) => tracing::warn!(
            service = name,
            unfinished,
            "a flood of SYNs: so many handshakes a second are not finished; SYN protection begins"
        ),
        (floods::News::Ends(seconds), _) => {
            tracing::info!(service = name, seconds, "the flood of SYNs is over; SYN protection ends");
        }
    }
}
