//! Services, and the replies that `nat` maps back to them; for the table of the former see [`crate::ServiceLine`].

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::{Address, ConnectionIds, Flow, HashKey};

/// A transport endpoint: the key of the `services` and `replies` maps.
///
/// Port 0 means any port, or, if the value says so ([`ServiceFlags::RANGES`]), that the ports are looked up in a
/// [`crate::PortBlock`]. An address that belongs to any service also has a key with port 0 and the protocol number
/// of ICMP (1) or ICMPv6 (58): it says that the address is ours and that echo requests to it are answered. A server id of
/// a QUIC service has a key as well, see [`EndpointKey::server`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct EndpointKey {
    /// The address.
    pub address: Address,
    /// The port, host byte order, and the IP protocol number: `port << 16 | protocol`.
    pub port_protocol: u32,
    /// The length of the prefix that `address` is the network of, in bits of 128: a /24 of IPv4 is 120. 0: a single
    /// address.
    pub prefix_bits: u32,
}

impl EndpointKey {
    /// The key of an endpoint.
    #[inline(always)]
    pub const fn new(address: Address, port: u16, protocol: u8) -> Self {
        Self::in_network(address, 0, port, protocol)
    }

    /// The key of an endpoint at every address of a network; `prefix_bits` as in the field.
    #[inline(always)]
    pub const fn in_network(network: Address, prefix_bits: u32, port: u16, protocol: u8) -> Self {
        Self { address: network, port_protocol: (port as u32) << 16 | protocol as u32, prefix_bits }
    }

    /// The key of a QUIC server id in the `services` table. Its protocol number is the reserved one, which no look-up of a
    /// packet's endpoint has.
    #[inline(always)]
    pub const fn server(service: u16, id: u64) -> Self {
        let address = Address([service as u32, 0, (id >> 32) as u32, id as u32]);
        Self { address, port_protocol: RESERVED_PROTOCOL as u32, prefix_bits: 0 }
    }

    /// The service's id and the server id of which this is the key, if it is one of [`EndpointKey::server`].
    pub const fn as_server(&self) -> Option<(u16, u64)> {
        if self.protocol() != RESERVED_PROTOCOL {
            return None;
        }
        let [service, _, upper, lower] = self.address.0;
        Some((service as u16, (upper as u64) << 32 | lower as u64))
    }

    /// The port, host byte order; 0 is any port.
    #[inline(always)]
    pub const fn port(&self) -> u16 {
        (self.port_protocol >> 16) as u16
    }

    /// The IP protocol number.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        self.port_protocol as u8
    }
}

/// The protocol number that will never be assigned (RFC 5237, section 3).
const RESERVED_PROTOCOL: u8 = 255;

/// Bits of [`ServiceValue::flags`]. In a service that speaks QUIC, the upper byte is that of [`ServiceValue::connection_ids`]; the
/// bits of the upper byte are those of TCP services.
pub struct ServiceFlags;

impl ServiceFlags {
    /// The entry stands for an address, not for a service: echo requests are answered, nothing is forwarded.
    pub const ADDRESS: u16 = 1;
    /// The entry stands for no service, but for the [`crate::PortBlock`] whose index is `ring`.
    pub const RANGES: u16 = 2;
    /// Only sources in the `sources` map may use the service.
    pub const RESTRICTED: u16 = 4;
    /// Flows are told apart by the client alone ([`Flow::of_client`]).
    pub const CLIENT: u16 = 8;
    /// Flows are told apart by the client and the service ([`Flow::of_client_and_service`]).
    pub const CLIENT_SERVICE: u16 = 16;
    /// The service speaks QUIC, and its servers' connection ids say whose they are.
    pub const QUIC: u16 = 32;
    /// The entry stands for an address of the node that `full-nat` sessions come from; its `id` is the address's number.
    pub const SESSIONS: u16 = 64;
    /// The service is delivered by `full-nat`: sessions say where its packets go.
    pub const FULL_NAT: u16 = 128;
    /// A sample of the flows is watched, to tell whether their clients go on after the SYN.
    pub const WATCHED: u16 = 1 << 8;
    /// SYN protection is active: SYNs and resets are looked at.
    pub const GUARDED: u16 = 1 << 9;
    /// SYN protection only counts what it would do.
    pub const OBSERVED: u16 = 1 << 10;
}

