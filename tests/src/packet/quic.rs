//! QUIC packets, as far as anybody on the way can read them (RFC 8999).

/// Bytes behind what can be read: enough for the shortest packet.
const PROTECTED: [u8; 24] = [0xa5; 24];

/// Version 1 (RFC 9000).
pub const VERSION_1: u32 = 1;
/// Version 2 (RFC 9369).
pub const VERSION_2: u32 = 0x6b33_43cf;

/// A connection id as QUIC-LB has it in plaintext: config rotation and length, server id, a nonce of eight bytes.
pub fn connection_id(rotation: u8, server_id: &[u8]) -> Vec<u8> {
    let octet = rotation << 5 | (server_id.len() + 8) as u8;
    [&[octet], server_id, &[0xee; 8]].concat()
}

/// A packet with a short header.
pub fn short(id: &[u8]) -> Vec<u8> {
    [&[0x40], id, &PROTECTED].concat()
}

/// A packet with a long header: the type's two bits, the version, and the destination's connection id.
pub fn long(kind: u8, version: u32, id: &[u8]) -> Vec<u8> {
    long_from(kind, version, id, &[1, 2, 3, 4, 5, 6, 7, 8])
}

/// The same with the source's connection id.
pub fn long_from(kind: u8, version: u32, id: &[u8], source: &[u8]) -> Vec<u8> {
    let lengths = [[id.len() as u8], [source.len() as u8]];
    [&[0xc0 | kind << 4], &version.to_be_bytes()[..], &lengths[0], id, &lengths[1], source, &PROTECTED].concat()
}
