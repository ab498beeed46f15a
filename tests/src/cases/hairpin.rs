//! Backends that are clients, and ways between interfaces in both directions.

use super::{
    Case,
    gue::source_port,
    ipip::{hash, outer4},
};
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, FRONT},
};

fn ask(client: &str, address: &str, port: u16, ttl: u8) -> Packet {
    Packet::v4(client, address).ttl(ttl).tcp(40000, port).ack().payload(b"GET /")
}

/// Backends of one service that ask another, or their own.
fn backends_that_ask() -> Vec<Case> {
    // The client, the service, its address and port, its backend, and where client and backend are.
    let l2 = |client: &str| {
        Case::new(format!("hairpin: {client} asks an l2 service"), ask(client, "10.9.0.100", 80, 64))
            .transmits("10.9.0.11", ask(client, "10.9.0.100", 80, 63))
            .counts("web", "10.9.0.11")
    };
    let ipip = |client: &str| {
        let outer = outer4("10.9.0.1", "10.9.0.31").carrying(&ask(client, "10.9.0.102", 81, 63));
        Case::new(format!("hairpin: {client} asks an ipip service"), ask(client, "10.9.0.102", 81, 64))
            .transmits("10.9.0.31", outer)
            .counts("4in4-near", "10.9.0.31")
    };
    let gue = |client: &str| {
        let port = source_port(hash(client, "10.9.0.160", 81, 6));
        let outer = outer4("10.9.0.1", "10.9.0.161").gue(port, 6080, &ask(client, "10.9.0.160", 81, 63));
        Case::new(format!("hairpin: {client} asks a gue service"), ask(client, "10.9.0.160", 81, 64))
            .transmits("10.9.0.161", outer)
            .counts("gue-near", "10.9.0.161")
    };
    // The backends of the three.
    ["10.9.0.11", "10.9.0.31", "10.9.0.161"]
        .into_iter()
        .flat_map(|client| [l2(client), ipip(client), gue(client)])
        .collect()
}

/// From the back network to the front one, where the others of the table go the other way.
fn back_to_front() -> Vec<Case> {
    let client = "10.9.1.7";
    let port = source_port(hash(client, "10.9.0.160", 81, 6));
    vec![
        Case::new("hairpin: l2 from the back to the front", ask(client, "10.9.0.100", 80, 64))
            .from(BACK)
            .redirects(FRONT, "10.9.0.11", ask(client, "10.9.0.100", 80, 63))
            .counts("web", "10.9.0.11"),
        Case::new("hairpin: ipip from the back to the front", ask(client, "10.9.0.102", 81, 64).tagged(7))
            .from(BACK)
            .redirects(FRONT, "10.9.0.31", outer4("10.9.0.1", "10.9.0.31").carrying(&ask(client, "10.9.0.102", 81, 63)))
            .counts("4in4-near", "10.9.0.31"),
        Case::new("hairpin: gue from the back to the front", ask(client, "10.9.0.160", 81, 64))
            .from(BACK)
            .redirects(
                FRONT,
                "10.9.0.161",
                outer4("10.9.0.1", "10.9.0.161").gue(port, 6080, &ask(client, "10.9.0.160", 81, 63)),
            )
            .counts("gue-near", "10.9.0.161"),
        Case::new("hairpin: l2 stays in the back", ask(client, "10.9.0.100", 8443, 64))
            .from(BACK)
            .transmits("10.9.1.12", ask(client, "10.9.0.100", 8443, 63))
            .counts("web-any", "10.9.1.12"),
        Case::new("hairpin: nat stays in the back", ask(client, "10.9.0.105", 80, 64))
            .from(BACK)
            .transmits("10.9.1.41", ask_nat(client, 63))
            .counts("nat", "10.9.1.41"),
        Case::new("hairpin: nat goes from the front to the back", ask(CLIENT, "10.9.0.105", 80, 64))
            .redirects(BACK, "10.9.1.41", ask_nat(CLIENT, 63))
            .counts("nat", "10.9.1.41"),
    ]
}

/// What a request to the `nat` service becomes.
fn ask_nat(client: &str, ttl: u8) -> Packet {
    ask(client, "10.9.1.41", 8080, ttl)
}

pub(super) fn cases() -> Vec<Case> {
    [backends_that_ask(), back_to_front()].concat()
}
