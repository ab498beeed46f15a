//! An edit changes what it is about, and leaves comments and layout alone.

use std::net::IpAddr;

use super::valid;
use crate::{
    api::types::{Edit, ListTerms},
    model::{AdminState, Moment},
};

fn add(name: Option<&str>, address: &str, weight: Option<u32>) -> Edit {
    let address: IpAddr = address.parse().unwrap();
    Edit::BackendAdd { service: "web".into(), name: name.map(Into::into), address, port: None, weight, server_id: None }
}

fn remove(backend: &str) -> Edit {
    Edit::BackendRemove { service: "web".into(), backend: backend.into() }
}

fn weight(backend: &str, weight: u32) -> Edit {
    Edit::BackendWeight { service: "web".into(), backend: backend.into(), weight }
}

fn drain(backend: &str, until: Option<Moment>) -> Edit {
    Edit::BackendState { service: "web".into(), backend: backend.into(), state: AdminState::Drain, drain_until: until }
}

fn state(backend: &str, state: AdminState) -> Edit {
    Edit::BackendState { service: "web".into(), backend: backend.into(), state, drain_until: None }
}

fn deny(prefixes: &[&str]) -> Edit {
    Edit::ListAdd {
        list: "deny".into(),
        prefixes: prefixes.iter().map(ToString::to_string).collect(),
        terms: ListTerms::default(),
    }
}

fn forgive(prefixes: &[&str]) -> Edit {
    Edit::ListRemove { list: "deny".into(), prefixes: prefixes.iter().map(ToString::to_string).collect() }
}

/// Asserts what an edit makes of a text, and what it says that it did.
#[track_caller]
fn becomes(before: &str, edit: &Edit, done: &str, after: &str) {
    let edited = valid(before).0.edit(edit).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(edited.document.text(), after, "\nis:\n{}\nexpected:\n{after}", edited.document.text());
    assert_eq!(edited.done.as_deref(), Some(done));
    assert_eq!(valid(after).1, edited.model);
    let again = edited.document.edit(edit);
    assert!(
        matches!(edit, Edit::BackendRemove { .. } | Edit::ListRemove { .. } | Edit::Detach { .. })
            || again.is_ok_and(|again| again.done.is_none() && again.document == edited.document),
        "the same edit again has nothing to do"
    );
}

const TABLES: &str = r#"# head
[[service]]
name = "web" # the shop
address = "10.0.0.100"
port = 80
delivery = "ipip"

[service.health]
type = "tcp"

# the old one
[[service.backend]]
name = "web1" # rack 1
address = "10.0.1.1"
weight = 50 # slow

# The new rack begins here.

# the new one
[[service.backend]] # rack 2
name = "web2"
address = "10.0.1.2" # or .3

# What we know of the world:
[firewall]
deny = []
# tail
"#;

#[test]
fn a_backend_is_added_as_a_table() {
    becomes(
        TABLES,
        &add(Some("web3"), "10.0.1.3", Some(10)),
        "added backend `web3` (10.0.1.3) to service `web`",
        &TABLES.replace(
            "# or .3\n",
            "# or .3\n\n[[service.backend]]\nname = \"web3\"\naddress = \"10.0.1.3\"\nweight = 10\n",
        ),
    );
}

#[test]
fn a_removed_backend_takes_its_own_comment_along() {
    becomes(
        TABLES,
        &remove("web1"),
        "removed backend `web1` from service `web`",
        &TABLES.replace(
            "# the old one\n[[service.backend]]\nname = \"web1\" # rack 1\naddress = \"10.0.1.1\"\nweight = 50 # slow\n\n",
            "",
        ),
    );
}

#[test]
fn a_heading_above_a_removed_backend_stays() {
    becomes(
        TABLES,
        &remove("10.0.1.2"),
        "removed backend `web2` from service `web`",
        &TABLES.replace(
            "# the new one\n[[service.backend]] # rack 2\nname = \"web2\"\naddress = \"10.0.1.2\" # or .3\n\n",
            "",
        ),
    );
}