/// What the `services` table says of a service: one word, so that it is replaced at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(8))]
pub struct ServiceValue {
    /// The first element of the service's ring in the `rings` array, in elements of [`crate::ROWS_PER_ELEMENT`] rows.
    pub ring: u16,
    /// The index of the service's counters; in the entry of a server id, the slot of its backend.
    pub id: u16,
    /// [`ServiceFlags`].
    pub flags: u16,
    /// The ring has `1 << ring_bits` rows.
    pub ring_bits: u8,
    /// How many bits of the client's address tell clients apart, if flows are told apart by client: 96 to 128 for IPv4,
    /// whose addresses are mapped ([`Address`]).
    pub client_bits: u8,
}

impl ServiceValue {
    /// Whether flows are told apart by client: a flow is then all that a client sends, and no packet opens or ends it.
    #[inline(always)]
    pub const fn is_by_client(&self) -> bool {
        self.flags & (ServiceFlags::CLIENT | ServiceFlags::CLIENT_SERVICE) != 0
    }

    /// The hash of a flow to this service, whose top bits choose the row. Whoever wants to know where a flow goes asks
    /// this function: for a packet that comes with an error about a flow, `flow` is that flow as its client sends it.
    #[inline(always)]
    pub const fn hash(&self, flow: &Flow, key: &HashKey) -> u64 {
        if !self.is_by_client() {
            return flow.hash(key);
        }
        if self.flags & ServiceFlags::CLIENT_SERVICE != 0 {
            flow.of_client_and_service(self.client_bits).hash(key)
        } else {
            flow.of_client(self.client_bits).hash(key)
        }
    }

    /// The value of a server id: the slot of the backend that it belongs to.
    #[inline(always)]
    pub const fn server(slot: u16) -> Self {
        Self { ring: 0, id: slot, flags: 0, ring_bits: 0, client_bits: 0 }
    }

    /// The flags of a QUIC service whose connection ids have this form.
    pub const fn quic_flags(ids: ConnectionIds) -> u16 {
        (ids.to_byte() as u16) << 8 | ServiceFlags::QUIC
    }

    /// The form of the service's connection ids, if it speaks QUIC.
    #[inline(always)]
    pub const fn connection_ids(&self) -> Option<ConnectionIds> {
        if self.flags & ServiceFlags::QUIC == 0 {
            return None;
        }
        Some(ConnectionIds::from_byte((self.flags >> 8) as u8))
    }

    /// Whether a sample of the flows is watched.
    #[inline(always)]
    pub const fn is_watched(&self) -> bool {
        self.flags & (ServiceFlags::WATCHED | ServiceFlags::QUIC) == ServiceFlags::WATCHED
    }

    /// Whether SYN protection is active.
    #[inline(always)]
    pub const fn is_guarded(&self) -> bool {
        self.flags & (ServiceFlags::GUARDED | ServiceFlags::QUIC) == ServiceFlags::GUARDED
    }

    /// Whether the entry stands for an address only, which answers echo requests.
    #[inline(always)]
    pub const fn is_address(&self) -> bool {
        self.flags & ServiceFlags::ADDRESS != 0
    }

    /// Whether the entry stands for a block of port ranges only.
    #[inline(always)]
    pub const fn is_block(&self) -> bool {
        self.flags & ServiceFlags::RANGES != 0
    }

    /// The entry that stands for a block of port ranges.
    pub const fn block(index: u16) -> Self {
        Self { ring: index, id: 0, flags: ServiceFlags::RANGES, ring_bits: 0, client_bits: 0 }
    }

    /// Whether the entry stands for an address of the node that sessions come from, and not for a service.
    #[inline(always)]
    pub const fn is_node_address(&self) -> bool {
        self.flags & ServiceFlags::SESSIONS != 0
    }

    /// The entry that stands for an address of the node; `number` is its place in the `node_addresses` array.
    pub const fn node_address(number: u16) -> Self {
        Self { ring: 0, id: number, flags: ServiceFlags::SESSIONS, ring_bits: 0, client_bits: 0 }
    }

    /// Whether sessions say where a packet goes, as for `full-nat` in both directions.
    #[inline(always)]
    pub const fn has_sessions(&self) -> bool {
        self.flags & (ServiceFlags::SESSIONS | ServiceFlags::FULL_NAT) != 0
    }

