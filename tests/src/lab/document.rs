//! Configurations for tests, as an operator would write them.

use std::{fmt::Write, net::IpAddr};

/// The section `[node]`. The secret is fixed, so that every run spreads the same flows in the same way.
pub fn node_section(interfaces: &[&str]) -> String {
    format!("[node]\ninterfaces = {interfaces:?}\nsecret = \"000102030405060708090a0b0c0d0e0f\"\n")
}

/// A service: its name, and `settings` as TOML (`address`, `port`, `delivery` …), and its backends by name and address.
pub fn service_section(name: &str, settings: &str, backends: &[(String, IpAddr)]) -> String {
    service_with_port(name, settings, backends, None)
}

/// The same with a port of the backends' own, which `nat` translates to.
pub fn service_with_port(name: &str, settings: &str, backends: &[(String, IpAddr)], port: Option<u16>) -> String {
    let mut text = format!("\n[[service]]\nname = \"{name}\"\n{settings}\n");
    let port = port.map(|port| format!("port = {port}\n")).unwrap_or_default();
    for (backend, address) in backends {
        // Writing to a string cannot fail.
        let _ = write!(text, "\n[[service.backend]]\nname = \"{backend}\"\naddress = \"{address}\"\n{port}");
    }
    text
}
