//! Ethernet and VLAN tags: what is no IP packet passes, tags stay on the network they belong to.

use super::Case;
use crate::{
    packet::{Damage, Packet},
    world::{BACK, CLIENT, CLIENT6},
};

const ARP_REQUEST: [u8; 28] = [0, 1, 8, 0, 6, 4, 0, 1, 2, 4, 0, 0, 0, 7, 10, 9, 0, 7, 0, 0, 0, 0, 0, 0, 10, 9, 0, 100];

/// A frame with this EtherType.
fn ethernet(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&[0xff; 6][..], &[2, 0, 0, 0, 0, 0xaa], &ether_type.to_be_bytes(), payload].concat()
}

fn web(ttl: u8) -> Packet {
    Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 80).ack().payload(b"GET /")
}

/// To a backend behind the other interface.
fn web_any(ttl: u8) -> Packet {
    Packet::v4(CLIENT, "10.9.0.100").ttl(ttl).tcp(40000, 8443).ack().payload(b"hello")
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![
        Case::new("link: ARP for a service's address passes", ethernet(0x0806, &ARP_REQUEST)),
        Case::new("link: an unknown EtherType passes", ethernet(0x88cc, &[2, 7, 4, 0, 0, 0])),
        Case::new(
            "link: an IEEE 802.3 frame with a length instead of an EtherType passes",
            ethernet(3, &[0x42, 0x42, 3]),
        ),
        Case::new("link: an EtherType of IPv4 and nothing else passes", ethernet(0x0800, &[])),
        Case::new("link: an EtherType of IPv6 and nothing else passes", ethernet(0x86dd, &[])),
        Case::new("link: a frame shorter than its header passes", web(64).cut(13))
            .host_only("the kernel refuses to run on less than an Ethernet header"),
        Case::new("link: an empty frame passes", Vec::new())
            .host_only("the kernel refuses to run on less than an Ethernet header"),
        Case::new("link: a tag that is cut short passes", web(64).tagged(7).cut(16)),
        Case::new("link: a second tag that is cut short passes", web(64).service_tagged(6).tagged(7).cut(20)),
        Case::new("link: three tags pass", web(64).service_tagged(5).tagged(6).tagged(7)),
        Case::new("link: tagged ARP passes", {
            let mut frame = ethernet(0x8100, &[0, 7, 0x08, 0x06]);
            frame.extend(ARP_REQUEST);
            frame
        }),
    ];
    cases.extend(tags());
    cases
}

fn tags() -> Vec<Case> {
    vec![
        Case::new("link: one tag stays on the same interface", web(64).tagged(0x6007))
            .transmits("10.9.0.11", web(63).tagged(0x6007))
            .counts("web", "10.9.0.11"),
        Case::new("link: two tags stay on the same interface", web(64).service_tagged(6).tagged(7))
            .transmits("10.9.0.11", web(63).service_tagged(6).tagged(7))
            .counts("web", "10.9.0.11"),
        Case::new("link: one tag goes on the way to another interface", web_any(64).tagged(7))
            .redirects(BACK, "10.9.1.12", web_any(63))
            .counts("web-any", "10.9.1.12"),
        Case::new("link: two tags go on the way to another interface", web_any(64).service_tagged(6).tagged(7))
            .redirects(BACK, "10.9.1.12", web_any(63))
            .counts("web-any", "10.9.1.12"),
        Case::new("link: a tag goes on the way to another interface with IPv6", {
            Packet::v6(CLIENT6, "fd09::100").tagged(7).udp(5000, 53).payload(b"query")
        })
        .redirects(BACK, "fd09:1::13", Packet::v6(CLIENT6, "fd09::100").ttl(63).udp(5000, 53).payload(b"query"))
        .counts("dns6", "fd09:1::13"),
        Case::new("link: a short frame keeps its padding", {
            Packet::v4(CLIENT, "10.9.0.100").tcp(40000, 80).ack().padded(60)
        })
        .transmits("10.9.0.11", Packet::v4(CLIENT, "10.9.0.100").ttl(63).tcp(40000, 80).ack().padded(60))
        .counts("web", "10.9.0.11"),
        Case::new("link: a tagged short frame keeps its padding when the tag goes", {
            Packet::v4(CLIENT, "10.9.0.100").tagged(7).tcp(40000, 8443).ack().padded(64)
        })
        .redirects(BACK, "10.9.1.12", Packet::v4(CLIENT, "10.9.0.100").ttl(63).tcp(40000, 8443).ack().padded(60))
        .counts("web-any", "10.9.1.12"),
    ]
}
