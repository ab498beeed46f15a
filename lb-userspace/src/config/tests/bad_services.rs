//! Ports, prefixes, pools and allowed sources that are wrong.

use std::fmt::Write;

use super::{errors, refuses, valid};

#[test]
fn ports_that_are_none() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = []
delivery = "l2"
[[service]]
name = "b"
address = "10.0.0.2"
port = ["any", 0, "80", "90-80", "0-5", "1-70000", "x-y", 80.5]
delivery = "l2"
[[service]]
name = "c"
address = "10.0.0.3"
port = [80, "8000-8100", "8100-8200", 80, 8050]
delivery = "l2"
"#,
        "",
    );
}

#[test]
fn ports_of_two_services() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = [443, "8000-8100"]
delivery = "l2"
[[service]]
name = "b"
address = "10.0.0.1"
port = [80, "8100-8200", 443]
delivery = "l2"
[[service]]
name = "same-range"
address = "10.0.0.1"
port = "8000-8100"
delivery = "l2"
[[service]]
name = "udp"
address = "10.0.0.1"
port = [443, "8000-8100"]
protocol = "udp"
delivery = "l2"
[[service]]
name = "single"
address = "10.0.0.1"
port = 8050
delivery = "l2"
"#,
        "",
    );
}

#[test]
fn ports_that_nobody_can_rewrite() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = [80, 443]
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
port = 8080
[[service]]
name = "b"
address = "10.0.0.2"
port = "8000-8100"
delivery = "nat"
health = { type = "tcp" }
[[service.backend]]
address = "10.0.1.2"
port = 8080
"#,
        "",
    );
}

#[test]
fn replies_of_ranges_that_could_be_confused() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = "8000-8100"
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "within"
address = "10.0.0.2"
port = 8050
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "beside"
address = "10.0.0.3"
port = 9000
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "range"
address = "10.0.0.4"
port = ["9100-9200", "8100-8200"]
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "disjoint"
address = "10.0.0.5"
port = "7000-7100"
delivery = "nat"
[[service.backend]]
address = "10.0.1.1"
"#,
        "",
    );
}

#[test]
fn prefixes_that_cannot_be() {
    refuses(
        r#"
[[service]]
name = "nat"
address = "10.0.1.0/24"
port = 80
delivery = "nat"
[[service]]
name = "bits"
address = "10.0.2.1/24"
port = 80
delivery = "l2"
[[service]]
name = "large"
address = "10.0.0.0/7"
port = 80
delivery = "l2"
[[service]]
name = "large6"
address = "2000::/3"
port = 80
delivery = "l2"
[[service]]
name = "multicast"
address = "224.0.0.0/24"
port = 80
delivery = "l2"
[[service]]
name = "twice"
address = "10.0.1.0/24"
port = 80
delivery = "l2"
[[service]]
name = "own"
address = "10.0.3.0/24"
port = 80
delivery = "l2"
[[service.backend]]
address = "10.0.3.7"
[[service]]
name = "other"
address = "10.0.4.1"
port = 80
delivery = "l2"
[[service.backend]]
address = "10.0.3.8"
"#,
        "",
    );
}

#[test]
fn pools_that_fit_nowhere() {
    refuses(
        r#"
[[pool]]
name = "web-servers"
[[pool.backend]]
address = "10.0.1.1"
[[pool.backend]]
address = "10.0.1.1"
name = "b"
[[pool.backend]]
address = "10.0.1.2"
name = "b"
[[pool]]
name = "unused"
[[pool]]
name = "taken"
[[pool]]
name = "web-servers"
[[pool]]
[[service]]
name = "web"
address = "10.0.0.1"
port = 80
delivery = "l2"
pool = "web-servers"
[[service]]
name = "taken"
address = "10.0.0.2"
port = 80
delivery = "l2"
pool = "web-server"
[[service]]
name = "both"
address = "10.0.0.3"
port = 80
delivery = "l2"
pool = "taken"
[[service.backend]]
address = "10.0.1.9"
"#,
        "",
    );
}

