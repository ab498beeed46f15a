//! Random well-formed packets.

use proptest::{collection::vec, prelude::*, sample::select};
use tests::packet::Packet;

/// A well-formed packet, by its parts.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) tags: Vec<u16>,
    pub(crate) client: u16,
    /// A backend, if it is not a client that sends.
    pub(crate) backend: Option<&'static str>,
    pub(crate) destination: &'static str,
    pub(crate) ttl: u8,
    pub(crate) traffic_class: u8,
    /// Words of IPv4 options, or the kinds of IPv6 extension headers.
    pub(crate) options: Vec<u8>,
    pub(crate) protocol: u8,
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) is_opening: bool,
    pub(crate) payload: Vec<u8>,
    pub(crate) trailer: usize,
}

/// Services of every delivery and family, and strangers.
const DESTINATIONS: [&str; 20] = [
    "10.9.0.100",
    "10.9.0.101",
    "10.9.0.102",
    "10.9.0.103",
    "10.9.0.105",
    "10.9.0.106",
    "10.9.0.107",
    "10.9.0.160",
    "10.9.0.161",
    "10.9.0.108",
    "10.9.0.200",
    "fd09::100",
    "fd09::102",
    "fd09::103",
    "fd09::105",
    "fd09::106",
    "fd09::160",
    "fd09::161",
    "fd09::108",
    "fd09::200",
];

/// Shapes of packets to services and strangers.
pub(crate) fn shapes() -> impl Strategy<Value = Shape> {
    let link = (vec(any::<u16>(), 0..3), 0usize..30);
    let network = (any::<u16>(), select(DESTINATIONS.to_vec()), 2u8.., any::<u8>(), vec(any::<u8>(), 0..5));
    let protocol = select(vec![6, 6, 17, 17, 1, 132]);
    let port = prop_oneof![select(vec![80, 81, 53]), any::<u16>()];
    let transport = (protocol, any::<u16>(), port, any::<bool>(), vec(any::<u8>(), 0..64));
    (link, network, transport).prop_map(|(link, network, transport)| {
        let (tags, trailer) = link;
        let (client, destination, ttl, traffic_class, options) = network;
        let (protocol, source_port, destination_port, is_opening, payload) = transport;
        Shape {
            tags,
            client,
            backend: None,
            destination,
            ttl,
            traffic_class,
            options,
            protocol,
            source_port,
            destination_port,
            is_opening,
            payload,
            trailer,
        }
    })
}

/// What a backend sends: its address, its port, and to whom.
const REPLIES: [(&str, u16, &str); 11] = [
    ("10.9.1.41", 8080, "192.0.2.9"),
    ("10.9.1.42", 5353, "10.9.0.7"),
    ("10.9.1.43", 4711, "192.88.99.9"),
    ("10.9.1.41", 8080, "198.18.0.9"),
    ("10.9.1.41", 8080, "198.51.100.9"),
    ("10.9.1.41", 8080, "203.0.113.9"),
    ("10.9.1.41", 8080, "10.9.0.1"),
    ("10.9.1.51", 8080, "10.9.1.1"),
    ("fd09:1::41", 8080, "2001:db8:1::9"),
    ("fd09:1::42", 5353, "fd09::8"),
    ("fd09:1::43", 4711, "2001:db8:4::9"),
];

/// Shapes of packets of `nat` and `full-nat` backends.
pub(crate) fn replies() -> impl Strategy<Value = Shape> {
    (shapes(), select(REPLIES.to_vec())).prop_map(|(shape, (backend, source_port, destination))| Shape {
        backend: Some(backend),
        source_port,
        destination,
        ..shape
    })
}

impl Shape {
    /// Whether this is an echo request.
    pub(crate) const fn is_echo(&self) -> bool {
        self.protocol == 1
    }

    /// The packet.
    pub(crate) fn packet(&self) -> Packet {
        let is_v4 = !self.destination.contains(':');
        let [high, low] = self.client.to_be_bytes();
        let client = if is_v4 { format!("172.16.{high}.{low}") } else { format!("2001:db8::{:x}", self.client) };
        let packet = Packet::ip(self.backend.unwrap_or(&client), self.destination)
            .ttl(self.ttl)
            .traffic_class(self.traffic_class);
        let packet = self.tags.iter().fold(packet, |packet, &control| packet.tagged(control));
        let packet = if is_v4 { packet.options(&vec![1; 4 * self.options.len()]) } else { self.extended(packet) };
        self.carrying(packet).payload(&self.payload).trailer(self.trailer)
    }

    fn extended(&self, packet: Packet) -> Packet {
        let mut is_fragment = false;
        self.options.iter().take(4).fold(packet, |packet, kind| match kind % 4 {
            0 => packet.destination_options(kind >> 6),
            1 => packet.routing(),
            2 => packet.authentication(kind >> 5),
            _ if !is_fragment => {
                is_fragment = true;
                packet.fragment_header(0, false)
            }
            _ => packet,
        })
    }

    fn carrying(&self, packet: Packet) -> Packet {
        match self.protocol {
            6 if self.is_opening => packet.tcp(self.source_port, self.destination_port).syn(),
            6 => packet.tcp(self.source_port, self.destination_port).ack(),
            17 => packet.udp(self.source_port, self.destination_port),
            1 => packet.echo_request(self.source_port),
            number => packet.protocol(number),
        }
    }
}
