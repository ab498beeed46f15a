//! What is a server id, and what only looks like one.

use lb_userspace::model::{ConnectionIds, ServerId};

use super::{BY_ID, BY_RING, H3, HANDSHAKE, INITIAL, NAMED, UNKNOWN, only_quic};
use crate::{
    cases::Case,
    packet::{
        Damage, Packet,
        quic::{VERSION_1, VERSION_2, connection_id, long, short},
    },
    world::{BACK, Setup},
};

pub(super) fn cases() -> Vec<Case> {
    [versions(), first_octets(), lengths(), sizes(), network()].concat()
}

fn named() -> Vec<u8> {
    connection_id(0, &NAMED)
}

fn versions() -> Vec<Case> {
    let random = [0x9c; 8];
    let by_id = |name, packet: Vec<u8>| H3.case(name, &packet, BY_ID);
    let hashed = |name, packet: Vec<u8>| H3.case(name, &packet, BY_RING);
    vec![
        by_id("follows the id of an Initial, which opens nothing then", long(INITIAL, VERSION_1, &named())),
        by_id("follows the id of version 2", long(3, VERSION_2, &named())),
        by_id("follows the id of a version that is not known", long(1, 0x1a2a_3a4a, &named())),
        by_id("follows an id without the fixed bit", [&[0], &short(&named())[1..]].concat()),
        by_id("follows an id with every protected bit set", [&[0x7f], &short(&named())[1..]].concat()),
        hashed("opens nothing with 0-RTT", long(1, VERSION_1, &random)),
        hashed("opens nothing with a Handshake packet", long(HANDSHAKE, VERSION_1, &random)),
        hashed("opens nothing with a Retry", long(3, VERSION_1, &random)),
        hashed("opens with the Initial of version 2", long(1, VERSION_2, &random)).opens_flow(),
        hashed("opens nothing with a Retry of version 2", long(0, VERSION_2, &random)),
        hashed("opens nothing with 0-RTT of version 2", long(2, VERSION_2, &random)),
        hashed("opens nothing with a version that is not known", long(INITIAL, 0x1a2a_3a4a, &random)),
        hashed("opens nothing with a version negotiation", long(INITIAL, 0, &random)),
        hashed("opens with an Initial whose id no server has", long(INITIAL, VERSION_1, &connection_id(0, &UNKNOWN)))
            .opens_flow(),
    ]
}

/// Other bytes in the place of a connection id's first octet.
fn octet(octet: u8) -> Vec<u8> {
    [&[octet], &named()[1..]].concat()
}

fn first_octets() -> Vec<Case> {
    let rotated = |setup: &mut Setup| {
        only_quic(setup);
        setup.service("h3").quic = Some(ConnectionIds { rotation: 6, server_id_bytes: 2 });
    };
    let mut cases = vec![
        H3.case("takes random bits where a length could be", &short(&octet(0b000_11111)), BY_ID),
        H3.case("takes zeros where a length could be", &short(&octet(0)), BY_ID),
        H3.case("hashes an unroutable id of a long header", &long(HANDSHAKE, VERSION_1, &octet(0b111_01010)), BY_RING),
        H3.case("follows an id of rotation 6", &short(&connection_id(6, &NAMED)), BY_ID).with(rotated),
        H3.case("hashes rotation 0 where 6 is configured", &short(&named()), BY_RING).with(rotated),
    ];
    let others = (1..8).map(|rotation| {
        H3.case(&format!("hashes an id of rotation {rotation}"), &short(&connection_id(rotation, &NAMED)), BY_RING)
    });
    cases.extend(others);
    cases
}

/// Server ids of another length: the backend that is named gets `id`, and the packet has it.
fn long_ids(setup: &mut Setup, hex: &str) {
    only_quic(setup);
    let service = setup.service("h3");
    let bytes = (hex.len() / 2) as u8;
    service.quic = Some(ConnectionIds { rotation: 0, server_id_bytes: bytes });
    for (number, backend) in service.backends.iter_mut().enumerate() {
        let other = format!("{:0width$x}", 0xf0 + number, width = hex.len());
        backend.server_id = ServerId::from_hex(if number == BY_ID { hex } else { &other });
    }
}

