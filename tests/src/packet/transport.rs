//! The transport headers.

use etherparse::{TcpHeader, UdpHeader, checksum::Sum16BitWords, ip_number};

use super::network::Network;

/// The transport layer of a packet in the making.
#[derive(Clone, Debug)]
pub(super) enum Transport {
    Tcp(TcpHeader),
    Udp { header: UdpHeader, claimed: Option<u16>, checksum: bool },
    Icmp { kind: u8, code: u8, rest: u32 },
    Opaque(u8),
}

impl Transport {
    /// The IP protocol number.
    pub(super) const fn number(&self, network: &Network) -> u8 {
        match self {
            Self::Tcp(_) => ip_number::TCP.0,
            Self::Udp { .. } => ip_number::UDP.0,
            Self::Icmp { .. } if network.is_v4() => ip_number::ICMP.0,
            Self::Icmp { .. } => ip_number::IPV6_ICMP.0,
            Self::Opaque(number) => *number,
        }
    }

    pub(super) fn tcp_header(&mut self) -> &mut TcpHeader {
        match self {
            Self::Tcp(header) => header,
            _ => panic!("this is not TCP"),
        }
    }

    pub(super) fn udp_checksum(&mut self) -> &mut bool {
        match self {
            Self::Udp { checksum, .. } => checksum,
            _ => panic!("this is not UDP"),
        }
    }

    pub(super) fn udp_claim(&mut self) -> &mut Option<u16> {
        match self {
            Self::Udp { claimed, .. } => claimed,
            _ => panic!("this is not UDP"),
        }
    }

    /// Header and payload.
    pub(super) fn bytes(&self, network: &Network, payload: &[u8]) -> Vec<u8> {
        let mut bytes = match self {
            Self::Tcp(header) => tcp(header.clone(), network, payload),
            Self::Udp { header, claimed, checksum } => udp(header.clone(), network, *claimed, *checksum, payload),
            Self::Icmp { kind, code, rest } => icmp([*kind, *code], *rest, network, payload),
            Self::Opaque(_) => Vec::new(),
        };
        bytes.extend(payload);
        bytes
    }
}

fn tcp(mut header: TcpHeader, network: &Network, payload: &[u8]) -> Vec<u8> {
    header.checksum = match network {
        Network::V4 { header: ip, .. } => header.calc_checksum_ipv4(ip, payload),
        Network::V6 { header: ip, .. } => header.calc_checksum_ipv6(ip, payload),
    }
    .expect("a payload of less than 64 KiB");
    header.to_bytes().to_vec()
}

fn udp(mut header: UdpHeader, network: &Network, claimed: Option<u16>, checksum: bool, payload: &[u8]) -> Vec<u8> {
    header.length = claimed.unwrap_or((UdpHeader::LEN + payload.len()) as u16);
    if checksum {
        header.checksum = match network {
            Network::V4 { header: ip, .. } => header.calc_checksum_ipv4(ip, payload),
            Network::V6 { header: ip, .. } => header.calc_checksum_ipv6(ip, payload),
        }
        .expect("a payload of less than 64 KiB");
    }
    header.to_bytes().to_vec()
}

fn icmp(kind_code: [u8; 2], rest: u32, network: &Network, payload: &[u8]) -> Vec<u8> {
    let mut sum = Sum16BitWords::new().add_2bytes(kind_code).add_4bytes(rest.to_be_bytes()).add_slice(payload);
    if let Network::V6 { header, .. } = network {
        let length = (8 + payload.len() as u32).to_be_bytes();
        sum = sum.add_16bytes(header.source).add_16bytes(header.destination).add_4bytes(length);
        sum = sum.add_2bytes([0, ip_number::IPV6_ICMP.0]);
    }
    let checksum = sum.ones_complement().to_be();
    [&kind_code[..], &checksum.to_be_bytes(), &rest.to_be_bytes()].concat()
}
