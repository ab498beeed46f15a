//! The IP headers.

use std::net::IpAddr;

use etherparse::{IpDscp, IpEcn, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header};

/// The network layer of a packet in the making.
#[derive(Clone, Debug)]
pub(super) enum Network {
    V4 { header: Ipv4Header, claimed: Option<u16> },
    V6 { header: Ipv6Header, claimed: Option<u16> },
}

impl Network {
    pub(super) fn new(source: IpAddr, destination: IpAddr) -> Self {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = Ipv4Header::new(0, 64, IpNumber(0), source.octets(), destination.octets());
                let mut header = header.expect("an empty packet");
                (header.identification, header.dont_fragment) = (0x4d2, false);
                Self::V4 { header, claimed: None }
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = Ipv6Header {
                    traffic_class: 0,
                    flow_label: Ipv6FlowLabel::default(),
                    payload_length: 0,
                    next_header: IpNumber(0),
                    hop_limit: 64,
                    source: source.octets(),
                    destination: destination.octets(),
                };
                Self::V6 { header, claimed: None }
            }
            _ => panic!("{source} and {destination} are of different families"),
        }
    }

    pub(super) const fn is_v4(&self) -> bool {
        matches!(self, Self::V4 { .. })
    }

    pub(super) fn v4(&mut self) -> &mut Ipv4Header {
        match self {
            Self::V4 { header, .. } => header,
            Self::V6 { .. } => panic!("only IPv4 has this"),
        }
    }

    pub(super) fn v6(&mut self) -> &mut Ipv6Header {
        match self {
            Self::V6 { header, .. } => header,
            Self::V4 { .. } => panic!("only IPv6 has this"),
        }
    }

    pub(super) fn set_traffic_class(&mut self, class: u8) {
        match self {
            Self::V4 { header, .. } => {
                header.dscp = IpDscp::try_new(class >> 2).expect("6 bits");
                header.ecn = IpEcn::try_new(class & 3).expect("2 bits");
            }
            Self::V6 { header, .. } => header.traffic_class = class,
        }
    }

    /// The header in front of a payload of this protocol and length.
    pub(super) fn bytes(&self, protocol: u8, payload_bytes: usize) -> Vec<u8> {
        match self.clone() {
            Self::V4 { mut header, claimed } => {
                header.protocol = IpNumber(protocol);
                header.set_payload_len(payload_bytes).expect("a payload of less than 64 KiB");
                header.total_len = claimed.unwrap_or(header.total_len);
                header.header_checksum = header.calc_header_checksum();
                header.to_bytes().to_vec()
            }
            Self::V6 { mut header, claimed } => {
                header.next_header = IpNumber(protocol);
                header.set_payload_length(payload_bytes).expect("a payload of less than 64 KiB");
                header.payload_length = claimed.unwrap_or(header.payload_length);
                header.to_bytes().to_vec()
            }
        }
    }
}
