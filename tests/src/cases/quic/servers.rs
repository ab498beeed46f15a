//! Which servers are followed, and what rows in motion have to say.

use lb_common::{
    BackendFlags,
    DropReason::{NextHopUnresolved, NoBackend, TtlExpired},
};
use lb_userspace::{model::AdminState, plan::Snapshot};

use super::{BY_ID, BY_RING, DISABLED, DOWN, DRAINING, H3, INITIAL, NAMED, SITES, UNKNOWN, moving, only_quic};
use crate::{
    cases::Case,
    packet::{
        Packet,
        quic::{VERSION_1, connection_id, long, short},
    },
    world::{CLIENT, FRONT, Setup},
};

/// The index of the backend that drains.
const OLD: usize = 2;

pub(super) fn cases() -> Vec<Case> {
    [states(), without_a_ring(), services(), rows()].concat()
}

fn named() -> Vec<u8> {
    short(&connection_id(0, &NAMED))
}

/// The backend that is named is suspect.
fn suspect(snapshot: &mut Snapshot) {
    for ((_, server), slot) in &snapshot.servers {
        if *server == u64::from(u16::from_be_bytes(NAMED)) {
            let backend = snapshot.backends.get_mut(slot).expect("the backend of the id");
            backend.flags = backend.flags & !BackendFlags::ELIGIBLE | BackendFlags::SUSPECT;
        }
    }
}

fn states() -> Vec<Case> {
    let unresolved = |setup: &mut Setup| {
        only_quic(setup);
        setup.next_hops.remove(&H3.backends[BY_ID].parse().expect("an address"));
    };
    let last_hop = H3.packet(H3.address, 443, 1, &named());
    vec![
        H3.case("follows the id of a server that drains", &short(&connection_id(0, &DRAINING)), OLD),
        H3.case("follows the id of a suspect server", &named(), BY_ID).with_tables(suspect),
        H3.case("hashes the id of a disabled server", &short(&connection_id(0, &DISABLED)), BY_RING),
        H3.case("hashes the id of a server that is down", &short(&connection_id(0, &DOWN)), BY_RING),
        H3.case(
            "opens with an Initial that names a disabled server",
            &long(INITIAL, VERSION_1, &connection_id(0, &DISABLED)),
            BY_RING,
        )
        .opens_flow(),
        H3.case("knows no way to the server of an id", &named(), BY_ID)
            .with(unresolved)
            .drops(NextHopUnresolved)
            .counts_service("h3"),
        Case::new("quic: TTL 1 ends here, counted for the server of the id", last_hop)
            .with(only_quic)
            .drops(TtlExpired)
            .counts("h3", H3.backends[BY_ID]),
    ]
}

/// The ring has nobody, but servers still have connections.
fn without_a_ring() -> Vec<Case> {
    let drained = |setup: &mut Setup| {
        only_quic(setup);
        setup.service("h3").backends[BY_RING].state = AdminState::Drain;
    };
    vec![
        H3.case("follows an id where the ring has nobody", &named(), BY_ID).with(drained),
        H3.case("has nobody for an id that no server has", &short(&connection_id(0, &UNKNOWN)), BY_RING)
            .with(drained)
            .drops(NoBackend)
            .counts_service("h3"),
    ]
}

fn services() -> Vec<Case> {
    let plain = |setup: &mut Setup| {
        only_quic(setup);
        let service = setup.service("h3");
        service.quic = None;
        for backend in &mut service.backends {
            backend.server_id = None;
        }
    };
    // Only another service has a server with this id.
    let foreign = |setup: &mut Setup| {
        only_quic(setup);
        setup.service("h3").backends.remove(BY_ID);
    };
    let nat = SITES[2];
    let reply = |source: &str, port, ttl| Packet::v4(source, CLIENT).ttl(ttl).udp(port, 40000).payload(b"reply");
    vec![
        H3.case("hashes everything where it has no `quic`", &named(), BY_RING).with(plain),
        H3.case(
            "opens nothing where it has no `quic`",
            &long(INITIAL, VERSION_1, &connection_id(0, &UNKNOWN)),
            BY_RING,
        )
        .with(plain),
        H3.case("hashes the id of another service's server", &named(), BY_RING).with(foreign),
        Case::new("quic: the reply of a server comes from the service", reply(nat.backends[BY_ID], 8443, 64))
            .with(only_quic)
            .from(crate::world::BACK)
            .redirects(FRONT, CLIENT, reply(nat.address, 443, 63)),
    ]
}

/// A row that moves from the backend that drains to that of the ring.
fn rows() -> Vec<Case> {
    let case = |name: &str, payload: Vec<u8>, backend: usize| {
        let packet = |ttl| Packet::v4(CLIENT, H3.address).ttl(ttl).udp(40000, 443).payload(&payload);
        Case::new(format!("quic: {name}"), packet(64))
            .with(only_quic)
            .with_tables(moving)
            .redirects(crate::world::BACK, H3.backends[backend], packet(63))
            .counts("h3", H3.backends[backend])
    };
    let random = [0x9c; 8];
    vec![
        case("a new connection at a moving row is its new owner's", long(INITIAL, VERSION_1, &random), BY_RING)
            .opens_flow(),
        case("0-RTT at a moving row is its old owner's", long(1, VERSION_1, &random), OLD),
        case("an id that no server has stays with a moving row's old owner", short(&connection_id(0, &UNKNOWN)), OLD),
        case("an id is followed whatever a moving row says", named(), BY_ID),
    ]
}