    /// The value as one word. No service's is 0, because its ring has rows.
    #[inline(always)]
    pub fn word(self) -> u64 {
        zerocopy::transmute!(self)
    }

    /// The value from its word; `None` for 0.
    #[inline(always)]
    pub fn from_word(word: u64) -> Option<Self> {
        if word == 0 { None } else { Some(zerocopy::transmute!(word)) }
    }
}

/// The value of the `replies` map: what the source of a backend's reply becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct ReplyValue {
    /// The service's address.
    pub address: Address,
    /// The service's port, host byte order; 0 keeps the backend's.
    pub port: u16,
    /// The backend's slot.
    pub backend: u16,
    /// The service's id.
    pub service: u16,
    /// 1 if a packet is a reply only where the service's address has the service at the packet's source port: its ports
    /// are ranges, and the backend may talk from others.
    pub is_checked: u16,
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: HashKey = HashKey::expand([1, 2]);

    fn flow(client: Address, service: Address, ports: (u16, u16), protocol: u8) -> Flow {
        Flow { source: client, destination: service, source_port: ports.0, destination_port: ports.1, protocol }
    }

    fn hash(flags: u16, client_bits: u8, flow: Flow) -> u64 {
        ServiceValue { flags, client_bits, ..ServiceValue::default() }.hash(&flow, &KEY)
    }

    #[test]
    fn a_client_is_told_by_its_address_alone() {
        let client = |ports, service, protocol| {
            hash(ServiceFlags::CLIENT, 128, flow(Address::v4(0x0a01_0001), service, ports, protocol))
        };
        let one = client((1024, 80), Address::v4(0x0a00_0064), 6);
        assert_eq!(one, client((2048, 443), Address::v4(0x0a00_0065), 17));
        let other = flow(Address::v4(0x0a01_0002), Address::v4(0x0a00_0064), (1024, 80), 6);
        assert_ne!(one, hash(ServiceFlags::CLIENT, 128, other));
    }

    #[test]
    fn a_client_of_a_service_is_told_by_all_but_its_port() {
        let client = |ports, protocol| {
            let flow = flow(Address::v4(0x0a01_0001), Address::v4(0x0a00_0064), ports, protocol);
            hash(ServiceFlags::CLIENT_SERVICE, 128, flow)
        };
        assert_eq!(client((1024, 80), 6), client((2048, 80), 6));
        assert_ne!(client((1024, 80), 6), client((1024, 443), 6));
        assert_ne!(client((1024, 80), 6), client((1024, 80), 17));
    }

    #[test]
    fn the_bits_behind_the_prefix_do_not_matter() {
        let v4 = |client| flow(Address::v4(client), Address::v4(0x0a00_0064), (1024, 80), 6);
        let v6 = |words| flow(Address::v6(words), Address::v6([0x2001_0db8, 0, 0, 0x64]), (1024, 80), 6);
        for flags in [ServiceFlags::CLIENT, ServiceFlags::CLIENT_SERVICE] {
            assert_eq!(hash(flags, 96 + 24, v4(0x0a01_0001)), hash(flags, 96 + 24, v4(0x0a01_00ff)));
            assert_ne!(hash(flags, 96 + 24, v4(0x0a01_0001)), hash(flags, 96 + 24, v4(0x0a01_0101)));
            assert_ne!(hash(flags, 96 + 32, v4(0x0a01_0001)), hash(flags, 96 + 32, v4(0x0a01_0000)));
            let (low, high) = ([0x2001_0db8, 1, 0, 1], [0x2001_0db8, 1, u32::MAX, 2]);
            assert_eq!(hash(flags, 64, v6(low)), hash(flags, 64, v6(high)));
            assert_ne!(hash(flags, 65, v6(low)), hash(flags, 65, v6(high)));
            assert_ne!(hash(flags, 64, v6(low)), hash(flags, 64, v6([0x2001_0db8, 2, 0, 1])));
            assert_eq!(hash(flags, 56, v6(low)), hash(flags, 56, v6([0x2001_0db8, 0xff, 7, 8])));
        }
    }

    #[test]
    fn a_service_that_asks_for_nothing_else_tells_flows_apart_by_all_of_their_fields() {
        let flow = flow(Address::v4(0x0a01_0001), Address::v4(0x0a00_0064), (1024, 80), 6);
        assert_eq!(hash(0, 96, flow), flow.hash(&KEY));
    }
}
