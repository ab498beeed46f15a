//! ICMP errors about sessions.

use lb_common::DropReason::IcmpUnknown;
use lb_userspace::model::AdminState;

use super::{
    super::Case,
    state_of,
    talk::{DNS, DNS6, Talk, WEB, WEB6, plain, syn},
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, FRONT, NODE_PORT, Setup},
};

pub(super) fn cases() -> Vec<Case> {
    [both_sides(), forged()].concat()
}

/// An ICMP error: type, code, and the rest of its header.
type Complaint = (u8, u8, u32);

impl Talk {
    fn complaint(&self) -> Complaint {
        if self.client.0.contains(':') { (2, 0, 1400) } else { (3, 4, 1400) }
    }

    fn header_bytes(&self) -> usize {
        if self.client.0.contains(':') { 40 } else { 20 }
    }

    /// What a router complains of to `to`: so many bytes behind the IP header of a packet.
    fn error(&self, from: &str, to: &str, ttl: u8, quoted: &Packet, bytes: usize) -> Packet {
        let (kind, code, rest) = self.complaint();
        Packet::ip(from, to).ttl(ttl).icmp(kind, code, rest).quoting(quoted, self.header_bytes() + bytes)
    }

    /// An error of the client's side, about an answer that has come from the service.
    fn answer_failed(&self, bytes: usize) -> Packet {
        self.error(self.router(), self.service.0, 64, &self.answered(plain), bytes)
    }

    /// An error of the backend's side, about what it has been asked.
    fn question_failed(&self, bytes: usize) -> Packet {
        self.error(self.router(), self.node.0, 64, &self.asked(plain), bytes)
    }

    /// A router, of either side.
    fn router(&self) -> &'static str {
        if self.client.0.contains(':') { "2001:db8:1::1" } else { "192.0.2.1" }
    }

    /// The case of an error about an answer: the backend gets it from the node, about a packet to the node.
    fn answer_fails(&self, name: &str, bytes: usize) -> Case {
        let about = self.packet(self.backend, self.node, 63, plain);
        Case::new(format!("full-nat: {name}"), self.answer_failed(bytes))
            .redirects(BACK, self.backend.0, self.error(self.node.0, self.backend.0, 63, &about, bytes))
            .counts(self.service_name, self.backend.0)
    }

    /// The case of an error about a question: the client gets it from the service, about a packet to the service.
    fn question_fails(&self, name: &str, bytes: usize) -> Case {
        let about = self.packet(self.client, self.service, 63, plain);
        Case::new(format!("full-nat reply: {name}"), self.question_failed(bytes)).from(BACK).redirects(
            FRONT,
            self.client.0,
            self.error(self.service.0, self.client.0, 63, &about, bytes),
        )
    }
}

/// Errors from both sides, with as much of the packet as there must be, just without and just with its checksum, and all of it.
fn both_sides() -> Vec<Case> {
    let mut cases = Vec::new();
    for talk in [WEB, DNS, WEB6, DNS6] {
        for bytes in if talk.is_dns() { [8, 9, 10, 11] } else { [8, 16, 18, 23] } {
            let name = |side| format!("{}: an error of the {side}'s side that quotes {bytes} bytes", talk.service_name);
            cases.push(talk.opened(talk.answer_fails(&name("client"), bytes)));
            cases.push(talk.opened(talk.question_fails(&name("backend"), bytes)));
        }
    }
    let drained = |setup: &mut Setup| state_of(setup, AdminState::Drain);
    cases.push(WEB.opened(WEB.answer_fails("an error to a drained backend", 8)).then(drained));
    cases.push(WEB.opened(WEB.question_fails("an error from a drained backend's side", 8)).then(drained));
    cases
}

/// Anybody can send an error. One that is about nothing that there is goes nowhere, and one that is tells the session nothing.
fn forged() -> Vec<Case> {
    let other_port = WEB.of((CLIENT, 40001));
    let other_backend = Talk { backend: ("10.9.1.51", 8081), ..WEB };
    let other_node = Talk { node: ("10.9.1.1", NODE_PORT + 1), ..WEB };
    let another = WEB.of(("10.9.0.6", 41000));
    let service = |name: &str, talk: Talk| {
        let case = Case::new(format!("full-nat: {name}"), talk.answer_failed(8)).counts_service("full");
        case.drops(IcmpUnknown)
    };
    let node = |name: &str, talk: Talk| {
        Case::new(format!("full-nat reply: {name} passes"), talk.question_failed(8)).from(BACK)
    };
    vec![
        service("an error without a session", WEB),
        WEB.opened(service("an error about another connection", other_port)),
        node("an error without a session", WEB),
        WEB.opened(node("an error about another port of the backend's", other_backend)),
        WEB.opened(node("an error about a connection of the node's", other_node)),
        another
            .opening("an error does not keep a session")
            .after_from(FRONT, WEB.asks(syn))
            .later(3)
            .after_from(FRONT, WEB.answer_failed(8))
            .after_from(BACK, WEB.question_failed(8))
            .later(1),
        Case::new("full-nat: an error when the backend is disabled", WEB.answer_failed(8))
            .after_from(FRONT, WEB.asks(syn))
            .counts_service("full")
            .drops(IcmpUnknown)
            .then(|setup| state_of(setup, AdminState::Disabled)),
    ]
}