#[test]
fn a_heading_above_the_last_table_stays() {
    let text = "[[service]]\nname = 'web'\naddress = '10.0.0.100'\nport = 80\ndelivery = 'l2'\n";
    let backend = "[[service.backend]]\naddress = '10.0.0.1'\n";
    becomes(
        &format!("{text}\n# heading\n\n{backend}# tail\n"),
        &remove("10.0.0.1"),
        "removed backend `10.0.0.1` from service `web`; it has no backend left",
        &format!("{text}\n# heading\n# tail\n"),
    );
}

#[test]
fn the_first_backend_of_a_service_goes_behind_its_other_tables() {
    let text = "[[service]]\nname = 'web'\naddress = '10.0.0.100'\nport = 80\ndelivery = 'l2'\n\n[service.health]\ntype = 'tcp'\n";
    let other = "\n[[service]]\nname = 'other'\naddress = '10.0.0.101'\nport = 80\ndelivery = 'l2'\n";
    becomes(
        &format!("{text}{other}"),
        &add(None, "10.0.0.1", None),
        "added backend `10.0.0.1` (10.0.0.1) to service `web`",
        &format!("{text}\n[[service.backend]]\naddress = \"10.0.0.1\"\n{other}"),
    );
}

#[test]
fn indented_tables_stay_indented() {
    let text = "[[service]]\nname = 'web'\naddress = '10.0.0.100'\nport = 80\ndelivery = 'l2'\n  [[service.backend]]\n    address = '10.0.0.1'\n";
    becomes(
        text,
        &add(None, "10.0.0.2", Some(7)),
        "added backend `10.0.0.2` (10.0.0.2) to service `web`",
        &format!("{text}  [[service.backend]]\n    address = \"10.0.0.2\"\n    weight = 7\n"),
    );
    becomes(
        text,
        &weight("10.0.0.1", 7),
        "changed the weight of backend `10.0.0.1` of service `web` from 100 to 7",
        &format!("{text}    weight = 7\n"),
    );
}

#[test]
fn a_changed_value_keeps_its_comment() {
    becomes(
        TABLES,
        &weight("web1", 60),
        "changed the weight of backend `web1` of service `web` from 50 to 60",
        &TABLES.replace("weight = 50 # slow", "weight = 60 # slow"),
    );
}

#[test]
fn a_new_key_stands_behind_the_others() {
    becomes(
        TABLES,
        &state("10.0.1.2", AdminState::Drain),
        "changed the state of backend `web2` of service `web` from up to drain",
        &TABLES.replace("# or .3\n", "# or .3\nstate = \"drain\"\n"),
    );
}

const INLINE: &str = r#"[node]
interfaces = ["eth0"] # uplink

[[service]]
name = "web"
address = "10.0.0.100"
port = 80
delivery = "l2"
backend = [ # all of them
    { address = "10.0.0.1" }, # first
    # the second
    { name = "web2", address = "10.0.0.2", weight = 5 } # last
]
"#;

#[test]
fn a_backend_is_added_to_an_inline_array() {
    becomes(
        INLINE,
        &add(Some("web3"), "10.0.0.3", None),
        "added backend `web3` (10.0.0.3) to service `web`",
        &INLINE.replace(" } # last\n", " }, # last\n    { name = \"web3\", address = \"10.0.0.3\" }\n"),
    );
}

#[test]
fn a_backend_is_removed_from_an_inline_array() {
    becomes(
        INLINE,
        &remove("10.0.0.1"),
        "removed backend `10.0.0.1` from service `web`",
        &INLINE.replace("    { address = \"10.0.0.1\" }, # first\n", ""),
    );
}

