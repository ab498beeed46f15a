//! Delivery `l2`: new MAC addresses, and the MTU of the way.

use lb_common::DropReason::MtuExceeded;

use super::Case;
use crate::{
    packet::Packet,
    world::{BACK, CLIENT, CLIENT6, FRONT, Setup},
};

pub(super) fn cases() -> Vec<Case> {
    let web =
        |ttl, bytes: usize| Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 80).ack().payload(&vec![7; bytes]);
    let web6 =
        |ttl, bytes: usize| Packet::v6(CLIENT6, "fd09::100").ttl(ttl).tcp(40000, 80).ack().payload(&vec![7; bytes]);
    let narrow = |setup: &mut Setup| setup.hop("web").mtu = 100;
    vec![
        Case::new("l2: out of the same interface", web(64, 9))
            .transmits("10.9.0.11", web(63, 9))
            .counts("web", "10.9.0.11"),
        Case::new("l2: out of the same interface in IPv6", web6(64, 9))
            .transmits("fd09::11", web6(63, 9))
            .counts("web6", "fd09::11"),
        Case::new("l2: the same interface is the one it came in by", web(64, 9))
            .from(BACK)
            .redirects(FRONT, "10.9.0.11", web(63, 9))
            .counts("web", "10.9.0.11"),
        Case::new("l2: out of another interface in IPv6", Packet::v6(CLIENT6, "fd09::100").udp(5000, 53).payload(b"q"))
            .redirects(BACK, "fd09:1::13", Packet::v6(CLIENT6, "fd09::100").ttl(63).udp(5000, 53).payload(b"q"))
            .counts("dns6", "fd09:1::13"),
        Case::new("l2: a packet that exactly fits", web(64, 1460))
            .transmits("10.9.0.11", web(63, 1460))
            .counts("web", "10.9.0.11"),
        Case::new("l2: a packet that exactly fits a narrow way", web(64, 60))
            .with(narrow)
            .transmits("10.9.0.11", web(63, 60))
            .counts("web", "10.9.0.11"),
        Case::new("l2: a packet one byte too long for a narrow way", web(64, 61))
            .with(narrow)
            .drops(MtuExceeded)
            .counts("web", "10.9.0.11"),
        Case::new("l2: padding does not count against the MTU", web(64, 60).padded(160))
            .with(narrow)
            .transmits("10.9.0.11", web(63, 60).padded(160))
            .counts("web", "10.9.0.11"),
        Case::new("l2: tags do not count against the MTU", web(64, 60).service_tagged(6).tagged(7))
            .with(narrow)
            .transmits("10.9.0.11", web(63, 60).service_tagged(6).tagged(7))
            .counts("web", "10.9.0.11"),
        Case::new("l2: an IPv6 packet that exactly fits", web6(64, 1440))
            .transmits("fd09::11", web6(63, 1440))
            .counts("web6", "fd09::11"),
    ]
}
