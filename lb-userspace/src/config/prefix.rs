//! Prefixes of the firewall's lists as they are written.

use std::net::IpAddr;

use ipnet::IpNet;
use lb_common::ListKind;

use super::{
    address::{self, mapped},
    fault::{Fault, quote},
};

/// A prefix, or an address, which stands for the prefix of its full length.
pub(crate) fn prefix(text: &str) -> Result<IpNet, Fault> {
    if !text.contains('/') {
        return match text.parse::<IpAddr>() {
            Ok(_) => address::address(text).map(IpNet::from),
            Err(_) => Err(not_a_prefix(text)),
        };
    }
    let prefix: IpNet = text.parse().map_err(|_| not_a_prefix(text))?;
    if let Some(v4) = mapped(prefix.trunc().addr()).filter(|_| prefix.prefix_len() >= 96) {
        let help = format!("write `{v4}/{}`", prefix.prefix_len() - 96);
        return Err(Fault::new(format!("{} is an IPv4 prefix in IPv6 clothes", quote(text)), help));
    }
    if prefix.trunc() != prefix {
        let help =
            format!("write `{}` for the whole prefix, or `{}` for the one address", prefix.trunc(), prefix.addr());
        return Err(Fault::new(format!("{} has bits set behind its length", quote(text)), help));
    }
    Ok(prefix)
}

/// A prefix that may stand in a list.
pub(super) fn for_list(text: &str, list: ListKind) -> Result<IpNet, Fault> {
    let prefix = prefix(text)?;
    if list == ListKind::Deny && prefix.prefix_len() == 0 {
        return Err(Fault::new(
            format!("`{prefix}` in `deny` would drop every packet, your own session's too"),
            "name the sources that you mean; to drop everything, take the interface down",
        ));
    }
    Ok(prefix)
}

/// The shortest way to write a prefix: an address if it is one.
pub(crate) fn written(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() { prefix.addr().to_string() } else { prefix.to_string() }
}

fn not_a_prefix(text: &str) -> Fault {
    let message = format!("{} is neither an address nor a prefix", quote(text));
    Fault::new(message, "write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`")
}
