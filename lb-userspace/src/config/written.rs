//! The document as written: what could be read of it, and where it stands.
//!
//! A value that is missing or wrong is `None` here, so that `check` can still compare the others. [`Written::mean`]
//! makes the model of a document in which nothing was wrong.

use std::{
    collections::{BTreeMap, HashSet},
    net::IpAddr,
    path::PathBuf,
    time::Duration,
};

use ipnet::IpNet;

use crate::model::{
    AdminState, Affinity, Backend, ConnectionIds, CrowdSec, Delivery, Feed, Firewall, Fragments, HealthCheck, Lengths,
    Limit, LimitAction, LimitBy, LimitMeasure, ListKind, Model, Moment, NamedList, Node, Ports, Protect, Protocol,
    Remark, RingSettings, Rule, RuleAction, Sanity, SanityCheck, ServerId, Service, Syn, SynProtection, TcpFlags,
    Track,
};

use super::report::{At, Span};

/// A document.
pub(super) struct Written {
    pub(super) node: Node,
    pub(super) pools: Vec<WrittenPool>,
    pub(super) services: Vec<WrittenService>,
    pub(super) firewall: WrittenFirewall,
    pub(super) lists: Vec<WrittenList>,
    pub(super) crowdsec: Option<CrowdSec>,
    pub(super) rules: Vec<WrittenRule>,
    pub(super) limits: Vec<WrittenLimit>,
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
    pub(super) sanity: BTreeMap<SanityCheck, At<bool>>,
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

/// A rule.
pub(super) struct WrittenRule {
    /// The header.
    pub(super) span: Span,
    pub(super) name: Option<At<String>>,
    pub(super) action: Option<RuleAction>,
    /// The limit that it names, if the key is there.
    pub(super) limit: Option<At<String>>,
    /// What could be read of it, if the key is there.
    pub(super) protocol: Option<At<Option<u8>>>,
    pub(super) ports: Option<At<Ports>>,
    pub(super) source_ports: Option<At<Ports>>,
    pub(super) source: Option<At<Vec<IpNet>>>,
    pub(super) destination: Option<At<Vec<IpNet>>>,
    pub(super) icmp: Option<At<Vec<u8>>>,
    pub(super) flags: Option<At<TcpFlags>>,
    pub(super) fragments: Option<At<Fragments>>,
    pub(super) length: Lengths,
    pub(super) interface: Option<At<String>>,
    pub(super) services: Vec<At<String>>,
}

impl WrittenRule {
    /// The rule as messages call it.
    pub(super) fn called(&self) -> String {
        self.name.as_ref().map_or_else(|| "this rule".to_owned(), |name| format!("rule `{}`", name.value))
    }

    fn mean(self) -> Option<Rule> {
        let value = |ports: Option<At<Ports>>| ports.map(|ports| ports.value).unwrap_or_default();
        Some(Rule {
            name: self.name?.value,
            protocol: self.protocol.map_or(Some(None), |protocol| protocol.value.map(Some))?,
            source: self.source.map(|prefixes| prefixes.value).unwrap_or_default(),
            destination: self.destination.map(|prefixes| prefixes.value).unwrap_or_default(),
            source_ports: value(self.source_ports),
            ports: value(self.ports),
            icmp: self.icmp.map(|icmp| icmp.value).unwrap_or_default(),
            flags: self.flags.map(|flags| flags.value).unwrap_or_default(),
            fragments: self.fragments.map(|fragments| fragments.value),
            length: self.length,
            interface: self.interface.map(|interface| interface.value),
            services: self.services.into_iter().map(|name| name.value).collect(),
            action: self.action?,
        })
    }
}

/// A rate limit.
pub(super) struct WrittenLimit {
    /// The header.
    pub(super) span: Span,
    pub(super) name: Option<At<String>>,
    pub(super) by: Option<At<LimitBy>>,
    pub(super) services: Vec<At<String>>,
    /// What is counted, and how much a second.
    pub(super) rate: Option<(LimitMeasure, u64)>,
    /// As written, or what follows from the rate.
    pub(super) burst: Option<At<u64>>,
    pub(super) action: Option<At<LimitAction>>,
}

impl WrittenLimit {
    fn mean(self) -> Option<Limit> {
        let (measure, rate) = self.rate?;
        Some(Limit {
            name: self.name?.value,
            by: self.by?.value,
            services: self.services.into_iter().map(|name| name.value).collect(),
            measure,
            rate,
            burst: self.burst?.value,
            action: self.action?.value,
        })
    }
}

impl Written {
    /// The model; there is one if nothing was wrong.
    pub(super) fn mean(self) -> Option<Model> {
        let services: Vec<Service> = self.services.into_iter().map(WrittenService::mean).collect::<Option<_>>()?;
        let mut firewall = firewall(self.firewall, self.lists)?;
        firewall.crowdsec = self.crowdsec;
        firewall.limits = self.limits.into_iter().map(WrittenLimit::mean).collect::<Option<_>>()?;
        firewall.rules = self.rules.into_iter().map(WrittenRule::mean).collect::<Option<_>>()?;
        let firewall = firewall.with_bogons(&services);
        Some(Model { node: self.node, services, firewall, syn: self.syn })
    }