#[test]
fn pools_that_do_not_fit_their_services() {
    refuses(
        r#"
[[pool]]
name = "servers"
health = { type = "tcp" }
[[pool.backend]]
address = "10.0.1.1"
port = 8080
[[pool.backend]]
address = "fd00::1"
[[pool.backend]]
address = "10.0.0.1"
[[service]]
name = "web"
address = "10.0.0.1"
port = 80
delivery = "ipip"
pool = "servers"
[[service]]
name = "range"
address = "10.0.0.2"
port = "8000-8100"
delivery = "l2"
pool = "servers"
"#,
        "",
    );
}

#[test]
fn a_table_where_pools_are_expected() {
    refuses(
        r#"
[pool]
name = "servers"
"#,
        "",
    );
}

#[test]
fn a_pool_that_nobody_has_defined() {
    refuses(
        r#"
[[service]]
name = "web"
address = "10.0.0.1"
port = 80
delivery = "l2"
pool = "servers"
"#,
        "",
    );
}

#[test]
fn sources_that_are_none() {
    refuses(
        r#"
[[service]]
name = "a"
address = "10.0.0.1"
port = 80
delivery = "l2"
allow_from = []
[[service]]
name = "b"
address = "10.0.0.2"
port = 80
delivery = "l2"
allow_from = "10.0.0.0/8"
[[service]]
name = "c"
address = "10.0.0.3"
port = 80
delivery = "l2"
allow_from = ["10.0.0.1/8", "office", "::ffff:10.0.0.0/104"]
"#,
        "",
    );
}

fn service(number: usize, address: &str, port: &str) -> String {
    format!(
        "[[service]]\nname = 's{number}'\naddress = '{address}'\nport = {port}\ndelivery = 'l2'\nring.rows = 1024\n"
    )
}

#[test]
fn an_address_has_room_for_twenty_ranges() {
    let range = |number: usize| format!("'{}-{}'", 100 * number, 100 * number + 50);
    let ranges = |count| (1..=count).map(range).collect::<Vec<_>>().join(", ");
    valid(&service(1, "10.0.0.1", &format!("[{}]", ranges(20))));
    let shown = errors(&service(1, "10.0.0.1", &format!("[{}]", ranges(21))));
    assert!(shown.contains("error: 10.0.0.1 has 21 ranges of ports (tcp), and there is room for 20\n"), "{shown}");
    let any = service(2, "10.0.0.1", "'any'");
    valid(&(service(1, "10.0.0.1", &format!("[{}]", ranges(19))) + &any));
    let shown = errors(&(service(1, "10.0.0.1", &format!("[{}]", ranges(20))) + &any));
    assert!(shown.contains("error: 10.0.0.1 has 20 ranges of ports (tcp), and there is room for 19\n"), "{shown}");
}

#[test]
fn there_is_room_for_2048_ports_and_addresses() {
    let ports = |count: usize| format!("[{}]", (1..=count).map(|port| port.to_string()).collect::<Vec<_>>().join(", "));
    valid(&service(1, "10.0.0.1", &ports(2047)));
    let shown = errors(&service(1, "10.0.0.1", &ports(2048)));
    let expected = "error: the services have 2049 ports and addresses, and there is room for 2048\n";
    assert!(shown.starts_with(&format!("sluice.toml:4:8: {expected}")), "{shown}");
    // An address counts once, and so do the ranges of an address and protocol.
    valid(&(service(1, "10.0.0.1", &ports(2046)) + &service(2, "10.0.0.1", "'3000-4000'")));
    errors(&(service(1, "10.0.0.1", &ports(2046)) + &service(2, "10.0.0.2", "'3000-4000'")));
}

#[test]
fn there_is_room_for_four_lengths_of_prefixes_in_each_family() {
    let v4 = |length: usize| service(length, &format!("10.{length}.0.0/{length}"), "80");
    let four: String = (20..24).map(v4).collect();
    valid(&four);
    valid(&(four.clone() + &service(64, "fd00::/64", "80") + &service(1, "10.0.0.1/32", "80")));
    let shown = errors(&(four + &v4(24)));
    assert!(shown.contains("error: /24 is one length of IPv4 prefixes too many\n"), "{shown}");
    assert!(shown.contains("1 error;"), "{shown}");
}

#[test]
fn there_is_room_for_65536_sources() {
    let with_sources = |count: usize| {
        let mut text = service(1, "10.0.0.1", "80") + "allow_from = [";
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
        let mut text = service(1, "10.0.0.1", &ports).replace("l2", "nat");
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
