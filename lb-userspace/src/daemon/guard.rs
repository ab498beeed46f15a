//! What a deny list must not cover unless somebody insists: services, backends, and this node's own addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{ListKind, Model};

/// What would be cut off, with the word for it.
pub(super) struct Guard(Vec<(IpNet, String)>);

/// An entry that covers what it should not.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{net}` in the deny list `{list}` covers {what}: name smaller prefixes around it, or insist with --force (in the \
         configuration: `force = true`); nothing was changed"
)]
pub struct Covered {
    /// The entry.
    pub net: IpNet,
    /// The list.
    pub list: String,
    /// What it covers, in words.
    pub what: String,
}

impl Guard {
    /// The services and backends of a model, and this node's addresses.
    pub(super) fn of(model: &Model, own: &[IpAddr]) -> Self {
        let mut protected: Vec<_> = own.iter().map(|&own| (own.into(), format!("this node's address {own}"))).collect();
        let all = [("0.0.0.0/0", "all of IPv4"), ("::/0", "all of IPv6")];
        protected.extend(all.into_iter().filter_map(|(net, what)| Some((net.parse().ok()?, what.to_owned()))));
        for service in &model.services {
            protected.push((service.address, format!("the address of service `{}`", service.name)));
            let backends = service.backends.iter();
            protected.extend(
                backends.map(|backend| {
                    (backend.address.into(), format!("backend `{}` ({})", backend.name, backend.address))
                }),
            );
        }
        Self(protected)
    }

    /// Whether a list may have these prefixes.
    pub(super) fn check(&self, list: &str, has: impl Fn(IpNet) -> bool) -> Result<(), Covered> {
        for (net, what) in &self.0 {
            let around = (0..=net.prefix_len()).filter_map(|length| IpNet::new(net.addr(), length).ok());
            if let Some(net) = around.map(|net| net.trunc()).find(|&net| has(net)) {
                return Err(Covered { net, list: list.to_owned(), what: what.clone() });
            }
        }
        Ok(())
    }

    /// Whether the lists of a model may have their entries; what insists is not asked.
    pub(super) fn check_entries(&self, model: &Model) -> Result<(), Covered> {
        let firewall = &model.firewall;
        for name in firewall.names() {
            let Some((ListKind::Deny, entries)) = firewall.list(name) else { continue };
            let entries: std::collections::HashSet<IpNet> =
                entries.iter().copied().filter(|&net| !firewall.remark(name, net).force).collect();
            self.check(name, |net| entries.contains(&net))?;
        }
        Ok(())
    }
}

/// The addresses of this node's interfaces, with their names.
fn addresses() -> Vec<(IpAddr, String)> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let storage = interface.address?;
        let v4 = storage.as_sockaddr_in().map(|v4| IpAddr::from(v4.ip()));
        let address = v4.or_else(|| storage.as_sockaddr_in6().map(|v6| IpAddr::from(v6.ip())))?;
        Some((address, interface.interface_name))
    };
    interfaces.filter_map(address).collect()
}

/// Whether an address is one of this node's.
pub(super) fn is_own(address: IpAddr) -> bool {
    addresses().iter().any(|(own, _)| *own == address)
}

/// The index of the interface that has an address.
pub(super) fn interface_of(address: IpAddr) -> Option<u32> {
    let (_, name) = addresses().into_iter().find(|(own, _)| *own == address)?;
    nix::net::if_::if_nametoindex(name.as_str()).ok()
}

/// The addresses of this node's interfaces, but not those that every machine has, and not link-local ones.
pub(super) fn own_addresses() -> Vec<IpAddr> {
    let is_own = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local(),
    };
    addresses().into_iter().map(|(address, _)| address).filter(is_own).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Document;

    #[test]
    fn what_covers_a_service_a_backend_or_this_node_is_named() {
        let text = "[[service]]\nname = 'web'\naddress = '192.0.2.0/28'\nport = 80\ndelivery = 'ipip'\n\
                    backend = [{ name = 'a', address = '10.1.0.1' }]\n[firewall]\ndeny = ['203.0.113.0/24']\n";
        let (_, model) = Document::parse("", text).unwrap();
        let guard = Guard::of(&model, &["198.51.100.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
        let check = |text: &str| {
            let entry: IpNet = text.parse().unwrap();
            guard.check("pests", |net| net == entry).err().map(|covered| covered.what)
        };
        assert_eq!(check("192.0.2.0/24").as_deref(), Some("the address of service `web`"));
        assert_eq!(check("192.0.2.0/28").as_deref(), Some("the address of service `web`"));
        assert_eq!(check("192.0.2.0/29"), None);
        assert_eq!(check("10.0.0.0/8").as_deref(), Some("backend `a` (10.1.0.1)"));
        assert_eq!(check("198.51.100.1/32").as_deref(), Some("this node's address 198.51.100.1"));
        assert_eq!(check("2001:db8::/32").as_deref(), Some("this node's address 2001:db8::1"));
        assert_eq!(check("2001:db9::/32"), None);
        assert_eq!(guard.check_entries(&model), Ok(()));
        let own = Guard::of(&model, &["203.0.113.9".parse().unwrap()]);
        assert_eq!(own.check_entries(&model).unwrap_err().net.to_string(), "203.0.113.0/24");
    }
}
