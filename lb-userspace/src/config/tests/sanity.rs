//! Sanity checks: what can be written, what it means, and what is refused.

use lb_common::{ListKind, Sanity as Bits};

use super::{refuses, valid};
use crate::{
    api::types::{Edit, ListTerms},
    model::{BOGONS, Firewall, Model, Sanity, SanityCheck},
};

const ALL: u64 = Bits::MARTIANS
    | Bits::LAND
    | Bits::TCP_FLAGS
    | Bits::AMPLIFIERS
    | Bits::TINY_FRAGMENTS
    | Bits::PORT_ZERO
    | Bits::SOURCE_ROUTES;

fn service(name: &str, protocol: &str, more: &str) -> String {
    format!(
        "[[service]]\nname = \"{name}\"\naddress = \"10.0.0.100\"\nport = 80\nprotocol = \"{protocol}\"\n\
         delivery = \"ipip\"\n{more}\n[[service.backend]]\naddress = \"10.0.1.1\"\n"
    )
}

fn model(text: &str) -> Model {
    valid(text).1
}

/// The services of the list of bogons, if there is one.
fn checked(firewall: &Firewall) -> Option<Vec<&str>> {
    let list = firewall.lists.iter().find(|list| list.name == BOGONS)?;
    Some(list.services.iter().map(String::as_str).collect())
}

#[test]
fn all_checks_but_that_for_bogons_are_on() {
    for text in ["", "[firewall]\n", "[firewall.sanity]\n"] {
        let firewall = model(text).firewall;
        assert_eq!(firewall.sanity, Sanity::default());
        assert_eq!(firewall.sanity.bits(&model(&service("web", "tcp", "")).services[0].sanity), ALL);
        assert_eq!(checked(&firewall), None);
    }
}

#[test]
fn each_check_has_a_switch() {
    let bits = |text: &str| model(&format!("[firewall]\nsanity = {{ {text} }}")).firewall.sanity.bits(&[].into());
    assert_eq!(bits("martians = false"), ALL & !Bits::MARTIANS);
    assert_eq!(bits("land = false"), ALL & !Bits::LAND);
    assert_eq!(bits("tcp_flags = false"), ALL & !Bits::TCP_FLAGS);
    assert_eq!(bits("amplifiers = false"), ALL & !Bits::AMPLIFIERS);
    assert_eq!(bits("tiny_fragments = false"), ALL & !Bits::TINY_FRAGMENTS);
    assert_eq!(bits("port_zero = false"), ALL & !Bits::PORT_ZERO);
    assert_eq!(bits("source_routes = false"), ALL & !Bits::SOURCE_ROUTES);
    let all_off = "martians = false, land = false, tcp_flags = false, amplifiers = false, tiny_fragments = false, \
                   port_zero = false, source_routes = false";
    assert_eq!(bits(all_off), 0);
    assert_eq!(bits("martians = true, bogons = true"), ALL);
}

#[test]
fn a_service_has_exceptions_in_both_directions() {
    let text = "[firewall.sanity]\nland = false\namplifiers = false\n".to_owned()
        + &service(
            "game",
            "udp",
            "sanity = { martians = false, land = true, amplifiers = true, tiny_fragments = true }",
        );
    let model = model(&text);
    let bits = model.firewall.sanity.bits(&model.services[0].sanity);
    assert_eq!(bits, ALL & !Bits::MARTIANS);
    assert_eq!(model.firewall.sanity.amplifiers, Sanity::AMPLIFIERS);
}

#[test]
fn ports_of_amplifiers_can_be_named() {
    let sanity = |ports: &str| model(&format!("[firewall.sanity]\namplifiers = [{ports}]")).firewall.sanity;
    assert_eq!(sanity("19, 0, 65535, 19").amplifiers, [19, 0, 65535]);
    assert!(sanity("19").on.contains(&SanityCheck::Amplifiers));
    let most = (1..=32).map(|port: u16| port.to_string()).collect::<Vec<_>>().join(", ");
    assert_eq!(sanity(&most).amplifiers.len(), 32);
}

