//! What the daemon tells of itself, its services and their backends.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use humantime::format_duration;
use lb_common::{BackendFlags, NodeAddress, Row, SynEvent, Traffic};

use super::{clock, sessions::Tally, state::State};
use crate::{
    api::types::{
        ApiError, BackendState, BackendStatus, DrainStatus, Interface, NodeAddressStatus, ServiceStatus, Status,
        SynStatus, TrafficStatus,
    },
    config::prefix,
    dataplane::DataplaneError,
    model::{AdminState, Backend, Delivery, Moment, Protect, Protocol, Service},
    routes,
};

impl State {
    pub(super) async fn status(&self) -> Result<Status, ApiError> {
        let up =
            self.backends().filter(|(service, backend)| self.state_of(service, backend).0 == BackendState::Up).count();
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.started.elapsed().as_secs(),
            config: self.config.display().to_string(),
            ephemeral_changes: self.saved.text() != self.document.text(),
            interfaces: self.interfaces_with_mode().await?,
            services: self.model.services.len(),
            backends: self.backends().count(),
            backends_up: up,
            node_protected: self.model.firewall.protect == Protect::Node,
            node_addresses: self.node_addresses(),
            warnings: self.warnings(),
        })
    }

    /// The addresses that sessions come from, and how many there are.
    fn node_addresses(&self) -> Vec<NodeAddressStatus> {
        let tally = Tally::take(&self.kernel, &self.snapshot, clock::now_s());
        let status = |(number, node): (&u32, &NodeAddress)| {
            let (tcp_sessions, udp_sessions) = tally.by_address.get(number).copied().unwrap_or_default();
            NodeAddressStatus { address: node.address.into(), ports: node.ports(), tcp_sessions, udp_sessions }
        };
        self.snapshot.node_addresses.iter().map(status).collect()
    }

    async fn interfaces_with_mode(&self) -> Result<Vec<Interface>, ApiError> {
        let present = routes::interfaces().await.map_err(ApiError::failure)?;
        let mode = |ifindex: &u32| match present.get(ifindex).and_then(|interface| interface.xdp) {
            Some(mode) => mode.name().to_owned(),
            None => "lost".to_owned(),
        };
        Ok(self
            .interfaces
            .iter()
            .map(|(name, ifindex)| Interface { name: name.clone(), mode: mode(ifindex) })
            .collect())
    }

    pub(super) fn services(&self) -> Result<Vec<ServiceStatus>, ApiError> {
        let sessions = Tally::take(&self.kernel, &self.snapshot, clock::now_s()).by_slot;
        let services: Result<_, DataplaneError> =
            self.model.services.iter().map(|service| self.service_status(service, &sessions)).collect();
        services.map_err(ApiError::failure)
    }

    fn service_status(
        &self,
        service: &Service,
        sessions: &BTreeMap<u16, u64>,
    ) -> Result<ServiceStatus, DataplaneError> {
        let id = self.places.service_ids.get(&service.name).copied();
        let traffic = id.map(|id| self.kernel.counters().service(id)).transpose()?.unwrap_or_default();
        let rows = self.rows_by_slot(service);
        let total = 1u32 << service.ring.bits;
        let is_full_nat = service.delivery == Delivery::FullNat;
        let backends = service.backends.iter().map(|backend| {
            let slot = self.slot(&service.name, &backend.name);
            let owned = slot.and_then(|slot| rows.get(&slot)).copied().unwrap_or(0);
            let mut status = self.backend_status(service, backend, slot, f64::from(owned) / f64::from(total))?;
            let count = || slot.and_then(|slot| sessions.get(&slot)).copied().unwrap_or(0);
            status.sessions = is_full_nat.then(count);
            Ok(status)
        });
        let backends = backends.collect::<Result<Vec<BackendStatus>, DataplaneError>>()?;
        Ok(ServiceStatus {
            name: service.name.clone(),
            address: prefix::written(service.address),
            port: service.ports.to_string(),
            protocol: service.protocol,
            delivery: service.delivery.name().to_owned(),
            rows: total,
            pool: service.pool.clone(),
            allow_from: service.allow_from.iter().map(|&source| prefix::written(source)).collect(),
            syn: self.syn_status(service, id)?,
            traffic: traffic_status(traffic),
            sessions: backends.iter().map(|backend| backend.sessions).sum::<Option<u64>>().filter(|_| is_full_nat),
            backends,
        })
    }

    /// How a service is protected against floods of SYNs.
    fn syn_status(&self, service: &Service, id: Option<u32>) -> Result<Option<SynStatus>, DataplaneError> {
        if service.protocol != Protocol::Tcp {
            return Ok(None);
        }
        let counted = id.map(|id| self.kernel.counters().syn(id)).transpose()?.unwrap_or_default();
        let standing = self.floods.of(&service.name, clock::now_s());
        Ok(Some(SynStatus {
            mode: service.syn_protection.name().to_owned(),
            active: self.floods.is_active(service),
            seconds: standing.map(|standing| standing.seconds),
            unfinished: standing.map(|standing| standing.unfinished),
            challenged: counted.of(SynEvent::Challenged),
            proved: counted.of(SynEvent::Proved),
            retried: counted.of(SynEvent::Retried),
            admitted: counted.of(SynEvent::Admitted),
            limited: counted.of(SynEvent::Limited),
            unanswered: counted.of(SynEvent::Unanswered),
            refused: counted.of(SynEvent::Refused),
        }))
    }

    /// How many rows of a service's ring each slot owns.
    fn rows_by_slot(&self, service: &Service) -> BTreeMap<u16, u32> {
        let mut counts = BTreeMap::new();
        for row in self.rows(service).into_iter().flatten().filter(|row| row.current() != Row::NOBODY) {
            *counts.entry(row.current()).or_insert(0) += 1;
        }
        counts
    }

    fn backend_status(
        &self,
        service: &Service,
        backend: &Backend,
        slot: Option<u16>,
        share: f64,
    ) -> Result<BackendStatus, DataplaneError> {
        let (state, reason) = self.state_of(service, backend);
        let value = slot.and_then(|slot| self.snapshot.backends.get(&slot));
        let traffic = slot.map(|slot| self.kernel.counters().backend(slot)).transpose()?.unwrap_or_default();
        let resolved = value.is_some_and(|value| value.flags & BackendFlags::RESOLVED != 0);
        let without_source = self.without_source(service, backend);
        Ok(BackendStatus {
            name: backend.name.clone(),
            service: service.name.clone(),
            address: backend.address,
            port: backend.port,
            weight: backend.weight,
            effective_weight: self.effective_weight(service, backend),
            server_id: backend.server_id.map(|id| id.to_string()),
            admin: backend.state,
            state,
            resolved: resolved || without_source.is_some(),
            reason: without_source.unwrap_or(reason),
            drain: self.drain_status(service, backend),
            share,
            local: self.next_hops.get(&backend.address).is_some_and(|hop| hop.is_local),
            traffic: traffic_status(traffic),
            sessions: None,
        })
    }

    /// The weight that its share follows from.
    fn effective_weight(&self, service: &Service, backend: &Backend) -> u32 {
        self.places.weights.get(&(service.name.clone(), backend.name.clone())).copied().unwrap_or(0)
    }

    /// What is the case with a backend, and why.
    pub(super) fn state_of(&self, service: &Service, backend: &Backend) -> (BackendState, String) {
        let finding = self.liveness.of(&service.name, &backend.name);
        match (backend.state_at(Moment::now()), finding) {
            (AdminState::Disabled, _) => (BackendState::Disabled, end_of_drain(backend)),
            (_, Some(finding)) if finding.state != BackendState::Up => (finding.state, finding.reason.clone()),
            (AdminState::Drain, _) => (BackendState::Draining, self.drain_progress(service, backend)),
            (AdminState::Up, _) if (1..backend.weight).contains(&self.effective_weight(service, backend)) => {
                (BackendState::Up, "starts slowly".to_owned())
            }
            (AdminState::Up, Some(finding)) => (BackendState::Up, finding.reason.clone()),
            (AdminState::Up, None) => (BackendState::Up, "not checked".to_owned()),
        }
    }

    /// How far a drain has come.
    fn drain_status(&self, service: &Service, backend: &Backend) -> Option<DrainStatus> {
        let drain = self.drains.of(&service.name, &backend.name)?;
        Some(DrainStatus {
            flows: drain.flows,
            quiet_seconds: clock::now_s().saturating_sub(drain.busy_s),
            drained: drain.is_drained,
            until: backend.drain_until,
            seconds_left: backend.drain_until.map(|until| until.since(Moment::now())),
        })
    }

    /// Why a backend of `full-nat` gets nothing although the way to it is known, if that is the case.
    pub(super) fn without_source(&self, service: &Service, backend: &Backend) -> Option<String> {
        let value = self.snapshot.backends.get(&self.slot(&service.name, &backend.name)?)?;
        let hop = self.next_hops.get(&backend.address)?;
        let could = service.delivery == Delivery::FullNat && !hop.is_local;
        (could && value.flags & BackendFlags::RESOLVED == 0).then(|| without_source(hop.source))
    }

    /// How far a drain has come, in words. Flows that have not spoken since it began are not known yet.
    fn drain_progress(&self, service: &Service, backend: &Backend) -> String {
        let flows = match self.drain_status(service, backend) {
            Some(drain) if drain.drained => "drained: no flows seen lately".to_owned(),
            Some(DrainStatus { flows: 1, .. }) => "1 flow left".to_owned(),
            Some(DrainStatus { flows: flows @ 2.., .. }) => format!("{flows} flows left"),
            _ => "no flows seen yet".to_owned(),
        };
        match backend.drain_until {
            Some(until) => {
                format!("{flows}, {} to go", format_duration(Duration::from_secs(until.since(Moment::now()))))
            }
            None => flows,
        }
    }
}

/// Why a backend is disabled, if nobody has said that it should be.
fn end_of_drain(backend: &Backend) -> String {
    let until = backend.drain_until.filter(|_| backend.state == AdminState::Drain);
    until.map(|until| format!("its drain was over at {until}")).unwrap_or_default()
}

/// Why a backend that can be reached gets nothing: `full-nat` has no address to come from.
fn without_source(source: IpAddr) -> String {
    if source.is_unspecified() {
        return "this node has no address of its family to come from".to_owned();
    }
    format!(
        "sessions cannot come from {source}: a service has ports of it or a prefix that it is in, or there are too many such addresses; name \
         others in `node.full_nat`"
    )
}

fn traffic_status(traffic: Traffic) -> TrafficStatus {
    TrafficStatus { packets: traffic.packets, bytes: traffic.bytes, flows: traffic.flows }
}
