//! Prefixes of the firewall's lists as they are written.

use std::net::IpAddr;

use ipnet::IpNet;
use lb_common::ListKind;

use super::{
    address::{self, mapped},
    fault::{Fault, quote},
};
use crate::model::is_prefix;

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

/// A prefix that may stand in a list, unless `force` says that everything is meant.
pub(crate) fn for_list(text: &str, list: ListKind, force: bool) -> Result<IpNet, Fault> {
    let prefix = prefix(text)?;
    if list == ListKind::Deny && prefix.prefix_len() == 0 && !force {
        return Err(Fault::new(
            format!("`{prefix}` in a deny list would drop every packet, your own session's too"),
            "name the sources that you mean; if you mean all, say so with `force` (`--force` in a command)",
        ));
    }
    Ok(prefix)
}

/// The shortest way to write a prefix: an address if it is one.
pub(crate) fn written(prefix: IpNet) -> String {
    if is_prefix(prefix) { prefix.to_string() } else { prefix.addr().to_string() }
}

/// Why an entry is there: a line of text.
pub(crate) fn reason(text: &str) -> Result<String, Fault> {
    const LONGEST: usize = 200;
    if text.len() > LONGEST || text.chars().any(char::is_control) {
        let help = format!("write up to {LONGEST} bytes without line ends");
        return Err(Fault::new("the reason is not a line of text", help));
    }
    Ok(text.to_owned())
}

fn not_a_prefix(text: &str) -> Fault {
    let message = format!("{} is neither an address nor a prefix", quote(text));
    Fault::new(message, "write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`")
}
