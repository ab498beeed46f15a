//! Fragments of sessions' packets: all of a packet are translated, and go where the first one went.

use lb_common::DropReason::{FragmentUnknown, MtuExceeded, TtlExpired};
use lb_userspace::model::AdminState;

use super::{
    super::Case,
    state_of,
    talk::{DNS, DNS6, Make, Talk, WEB, WEB6, plain},
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, FRONT},
};

/// Where packets are cut, in bytes of what IP carries.
const CUT: usize = 48;

pub(super) fn cases() -> Vec<Case> {
    [requests(), replies(), strays()].concat()
}

const LONG: &[u8] = b"a question or an answer that is long enough to be cut in two";

fn datagram(packet: Packet) -> Packet {
    packet.payload(LONG)
}

fn segment(packet: Packet) -> Packet {
    packet.ack().payload(LONG)
}

impl Talk {
    fn long(&self) -> Make {
        if self.is_dns() { datagram } else { segment }
    }

    /// The parts of a client's packet, and as the backend gets them.
    fn asks_in_parts(&self) -> [[Packet; 2]; 2] {
        [self.asks(self.long()).fragments(CUT), self.asked(self.long()).fragments(CUT)]
    }

    /// The parts of a backend's packet, and as the client gets them.
    fn answers_in_parts(&self) -> [[Packet; 2]; 2] {
        [self.answers(self.long()).fragments(CUT), self.answered(self.long()).fragments(CUT)]
    }

    fn part(&self, name: &str, part: &Packet) -> Case {
        Case::new(format!("full-nat, fragments: {}, {name}", self.service_name), part.clone())
    }
}

fn requests() -> Vec<Case> {
    let mut cases = Vec::new();
    for talk in [DNS, DNS6, WEB, WEB6] {
        let [[first, later], [first_sent, later_sent]] = talk.asks_in_parts();
        let case = |name: &str, part: &Packet, sent: &Packet| {
            let case = talk.opened(talk.part(name, part));
            case.redirects(BACK, talk.backend.0, sent.clone()).counts(talk.service_name, talk.backend.0)
        };
        cases.extend([
            case("the first", &first, &first_sent),
            case("the later after the first", &later, &later_sent).after(first.clone()),
            case("the later twice", &later, &later_sent).after(first.clone()).after(later.clone()),
            case("half a minute later", &later, &later_sent).after(first.clone()).waited(30),
            talk.opened(talk.part("the later alone", &later)).drops(FragmentUnknown),
            talk.opened(talk.part("too late", &later)).after(first.clone()).waited(31).drops(FragmentUnknown),
            talk.opened(talk.part("TTL 1", &later.clone().ttl(1)))
                .after(first.clone())
                .counts(talk.service_name, talk.backend.0)
                .drops(TtlExpired),
        ]);
    }
    let [[first, later], [_, later_sent]] = DNS.asks_in_parts();
    cases.push(
        DNS.part("the first opens the session", &later)
            .after(first)
            .redirects(BACK, DNS.backend.0, later_sent)
            .counts(DNS.service_name, DNS.backend.0),
    );
    cases
}

fn replies() -> Vec<Case> {
    let mut cases = Vec::new();
    for talk in [DNS, DNS6, WEB, WEB6] {
        let [[first, later], [first_sent, later_sent]] = talk.answers_in_parts();
        let case = |name: &str, part: &Packet, sent: &Packet| {
            let case = talk.opened(talk.part(&format!("a reply, {name}"), part)).from(BACK);
            case.redirects(FRONT, talk.client.0, sent.clone())
        };
        cases.extend([
            case("the first", &first, &first_sent),
            case("the later after the first", &later, &later_sent).after_from(BACK, first.clone()),
            case("from a disabled backend", &later, &later_sent).after_from(BACK, first).then(|setup| {
                let backends = setup.model.services.iter_mut().flat_map(|service| &mut service.backends);
                backends.for_each(|backend| backend.state = AdminState::Disabled);
            }),
            talk.opened(talk.part("a reply, the later alone passes", &later)).from(BACK),
        ]);
    }
    cases
}

/// Parts of packets that belong to no session, or no longer.
fn strays() -> Vec<Case> {
    let [[first, later], _] = DNS.asks_in_parts();
    let [[answer, _], _] = DNS.answers_in_parts();
    let [[web, web_later], _] = WEB.asks_in_parts();
    let others = DNS.of(("10.9.0.6", 5001));
    let forged = Talk { backend: ("10.9.1.53", 5353), ..DNS };
    let [[_, forged], _] = forged.answers_in_parts();
    let long = DNS.asks(|packet| packet.payload(&[7; 1600]));
    let [long_first, long_later] = long.fragments(CUT);
    vec![
        DNS.part("the port has been given to another client", &later)
            .after(first)
            .later(4)
            .after_from(FRONT, others.asks(plain))
            .drops(FragmentUnknown),
        WEB.opened(WEB.part("the backend is disabled", &web_later))
            .after(web)
            .then(|setup| state_of(setup, AdminState::Disabled))
            .drops(FragmentUnknown),
        DNS.opened(DNS.part("of another host to the node pass", &forged)).after_from(BACK, answer).from(BACK),
        DNS.opened(DNS.part("one that does not fit", &long_later))
            .after(long_first)
            .counts(DNS.service_name, DNS.backend.0)
            .drops(MtuExceeded),
        Case::new("full-nat, fragments: the node's own pass", {
            let [own, _] = Packet::v4(CLIENT, "10.9.1.1").udp(5000, 5353).payload(LONG).fragments(CUT);
            own
        }),
    ]
}
