//! What is left of the drops: backends that cannot be reached, drivers without room, tables that contradict themselves.

use lb_common::DropReason::{Inconsistent, NextHopUnresolved, NoHeadroom};
use lb_userspace::plan::Snapshot;

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, Setup},
};

pub(super) fn cases() -> Vec<Case> {
    [unresolved(), headroom(), inconsistent()].concat()
}

fn to(address: &str) -> Packet {
    Packet::v4(CLIENT, address).tcp(40000, 80).ack()
}

fn unresolved() -> Vec<Case> {
    let lost = |service: &'static str| {
        move |setup: &mut Setup| {
            let address = setup.service(service).backends[0].address;
            setup.next_hops.remove(&address);
        }
    };
    let case = |service: &'static str, address: &str| {
        Case::new(format!("drops: no next hop to the backend of {service}"), to(address))
            .with(lost(service))
            .drops(NextHopUnresolved)
            .counts_service(service)
    };
    vec![case("web", "10.9.0.100"), case("4in4", "10.9.0.102"), case("nat", "10.9.0.105")]
}

fn headroom() -> Vec<Case> {
    let reason = "the kernel leaves every test run more headroom than any delivery needs";
    let wrapped = super::ipip::outer4("10.9.1.1", "10.9.1.31").carrying(&to("10.9.0.102").ttl(63));
    vec![
        Case::new("drops: no headroom for an outer header", to("10.9.0.102"))
            .headroom(18)
            .host_only(reason)
            .drops(NoHeadroom)
            .counts("4in4", "10.9.1.31"),
        Case::new("drops: just enough headroom for an outer header", to("10.9.0.102"))
            .headroom(20)
            .host_only(reason)
            .redirects(BACK, "10.9.1.31", wrapped.clone())
            .counts("4in4", "10.9.1.31"),
        Case::new("drops: a tag that goes makes room for an outer header", to("10.9.0.102").tagged(7))
            .headroom(16)
            .host_only(reason)
            .redirects(BACK, "10.9.1.31", wrapped)
            .counts("4in4", "10.9.1.31"),
        Case::new("drops: MAC addresses alone need no headroom", to("10.9.0.100"))
            .headroom(0)
            .host_only(reason)
            .transmits("10.9.0.11", to("10.9.0.100").ttl(63))
            .counts("web", "10.9.0.11"),
    ]
}

fn inconsistent() -> Vec<Case> {
    fn unknown_deliveries(snapshot: &mut Snapshot) {
        snapshot.backends.values_mut().for_each(|backend| backend.delivery = 77);
    }
    fn no_backends(snapshot: &mut Snapshot) {
        snapshot.backends.clear();
    }
    vec![
        Case::new("drops: a delivery that nobody knows", to("10.9.0.100"))
            .with_tables(unknown_deliveries)
            .drops(Inconsistent)
            .counts("web", "10.9.0.11"),
        Case::new("drops: a row that names an empty slot", to("10.9.0.100"))
            .with_tables(no_backends)
            .drops(NextHopUnresolved)
            .counts_service("web"),
    ]
}