#[test]
fn bogons_are_a_deny_list_of_the_services_that_have_the_check() {
    let text = |node: &str, web: &str| {
        let other = service("dns", "udp", "");
        format!("[firewall.sanity]\n{node}\n{}{other}", service("web", "tcp", web))
    };
    let services = |node, web| checked(&model(&text(node, web)).firewall).map(|services| services.join(" "));
    assert_eq!(services("", ""), None);
    assert_eq!(services("bogons = true", "").as_deref(), Some("web dns"));
    assert_eq!(services("bogons = true", "sanity = { bogons = false }").as_deref(), Some("dns"));
    assert_eq!(services("", "sanity = { bogons = true }").as_deref(), Some("web"));
    let model = model(&text("bogons = true", ""));
    let (kind, entries) = model.firewall.list(BOGONS).unwrap();
    assert_eq!(kind, ListKind::Deny);
    assert!(model.firewall.is_built_in(BOGONS) && !model.firewall.is_built_in("deny"));
    // It covers the services and backends above, and is not refused for that.
    assert!(entries.iter().any(|net| net.contains(&model.services[0].address)));
    assert!(entries.iter().all(|net| model.firewall.remark(BOGONS, *net).force));
}

#[test]
fn without_a_service_that_has_the_check_there_is_no_list_of_bogons() {
    assert_eq!(checked(&model("[firewall.sanity]\nbogons = true").firewall), None);
    let excepted = "[firewall.sanity]\nbogons = true\n".to_owned() + &service("web", "tcp", "sanity.bogons = false");
    assert_eq!(checked(&model(&excepted).firewall), None);
    let own = "[[list]]\nname = \"bogons\"\naction = \"deny\"\n".to_owned() + &service("web", "tcp", "");
    assert!(!model(&own).firewall.is_built_in(BOGONS));
}

#[test]
fn switches_that_are_none() {
    refuses(
        r#"
[firewall.sanity]
martian = true
land = "yes"
tcp_flags = 1
bogon = false
amplifiers = "all"
"#,
        r#"
sluice.toml:2:1: error: unknown key `martian` in `firewall.sanity`
   2 | martian = true
     | ^^^^^^^
   help: did you mean `martians`?
sluice.toml:3:8: error: `land` must be `true` or `false`, not a string
   3 | land = "yes"
     |        ^^^^^
   help: write it without quotes
sluice.toml:4:13: error: `tcp_flags` must be `true` or `false`, not an integer
   4 | tcp_flags = 1
     |             ^
   help: write it without quotes
sluice.toml:5:1: error: unknown key `bogon` in `firewall.sanity`
   5 | bogon = false
     | ^^^^^
   help: did you mean `bogons`?
sluice.toml:6:14: error: `amplifiers` must be `true`, `false` or an array of ports, not a string
   6 | amplifiers = "all"
     |              ^^^^^
   help: write `true` for the usual ports, or name them: `[11211, 1900]`
5 errors; nothing was changed
"#,
    );
}

#[test]
fn a_switch_for_everything_is_none() {
    refuses(
        "[firewall]\nsanity = true\n",
        r#"
sluice.toml:2:10: error: `sanity` must be a table, not a boolean
   2 | sanity = true
     |          ^^^^
   help: write `sanity = { … }`, or a header with its name in brackets
1 error; nothing was changed
"#,
    );
}

#[test]
fn ports_that_cannot_be() {
    refuses(
        r#"
[firewall.sanity]
amplifiers = [65536, -1, "19", 19]
"#,
        r#"
sluice.toml:2:15: error: `amplifiers` cannot be 65536
   2 | amplifiers = [65536, -1, "19", 19]
     |               ^^^^^
   help: it goes from 0 to 65535
sluice.toml:2:22: error: `amplifiers` cannot be -1
   2 | amplifiers = [65536, -1, "19", 19]
     |                      ^^
   help: it goes from 0 to 65535
sluice.toml:2:26: error: an element of `amplifiers` must be an integer, not a string
   2 | amplifiers = [65536, -1, "19", 19]
     |                          ^^^^
   help: write a whole number without quotes
3 errors; nothing was changed
"#,
    );
    refuses(
        "[firewall.sanity]\namplifiers = []\n",
        r#"
sluice.toml:2:14: error: without ports the check has no effect
   2 | amplifiers = []
     |              ^^
   help: name ports, or write `amplifiers = false`
1 error; nothing was changed
"#,
    );
}