#[test]
fn inline_values_change_in_place() {
    becomes(
        INLINE,
        &weight("web2", 6),
        "changed the weight of backend `web2` of service `web` from 5 to 6",
        &INLINE.replace("weight = 5", "weight = 6"),
    );
    becomes(
        INLINE,
        &state("10.0.0.1", AdminState::Disabled),
        "changed the state of backend `10.0.0.1` of service `web` from up to disabled",
        &INLINE.replace("\"10.0.0.1\" }", "\"10.0.0.1\", state = \"disabled\" }"),
    );
}

#[test]
fn services_may_be_inline_too() {
    let text = "service = [{ name = 'web', address = '10.0.0.100', port = 80, delivery = 'l2' }]\n";
    becomes(
        text,
        &add(None, "10.0.0.1", None),
        "added backend `10.0.0.1` (10.0.0.1) to service `web`",
        &text.replace(" }]", ", backend = [{ address = \"10.0.0.1\" }] }]"),
    );
}

#[test]
fn interfaces_come_and_go() {
    let attach = Edit::Attach { interface: "eth1".into() };
    let both = INLINE.replace("[\"eth0\"]", "[\"eth0\", \"eth1\"]");
    becomes(INLINE, &attach, "added the interface `eth1`", &both);
    let detach = Edit::Detach { interface: "eth0".into() };
    becomes(&both, &detach, "removed the interface `eth0`", &INLINE.replace("eth0", "eth1"));
    becomes("", &attach, "added the interface `eth1`", "[node]\ninterfaces = [\"eth1\"]\n");
}

const LIST: &str = r#"[firewall]
deny = [
  # scanners
  "203.0.113.7", # since May
  "198.51.100.0/24",
  # others
  "2001:db8:bad::/48", # 2001
] # end
"#;

#[test]
fn a_prefix_is_added_on_a_line_of_its_own() {
    becomes(
        LIST,
        &deny(&["192.0.2.1/32", "203.0.113.7", "2001:db8::/64"]),
        "added 192.0.2.1, 2001:db8::/64 to the deny list",
        &LIST.replace("# 2001\n", "# 2001\n  \"192.0.2.1\",\n  \"2001:db8::/64\",\n"),
    );
}

#[test]
fn a_removed_prefix_takes_the_comment_behind_it_along() {
    let done = |prefix| format!("removed {prefix} from the deny list");
    let without = |line| LIST.replace(line, "");
    becomes(LIST, &forgive(&["203.0.113.7/32"]), &done("203.0.113.7"), &without("  \"203.0.113.7\", # since May\n"));
    becomes(LIST, &forgive(&["198.51.100.0/24"]), &done("198.51.100.0/24"), &without("  \"198.51.100.0/24\",\n"));
    becomes(
        LIST,
        &forgive(&["2001:db8:bad::/48"]),
        &done("2001:db8:bad::/48"),
        &without("  \"2001:db8:bad::/48\", # 2001\n"),
    );
}

#[test]
fn a_list_on_one_line_stays_on_one_line() {
    let of = |entries: &str| format!("firewall.deny = [{entries}] # end\n");
    becomes(&of(""), &deny(&["192.0.2.1"]), "added 192.0.2.1 to the deny list", &of("\n    \"192.0.2.1\",\n"));
    becomes(
        &of("'192.0.2.1'"),
        &deny(&["192.0.2.2"]),
        "added 192.0.2.2 to the deny list",
        &of("'192.0.2.1', \"192.0.2.2\""),
    );
    becomes(
        &of(" '192.0.2.1' "),
        &deny(&["192.0.2.2"]),
        "added 192.0.2.2 to the deny list",
        &of(" '192.0.2.1', \"192.0.2.2\" "),
    );
    let three = of("'192.0.2.1', '192.0.2.2', '192.0.2.3'");
    for (gone, rest) in
        [("1", "'192.0.2.2', '192.0.2.3'"), ("2", "'192.0.2.1', '192.0.2.3'"), ("3", "'192.0.2.1', '192.0.2.2'")]
    {
        let prefix = format!("192.0.2.{gone}");
        becomes(&three, &forgive(&[&prefix]), &format!("removed {prefix} from the deny list"), &of(rest));
    }
}

