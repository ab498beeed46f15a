//! The part of a QUIC connection id that names a server.

use std::fmt;

use lb_common::ConnectionIds;

/// A server id: 1 to 8 bytes, written as hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId {
    bytes: u8,
    number: u64,
}

impl ServerId {
    /// The id that two digits for each byte name; `None` if they are not that, or too many or too few.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = u8::try_from(text.len() / 2).ok()?;
        let legal = text.len().is_multiple_of(2)
            && ConnectionIds::SERVER_ID_BYTES.contains(&bytes)
            && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let number = u64::from_str_radix(text, 16).ok().filter(|_| legal)?;
        Some(Self { bytes, number })
    }

    /// Its length, in bytes.
    pub const fn bytes(self) -> u8 {
        self.bytes
    }

    /// The bytes as a number, the first of them most significant.
    pub const fn number(self) -> u64 {
        self.number
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:0width$x}", self.number, width = 2 * usize::from(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_survive_the_round_trip_in_lower_case() {
        for (written, shown, number) in [
            ("00", "00", 0),
            ("0A1b", "0a1b", 0x0a1b),
            ("000001", "000001", 1),
            ("ffffffffffffffff", "ffffffffffffffff", u64::MAX),
        ] {
            let id = ServerId::from_hex(written).unwrap();
            assert_eq!((id.to_string().as_str(), id.number()), (shown, number));
            assert_eq!(usize::from(id.bytes()) * 2, written.len());
        }
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in ["", "0", "0a1", "0x0a", "+a", "zz", "0a 1", "é", "112233445566778899"] {
            assert_eq!(ServerId::from_hex(text), None, "{text}");
        }
    }
}
