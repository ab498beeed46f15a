//! temp
pub struct NextHop {
    pub ifindex: u32,
    pub interface: String,
    pub mac: lb_common::Mac,
    pub source_mac: lb_common::Mac,
    pub source: std::net::IpAddr,
    pub mtu: u16,
}
pub type NextHops = std::collections::BTreeMap<std::net::IpAddr, NextHop>;
