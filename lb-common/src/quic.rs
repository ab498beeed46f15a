//! QUIC connection ids that name their server, as QUIC-LB (draft-ietf-quic-load-balancers-21) has them in plaintext.

use core::ops::RangeInclusive;

/// How the servers of a service form their connection ids.
///
/// An id is an octet whose upper three bits are the config rotation, the server id, and bytes of the server's own
/// (sections 3 and 5 of the draft).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionIds {
    /// The config rotation, within [`ConnectionIds::ROTATIONS`].
    pub rotation: u8,
    /// The length of a server id, in bytes, within [`ConnectionIds::SERVER_ID_BYTES`].
    pub server_id_bytes: u8,
}

/// Where the config rotation stands in the first octet of a connection id.
const ROTATION_SHIFT: u32 = 5;

impl ConnectionIds {
    /// The rotations that there are: 7 means that an id names no server (section 3.1 of the draft).
    pub const ROTATIONS: RangeInclusive<u8> = 0..=6;
    /// How long a server id may be, in bytes: the draft allows 15, and 8 are one word of a key.
    pub const SERVER_ID_BYTES: RangeInclusive<u8> = 1..=8;

    /// The byte of a service's value that says this: the rotation where a connection id has it, and the length.
    #[inline(always)]
    pub const fn to_byte(self) -> u8 {
        self.rotation << ROTATION_SHIFT | self.server_id_bytes
    }

    /// What the byte of a service's value says.
    #[inline(always)]
    pub const fn from_byte(byte: u8) -> Self {
        Self { rotation: byte >> ROTATION_SHIFT, server_id_bytes: byte & 15 }
    }

    /// The server id in a connection id with this first octet, of which `rest` has the next eight bytes, the first of them
    /// most significant; `None` if the id has another rotation.
    #[inline(always)]
    pub const fn server_id(self, octet: u8, rest: u64) -> Option<u64> {
        if octet >> ROTATION_SHIFT != self.rotation {
            return None;
        }
        Some(rest >> ((64 - 8 * self.server_id_bytes as u32) & 63))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_survives_a_byte() {
        for rotation in ConnectionIds::ROTATIONS {
            for server_id_bytes in ConnectionIds::SERVER_ID_BYTES {
                let ids = ConnectionIds { rotation, server_id_bytes };
                assert_eq!(ConnectionIds::from_byte(ids.to_byte()), ids);
            }
        }
    }

    #[test]
    fn a_server_id_is_the_bytes_behind_the_first_octet() {
        let ids = |server_id_bytes| ConnectionIds { rotation: 5, server_id_bytes };
        let rest = 0x0102_0304_0506_0708;
        assert_eq!(ids(1).server_id(0b101_00000, rest), Some(0x01));
        assert_eq!(ids(3).server_id(0b101_11111, rest), Some(0x0001_0203));
        assert_eq!(ids(8).server_id(0b101_01010, rest), Some(rest));
        assert_eq!(ids(3).server_id(0b100_00000, rest), None);
        assert_eq!(ids(3).server_id(0b111_00000, rest), None);
    }
}
