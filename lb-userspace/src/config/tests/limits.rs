//! More than the kernel's tables hold.

use std::fmt::Write;

use super::{errors, valid};

fn service(number: usize, port: usize, rows: usize) -> String {
    format!(
        "[[service]]\nname = 's{number}'\naddress = '10.0.0.1'\nport = {port}\ndelivery = 'ipip'\n\
         ring = {{ rows = {rows} }}\n"
    )
}

fn with_backends(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "[[service.backend]]\naddress = '10.{}.{}.{}'", 1 + (i >> 16), i >> 8 & 255, i & 255);
        text
    })
}

fn services(count: usize, rows: usize) -> String {
    (1..=count).map(|number| service(number, number, rows)).collect()
}

#[test]
fn rings_leave_half_of_the_rows_free() {
    valid(&services(128, 4096));
    let shown = errors(&services(130, 4096));
    assert!(
        shown.starts_with(
            "sluice.toml:774:8: error: the rings have 532480 rows together, and there is room for 524288\n   \
         774 | ring = { rows = 4096 }\n"
        ),
        "{shown}"
    );
    assert!(shown.contains("1 error;"), "{shown}");
}

#[test]
fn there_is_room_for_1024_services() {
    let shown = errors(&services(1026, 1024));
    assert!(shown.contains("error: there are 1026 services, and there is room for 1024"), "{shown}");
    assert!(shown.contains(&format!("sluice.toml:{}:1:", 1024 * 6 + 1)), "{shown}");
}

#[test]
fn there_is_room_for_16384_backends() {
    valid(&(service(1, 1, 65536) + &with_backends(16384)));
    let shown = errors(&(service(1, 1, 65536) + &with_backends(16385)));
    assert!(shown.contains("error: there are 16385 backends, and there is room for 16384"), "{shown}");
    assert!(shown.contains(&format!("sluice.toml:{}:1:", 6 + 16384 * 2 + 1)), "{shown}");
}

#[test]
fn a_ring_has_a_row_for_each_backend() {
    valid(&(service(1, 1, 1024) + &with_backends(1024)));
    let shown = errors(&(service(1, 1, 1024) + &with_backends(1025)));
    assert!(shown.contains("error: service `s1` has 1025 backends, more than the 1024 rows of its ring"), "{shown}");
}

#[test]
fn of_a_thousand_errors_fifty_are_shown() {
    let text: String = (0..1000).map(|number| format!("unknown{number} = 1\n")).collect();
    let shown = errors(&text);
    assert_eq!(shown.matches(": error: ").count(), 50);
    assert!(shown.ends_with("1000 errors (the first 50 are shown); nothing was changed"));
}

/// A service with one of the smallest rings.
fn small(number: usize, address: &str, port: &str) -> String {
    format!(
        "[[service]]\nname = 's{number}'\naddress = '{address}'\nport = {port}\ndelivery = 'l2'\nring.rows = 1024\n"
    )
}

#[test]
fn an_address_has_room_for_twenty_ranges() {
    let range = |number: usize| format!("'{}-{}'", 100 * number, 100 * number + 50);
    let ranges = |count| (1..=count).map(range).collect::<Vec<_>>().join(", ");
    valid(&small(1, "10.0.0.1", &format!("[{}]", ranges(20))));
    let shown = errors(&small(1, "10.0.0.1", &format!("[{}]", ranges(21))));
    assert!(shown.contains("error: 10.0.0.1 has 21 ranges of ports (tcp), and there is room for 20\n"), "{shown}");
    let any = small(2, "10.0.0.1", "'any'");
    valid(&(small(1, "10.0.0.1", &format!("[{}]", ranges(19))) + &any));
    let shown = errors(&(small(1, "10.0.0.1", &format!("[{}]", ranges(20))) + &any));
    assert!(shown.contains("error: 10.0.0.1 has 20 ranges of ports (tcp), and there is room for 19\n"), "{shown}");
}

#[test]
fn there_is_room_for_2048_ports_and_addresses() {
    let ports = |count: usize| format!("[{}]", (1..=count).map(|port| port.to_string()).collect::<Vec<_>>().join(", "));
    valid(&small(1, "10.0.0.1", &ports(2047)));
    let shown = errors(&small(1, "10.0.0.1", &ports(2048)));
    let expected = "error: the services have 2049 ports and addresses, and there is room for 2048\n";
    assert!(shown.starts_with(&format!("sluice.toml:4:8: {expected}")), "{shown}");
    // An address counts once, and so do the ranges of an address and protocol.
    valid(&(small(1, "10.0.0.1", &ports(2046)) + &small(2, "10.0.0.1", "'3000-4000'")));
    errors(&(small(1, "10.0.0.1", &ports(2046)) + &small(2, "10.0.0.2", "'3000-4000'")));
}

#[test]
fn there_is_room_for_four_lengths_of_prefixes_in_each_family() {
    let v4 = |length: usize| small(length, &format!("10.{length}.0.0/{length}"), "80");
    let four: String = (20..24).map(v4).collect();
    valid(&four);
    valid(&(four.clone() + &small(64, "fd00::/64", "80") + &small(1, "10.0.0.1/32", "80")));
    let shown = errors(&(four + &v4(24)));
    assert!(shown.contains("error: /24 is one length of IPv4 prefixes too many\n"), "{shown}");
    assert!(shown.contains("1 error;"), "{shown}");
}

#[test]
fn there_is_room_for_65536_sources() {
    let with_sources = |count: usize| {
        let mut text = small(1, "10.0.0.1", "80") + "allow_from = [";
        for number in 0..count {
            let _ = write!(text, "'10.{}.{}.{}',", number >> 16, number >> 8 & 255, number & 255);
        }
        text + "]\n"
    };
    valid(&with_sources(65_536));
    let shown = errors(&with_sources(65_537));
    assert!(shown.contains("error: the services allow 65537 sources, and there is room for 65536\n"), "{shown}");
}

#[test]
fn there_is_room_for_16384_sources_of_replies() {
    let with_backends = |count: usize| {
        let ports = format!("[{}]", (1..=64).map(|port| port.to_string()).collect::<Vec<_>>().join(", "));
        let mut text = small(1, "10.0.0.1", &ports).replace("l2", "nat");
        for number in 0..count {
            let _ = writeln!(text, "[[service.backend]]\naddress = '10.1.{}.{}'", number >> 8, number & 255);
        }
        text
    };
    valid(&with_backends(256));
    let shown = errors(&with_backends(257));
    let expected = "replies come from 16448 backends and ports of `nat` services, and there is room for 16384\n";
    assert!(shown.contains(expected), "{shown}");
}
