//! What operators do.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use lb_userspace::{
    model::{
        self, AdminState, Affinity, Backend, Delivery, Exceptions, Firewall, Model, Protocol, RingSettings, Service,
        Syn, SynProtection, Track,
    },
    ring,
};

use super::Node;

/// A model with one service that has no backends.
pub(super) fn model(protocol: Protocol) -> Model {
    let service = Service {
        name: "web".to_owned(),
        address: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 100)).into(),
        ports: 80.into(),
        protocol,
        delivery: Delivery::L2,
        gue_port: Service::DEFAULT_GUE_PORT,
        ring: RingSettings { bits: 10, ..RingSettings::default() },
        affinity: Affinity::default(),
        track: Track::default(),
        slow_start: Duration::ZERO,
        quic: None,
        allow_from: Vec::new(),
        syn_protection: SynProtection::Off,
        sanity: Exceptions::new(),
        health: None,
        pool: None,
        backends: Vec::new(),
    };
    Model {
        node: model::Node {
            interfaces: Vec::new(),
            secret: None,
            source_v4: None,
            source_v6: None,
            full_nat: model::FullNat::default(),
        },
        services: vec![service],
        firewall: Firewall::default(),
        syn: Syn::default(),
    }
}

/// A backend; its address follows from its name.
pub(super) fn backend(name: &str) -> Backend {
    let [a, b, c, ..] = ring::identity(name).to_le_bytes();
    Backend {
        name: name.to_owned(),
        address: IpAddr::V4(Ipv4Addr::new(10, a, b, c)),
        port: None,
        weight: Backend::DEFAULT_WEIGHT,
        state: AdminState::Up,
        drain_until: None,
        server_id: None,
    }
}

impl Node {
    /// `sluice backend add`.
    pub fn add(&mut self, name: &str) {
        self.change(|service| service.backends.push(backend(name)));
    }

    /// Adds a backend that takes no new flows yet.
    pub fn add_draining(&mut self, name: &str) {
        self.change(|service| service.backends.push(Backend { state: AdminState::Drain, ..backend(name) }));
    }

    /// `sluice backend remove`.
    pub fn remove(&mut self, name: &str) {
        self.change(|service| service.backends.retain(|backend| backend.name != name));
    }

    /// `sluice backend drain`, `undrain` or, in the configuration, `state = "disabled"`.
    pub fn set_state(&mut self, name: &str, state: AdminState) {
        self.edit(name, |backend| backend.state = state);
    }

    /// `sluice backend drain`.
    pub fn drain(&mut self, name: &str) {
        self.set_state(name, AdminState::Drain);
    }

    /// `sluice backend drain --deadline`: of so many seconds.
    pub fn drain_for(&mut self, name: &str, seconds: u64) {
        let until = self.now().after(Duration::from_secs(seconds));
        self.edit(name, |backend| (backend.state, backend.drain_until) = (AdminState::Drain, Some(until)));
    }

    /// `sluice backend weight`.
    pub fn weigh(&mut self, name: &str, weight: u32) {
        self.edit(name, |backend| backend.weight = weight);
    }

    /// Hands all new flows to one backend: the others drain.
    pub fn hand_to(&mut self, name: &str) {
        self.change(|service| {
            for backend in &mut service.backends {
                backend.state = if backend.name == name { AdminState::Up } else { AdminState::Drain };
            }
        });
    }

    fn edit(&mut self, name: &str, edit: impl FnOnce(&mut Backend)) {
        self.change(|service| {
            let backend = service.backends.iter_mut().find(|backend| backend.name == name);
            edit(backend.expect("a backend of the service"));
        });
    }
}
