//! Frames by the address that they are sent to: only those for this node are forwarded.

use lb_common::{DropReason::Denied, ListKind, Mac};

use super::Case;
use crate::{
    packet::{Packet, RECEIVER, SENDER},
    world::{BACK, CLIENT, CLIENT6, FRONT, Setup},
};

const SECOND: [u8; 6] = [2, 0, 0, 0, 0, 0xcc];
/// Of a VRRP router (RFC 9568, section 7.3).
const VIRTUAL: [u8; 6] = [0, 0, 0x5e, 0, 1, 7];
const STRANGER: [u8; 6] = [2, 0, 0, 0, 0, 0xdd];
const BROADCAST: [u8; 6] = [0xff; 6];
const MULTICAST: [u8; 6] = [1, 0, 0x5e, 9, 0, 100];

fn three(setup: &mut Setup) {
    setup.macs = [RECEIVER, SECOND, VIRTUAL].map(Mac::new).to_vec();
}

fn packet(receiver: [u8; 6], ttl: u8) -> Packet {
    Packet::v4(CLIENT, "10.9.0.100").link(SENDER, receiver).ttl(ttl).tcp(40000, 80).ack()
}

pub(super) fn cases() -> Vec<Case> {
    let forwarded = |name: &str, receiver| {
        Case::new(format!("receivers: {name}"), packet(receiver, 64))
            .transmits("10.9.0.11", packet(receiver, 63))
            .counts("web", "10.9.0.11")
    };
    let passes = |name: &str, packet: Packet| Case::new(format!("receivers: {name} passes"), packet);
    let reply = |receiver| Packet::v4("10.9.1.41", CLIENT).link(SENDER, receiver).tcp(8080, 40000).ack();
    vec![
        forwarded("the first of the node's addresses", RECEIVER).with(three),
        forwarded("the second of the node's addresses", SECOND).with(three),
        forwarded("a virtual router's address", VIRTUAL).with(three),
        passes("a stranger's frame", packet(STRANGER, 64)).with(three),
        passes("a stranger's virtual router's frame", packet([0, 0, 0x5e, 0, 1, 8], 64)).with(three),
        passes("a frame that differs in its first bytes", packet([6, 0, 0, 0, 0, 0xbb], 64)).with(three),
        passes("a frame that differs in the middle", packet([2, 0, 1, 0, 0, 0xbb], 64)).with(three),
        passes("a broadcast", packet(BROADCAST, 64)).with(three),
        passes("a multicast", packet(MULTICAST, 64)).with(three),
        passes("a broadcast to a node whose addresses are not known", packet(BROADCAST, 64)),
        passes("a multicast to a node whose addresses are not known", packet(MULTICAST, 64)),
        passes("a broadcast in a VLAN", packet(BROADCAST, 64).tagged(7)).with(three),
        passes("a stranger's frame in a VLAN", packet(STRANGER, 64).tagged(7)).with(three),
        passes("a stranger's IPv6", Packet::v6(CLIENT6, "fd09::100").link(SENDER, STRANGER).tcp(40000, 80).ack())
            .with(three),
        passes("a stranger's echo request", {
            Packet::v4(CLIENT, "10.9.0.100").link(SENDER, STRANGER).echo_request(1)
        })
        .with(three),
        passes("a broadcast echo request", {
            Packet::v4(CLIENT, "10.9.0.100").link(SENDER, BROADCAST).echo_request(1)
        })
        .with(three),
        passes("a stranger's malformed packet", packet(STRANGER, 64).claimed_bytes(1000)).with(three),
        passes("a stranger's `nat` reply", reply(STRANGER)).from(BACK).with(three),
        Case::new("receivers: a `nat` reply to the second address", reply(SECOND)).from(BACK).with(three).redirects(
            FRONT,
            CLIENT,
            Packet::v4("10.9.0.105", CLIENT).ttl(63).tcp(80, 40000).ack(),
        ),
        Case::new("receivers: any, if the node has more than there is room for", packet(STRANGER, 64))
            .with(|setup| setup.macs = (0..17).map(|last| Mac::new([2, 0, 0, 0, 1, last])).collect())
            .transmits("10.9.0.11", packet(STRANGER, 63))
            .counts("web", "10.9.0.11"),
        Case::new("receivers: the last that there is room for", packet([2, 0, 0, 0, 1, 15], 64))
            .with(|setup| setup.macs = (0..16).map(|last| Mac::new([2, 0, 0, 0, 1, last])).collect())
            .transmits("10.9.0.11", packet([2, 0, 0, 0, 1, 15], 63))
            .counts("web", "10.9.0.11"),
        Case::new("receivers: the firewall comes first", packet(BROADCAST, 64))
            .with(|setup| setup.model.firewall.deny.push("10.9.0.0/24".parse().expect("a prefix")))
            .listed(ListKind::Deny, "10.9.0.0/24")
            .drops(Denied),
    ]
}
