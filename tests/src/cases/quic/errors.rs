//! ICMP errors about what a server has sent: the client's connection id says nothing, the server's own names it.

use super::{BY_ID, BY_RING, DISABLED, DRAINING, H3, HANDSHAKE, NAMED, SITES, Site, UNKNOWN, only_quic};
use crate::{
    cases::{Case, ipip::outer4},
    packet::{
        Packet,
        quic::{VERSION_1, connection_id, long_from, short},
    },
    world::BACK,
};
use lb_userspace::model::Delivery;

pub(super) fn cases() -> Vec<Case> {
    let sites = SITES.iter().map(|site| site.about("names its server", &handshake(&[7; 8], &NAMED), BY_ID));
    sites.chain(ids()).chain(lengths()).collect()
}

/// A packet of a server with this id to a client with that one.
fn handshake(client: &[u8], server: &[u8]) -> Vec<u8> {
    long_from(HANDSHAKE, VERSION_1, client, &connection_id(0, server))
}

impl Site {
    /// An error about a datagram of the service's with this payload.
    fn about(&self, name: &str, payload: &[u8], backend: usize) -> Case {
        self.quoting(name, payload, payload.len(), backend)
    }

    /// An error that quotes so many bytes of the payload.
    fn quoting(&self, name: &str, payload: &[u8], bytes: usize, backend: usize) -> Case {
        let backend = self.backends[backend];
        let is_v6 = self.client.contains(':');
        let error = |receiver: &str, port, ttl| {
            let quoted = Packet::ip(receiver, self.client).udp(port, 40000).payload(payload);
            let (router, (kind, code), headers) =
                if is_v6 { ("2001:db8:1::1", (2, 0), 48) } else { ("192.0.2.1", (3, 4), 28) };
            Packet::ip(router, receiver).ttl(ttl).icmp(kind, code, 1280).quoting(&quoted, headers + bytes)
        };
        let delivered = match self.delivery {
            Delivery::Ipip => outer4("10.9.1.1", backend).carrying(&error(self.address, 443, 63)),
            Delivery::Nat => error(backend, 8443, 63),
            _ => error(self.address, 443, 63),
        };
        Case::new(format!("quic: an error to {} {name}", self.name), error(self.address, 443, 64))
            .with(only_quic)
            .redirects(BACK, backend, delivered)
            .counts(self.name, backend)
    }
}

fn ids() -> Vec<Case> {
    const OLD: usize = 2;
    vec![
        H3.about("names a server that drains", &handshake(&[7; 8], &DRAINING), OLD),
        H3.about("names a disabled server", &handshake(&[7; 8], &DISABLED), BY_RING),
        H3.about("names nobody", &handshake(&[7; 8], &UNKNOWN), BY_RING),
        H3.about("has another rotation", &long_from(HANDSHAKE, VERSION_1, &[7; 8], &connection_id(1, &NAMED)), BY_RING),
        // It looks like a server's, but the client has chosen it.
        H3.about("names a server in the client's id", &short(&connection_id(0, &NAMED)), BY_RING),
        H3.about(
            "names a server in the client's id of a long header",
            &handshake(&connection_id(0, &NAMED), &UNKNOWN),
            BY_RING,
        ),
    ]
}

fn lengths() -> Vec<Case> {
    let client_ids = [0, 1, 7, 20].map(|bytes| {
        H3.about(&format!("behind a client's id of {bytes} bytes"), &handshake(&vec![7; bytes], &NAMED), BY_ID)
    });
    // Form, version and length of the first id, itself, and the length of the second before the server's octet and id.
    let (front, whole) = (6 + 8 + 1, 6 + 8 + 1 + 9);
    let named = handshake(&[7; 8], &NAMED);
    let cut = H3.quoting("quotes a byte less than is read of the server's id", &named, whole - 1, BY_RING);
    vec![
        H3.quoting("quotes just as much as is read of the server's id", &named, whole, BY_ID),
        cut,
        H3.quoting("quotes the client's id and nothing behind it", &named, front, BY_RING),
        H3.quoting("quotes the UDP header and nothing behind it", &named, 0, BY_RING),
        H3.about("behind a client's id that is longer than any", &handshake(&[7; 21], &NAMED), BY_RING),
        H3.about(
            "has a server's id that is too short to name one",
            &long_from(HANDSHAKE, VERSION_1, &[7; 8], &[10, NAMED[0]]),
            BY_RING,
        ),
    ]
    .into_iter()
    .chain(client_ids)
    .collect()
}
