//! Who talks to whom in a frame.

use std::net::IpAddr;

use etherparse::{InternetSlice, SlicedPacket, TransportSlice};

/// An address and a port.
pub type End = (IpAddr, u16);

/// Source and destination of a frame, as etherparse reads them.
pub fn ends(frame: &[u8]) -> (End, End) {
    let packet = SlicedPacket::from_ethernet(frame).expect("a well-formed frame");
    let (source, destination): (IpAddr, IpAddr) = match packet.net {
        Some(InternetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(InternetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => panic!("not IP: {frame:x?}"),
    };
    let ports = match packet.transport {
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
        _ => (0, 0),
    };
    ((source, ports.0), (destination, ports.1))
}
