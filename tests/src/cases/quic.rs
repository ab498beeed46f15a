//! QUIC connections, which go where their ids say.
//!
//! In each service of this file the ring gives everything to the backend `ring`. The others have ids, too, and no share:
//! what they get, they get by id.

mod errors;
mod forms;
mod servers;

use std::{net::IpAddr, time::Duration};

use lb_common::{Row, RowState};
use lb_userspace::{
    model::{
        AdminState, Affinity, Backend, ConnectionIds, Delivery, Exceptions, Protocol, RingSettings, ServerId, Service,
        SynProtection, Track,
    },
    plan::Snapshot,
};

use super::{Case, ipip::outer4};
use crate::{
    packet::{
        Packet,
        quic::{VERSION_1, connection_id, long, short},
    },
    world::{BACK, CLIENT, CLIENT6, Setup},
};

/// The type of an Initial packet in version 1.
const INITIAL: u8 = 0;
/// The type of a Handshake packet in version 1.
const HANDSHAKE: u8 = 2;

/// The server ids of the backends, in their order.
const RING: [u8; 2] = [0x0a, 0x01];
const NAMED: [u8; 2] = [0x0a, 0x02];
const DRAINING: [u8; 2] = [0x0a, 0x03];
const DISABLED: [u8; 2] = [0x0a, 0x04];
const DOWN: [u8; 2] = [0x0a, 0x05];
/// An id that no server has.
const UNKNOWN: [u8; 2] = [0x0a, 0xff];

/// A service.
#[derive(Clone, Copy)]
struct Site {
    name: &'static str,
    delivery: Delivery,
    client: &'static str,
    address: &'static str,
    backends: [&'static str; 5],
}

const fn site(
    name: &'static str,
    delivery: Delivery,
    client: &'static str,
    address: &'static str,
    backends: [&'static str; 5],
) -> Site {
    Site { name, delivery, client, address, backends }
}

/// The service of the cases that differ in something else than delivery and family.
const H3: Site = site("h3", Delivery::L2, CLIENT, "10.9.0.110", {
    ["10.9.1.51", "10.9.1.52", "10.9.1.53", "10.9.1.54", "10.9.1.55"]
});

const SITES: [Site; 6] = [
    H3,
    site("h3-ipip", Delivery::Ipip, CLIENT, "10.9.0.111", {
        ["10.9.1.61", "10.9.1.62", "10.9.1.63", "10.9.1.64", "10.9.1.65"]
    }),
    site("h3-nat", Delivery::Nat, CLIENT, "10.9.0.112", {
        ["10.9.1.71", "10.9.1.72", "10.9.1.73", "10.9.1.74", "10.9.1.75"]
    }),
    site("h3-6", Delivery::L2, CLIENT6, "fd09::110", {
        ["fd09:1::51", "fd09:1::52", "fd09:1::53", "fd09:1::54", "fd09:1::55"]
    }),
    site("h3-6in4", Delivery::Ipip, CLIENT6, "fd09::111", {
        ["10.9.1.81", "10.9.1.82", "10.9.1.83", "10.9.1.84", "10.9.1.85"]
    }),
    site("h3-nat6", Delivery::Nat, CLIENT6, "fd09::112", {
        ["fd09:1::71", "fd09:1::72", "fd09:1::73", "fd09:1::74", "fd09:1::75"]
    }),
];

/// Where a packet of a case goes.
const BY_RING: usize = 0;
const BY_ID: usize = 1;

impl Site {
    fn service(&self) -> Service {
        let ids = [RING, NAMED, DRAINING, DISABLED, DOWN];
        let backends = self.backends.iter().zip(ids).enumerate();
        let backends = backends.map(|(index, (&address, id))| Backend {
            name: address.to_owned(),
            address: address.parse().expect("an address"),
            port: (self.delivery == Delivery::Nat).then_some(8443),
            weight: if index == BY_RING { Backend::DEFAULT_WEIGHT } else { 0 },
            state: match id {
                DRAINING => AdminState::Drain,
                DISABLED => AdminState::Disabled,
                _ => AdminState::Up,
            },
            drain_until: None,
            server_id: ServerId::from_hex(&format!("{:02x}{:02x}", id[0], id[1])),
        });
        Service {
            name: self.name.to_owned(),
            address: self.address.parse::<IpAddr>().expect("an address").into(),
            ports: 443.into(),
            protocol: Protocol::Udp,
            delivery: self.delivery,
            gue_port: Service::DEFAULT_GUE_PORT,
            ring: RingSettings { bits: 10, ..RingSettings::default() },
            affinity: Affinity::default(),
            track: Track::default(),
            slow_start: Duration::ZERO,
            quic: Some(ConnectionIds { rotation: 0, server_id_bytes: 2 }),
            allow_from: Vec::new(),
            syn_protection: SynProtection::Off,
            sanity: Exceptions::new(),
            health: None,
            pool: None,
            backends: backends.collect(),
        }
    }

    /// The packet of a client.
    fn packet(&self, destination: &str, port: u16, ttl: u8, payload: &[u8]) -> Packet {
        Packet::ip(self.client, destination).ttl(ttl).udp(40000, port).payload(payload)
    }

    /// What a backend gets of it.
    fn delivered(&self, backend: &str, payload: &[u8]) -> Packet {
        match self.delivery {
            Delivery::Ipip => outer4("10.9.1.1", backend).carrying(&self.packet(self.address, 443, 63, payload)),
            Delivery::Nat => self.packet(backend, 8443, 63, payload),
            _ => self.packet(self.address, 443, 63, payload),
        }
    }

    /// A datagram that goes to the backend with this index.
    fn case(&self, name: &str, payload: &[u8], backend: usize) -> Case {
        let backend = self.backends[backend];
        Case::new(format!("quic: {} {name}", self.name), self.packet(self.address, 443, 64, payload))
            .with(only_quic)
            .redirects(BACK, backend, self.delivered(backend, payload))
            .counts(self.name, backend)
    }

    fn cases(&self) -> Vec<Case> {
        vec![
            self.case("follows a server id", &short(&connection_id(0, &NAMED)), BY_ID),
            self.case(
                "follows a server id in a handshake",
                &long(HANDSHAKE, VERSION_1, &connection_id(0, &NAMED)),
                BY_ID,
            ),
            self.case("hashes an id that no server has", &short(&connection_id(0, &UNKNOWN)), BY_RING),
            self.case("hashes a client's first packet", &long(INITIAL, VERSION_1, &[0x9c; 8]), BY_RING).opens_flow(),
        ]
    }
}

/// The world with the services of this file instead of its own.
fn only_quic(setup: &mut Setup) {
    setup.model.services.clear();
    for site in SITES {
        setup.add(site.service());
        setup.down.insert(site.backends[4].to_owned());
    }
}

/// Every row moves: from the backend that drains to that of the ring.
fn moving(snapshot: &mut Snapshot) {
    for ((id, server), &slot) in &snapshot.servers {
        if *server != u64::from(u16::from_be_bytes(DRAINING)) {
            continue;
        }
        let service = snapshot.services.values().find(|service| service.id == *id && !service.is_address());
        let ring = snapshot.rings.get_mut(&service.expect("the service").ring.into()).expect("its ring");
        *ring = ring.iter().map(|row| Row::new(row.current(), slot, RowState::Moving)).collect();
    }
}

pub(super) fn cases() -> Vec<Case> {
    let sites = SITES.iter().flat_map(Site::cases);
    sites.chain(errors::cases()).chain(forms::cases()).chain(servers::cases()).collect()
}
