//! What the daemon warns of.

use std::fs;

use lb_common::PortSpan;

use super::{clock, local_ports, state::State, trial::Trial};
use crate::{
    api::types::BackendState,
    model::{Backend, Delivery, Model, Service, SynProtection, Track},
    plan::can_be_local,
};

/// For how long the operator is told that the flow table was full, in seconds.
const LATELY_S: u64 = 300;

impl State {
    /// Things the operator should know.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.trial.iter().map(Trial::warning).collect();
        if self.interfaces.is_empty() {
            warnings.push("the program is attached to no interface: `sluice attach IFACE`".to_owned());
        }
        for service in &self.model.services {
            self.warn_of(service, &mut warnings);
        }
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        warnings.extend(forwarding_warnings(&self.model, read));
        warnings.extend(ports_warning(&self.model, read));
        warnings.extend(self.listed.warnings());
        warnings
    }

    fn warn_of(&self, service: &Service, warnings: &mut Vec<String>) {
        let takes_traffic =
            |backend: &&Backend| backend.weight > 0 && self.state_of(service, backend).0 == BackendState::Up;
        let id = self.places.service_ids.get(&service.name);
        let overflowed_s = id.and_then(|id| self.census.overflowed_s.get(id)).copied().unwrap_or(0);
        if overflowed_s != 0 && clock::now_s().saturating_sub(overflowed_s) < LATELY_S {
            let price = match service.track {
                Track::Always => "flows that are not remembered move with the next change",
                Track::Changes | Track::Never => "changes and drains take longer",
            };
            warnings.push(format!("the flow table had no room for flows of service {} lately: {price}", service.name));
        }
        if service.syn_protection != SynProtection::Always && self.floods.is_active(service) {
            let what = match service.syn_protection {
                SynProtection::Monitor => "SYN protection would be active, and only counts (`monitor`)",
                _ => "SYN protection is active",
            };
            warnings.push(format!("service {} is flooded with SYNs: {what}; see `sluice syn`", service.name));
        }
        if !service.backends.iter().any(|backend| takes_traffic(&backend)) {
            warnings.push(format!("service {} has no backend that takes traffic", service.name));
        }
        for backend in service.backends.iter().filter(takes_traffic) {
            let called = format!("backend {} of service {} ({})", backend.name, service.name, backend.address);
            match self.next_hops.get(&backend.address) {
                None => {
                    warnings.push(format!("the way to {called} is not known: no route, or no answer to ARP or ND"));
                }
                Some(hop) if hop.is_local && !can_be_local(service.delivery) => warnings.push(format!(
                    "{called} is this node itself, whose replies `{}` cannot rewrite: use l2, ipip or gue",
                    service.delivery.name()
                )),
                Some(_) => {}
            }
            if let Some(reason) = self.without_source(service, backend) {
                warnings.push(format!("backend {} of service {} gets nothing: {reason}", backend.name, service.name));
            }
        }
    }
}

/// A port that both a session and a connection of the node's own come from makes the answers ambiguous, if both go to the
/// same backend, as health checks do.
fn ports_warning(model: &Model, read: impl Fn(&str) -> String) -> Option<String> {
    let is_used = model.services.iter().any(|service| service.delivery == Delivery::FullNat);
    let PortSpan { first, last } = local_ports::ephemeral(read);
    let ours = &model.node.full_nat.ports;
    (is_used && *ours.start() <= last && first <= *ours.end()).then(|| {
        format!(
            "`full-nat` and this node's own connections share ports, so that health checks may fail: sessions have {}-{}, \
             connections {first}-{last}; change `node.full_nat` or sysctl net.ipv4.ip_local_port_range",
            ours.start(),
            ours.end()
        )
    })
}

/// `nat` replies are routed by the kernel's tables, which it allows only where forwarding is on.
fn forwarding_warnings(model: &Model, read: impl Fn(&str) -> String) -> Vec<String> {
    let families = [
        (true, "IPv4", "net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
        (false, "IPv6", "net.ipv6.conf.all.forwarding", "/proc/sys/net/ipv6/conf/all/forwarding"),
    ];
    let is_nat = |service: &Service| matches!(service.delivery, Delivery::Nat | Delivery::FullNat);
    let has_nat =
        |is_v4| model.services.iter().any(|service| is_nat(service) && service.address.addr().is_ipv4() == is_v4);
    let off = families.into_iter().filter(|&(is_v4, _, _, path)| has_nat(is_v4) && read(path).trim() == "0");
    off.map(|(_, family, name, _)| {
        format!("replies of {family} `nat` and `full-nat` services are dropped, because forwarding is off: sysctl -w {name}=1")
    })
    .collect()
}
