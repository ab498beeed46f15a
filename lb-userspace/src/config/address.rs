//! Addresses as they are written.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::{
    fault::{Fault, quote},
    prefix,
};

/// The shortest prefixes that a service may have: shorter ones would take in this node itself.
const SHORTEST_PREFIX_V4: u8 = 8;
const SHORTEST_PREFIX_V6: u8 = 16;

/// An IPv4 or IPv6 address. An IPv4 address in IPv6 clothes is refused: no packet carries one, so what was meant
/// would silently not happen.
pub(super) fn address(text: &str) -> Result<IpAddr, Fault> {
    let Ok(address) = text.parse() else {
        return Err(Fault::new(format!("{} is not an IP address", quote(text)), advice(text)));
    };
    match mapped(address) {
        Some(v4) => {
            Err(Fault::new(format!("{} is an IPv4 address in IPv6 clothes", quote(text)), format!("write `{v4}`")))
        }
        None => Ok(address),
    }
}

/// The address of a machine: one that packets can be sent to from another one.
pub(super) fn host(text: &str) -> Result<IpAddr, Fault> {
    let address = address(text)?;
    is_host(address).map(|()| address)
}

/// The addresses of a service: one, or a prefix.
pub(super) fn of_service(text: &str) -> Result<IpNet, Fault> {
    if !text.contains('/') {
        return host(text).map(IpNet::from);
    }
    let prefix = prefix::prefix(text)?;
    let shortest = if prefix.addr().is_ipv4() { SHORTEST_PREFIX_V4 } else { SHORTEST_PREFIX_V6 };
    if prefix.prefix_len() < shortest {
        let message = format!("`{prefix}` is too large for a service");
        return Err(Fault::new(message, format!("an {} prefix has at least /{shortest}", family(prefix.addr()))));
    }
    is_host(prefix.addr()).map(|()| prefix)
}

/// Whether packets can be sent to an address from another machine.
fn is_host(address: IpAddr) -> Result<(), Fault> {
    let Some(kind) = unreachable_kind(address) else { return Ok(()) };
    let help = if kind == "a link-local" {
        "it means nothing without its interface; use a global or a private address"
    } else {
        "use the address that packets are sent to over the network"
    };
    Err(Fault::new(format!("`{address}` is {kind} address"), help))
}

/// An IPv4 address of a machine.
pub(super) fn host_v4(text: &str) -> Result<Ipv4Addr, Fault> {
    match host(text)? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(address) => {
            Err(Fault::new(format!("`{address}` is not an IPv4 address"), "give an IPv6 source as `source_v6`"))
        }
    }
}

/// An IPv6 address of a machine.
pub(super) fn host_v6(text: &str) -> Result<Ipv6Addr, Fault> {
    match host(text)? {
        IpAddr::V6(address) => Ok(address),
        IpAddr::V4(address) => {
            Err(Fault::new(format!("`{address}` is not an IPv6 address"), "give an IPv4 source as `source_v4`"))
        }
    }
}

/// The word for the family of an address.
pub(super) fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// The IPv4 address within `::ffff:0:0/96`.
pub(super) fn mapped(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => address.to_ipv4_mapped(),
    }
}

fn unreachable_kind(address: IpAddr) -> Option<&'static str> {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    match address {
        _ if address.is_unspecified() => Some("the unspecified"),
        _ if address.is_loopback() => Some("a loopback"),
        _ if address.is_multicast() => Some("a multicast"),
        _ if link_local => Some("a link-local"),
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some("the broadcast"),
        _ => None,
    }
}

fn advice(text: &str) -> &'static str {
    if text.contains('/') {
        "leave out the `/` and the length: one address is meant here"
    } else if text.contains('%') {
        "leave out the `%` and the interface"
    } else if text.starts_with('[') || text.parse::<std::net::SocketAddr>().is_ok() {
        "write the address alone; a port has a key of its own, `port`"
    } else {
        "write an address like `192.0.2.1` or `2001:db8::1`; names are not looked up"
    }
}
