//! The world that the packet table's packets meet: a fixed configuration and fixed next hops, planned by the real
//! planner.
//!
//! Addresses are systematic. Clients and some backends are on the network of [`FRONT`], `10.9.0.0/24` and `fd09::/64`;
//! the other backends are on that of [`BACK`], `10.9.1.0/24` and `fd09:1::/64`. A host's MAC address follows from its IP
//! address, see [`mac_of`].

mod services;
mod sockets;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use lb_common::{HashKey, Mac};
use lb_userspace::{
    lists::{Extras, Lists},
    model::{Model, Moment, Service},
    plan::{Guard, Health, Inputs, Patience, Planner, Snapshot, limit_number, rule_number},
    routes::{NextHop, NextHops},
};

pub use self::{
    services::{SECRET, service},
    sockets::{NodeSocket, SOCKETS, end, socket},
    ways::{INTERFACES, Interface, WAYS, Way, route},
};

/// The keys of SYN protection's cookies: of the even epoch, and of the odd one.
pub const SYN_KEYS: [[u64; 2]; 2] =
    [[0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908], [0x1716_1514_1312_1110, 0x1f1e_1d1c_1b1a_1918]];
/// The epoch of the cookies.
pub const SYN_EPOCH: u32 = 41;

/// The interface on the clients' side.
pub const FRONT: u32 = 101;
/// The interface to backends of their own network.
pub const BACK: u32 = 102;
/// An interface on which the kernel's forwarding is off.
pub const SIDE: u32 = 103;
/// An interface that Sluice is not attached to and that leads to no backend.
pub const FAR: u32 = 104;

/// A client on the front network.
pub const CLIENT: &str = "10.9.0.7";
/// A client on the front network.
pub const CLIENT6: &str = "fd09::7";

/// The only port that sessions of `full-nat` have on each of the node's addresses.
pub const NODE_PORT: u16 = 20_000;

/// The MAC address of the host that owns an IP address of the world.
pub fn mac_of(address: &str) -> [u8; 6] {
    match address.parse().expect("an address") {
        IpAddr::V4(v4) => {
            let [_, _, network, host] = v4.octets();
            [2, 4, 0, 0, network, host]
        }
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            [2, 6, 0, octets[3], octets[14], octets[15]]
        }
    }
}

/// The MAC address of one of the node's interfaces.
pub const fn interface_mac(ifindex: u32) -> [u8; 6] {
    [2, 0, 0, 0, 0, ifindex as u8]
}

/// All that a [`World`] is planned from; a case may change it.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the operator wants.
    pub model: Model,
    /// The ways to the backends.
    pub next_hops: NextHops,
    /// The names of backends whose checks fail.
    pub down: BTreeSet<String>,
    /// The MAC addresses of the node; if there are none, it takes every frame.
    pub macs: Vec<Mac>,
    /// What is on the lists besides what the model names.
    pub extras: Extras,
    /// What has been decided about SYN protection.
    pub guard: Guard,
}

impl Default for Setup {
    fn default() -> Self {
        let model = services::model();
        let addresses = model.services.iter().flat_map(|service| &service.backends).map(|backend| backend.address);
        let next_hops = addresses.map(|address| (address, next_hop(address))).collect();
        let guard = Guard { keys: SYN_KEYS, epoch: SYN_EPOCH, ..Guard::default() };
        Self { model, next_hops, down: BTreeSet::new(), macs: Vec::new(), extras: Extras::default(), guard }
    }
}

impl Setup {
    /// Adds a service, and the ways to its backends.
    pub fn add(&mut self, service: Service) {
        let addresses = service.backends.iter().map(|backend| backend.address);
        self.next_hops.extend(addresses.map(|address| (address, next_hop(address))));
        self.model.services.push(service);
    }

    /// The service with a name.
    pub fn service(&mut self, name: &str) -> &mut Service {
        self.model.services.iter_mut().find(|service| service.name == name).expect("a service of the world")
    }

    /// The next hop to the only backend of a service.
    pub fn hop(&mut self, service: &str) -> &mut NextHop {
        let address = self.service(service).backends[0].address;
        self.next_hops.get_mut(&address).expect("a next hop of the world")
    }
}

/// The way to a backend: directly, through the interface on its network.
fn next_hop(address: IpAddr) -> NextHop {
    let ifindex = if ways::is_front(address) { FRONT } else { BACK };
    let interface = ways::interface(ifindex);
    NextHop {
        ifindex,
        vlan: None,
        interface: interface.name.to_owned(),
        mac: Mac::new(mac_of(&address.to_string())),
        source_mac: Mac::new(interface_mac(ifindex)),
        source: if address.is_ipv4() { interface.v4.into() } else { interface.v6.into() },
        mtu: 1500,
        is_local: false,
    }
}

/// What the kernel's tables hold, and where each thing stands in them.
#[derive(Clone, Debug)]
pub struct World {
    /// The tables.
    pub snapshot: Snapshot,
    /// The id of each service, by name.
    pub service_ids: BTreeMap<String, u32>,
    /// The slot of each backend, by service and name.
    pub slots: BTreeMap<(String, String), u16>,
    /// The number of each rule, by name.
    pub rules: BTreeMap<String, u32>,
    /// The number of each limit, by name.
    pub limits: BTreeMap<String, u32>,
}

impl World {
    /// Plans the world.
    pub fn new(setup: &Setup) -> Self {
        let interfaces = INTERFACES.iter().map(|interface| (interface.name.to_owned(), interface.ifindex)).collect();
        let inputs = Inputs {
            model: &setup.model,
            health: &|_, backend| if setup.down.contains(backend) { Health::Gone } else { Health::Up },
            lists: &Lists::compose(&setup.model.firewall, &setup.extras, &Lists::default()).expect("lists that fit"),
            next_hops: &setup.next_hops,
            hash_key: HashKey::expand(SECRET),
            devices: &BTreeSet::from([FRONT, BACK, SIDE]),
            macs: &setup.macs,
            interfaces: &interfaces,
            ephemeral: lb_userspace::plan::EPHEMERAL,
            patience: Patience::default(),
            guard: &setup.guard,
            census: None,
            now_s: 0,
            now: Moment::from_seconds(1_800_000_000),
        };
        let desired = Planner::default().desired(inputs, &Snapshot::default()).expect("a world that fits the tables");
        let rules = setup.model.firewall.rules.iter();
        let rules =
            rules.map(|rule| (rule.name.clone(), rule_number(rule, &desired.snapshot).expect("a number"))).collect();
        let limits = setup.model.firewall.limits.iter();
        let number = |limit| limit_number(limit, &desired.snapshot).expect("a number");
        let limits = limits.map(|limit| (limit.name.clone(), number(limit))).collect();
        Self { snapshot: desired.snapshot, service_ids: desired.service_ids, slots: desired.slots, rules, limits }
    }

    /// The slot of a service's backend.
    pub fn slot(&self, service: &str, backend: &str) -> u16 {
        self.slots[&(service.to_owned(), backend.to_owned())]
    }
}
