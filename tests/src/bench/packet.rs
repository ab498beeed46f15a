//! The packets of the bench.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, bail, ensure};
use etherparse::{Icmpv4Type, PacketBuilder, icmpv4::DestUnreachableHeader};
use lb_common::{BENCH_HEAD_BYTES, BENCH_RESTORED_BYTES, BenchPacket, Flow};

/// What a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A TCP segment of an established connection.
    Tcp,
    /// A TCP segment that opens a connection.
    Syn,
    /// A UDP datagram.
    Udp,
    /// A QUIC packet with a short header, whose connection id has this server id.
    Quic([u8; 2]),
    /// An ICMP echo request.
    Echo,
    /// "Fragmentation needed", about a TCP segment that went the other way; over IPv4.
    FragmentationNeeded,
}

/// A packet before it is bytes.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    /// What it carries.
    pub payload: Payload,
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// The length of the frame, in bytes.
    pub frame_bytes: usize,
}

const ETHERNET_BYTES: usize = 14;
const TTL: u8 = 64;

impl Template {
    /// The frame, with all checksums computed.
    ///
    /// # Errors
    ///
    /// The addresses are of two families, or the frame is too short for its headers.
    pub fn build(&self) -> Result<Vec<u8>> {
        let (from, to) = (self.source.port(), self.destination.port());
        let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let (network, network_bytes) = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                (link.ipv4(source.octets(), destination.octets(), TTL), 20)
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                (link.ipv6(source.octets(), destination.octets(), TTL), 40)
            }
            _ => bail!("{} and {} are of different families", self.source, self.destination),
        };
        let transport_bytes = if matches!(self.payload, Payload::Tcp | Payload::Syn) { 20 } else { 8 };
        let header_bytes = ETHERNET_BYTES + network_bytes + transport_bytes;
        let payload_bytes = self.frame_bytes.checked_sub(header_bytes).context("the frame is too short")?;
        let mut payload = vec![0x5a; payload_bytes];
        if let Payload::Quic([high, low]) = self.payload {
            payload[..4].copy_from_slice(&[0x40, 0, high, low]);
        }
        let mut frame = Vec::with_capacity(self.frame_bytes);
        match self.payload {
            Payload::Tcp => network.tcp(from, to, 1, 65535).ack(1).write(&mut frame, &payload)?,
            Payload::Syn => network.tcp(from, to, 1, 65535).syn().write(&mut frame, &payload)?,
            Payload::Udp | Payload::Quic(_) => network.udp(from, to).write(&mut frame, &payload)?,
            Payload::Echo if self.source.is_ipv4() => network.icmpv4_echo_request(1, 1).write(&mut frame, &payload)?,
            Payload::Echo => network.icmpv6_echo_request(1, 1).write(&mut frame, &payload)?,
            Payload::FragmentationNeeded => {
                let needed = DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: 1400 };
                let quoted = Self {
                    payload: Payload::Tcp,
                    source: self.destination,
                    destination: self.source,
                    frame_bytes: ETHERNET_BYTES + payload_bytes,
                };
                network.icmpv4(Icmpv4Type::DestinationUnreachable(needed)).write(
                    &mut frame,
                    quoted.build()?.get(ETHERNET_BYTES..).context("a packet without an IP header")?,
                )?;
            }
        }
        Ok(frame)
    }

    /// The flow that the packet belongs to.
    pub fn flow(&self) -> Flow {
        Flow {
            source: self.source.ip().into(),
            destination: self.destination.ip().into(),
            source_port: self.source.port(),
            destination_port: self.destination.port(),
            protocol: if self.payload == Payload::Udp { 17 } else { 6 },
        }
    }

    /// The packet that the wrapper makes of this one when it walks: the source moved on.
    pub fn moved(&self, (address, port): (u32, u16)) -> Self {
        let ip = match self.source.ip() {
            IpAddr::V4(v4) => IpAddr::from(v4.to_bits().wrapping_add(address).to_be_bytes()),
            IpAddr::V6(v6) => {
                let low = (v6.to_bits() as u32).wrapping_add(address);
                IpAddr::from((v6.to_bits() >> 32 << 32 | u128::from(low)).to_be_bytes())
            }
        };
        Self { source: SocketAddr::new(ip, self.source.port().wrapping_add(port)), ..*self }
    }
}

/// How a packet's source walks over many flows; see [`BenchPacket`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Over `1 << flow_bits` flows; 0: it stays.
    pub flow_bits: u32,
    /// How many bits of the flow go to the source port.
    pub port_bits: u32,
    /// What a step of the rest adds to the source address.
    pub stride: u32,
}

impl Walk {
    /// Over `1 << flow_bits` flows of consecutive clients with 4096 ports each.
    pub const fn clients(flow_bits: u32) -> Self {
        Self { flow_bits, port_bits: 12, stride: 1 }
    }

    /// What the wrapper is told about a frame.
    ///
    /// # Errors
    ///
    /// The wrapper could not restore such a frame.
    pub fn wrap(self, frame: &[u8]) -> Result<BenchPacket> {
        let is_v4 = frame.get(ETHERNET_BYTES).context("the frame has no IP header")? >> 4 == 4;
        let least = if is_v4 { BENCH_HEAD_BYTES } else { BENCH_RESTORED_BYTES };
        ensure!(frame.len() >= least, "the frame has {} bytes; the bench needs {least} or more", frame.len());
        let mut packet = BenchPacket {
            frame_bytes: frame.len().try_into()?,
            is_v4: is_v4.into(),
            flow_bits: self.flow_bits,
            port_bits: self.port_bits,
            stride: self.stride,
            first: u16::from_ne_bytes([frame[0], frame[1]]),
            ..BenchPacket::default()
        };
        let words = packet.head.iter_mut().chain(&mut packet.rest);
        for (word, bytes) in words.zip(frame[2..].as_chunks().0) {
            *word = u64::from_ne_bytes(*bytes);
        }
        Ok(packet)
    }
}
