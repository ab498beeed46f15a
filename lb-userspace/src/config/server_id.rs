//! Server ids as an operator writes them.

use super::fault::{Fault, quote};
use crate::model::ServerId;

/// Reads a server id.
pub(super) fn server_id(text: &str) -> Result<ServerId, Fault> {
    ServerId::from_hex(text).ok_or_else(|| {
        let help = "write 1 to 8 bytes as pairs of hexadecimal digits, like `\"0a1b\"`";
        Fault::new(format!("{} is not a server id", quote(text)), help)
    })
}
