//! Bogons: addresses that nobody on the internet has.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use lb_common::ListKind;

use super::{Firewall, NamedList, Remark, SanityCheck, Service};

/// The name of the list of bogons.
pub const BOGONS: &str = "bogons";

const fn v4(a: u8, b: u8, c: u8, bits: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits)
}

const fn v6(a: u16, b: u16, c: u16, bits: u8) -> IpNet {
    IpNet::new_assert(IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0)), bits)
}

/// What is on it, and what each is for: IANA's registries of special-purpose addresses (RFC 6890) as far as they say that
/// an address is not globally reachable, multicast, and of IPv6 all that is outside 2000::/3, of which nothing is given out.
const PREFIXES: [(IpNet, &str); 21] = [
    (v4(0, 0, 0, 8), "this network (RFC 791)"),
    (v4(10, 0, 0, 8), "private use (RFC 1918)"),
    (v4(100, 64, 0, 10), "carriers' NAT (RFC 6598)"),
    (v4(127, 0, 0, 8), "loopback (RFC 1122)"),
    (v4(169, 254, 0, 16), "link-local (RFC 3927)"),
    (v4(172, 16, 0, 12), "private use (RFC 1918)"),
    (v4(192, 0, 0, 24), "protocol assignments (RFC 6890)"),
    (v4(192, 0, 2, 24), "documentation (RFC 5737)"),
    (v4(192, 168, 0, 16), "private use (RFC 1918)"),
    (v4(198, 18, 0, 15), "benchmarks (RFC 2544)"),
    (v4(198, 51, 100, 24), "documentation (RFC 5737)"),
    (v4(203, 0, 113, 24), "documentation (RFC 5737)"),
    (v4(224, 0, 0, 4), "multicast (RFC 1112)"),
    (v4(240, 0, 0, 4), "reserved (RFC 1112)"),
    (v6(0, 0, 0, 3), "not global unicast (RFC 4291)"),
    (v6(0x2001, 2, 0, 48), "benchmarks (RFC 5180)"),
    (v6(0x2001, 0x10, 0, 28), "former ORCHIDs (RFC 4843)"),
    (v6(0x2001, 0xdb8, 0, 32), "documentation (RFC 3849)"),
    (v6(0x3fff, 0, 0, 20), "documentation (RFC 9637)"),
    (v6(0x4000, 0, 0, 2), "not global unicast (RFC 4291)"),
    (v6(0x8000, 0, 0, 1), "not global unicast, among it private use, link-local and multicast (RFC 4291)"),
];

impl Firewall {
    /// Adds the list of bogons, for those of the services that have the check.
    ///
    /// It may cover services and backends, because only sources of packets to services are compared with it.
    #[must_use]
    pub fn with_bogons(mut self, services: &[Service]) -> Self {
        let exception = |service: &Service| service.sanity.get(&SanityCheck::Bogons).copied();
        let checked = services.iter().filter(|service| self.sanity.has(SanityCheck::Bogons, exception(service)));
        let services: Vec<String> = checked.map(|service| service.name.clone()).collect();
        // A list for no service in particular would be for all packets.
        if services.is_empty() {
            return self;
        }
        let remark = |why: &str| Remark { reason: Some(why.to_owned()), force: true };
        self.remarks.extend(PREFIXES.map(|(net, why)| ((BOGONS.to_owned(), net), remark(why))));
        self.lists.push(NamedList {
            name: BOGONS.to_owned(),
            action: ListKind::Deny,
            services,
            entries: PREFIXES.map(|(net, _)| net).to_vec(),
            file: None,
            feed: None,
            force: true,
            is_built_in: true,
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_have_no_bits_behind_their_length_and_do_not_overlap() {
        for (index, (net, _)) in PREFIXES.iter().enumerate() {
            assert_eq!(net.trunc(), *net);
            assert!(PREFIXES[..index].iter().all(|(other, _)| !other.contains(net) && !net.contains(other)), "{net}");
        }
    }

    #[test]
    fn who_can_come_from_the_internet_is_on_no_prefix() {
        let is_bogon = |text: &str| {
            let address: IpAddr = text.parse().unwrap();
            PREFIXES.iter().any(|(net, _)| net.contains(&address))
        };
        for global in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.101.0",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2001::1",
            "2001:3::1",
            "2001:db7::1",
            "2001:db9::1",
            "2001:20::1",
            "2002::1",
            "2606:4700::1111",
            "3ffe::1",
            "3fff:1000::",
        ] {
            assert!(!is_bogon(global), "{global}");
        }
        for bogon in [
            "0.0.0.1",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.2.1",
            "192.168.0.1",
            "198.18.0.0",
            "198.19.255.255",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "64:ff9b::1",
            "100::1",
            "1fff:ffff::",
            "2001:2::1",
            "2001:1f::",
            "2001:db8::1",
            "3fff:fff::",
            "4000::",
            "5f00::1",
            "7fff::",
            "fc00::1",
            "fd09::7",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(is_bogon(bogon), "{bogon}");
        }
    }
}
