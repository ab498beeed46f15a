//! Text that is not TOML, and text that is hard to show.

use super::refuses;

#[test]
fn errors_of_the_syntax_come_together() {
    refuses(
        r#"
[node]
interfaces = [eth0]
source_v4 = "10.0.0.2
[[service]]
name = "web"
"#,
        r#"
sluice.toml:2:15: error: string values must be quoted, expected literal string
   2 | interfaces = [eth0]
     |               ^^^^
   help: write `"eth0"`
sluice.toml:3:22: error: invalid basic string, expected `"`
   3 | source_v4 = "10.0.0.2
     |                      ^
   help: each `key = value` stands on a line of its own; text, addresses and durations are in double quotes
2 errors; nothing was changed
"#,
    );
}

#[test]
fn errors_before_the_first_of_the_syntax_are_reported_too() {
    refuses(
        r#"
[node]
colour = "red"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
[[service.backend]
wieght = 5
"#,
        r#"
sluice.toml:2:1: error: unknown key `colour` in the node
   2 | colour = "red"
     | ^^^^^^
   help: the keys here are `interfaces`, `secret`, `source_v4`, `source_v6` and `full_nat`
sluice.toml:8:19: error: unclosed array table, expected `]`
   8 | [[service.backend]
     |                   ^
   help: lists and inline tables need a comma between elements and their closing bracket
2 errors; nothing was changed
"#,
    );
}

#[test]
fn a_key_that_is_there_twice() {
    refuses(
        r#"
[node]
interfaces = []
interfaces = ["eth0"]
"#,
        r#"
sluice.toml:3:1: error: duplicate key
   3 | interfaces = ["eth0"]
     | ^^^^^^^^^^
   help: keep one of the two
1 error; nothing was changed
"#,
    );
}

#[test]
fn a_service_behind_its_backend() {
    refuses(
        r#"
[[service.backend]]
address = "10.0.1.1"
[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "ipip"
"#,
        r#"
sluice.toml:1:3: error: `service` must be an array of tables, not a table
   1 | [[service.backend]]
     |   ^^^^^^^
   help: write `[[service]]`, with double brackets, in front of each service
sluice.toml:3:3: error: duplicate key
   3 | [[service]]
     |   ^^^^^^^
   help: write the header with double brackets: `[[service]]`, `[[service.backend]]`, the service first
2 errors; nothing was changed
"#,
    );
}

#[test]
fn a_list_without_its_end() {
    refuses(
        r#"
[firewall]
deny = ["192.0.2.1", "192.0.2.2"
allow = []
"#,
        r#"
sluice.toml:3:1: error: missing comma between array elements, expected `,`
   3 | allow = []
     | ^
   help: lists and inline tables need a comma between elements and their closing bracket
1 error; nothing was changed
"#,
    );
}

#[test]
fn a_line_that_is_no_toml() {
    refuses(
        r#"
node:
  interfaces: eth0
"#,
        r#"
sluice.toml:1:5: error: invalid unquoted key, expected letters, numbers, `-`, `_`
   1 | node:
     |     ^
   help: each `key = value` stands on a line of its own; text, addresses and durations are in double quotes
sluice.toml:2:15: error: key with no value, expected `=`
   2 |   interfaces: eth0
     |               ^
   help: each `key = value` stands on a line of its own; text, addresses and durations are in double quotes
2 errors; nothing was changed
"#,
    );
}

#[test]
fn no_control_character_reaches_the_terminal() {
    refuses(
        "[node]\n\tcol\x1b[2Jour = \"\x1b[31mred\"\n",
        r#"
sluice.toml:2:5: error: invalid unquoted key, expected letters, numbers, `-`, `_`
   2 | 	col�[2Jour = "�[31mred"
     | 	   ^
   help: each `key = value` stands on a line of its own; text, addresses and durations are in double quotes
1 error; nothing was changed
"#
        .replace(r"\t", "\t")
        .replace(r"\ufffd", "\u{fffd}")
        .as_str(),
    );
}

#[test]
fn wide_text_before_an_error() {
    refuses(
        r#"
node = { "größe" = 1, interfaces = ["ethernet-interface-seventeen"] }
"#,
        r#"
sluice.toml:1:10: error: unknown key `größe` in the node
   1 | node = { "größe" = 1, interfaces = ["ethernet-interface-seventeen"] }
     |          ^^^^^^^
   help: the keys here are `interfaces`, `secret`, `source_v4`, `source_v6` and `full_nat`
sluice.toml:1:37: error: `ethernet-interface-seventeen` cannot be the name of an interface
   1 | node = { "größe" = 1, interfaces = ["ethernet-interface-seventeen"] }
     |                                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   help: a name has 1 to 15 bytes without spaces, `/` and `:`; `ip link` lists those there are
2 errors; nothing was changed
"#,
    );
}

#[test]
fn only_a_part_of_a_long_line_is_shown() {
    let many = r#""10.0.0.1", "#.repeat(1000);
    let context = "1\", ".to_owned() + &r#""10.0.0.1", "#.repeat(8);
    let expected = format!(
        r#"
sluice.toml:1:12022: error: `10.0.0.300` is neither an address nor a prefix
   1 | …{context}"10.0.0.300", {}"1…
     | {}^^^^^^^^^^^^
   help: write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`
1 error; nothing was changed
"#,
        r#""10.0.0.1", "#.repeat(8),
        " ".repeat(101),
    );
    refuses(&format!("firewall = {{ deny = [{many}\"10.0.0.300\", {many}] }}"), &expected);
}

#[test]
fn windows_line_ends() {
    refuses(
        "[node]\r\ncolour = 1\r\n",
        r#"
sluice.toml:2:1: error: unknown key `colour` in the node
   2 | colour = 1
     | ^^^^^^
   help: the keys here are `interfaces`, `secret`, `source_v4`, `source_v6` and `full_nat`
1 error; nothing was changed
"#,
    );
}
