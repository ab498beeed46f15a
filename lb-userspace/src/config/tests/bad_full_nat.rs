//! What `full-nat` needs of the node.

use super::{refuses, valid};
use crate::model::{Delivery, FullNat, Track};

/// A document with a service that is delivered by `full-nat`, at line 4.
fn document(full_nat: &str, service: &str) -> String {
    format!(
        "[node]\nfull_nat = {full_nat}\n\n[[service]]\nname = \"web\"\n{service}\n[[service.backend]]\n\
         address = \"10.0.1.1\"\n"
    )
}

const WEB: &str = "address = \"10.0.0.100\"\nport = 80\ndelivery = \"full-nat\"";

#[test]
fn addresses_and_ports_that_are_none() {
    refuses(
        &document(r#"{ addresses = ["10.0.0", "127.0.0.1"], ports = "2000-1000", port = 5 }"#, WEB),
        r#"
sluice.toml:2:27: error: `10.0.0` is not an IP address
   2 | full_nat = { addresses = ["10.0.0", "127.0.0.1"], ports = "2000-1000", port = 5 }
     |                           ^^^^^^^^
   help: write an address like `192.0.2.1` or `2001:db8::1`; names are not looked up
sluice.toml:2:37: error: `127.0.0.1` is a loopback address
   2 | full_nat = { addresses = ["10.0.0", "127.0.0.1"], ports = "2000-1000", port = 5 }
     |                                     ^^^^^^^^^^^
   help: use the address that packets are sent to over the network
sluice.toml:2:59: error: `2000-1000` is not a range of ports
   2 | full_nat = { addresses = ["10.0.0", "127.0.0.1"], ports = "2000-1000", port = 5 }
     |                                                           ^^^^^^^^^^^
   help: write the first and the last, from 1 to 65535, like `"1024-32767"`
sluice.toml:2:72: error: unknown key `port` in `full_nat`
   2 | full_nat = { addresses = ["10.0.0", "127.0.0.1"], ports = "2000-1000", port = 5 }
     |                                                                        ^^^^
   help: did you mean `ports`?
4 errors; nothing was changed
"#,
    );
}

#[test]
fn more_addresses_than_there_is_room_for() {
    refuses(
        &document(r#"{ addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.1"] }"#, WEB),
        r#"
sluice.toml:2:26: error: there are 5 addresses, and there is room for 4
   2 | full_nat = { addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.1"] }
     |                          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   help: each carries as many sessions of a protocol as there are `ports`
sluice.toml:2:75: error: the address 10.0.0.1 is named already, in line 2
   2 | full_nat = { addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.1"] }
     |                                                                           ^^^^^^^^^^
   help: remove one of the two
2 errors; nothing was changed
"#,
    );
}

#[test]
fn a_service_that_has_ports_of_sessions() {
    let own = "address = \"10.0.0.1\"\nport = 8080\ndelivery = \"full-nat\"";
    refuses(
        &document(r#"{ addresses = ["10.0.0.1"] }"#, own),
        r#"
sluice.toml:7:8: error: service `web` has port 8080 of 10.0.0.1, whose ports 1024-32767 are for the sessions of `full-nat`
   7 | port = 8080
     |        ^^^^
   help: write other `ports` or another address in `node.full_nat`
1 error; nothing was changed
"#,
    );
    let any = own.replace("8080", "\"any\"");
    refuses(
        &document(r#"{ addresses = ["10.0.0.1"], ports = "7-7" }"#, &any),
        r#"
sluice.toml:7:8: error: service `web` has any port of 10.0.0.1, whose ports 7-7 are for the sessions of `full-nat`
   7 | port = "any"
     |        ^^^^^
   help: write single ports outside of 7-7, or another address in `node.full_nat`
1 error; nothing was changed
"#,
    );
    let wide = own.replace("8080", "[80, \"8000-8100\"]");
    refuses(
        &document(r#"{ addresses = ["10.0.0.1"], ports = "9000-9999" }"#, &wide),
        r#"
sluice.toml:7:8: error: service `web` has ports 8000-8100 of 10.0.0.1, whose ports 9000-9999 are for the sessions of `full-nat`
   7 | port = [80, "8000-8100"]
     |        ^^^^^^^^^^^^^^^^^
   help: write single ports outside of 9000-9999, or another address in `node.full_nat`
1 error; nothing was changed
"#,
    );
    let prefix = own.replace("10.0.0.1", "10.0.0.0/30");
    refuses(
        &document(r#"{ addresses = ["10.0.0.9", "10.0.0.1"], ports = "9000-9999" }"#, &prefix),
        r#"
sluice.toml:6:11: error: service `web` has 10.0.0.0/30, and with it 10.0.0.1, whose ports 9000-9999 are for the sessions of `full-nat`
   6 | address = "10.0.0.0/30"
     |           ^^^^^^^^^^^^^
   help: name another address in `node.full_nat`
1 error; nothing was changed
"#,
    );
    valid(&document(r#"{ addresses = ["10.0.0.1"], ports = "9000-9999" }"#, own));
    valid(&document(r#"{ addresses = ["10.0.0.9"], ports = "9000-9999" }"#, &prefix));
    valid(&document(r#"{ addresses = ["10.0.0.9"] }"#, &wide));
    valid(&document(r#"{ addresses = ["10.0.0.1"] }"#, &own.replace("full-nat", "nat")));
}

#[test]
fn a_service_without_an_address_of_its_family() {
    refuses(
        &document(r#"{ addresses = ["2001:db8::1"] }"#, WEB),
        r#"
sluice.toml:6:11: error: `node.full_nat` has no IPv4 address for the sessions of service `web`
   6 | address = "10.0.0.100"
     |           ^^^^^^^^^^^^
   help: add an IPv4 address of this node to its `addresses`
1 error; nothing was changed
"#,
    );
}

#[test]
fn a_backend_of_another_family() {
    refuses(
        &document("{}", &WEB.replace("10.0.0.100", "2001:db8::100")),
        r#"
sluice.toml:10:11: error: `full-nat` cannot bring IPv6 packets to 10.0.1.1, which is an IPv4 address
   10 | address = "10.0.1.1"
      |           ^^^^^^^^^^
   help: give the IPv6 address of the server, or write `delivery = "ipip"` or `"gue"`, which carry both
1 error; nothing was changed
"#,
    );
}

#[test]
fn what_is_not_written_is_left_to_the_kernel() {
    let (_, model) = valid(&document("{}", WEB));
    assert_eq!(model.node.full_nat, FullNat { addresses: Vec::new(), ports: 1024..=32767 });
    assert_eq!(model.services[0].delivery, Delivery::FullNat);
}

/// Replies are told apart by the node's port, so that nothing of a backend's need be unlike anything.
#[test]
fn services_may_share_a_backend_and_any_port_may_be_rewritten() {
    let second = "[[service]]\nname = \"any\"\naddress = \"10.0.0.101\"\nport = \"any\"\ndelivery = \"full-nat\"\n\
        [[service.backend]]\naddress = \"10.0.1.1\"\nport = 8080\n[[service.backend]]\naddress = \"10.0.1.1\"\n\
        name = \"second\"\nport = 8081\n";
    let (_, model) = valid(&(document("{}", WEB) + second));
    assert_eq!(model.services[1].backends[1].port, Some(8081));
}

#[test]
fn what_sessions_leave_nothing_to_say_to() {
    refuses(
        &document("{}", &(WEB.to_owned() + "\ntrack = \"always\"")),
        r#"
sluice.toml:9:9: error: service `web` cannot have `track`: the sessions of `full-nat` remember every flow
   9 | track = "always"
     |         ^^^^^^^^
   help: remove it
1 error; nothing was changed
"#,
    );
    let quic = WEB.to_owned() + "\nprotocol = \"udp\"\nquic = { server_id_bytes = 1 }";
    refuses(
        &(document("{}", &quic) + "server_id = \"0a\"\n"),
        r#"
sluice.toml:10:8: error: service `web` cannot have `quic`: with `full-nat`, sessions say where datagrams go
   10 | quic = { server_id_bytes = 1 }
      |        ^^^^^^^^^^^^^^^^^^^^^^^
   help: remove it, or write another `delivery`
1 error; nothing was changed
"#,
    );
}

/// A session remembers a connection, and the flow table, where flows are told apart by client, the client.
#[test]
fn clients_are_remembered_beside_sessions() {
    let track = |settings: &str| valid(&document("{}", &format!("{WEB}\n{settings}"))).1.services[0].track;
    assert_eq!(track(""), Track::Never);
    assert_eq!(track("affinity = \"client\""), Track::Changes);
    assert_eq!(track("affinity = \"client-service\"\ntrack = \"always\""), Track::Always);
}

#[test]
fn a_prefix_a_pool_and_ranges_are_served() {
    let pool = "[[service]]\nname = \"net\"\naddress = \"198.51.100.0/24\"\nport = [80, \"8000-8100\"]\n\
        delivery = \"full-nat\"\nallow_from = [\"192.0.2.0/24\"]\npool = \"shared\"\n\
        [[pool]]\nname = \"shared\"\n[[pool.backend]]\naddress = \"10.0.1.2\"\nport = 8080\n";
    let (_, model) = valid(&(document("{}", WEB) + pool));
    assert_eq!(model.services[1].backends[0].port, Some(8080));
}