    /// The service, if there is one, because of which the list of bogons is made.
    pub(super) fn with_bogons(&self) -> Option<&WrittenService> {
        let exception = |service: &WrittenService| Some(service.sanity.get(&SanityCheck::Bogons)?.value);
        self.services.iter().find(|service| self.firewall.sanity.has(SanityCheck::Bogons, exception(service)))
    }
}

/// What stands in `[firewall]`.
pub(super) struct WrittenFirewall {
    pub(super) protect: Protect,
    /// The lists that are called like their kinds.
    pub(super) built_in: [WrittenList; 2],
    pub(super) sanity: Sanity,
}

/// A list.
pub(super) struct WrittenList {
    /// The header.
    pub(super) span: Span,
    pub(super) name: Option<At<String>>,
    pub(super) action: Option<ListKind>,
    pub(super) services: Vec<At<String>>,
    pub(super) entries: Vec<WrittenEntry>,
    pub(super) file: Option<PathBuf>,
    pub(super) feed: Option<Feed>,
    pub(super) force: bool,
}

/// An entry of a list.
pub(super) struct WrittenEntry {
    pub(super) net: At<IpNet>,
    pub(super) remark: Remark,
}

impl WrittenList {
    /// The list that is called like its kind.
    pub(super) fn built_in(kind: ListKind, entries: Vec<WrittenEntry>) -> Self {
        let name = At { value: kind.name().to_owned(), span: 0..0 };
        Self {
            span: 0..0,
            name: Some(name),
            action: Some(kind),
            services: Vec::new(),
            entries,
            file: None,
            feed: None,
            force: false,
        }
    }

    /// The list's prefixes, each once: lists are merged from several sources, and twice does no harm.
    fn nets(&self) -> Vec<IpNet> {
        let mut seen = HashSet::new();
        self.entries.iter().map(|entry| entry.net.value).filter(|net| seen.insert(*net)).collect()
    }

    fn mean(self) -> Option<NamedList> {
        Some(NamedList {
            entries: self.nets(),
            name: self.name?.value,
            action: self.action?,
            services: self.services.into_iter().map(|service| service.value).collect(),
            file: self.file,
            feed: self.feed,
            force: self.force,
            is_built_in: false,
        })
    }
}

/// `[firewall]` and the lists; the rest is of other sections.
fn firewall(
    WrittenFirewall { protect, built_in, sanity }: WrittenFirewall,
    lists: Vec<WrittenList>,
) -> Option<Firewall> {
    let mut remarks = BTreeMap::new();
    for list in built_in.iter().chain(&lists) {
        let name = &list.name.as_ref()?.value;
        let remarked = list.entries.iter().filter(|entry| entry.remark != Remark::default());
        remarks.extend(remarked.map(|entry| ((name.clone(), entry.net.value), entry.remark.clone())));
    }
    let [allow, deny] = built_in.map(|list| list.nets());
    let lists = lists.into_iter().map(WrittenList::mean).collect::<Option<_>>()?;
    Some(Firewall { protect, sanity, allow, deny, lists, remarks, ..Firewall::default() })
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
            sanity: self.sanity.into_iter().map(|(check, is_on)| (check, is_on.value)).collect(),
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