fn lengths() -> Vec<Case> {
    // Nothing but the length of the id differs, and where it ends nobody can tell.
    let claims =
        |name, bytes: u8, backend| H3.case(name, &long(HANDSHAKE, VERSION_1, &named()).set(5, &[bytes]), backend);
    vec![
        claims("hashes an empty id", 0, BY_RING),
        claims("hashes an id that ends within its server id", 2, BY_RING),
        claims("follows an id that ends with its server id", 3, BY_ID),
        claims("follows an id of the greatest length", 20, BY_ID),
        claims("follows an id longer than any that version 1 has", 255, BY_ID),
        H3.case("follows a server id of 1 byte", &short(&connection_id(0, &[0x07])), BY_ID)
            .with(|setup| long_ids(setup, "07")),
        H3.case("follows a server id of 3 bytes", &short(&connection_id(0, &[1, 2, 3])), BY_ID)
            .with(|setup| long_ids(setup, "010203")),
        H3.case("follows a server id of 8 bytes", &short(&connection_id(0, &[1, 2, 3, 4, 5, 6, 7, 8])), BY_ID)
            .with(|setup| long_ids(setup, "0102030405060708")),
        H3.case(
            "follows a server id of 8 bytes in a long header",
            &long(HANDSHAKE, VERSION_1, &connection_id(0, &[0xff; 8])),
            BY_ID,
        )
        .with(|setup| long_ids(setup, "ffffffffffffffff")),
        H3.case(
            "hashes a server id whose last byte differs",
            &short(&connection_id(0, &[1, 2, 3, 4, 5, 6, 7, 9])),
            BY_RING,
        )
        .with(|setup| long_ids(setup, "0102030405060708")),
        H3.case("hashes a server id whose first byte differs", &short(&connection_id(0, &[0, 2, 3])), BY_RING)
            .with(|setup| long_ids(setup, "010203")),
    ]
}

fn sizes() -> Vec<Case> {
    let (short, long) = (short(&named()), long(HANDSHAKE, VERSION_1, &named()));
    let beyond = |packet: Packet| packet.claimed_udp_bytes(8 + 5);
    // What Ethernet's padding spells would be a server id.
    let spelt = |setup: &mut Setup| {
        only_quic(setup);
        let service = setup.service("h3");
        service.quic = Some(ConnectionIds { rotation: 2, server_id_bytes: 2 });
        service.backends[BY_ID].server_id = ServerId::from_hex("5a5a");
    };
    let padded = |ttl| H3.packet(H3.address, 443, ttl, &short[..1]).padded(64);
    vec![
        H3.case("hashes an empty datagram", &[], BY_RING),
        H3.case("hashes a datagram of one byte", &short[..1], BY_RING),
        H3.case("hashes a short header that is cut off", &short[..9], BY_RING),
        H3.case("follows the id of a short header that is long enough", &short[..10], BY_ID),
        H3.case("hashes a long header that is cut off", &long[..15], BY_RING),
        H3.case("follows the id of a long header that is long enough", &long[..16], BY_ID),
        Case::new("quic: what lies behind a datagram is no id", beyond(H3.packet(H3.address, 443, 64, &short)))
            .with(only_quic)
            .redirects(BACK, H3.backends[BY_RING], beyond(H3.packet(H3.address, 443, 63, &short)))
            .counts("h3", H3.backends[BY_RING]),
        Case::new("quic: padding is no id", padded(64))
            .with(spelt)
            .redirects(BACK, H3.backends[BY_RING], padded(63))
            .counts("h3", H3.backends[BY_RING]),
    ]
}

/// Ids behind headers that vary.
fn network() -> Vec<Case> {
    let case = |name: &str, make: fn(Packet) -> Packet| {
        let packet = |ttl| make(H3.packet(H3.address, 443, ttl, &short(&named())));
        Case::new(format!("quic: {name}"), packet(64))
            .with(only_quic)
            .redirects(BACK, H3.backends[BY_ID], packet(63))
            .counts("h3", H3.backends[BY_ID])
    };
    let six = super::SITES[3];
    let extended = |ttl| {
        Packet::v6(six.client, six.address)
            .ttl(ttl)
            .hop_by_hop(0)
            .destination_options(1)
            .udp(40000, 443)
            .payload(&short(&named()))
    };
    vec![
        case("an id behind IPv4 options", |packet| packet.options(&[1; 12])),
        case("an id without a checksum", Packet::without_checksum),
        case("an id before padding", |packet| packet.trailer(7)),
        case("an id in the first of two fragments", |packet| {
            let [first, _] = packet.options(&[1; 12]).fragments(40);
            first
        }),
        Case::new("quic: an id behind IPv6 extension headers", extended(64))
            .with(only_quic)
            .redirects(BACK, six.backends[BY_ID], extended(63))
            .counts(six.name, six.backends[BY_ID]),
        Case::new("quic: TCP to a QUIC service's port passes", {
            Packet::v4(H3.client, H3.address).tcp(40000, 443).syn().payload(&short(&named()))
        })
        .with(only_quic),
    ]
}
