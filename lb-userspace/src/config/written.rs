//! The document as written: what could be read of it, and where it stands.
//!
//! A value that is missing or wrong is `None` here, so that `check` can still compare the others. [`Written::mean`]
//! makes the model of a document in which nothing was wrong.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use crate::model::{
    AdminState, Affinity, Backend, ConnectionIds, Delivery, Firewall, HealthCheck, Model, Moment, Node, Ports,
    Protocol, RingSettings, ServerId, Service, Syn, SynProtection, Track,
};

use super::report::{At, Span};

/// A document.
pub(super) struct Written {
    pub(super) node: Node,
    pub(super) pools: Vec<WrittenPool>,
    pub(super) services: Vec<WrittenService>,
    pub(super) firewall: Firewall,
    pub(super) syn: Syn,
}

/// Backends that several services share.
pub(super) struct WrittenPool {
    pub(super) name: Option<At<String>>,
    pub(super) health: Option<At<HealthCheck>>,
    pub(super) backends: Vec<WrittenBackend>,
}

/// A service.
pub(super) struct WrittenService {
    /// The header.
    pub(super) span: Span,
    pub(super) name: Option<At<String>>,
    pub(super) address: Option<At<IpNet>>,
    pub(super) ports: Option<At<Ports>>,
    pub(super) protocol: Option<Protocol>,
    pub(super) delivery: Option<Delivery>,
    pub(super) gue_port: Option<At<u16>>,
    pub(super) ring: At<RingSettings>,
    pub(super) affinity: Affinity,
    pub(super) track: Option<At<Track>>,
    pub(super) slow_start: Duration,
    /// What could be read of `quic`, if the key is there.
    pub(super) quic: Option<At<Option<ConnectionIds>>>,
    pub(super) allow_from: Vec<IpNet>,
    pub(super) syn_protection: Option<At<SynProtection>>,
    /// Its own, or else its pool's.
    pub(super) health: Option<At<HealthCheck>>,
    pub(super) pool: Option<At<String>>,
    /// Its own, or else its pool's.
    pub(super) backends: Vec<WrittenBackend>,
}

/// A backend.
#[derive(Clone)]
pub(super) struct WrittenBackend {
    /// The header.
    pub(super) span: Span,
    /// The name as written, or else the address.
    pub(super) name: Option<At<String>>,
    pub(super) address: Option<At<IpAddr>>,
    pub(super) port: Option<At<u16>>,
    pub(super) weight: u32,
    pub(super) state: AdminState,
    pub(super) drain_until: Option<Moment>,
    /// Whether the key is there, whatever could be read of it.
    pub(super) has_server_id: bool,
    pub(super) server_id: Option<At<ServerId>>,
}

impl Written {
    /// The model; there is one if nothing was wrong.
    pub(super) fn mean(self) -> Option<Model> {
        let services = self.services.into_iter().map(WrittenService::mean).collect::<Option<_>>()?;
        Some(Model { node: self.node, services, firewall: self.firewall, syn: self.syn })
    }
}

impl WrittenPool {
    /// The pool as messages call it.
    pub(super) fn called(&self) -> String {
        self.name.as_ref().map_or_else(|| "this pool".to_owned(), |name| format!("pool `{}`", name.value))
    }
}

impl WrittenService {
    /// The service as messages call it.
    pub(super) fn called(&self) -> String {
        self.name.as_ref().map_or_else(|| "this service".to_owned(), |name| format!("service `{}`", name.value))
    }

    /// The backends that are written with the service; a pool's are the pool's.
    pub(super) fn own_backends(&self) -> &[WrittenBackend] {
        if self.pool.is_some() { &[] } else { &self.backends }
    }

    /// Whether the service's sessions are all that needs to be remembered of its flows.
    pub(super) fn is_told_by_sessions(&self) -> bool {
        self.delivery == Some(Delivery::FullNat) && self.affinity.clients().is_none()
    }

    fn mean(self) -> Option<Service> {
        let track = if self.is_told_by_sessions() { Track::Never } else { self.track.map_or_default(|at| at.value) };
        Some(Service {
            name: self.name?.value,
            address: self.address?.value,
            ports: self.ports?.value,
            protocol: self.protocol?,
            delivery: self.delivery?,
            gue_port: self.gue_port.map_or(Service::DEFAULT_GUE_PORT, |port| port.value),
            ring: self.ring.value,
            affinity: self.affinity,
            track,
            slow_start: self.slow_start,
            quic: self.quic.map_or(Some(None), |quic| quic.value.map(Some))?,
            allow_from: self.allow_from,
            syn_protection: self.syn_protection.map_or(usual_protection(self.protocol?), |protection| protection.value),
            health: self.health.map(|health| health.value),
            pool: self.pool.map(|pool| pool.value),
            backends: self.backends.into_iter().map(WrittenBackend::mean).collect::<Option<_>>()?,
        })
    }
}

/// The protection of a service that names none: TCP is protected when it must be.
const fn usual_protection(protocol: Protocol) -> SynProtection {
    match protocol {
        Protocol::Tcp => SynProtection::Auto,
        Protocol::Udp => SynProtection::Off,
    }
}

impl WrittenBackend {
    /// The port, if one is written.
    pub(super) fn port(&self) -> Option<u16> {
        self.port.as_ref().map(|port| port.value)
    }

    /// The backend as messages call it.
    pub(super) fn called(&self) -> String {
        self.name.as_ref().map_or_else(|| "this backend".to_owned(), |name| format!("backend `{}`", name.value))
    }

    fn mean(self) -> Option<Backend> {
        Some(Backend {
            name: self.name?.value,
            address: self.address?.value,
            port: self.port.map(|port| port.value),
            weight: self.weight,
            state: self.state,
            drain_until: self.drain_until,
            server_id: self.server_id.map(|id| id.value),
        })
    }
}
