//! What the twin's run says about a packet, stage by stage.

use std::net::SocketAddr;

use lb_common::{
    Address, BackendFlags, BackendValue, Delivery, DropReason, Features, ReplyValue, RowState, ServiceValue, SynEvent,
};
use lb_ebpf::{
    balance,
    service::lookup::Endpoint,
    tables::{Route, Tables as _},
    verdict::Verdict,
};

use super::Run;
use crate::{
    api::types::ExplainStep,
    daemon::{lists, state::State},
    model::{Rule, RuleAction, SanityCheck},
    plan::{limit_number, rule_number},
    twin::SnapshotTables,
};

/// A run, and the tables that it met.
pub(super) struct Findings<'a> {
    pub(super) state: &'a State,
    pub(super) run: &'a Run,
}

impl Findings<'_> {
    /// What becomes of it, in a sentence.
    pub(super) fn outcome(&self) -> String {
        if let Some(reason) = self.run.reason() {
            return format!("dropped, {}: {}", reason.name(), reason.explanation());
        }
        if self.run.asked_for_route && self.run.verdict != Verdict::Pass {
            return "sent on to the client as the kernel's routes say, with the service as its source".to_owned();
        }
        match (self.run.verdict, self.backend()) {
            (Verdict::Pass, Some((name, _))) => format!("passed up to this node itself, which is the backend {name}"),
            (Verdict::Pass, None) => "passed on to the node's own network stack".to_owned(),
            (Verdict::Transmit, None) if self.noted(SynEvent::Challenged) => {
                "answered here: SYN protection asks its sender for a proof, which a real client's stack gives by itself"
                    .to_owned()
            }
            (_, Some((name, value))) => {
                let egress = self.interface(value.ifindex);
                format!("forwarded to the backend {name} ({}), out of {egress}", std::net::IpAddr::from(value.address))
            }
            (_, None) => "answered here, as the service's address".to_owned(),
        }
    }

    /// The stages that it has come to, in their order.
    pub(super) fn steps(&self) -> Vec<ExplainStep> {
        let step = |stage: &str, finding: String| ExplainStep { stage: stage.to_owned(), finding };
        let mut steps = vec![step("firewall", self.firewall())];
        if self.run.reason() == Some(DropReason::Denied) {
            return steps;
        }
        steps.extend(self.rules().map(|rules| step("rules", rules)));
        if self.run.reason() == Some(DropReason::Rule) {
            return steps;
        }
        steps.extend(self.limits().map(|limits| step("limits", limits)));
        let (service, reply) = (self.service(), self.reply());
        steps.push(match (&service, reply) {
            (Some(service), _) if service.is_node_address() => step("reply", self.of_answer()),
            (Some(service), _) => step("service", self.of_service(service)),
            (None, Some(reply)) => step("reply", self.of_reply(reply)),
            (None, None) => step("service", "none: it is not for Sluice".to_owned()),
        });
        if service.is_none() && reply.is_none() {
            steps.extend(self.node().map(|node| step("node", node)));
        }
        steps.extend(self.sanity().map(|sanity| step("sanity", sanity)));
        steps.extend(self.proof().map(|proof| step("syn", proof)));
        if let Some(service) = service.filter(|service| !service.is_address() && self.is_counted(service)) {
            steps.extend(self.session().map(|session| step("session", session)));
            if self.run.session.is_none() {
                steps.extend(self.row(&service).map(|row| step("row", row)));
            }
            steps.extend(self.backend().map(|(_, value)| step("delivery", self.delivery(value))));
        }
        steps
    }

    /// What the lists say of the source.
    fn firewall(&self) -> String {
        let source = self.run.packet.source.into();
        match self.state.found_on_lists(source) {
            Ok(found) => format!("{source} is {}", lists::outcome(&found)),
            Err(error) => format!("what the lists say of {source} could not be read: {error}"),
        }
    }

    /// What the rules say of the packet; `None` if it has met none.
    fn rules(&self) -> Option<String> {
        let rules = &self.state.model.firewall.rules;
        if rules.is_empty() || !self.run.counts.lists.is_empty() {
            return None;
        }
        let matching = rules.iter().filter(|rule| self.is_counted_by(rule));
        let (deciding, counting): (Vec<&Rule>, Vec<&Rule>) = matching.partition(|rule| rule.action.is_final());
        let mut words: Vec<String> = counting.iter().map(|rule| format!("{} counts it", rule.name)).collect();
        words.push(match deciding.first() {
            Some(rule) => format!("{} decides: {}", rule.name, rule.action),
            None => "none decides".to_owned(),
        });
        Some(words.join("; "))
    }

    /// The limits that the packet is charged to; `None` if there are none. How full their buckets are at this moment was not
    /// asked: the next packet changes it.
    fn limits(&self) -> Option<String> {
        let counts = &self.run.counts.limits;
        let charged = self.state.model.firewall.limits.iter().filter(|limit| {
            limit_number(limit, &self.state.snapshot).is_some_and(|number| counts.contains_key(&number))
        });
        let names: Vec<&str> = charged.map(|limit| limit.name.as_str()).collect();
        (!names.is_empty()).then(|| format!("charged to {}, and taken to be within", names.join(", ")))
    }

    /// Whether the firewall has let the packet in for good.
    fn is_let_in(&self) -> bool {
        let passes = |rule: &Rule| rule.action == RuleAction::Pass && self.is_counted_by(rule);
        !self.run.counts.lists.is_empty() || self.state.model.firewall.rules.iter().any(passes)
    }

    fn is_counted_by(&self, rule: &Rule) -> bool {
        let number = rule_number(rule, &self.state.snapshot);
        number.is_some_and(|number| self.run.counts.rules.contains_key(&number))
    }

    /// What the protected node says of a packet that is for no service; `None`: it is not protected.
    fn node(&self) -> Option<String> {
        let settings = &self.state.snapshot.settings;
        if settings.features & Features::PROTECT == 0 {
            return None;
        }
        let words = match self.run.reason() {
            Some(_) => "protected: nothing lets it in, and it belongs to no connection of the node's",
            None if self.run.asked_for_route => "protected, but the packet only passes it",
            None if self.is_let_in() => "protected: the firewall has let it in",
            None => "protected: it belongs to a connection of the node's, or is what every host needs",
        };
        Some(words.to_owned())
    }

    /// The service, or the service's address, at the packet's destination.
    fn service(&self) -> Option<ServiceValue> {
        let packet = &self.run.packet;
        let is_echo = packet.destination_port == 0;
        let protocol = packet.protocol;
        let found = self.tables().service_at(Endpoint {
            address: &packet.destination,
            port: packet.destination_port,
            protocol,
        })?;
        (found.is_address() == is_echo).then_some(found)
    }

    fn of_service(&self, service: &ServiceValue) -> String {
        if service.is_address() {
            return "the address of a service, which answers echo requests".to_owned();
        }
        let name = self.name(service.id);
        if self.run.reason() == Some(DropReason::SourceNotAllowed) {
            return format!("{name}, whose `allow_from` does not have the source");
        }
        name
    }

    /// The sanity check that drops the packet.
    fn sanity(&self) -> Option<String> {
        let check = SanityCheck::of(self.run.reason()?)?;
        let service = self.service().filter(|service| !service.is_address()).map(|service| self.name(service.id));
        let of = service.and_then(|name| self.state.model.services.iter().find(|service| service.name == name));
        let of = of.filter(|service| service.sanity.contains_key(&check));
        let switch = of.map_or_else(|| "in `[firewall.sanity]`".to_owned(), |of| format!("in `sanity` of {}", of.name));
        Some(format!("`{}`, which is on {switch}, drops it", check.name()))
    }

    /// What the packet's source is, if it is a `nat` backend.
    fn reply(&self) -> Option<&ReplyValue> {
        let packet = &self.run.packet;
        let of = |port| lb_common::EndpointKey::new(packet.source, port, packet.protocol);
        let replies = &self.state.snapshot.replies;
        replies.get(&of(packet.source_port)).or_else(|| replies.get(&of(0)))
    }

    fn of_reply(&self, reply: &ReplyValue) -> String {
        let name = self.name(reply.service);
        if self.run.asked_for_route {
            format!("it comes from a `nat` backend of {name}")
        } else {
            format!("it comes from a `nat` backend of {name}, but from a port that is not the service's")
        }
    }

    /// Whether SYN protection has counted an event.
    fn noted(&self, event: SynEvent) -> bool {
        self.run.counts.syn.keys().any(|(_, noted)| *noted == event)
    }

    /// What SYN protection makes of the packet.
    fn proof(&self) -> Option<String> {
        let (_, event) = self.run.counts.syn.keys().next()?;
        let text = match event {
            SynEvent::Challenged if self.backend().is_some() => {
                "its source has not proved itself, and would be asked to (`monitor`)"
            }
            SynEvent::Challenged => "its source has not proved itself, and is asked to",
            SynEvent::Admitted => "its source has proved itself",
            SynEvent::Limited => "its source has proved itself, but sends more SYNs than `per_source` allows",
            SynEvent::Unanswered => "its source has not proved itself, and its prefix has got enough answers",
            SynEvent::Proved | SynEvent::Refused | SynEvent::Retried | SynEvent::Opened | SynEvent::Completed => {
                return None;
            }
        };
        Some(text.to_owned())
    }

    /// The `full-nat` session that a packet to one of the node's addresses answers.
    fn of_answer(&self) -> String {
        let Some((_, session)) = &self.run.session else {
            return "it is for an address of the node that sessions come from, but for none of them".to_owned();
        };
        format!("it answers the session of {}", ends(session.client, session.client_port))
    }

    /// The `full-nat` session that carries the packet.
    fn session(&self) -> Option<String> {
        let (id, session) = self.run.session.as_ref()?;
        let node = self.state.snapshot.node_addresses.get(&id.address())?;
        Some(format!(
            "it has one, from {} to {}",
            ends(node.address, id.port()),
            ends(session.backend, session.backend_port)
        ))
    }

    fn is_counted(&self, service: &ServiceValue) -> bool {
        self.run.counts.services.contains_key(&service.id.into())
    }

    /// The row of the packet's flow, and whom it names.
    fn row(&self, service: &ServiceValue) -> Option<String> {
        let (tables, settings) = (self.tables(), &self.state.snapshot.settings);
        let hash = balance::hash(&self.run.packet.flow(), service, settings, &tables);
        let number = balance::row_index(hash, service.ring_bits.into());
        let row = tables.row(service.ring.into(), number)?;
        let (current, default) = (self.slot_name(row.current()), self.slot_name(row.default()));
        let whom = match row.state() {
            RowState::Settled => format!("settled on {current}"),
            RowState::Moving => {
                format!("moving: new flows go to {current}, older ones that are not remembered to {default}")
            }
            RowState::Lookup => format!("all flows go to {current}, but for those that are remembered elsewhere"),
        };
        Some(format!("{number} of {}, {whom}", 1u32 << service.ring_bits))
    }

    fn delivery(&self, backend: &BackendValue) -> String {
        if backend.flags & BackendFlags::LOCAL != 0 {
            return "none: the backend is this node".to_owned();
        }
        let delivery = Delivery::from_wire(backend.delivery).map_or("unknown", Delivery::name);
        let mac = backend.mac.bytes().map(|byte| format!("{byte:02x}")).join(":");
        format!(
            "{delivery}, to {mac} by {}, packets of up to {} bytes",
            self.interface(backend.ifindex),
            backend.max_bytes
        )
    }

    /// The backend that the packet was counted for.
    fn backend(&self) -> Option<(String, &BackendValue)> {
        let slot = *self.run.counts.backends.keys().next()?;
        Some((self.slot_name(slot), self.state.snapshot.backends.get(&slot)?))
    }

    /// The name of the backend in a slot.
    fn slot_name(&self, slot: u16) -> String {
        let named = self.state.places.slots.iter().find(|(_, known)| **known == slot);
        named.map_or_else(|| "nobody".to_owned(), |((_, backend), _)| backend.clone())
    }

    /// The name of the service with an id.
    fn name(&self, id: u16) -> String {
        let named = self.state.places.service_ids.iter().find(|(_, known)| **known == u32::from(id));
        named.map_or_else(|| format!("number {id}"), |(name, _)| name.clone())
    }

    fn interface(&self, ifindex: u32) -> String {
        let named = self.state.interfaces.iter().find(|(_, index)| **index == ifindex);
        named.map_or_else(|| format!("interface {ifindex}"), |(name, _)| name.clone())
    }

    fn tables(&self) -> SnapshotTables<'_> {
        SnapshotTables::new(&self.state.snapshot, |_| Route::Local)
    }
}

/// An address and a port as they are written.
fn ends(address: Address, port: u16) -> SocketAddr {
    SocketAddr::new(address.into(), port)
}