#[test]
fn a_list_that_is_not_there_is_made() {
    let text = "[node]\ninterfaces = []\n";
    let done = "added 192.0.2.1 to the deny list";
    becomes(text, &deny(&["192.0.2.1"]), done, &format!("{text}\n[firewall]\ndeny = [\n    \"192.0.2.1\",\n]\n"));
    becomes(
        "firewall = { allow = [] }\n",
        &deny(&["192.0.2.1"]),
        done,
        "firewall = { allow = [], deny = [\n    \"192.0.2.1\",\n] }\n",
    );
}

#[test]
fn an_entry_that_is_listed_twice_goes_twice() {
    let text = "firewall.deny = ['192.0.2.1', '192.0.2.1/32']\n";
    becomes(text, &forgive(&["192.0.2.1"]), "removed 192.0.2.1 from the deny list", "firewall.deny = []\n");
}

#[test]
fn line_ends_stay_what_they_were() {
    let windows = |text: &str| text.replace('\n', "\r\n");
    let added = LIST.replace("# 2001\n", "# 2001\n  \"192.0.2.1\",\n");
    becomes(&windows(LIST), &deny(&["192.0.2.1"]), "added 192.0.2.1 to the deny list", &windows(&added));
}

#[test]
fn what_is_so_already_is_left_alone() {
    let (document, model) = valid(TABLES);
    for edit in [add(Some("web1"), "10.0.1.1", None), weight("web1", 50), state("web2", AdminState::Up), deny(&[])] {
        let edited = document.edit(&edit).unwrap();
        assert_eq!((edited.done, &edited.document, &edited.model), (None, &document, &model));
    }
}

#[test]
fn the_end_of_a_drain_is_written_and_taken_back() {
    let until = Some(Moment::from_seconds(1_795_689_000));
    let drained = TABLES
        .replace("weight = 50 # slow\n", "weight = 50 # slow\nstate = \"drain\"\ndrain_until = 2026-11-26T10:30:00Z\n");
    let said = "changed the state of backend `web1` of service `web` from up to drain until 2026-11-26T10:30:00Z";
    becomes(TABLES, &drain("web1", until), said, &drained);
    let said = "backend `web1` of service `web` now drains until 2026-11-26T11:30:00Z";
    let later = Some(Moment::from_seconds(1_795_692_600));
    becomes(&drained, &drain("web1", later), said, &drained.replace("10:30", "11:30"));
    let endless = drained.replace("drain_until = 2026-11-26T10:30:00Z\n", "");
    becomes(&drained, &drain("web1", None), "backend `web1` of service `web` now drains without a deadline", &endless);
    let said = "changed the state of backend `web1` of service `web` from drain to up";
    becomes(&drained, &state("web1", AdminState::Up), said, &endless.replace("\"drain\"", "\"up\""));
}

#[test]
fn the_end_of_a_drain_in_an_inline_table() {
    let text = |backend: &str| {
        let service = "name = 'web', address = '10.0.0.100', port = 80, delivery = 'l2'";
        format!("service = [{{ {service}, backend = [{{ {backend} }}] }}]\n")
    };
    let (before, drains) = (text("address = '10.0.0.1', state = 'up'"), "changed the state of backend `10.0.0.1`");
    let drained = text("address = '10.0.0.1', state = \"drain\", drain_until = 2026-11-26T10:30:00Z");
    let until = Some(Moment::from_seconds(1_795_689_000));
    let said = format!("{drains} of service `web` from up to drain until 2026-11-26T10:30:00Z");
    becomes(&before, &drain("10.0.0.1", until), &said, &drained);
    let said = format!("{drains} of service `web` from drain to disabled");
    let disabled = text("address = '10.0.0.1', state = \"disabled\"");
    becomes(&drained, &state("10.0.0.1", AdminState::Disabled), &said, &disabled);
}
