//! QUIC services and the ids of their servers.

use super::{refuses, valid};
use crate::{
    api::types::Edit,
    model::{ConnectionIds, ServerId},
};

const TEXT: &str = r#"[[service]]
name = "h3"
address = "10.0.0.100"
port = 443
protocol = "udp"
delivery = "ipip"
quic = { server_id_bytes = 2, config_rotation = 5 }

[[service.backend]]
address = "10.0.1.1"
server_id = "0A1b"
"#;

#[test]
fn what_is_written_is_read() {
    let (_, model) = valid(TEXT);
    let service = &model.services[0];
    assert_eq!(service.quic, Some(ConnectionIds { rotation: 5, server_id_bytes: 2 }));
    assert_eq!(service.backends[0].server_id, ServerId::from_hex("0a1b"));
}

#[test]
fn the_rotation_is_0_by_default() {
    let (_, model) = valid(&TEXT.replace(", config_rotation = 5", ""));
    assert_eq!(model.services[0].quic, Some(ConnectionIds { rotation: 0, server_id_bytes: 2 }));
}

#[test]
fn settings_that_no_connection_id_can_have() {
    refuses(
        &TEXT.replace("server_id_bytes = 2, config_rotation = 5", "server_id_bytes = 9, config_rotation = 7"),
        r#"
sluice.toml:7:28: error: `server_id_bytes` cannot be 9
   7 | quic = { server_id_bytes = 9, config_rotation = 7 }
     |                            ^
   help: it goes from 1 to 8
sluice.toml:7:49: error: `config_rotation` cannot be 7
   7 | quic = { server_id_bytes = 9, config_rotation = 7 }
     |                                                 ^
   help: it goes from 0 to 6
2 errors; nothing was changed
"#,
    );
}

#[test]
fn a_length_that_is_missing_and_a_key_that_is_wrong() {
    refuses(
        &TEXT.replace("server_id_bytes = 2, config_rotation = 5", "rotation = 1"),
        r#"
sluice.toml:7:8: error: `server_id_bytes` is missing in `quic`
   7 | quic = { rotation = 1 }
     |        ^^^^^^^^^^^^^^^^
   help: write how many bytes of a connection id name the server, like `server_id_bytes = 2`
sluice.toml:7:10: error: unknown key `rotation` in `quic`
   7 | quic = { rotation = 1 }
     |          ^^^^^^^^
   help: the keys here are `server_id_bytes` and `config_rotation`
2 errors; nothing was changed
"#,
    );
}

#[test]
fn a_service_without_datagrams() {
    refuses(
        &TEXT.replace("udp", "tcp"),
        r#"
sluice.toml:7:8: error: service `h3` cannot have `quic`: its protocol is `tcp`
   7 | quic = { server_id_bytes = 2, config_rotation = 5 }
     |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   help: write `protocol = "udp"`, or remove `quic`
1 error; nothing was changed
"#,
    );
}

#[test]
fn an_id_of_a_service_without_quic() {
    refuses(
        &TEXT.replace("quic = { server_id_bytes = 2, config_rotation = 5 }\n", ""),
        r#"
sluice.toml:10:13: error: a backend of service `h3` cannot have a `server_id`: the service has no `quic`
   10 | server_id = "0A1b"
      |             ^^^^^^
   help: remove it, or write `quic = { server_id_bytes = … }` for the service
1 error; nothing was changed
"#,
    );
}

#[test]
fn ids_that_are_none_missing_short_long_or_there_already() {
    let more = r#"
[[service.backend]]
name = "none"
address = "10.0.1.2"
server_id = "0x1f"
[[service.backend]]
name = "missing"
address = "10.0.1.3"
[[service.backend]]
name = "short"
address = "10.0.1.4"
server_id = "07"
[[service.backend]]
name = "long"
address = "10.0.1.5"
server_id = "000007"
[[service.backend]]
name = "again"
address = "10.0.1.6"
server_id = "0a1B"
"#;
    refuses(
        &format!("{TEXT}{more}"),
        r#"
sluice.toml:16:13: error: `0x1f` is not a server id
   16 | server_id = "0x1f"
      |             ^^^^^^
   help: write 1 to 8 bytes as pairs of hexadecimal digits, like `"0a1b"`
sluice.toml:17:1: error: backend `missing` of service `h3` has no `server_id`
   17 | [[service.backend]]
      | ^^^^^^^^^^^^^^^^^^^
   help: write what the server puts into its connection ids, 2 bytes, like `server_id = "0001"`
sluice.toml:23:13: error: `07` has 1 byte, and a server id of service `h3` has 2
   23 | server_id = "07"
      |             ^^^^
   help: write 4 hexadecimal digits, or change `server_id_bytes`
sluice.toml:27:13: error: `000007` has 3 bytes, and a server id of service `h3` has 2
   27 | server_id = "000007"
      |             ^^^^^^^^
   help: write 4 hexadecimal digits, or change `server_id_bytes`
sluice.toml:31:13: error: `0a1b` is the server id of backend `10.0.1.1` already, in line 11
   31 | server_id = "0a1B"
      |             ^^^^^^
   help: give each server an id of its own, and let it form its connection ids with it
5 errors; nothing was changed
"#,
    );
}

#[test]
fn an_id_that_is_no_string() {
    refuses(
        &TEXT.replace("\"0A1b\"", "10"),
        r#"
sluice.toml:11:13: error: `server_id` must be a string, not an integer
   11 | server_id = 10
      |             ^^
   help: put it in double quotes
1 error; nothing was changed
"#,
    );
}

#[test]
fn settings_that_are_no_table() {
    refuses(
        &TEXT.replace("{ server_id_bytes = 2, config_rotation = 5 }", "true"),
        r#"
sluice.toml:7:8: error: `quic` must be a table, not a boolean
   7 | quic = true
     |        ^^^^
   help: write `quic = { … }`, or a header with its name in brackets
1 error; nothing was changed
"#,
    );
}

fn add(address: &str, server_id: Option<&str>) -> Edit {
    let address = address.parse().unwrap();
    let server_id = server_id.map(ToOwned::to_owned);
    Edit::BackendAdd { service: "h3".into(), name: None, address, port: None, weight: None, server_id }
}

#[test]
fn a_command_adds_a_backend_with_its_id() {
    let edited = valid(TEXT).0.edit(&add("10.0.1.2", Some("00FF"))).unwrap();
    let expected = format!("{TEXT}\n[[service.backend]]\naddress = \"10.0.1.2\"\nserver_id = \"00ff\"\n");
    assert_eq!(edited.document.text(), expected);
    assert_eq!(edited.model.services[0].backends[1].server_id, ServerId::from_hex("00ff"));

    let again = edited.document.edit(&add("10.0.1.2", Some("00ff"))).unwrap();
    assert_eq!(again.done, None);
}

#[test]
fn a_command_that_adds_what_a_file_could_not_hold_is_refused() {
    let refused = |edit: &Edit| valid(TEXT).0.edit(edit).expect_err("the edit was made").to_string();
    assert_eq!(
        refused(&add("10.0.1.2", Some("0"))),
        "`0` is not a server id; write 1 to 8 bytes as pairs of hexadecimal digits, like `\"0a1b\"`; nothing was changed"
    );
    assert_eq!(
        refused(&add("10.0.1.1", Some("0002"))),
        "service `h3` has a backend `10.0.1.1` already: 10.0.1.1, weight 100, server id 0a1b; change it with \
         `sluice backend weight`, or remove it first"
    );
    let missing = refused(&add("10.0.1.2", None));
    assert!(missing.contains("backend `10.0.1.2` of service `h3` has no `server_id`"), "{missing}");
}