#[test]
fn there_is_room_for_32_ports() {
    let ports = (1..=33).map(|port: u16| port.to_string()).collect::<Vec<_>>().join(",");
    let text = format!("[firewall.sanity]\namplifiers = [{ports}]\n");
    let shown = super::errors(&text);
    assert!(shown.contains("sluice.toml:2:14: error: these are 33 ports, and there is room for 32"), "{shown}");
    assert!(shown.contains("drop datagrams from them by a rule with `source_port`"), "{shown}");
}

#[test]
fn exceptions_that_are_none() {
    refuses(
        &service("web", "tcp", "sanity = { tcpflags = false, amplifiers = [19], land = 0 }"),
        r#"
sluice.toml:7:12: error: unknown key `tcpflags` in a service's `sanity`
   7 | sanity = { tcpflags = false, amplifiers = [19], land = 0 }
     |            ^^^^^^^^
   help: did you mean `tcp_flags`?
sluice.toml:7:43: error: `amplifiers` must be `true` or `false`, not an array
   7 | sanity = { tcpflags = false, amplifiers = [19], land = 0 }
     |                                           ^^^^
   help: name the ports in `[firewall.sanity]`, for all services
sluice.toml:7:56: error: `land` must be `true` or `false`, not an integer
   7 | sanity = { tcpflags = false, amplifiers = [19], land = 0 }
     |                                                        ^
   help: write it without quotes
3 errors; nothing was changed
"#,
    );
}

#[test]
fn an_exception_that_has_no_effect() {
    refuses(
        &service("web", "tcp", "sanity = { amplifiers = false }"),
        r#"
sluice.toml:7:25: error: service `web` has no use for `amplifiers`: its protocol is `tcp`
   7 | sanity = { amplifiers = false }
     |                         ^^^^^
   help: remove it: the check is of packets of `udp`
1 error; nothing was changed
"#,
    );
    let shown = super::errors(&service("dns", "udp", "sanity = { tcp_flags = false }"));
    assert!(shown.contains("service `dns` has no use for `tcp_flags`: its protocol is `udp`"), "{shown}");
}

#[test]
fn another_list_cannot_be_called_like_that_of_bogons() {
    let text = "[[list]]\nname = \"bogons\"\naction = \"deny\"\n[firewall.sanity]\nbogons = true\n".to_owned()
        + &service("web", "tcp", "");
    refuses(
        &text,
        r#"
sluice.toml:2:8: error: service `web` has the sanity check `bogons`, which is a list of that name
   2 | name = "bogons"
     |        ^^^^^^^^
   help: give this list another name, or do without the check
1 error; nothing was changed
"#,
    );
}

#[test]
fn bogons_take_the_place_of_a_list() {
    let lists =
        |count| (0..count).map(|n| format!("[[list]]\nname = \"l{n}\"\naction = \"deny\"\n")).collect::<String>();
    let text = |count| lists(count) + "[firewall.sanity]\nbogons = true\n" + &service("web", "tcp", "");
    assert_eq!(model(&text(30)).firewall.lists.len(), 31);
    let shown = super::errors(&text(31));
    assert!(shown.contains("this is one deny list too many: there is room for 30"), "{shown}");
}

#[test]
fn no_command_changes_the_list_of_bogons() {
    let (document, _) = valid(&("[firewall.sanity]\nbogons = true\n".to_owned() + &service("web", "tcp", "")));
    let (list, prefixes) = (BOGONS.to_owned(), vec!["10.0.0.0/8".to_owned()]);
    let add = Edit::ListAdd { list: list.clone(), prefixes: prefixes.clone(), terms: ListTerms::default() };
    for edit in [add, Edit::ListRemove { list, prefixes }] {
        assert_eq!(
            document.edit(&edit).expect_err("the edit was made").to_string(),
            "the list `bogons` is built in, and no command changes it; to let a source in, `sluice allow add PREFIX`; \
             to switch the list off, write `bogons = false` into `[firewall.sanity]` or a service's `sanity`"
        );
    }
}
