//! Lists with names: what they can say, what is refused, and what commands write.

use super::{refuses, valid};
use crate::{
    api::types::{Edit, ListTerms},
    model::{CrowdSecKey, ListKind, Remark},
};

const TEXT: &str = r#"[[service]]
name = "web"
address = "192.0.2.80"
port = 80
delivery = "ipip"
backend = [{ name = "a", address = "10.1.0.1" }]

[[list]]
name = "pests"
action = "deny"
services = ["web"]
entries = [
    "203.0.113.7", # since last week
    { prefix = "198.51.100.0/24", reason = "scans" },
    { prefix = "10.0.0.0/8", force = true },
]
file = "/var/lib/pests.netset"

[[list]]
name = "friends"
action = "allow"
"#;

#[test]
fn a_list_says_all_that_it_can() {
    let (_, model) = valid(TEXT);
    let [pests, friends] = model.firewall.lists.as_slice() else { panic!("two lists") };
    assert_eq!(
        (pests.name.as_str(), pests.action, pests.services.as_slice()),
        ("pests", ListKind::Deny, &["web".to_owned()][..])
    );
    let entries: Vec<String> = pests.entries.iter().map(ToString::to_string).collect();
    assert_eq!(entries, ["203.0.113.7/32", "198.51.100.0/24", "10.0.0.0/8"]);
    assert_eq!(pests.file.as_deref(), Some(std::path::Path::new("/var/lib/pests.netset")));
    assert_eq!((friends.action, friends.entries.len(), friends.force), (ListKind::Allow, 0, false));
    let remark = |net: &str| model.firewall.remark("pests", net.parse().unwrap());
    assert_eq!(remark("198.51.100.0/24"), Remark { reason: Some("scans".to_owned()), force: false });
    assert_eq!((remark("10.0.0.0/8").force, remark("203.0.113.7/32")), (true, Remark::default()));
}

#[test]
fn what_a_list_cannot_say() {
    refuses(
        r#"
[[list]]
name = "deny"
action = "deny"
[[list]]
name = "pests"
action = "block"
services = ["wbe"]
file = "pests"
[[list]]
name = "pests"
entries = [7, { reason = "x" }, { prefix = "192.0.2.1/24" }]
"#,
        r#"
sluice.toml:2:8: error: the list `deny` is there already, as `firewall.deny`
   2 | name = "deny"
     |        ^^^^^^
   help: write its entries there, or give this list another name
sluice.toml:6:10: error: `block` is not a value of `action`
   6 | action = "block"
     |          ^^^^^^^
   help: `action` is one of `allow` and `deny`
sluice.toml:7:13: error: there is no service `wbe`
   7 | services = ["wbe"]
     |             ^^^^^
   help: name a service by the `name` in its section
sluice.toml:8:8: error: `pests` is not an absolute path
   8 | file = "pests"
     |        ^^^^^^^
   help: begin it with `/`
sluice.toml:9:1: error: `action` is missing in a list
   9 | [[list]]
     | ^^^^^^^^
   help: write `action = "deny"` or `action = "allow"`
sluice.toml:10:8: error: a list named `pests` is there already, in line 5
   10 | name = "pests"
      |        ^^^^^^^
   help: give each list a name of its own
sluice.toml:11:12: error: an element of `entries` must be a string, not an integer
   11 | entries = [7, { reason = "x" }, { prefix = "192.0.2.1/24" }]
      |            ^
   help: put it in double quotes
sluice.toml:11:15: error: `prefix` is missing in an entry
   11 | entries = [7, { reason = "x" }, { prefix = "192.0.2.1/24" }]
      |               ^^^^^^^^^^^^^^^^
   help: write `prefix = "192.0.2.0/24"`
sluice.toml:11:44: error: `192.0.2.1/24` has bits set behind its length
   11 | entries = [7, { reason = "x" }, { prefix = "192.0.2.1/24" }]
      |                                            ^^^^^^^^^^^^^^
   help: write `192.0.2.0/24` for the whole prefix, or `192.0.2.1` for the one address
9 errors; nothing was changed
"#,
    );
}

#[test]
fn a_deny_list_must_not_cut_services_and_backends_off() {
    refuses(
        r#"
node.source_v4 = "198.51.100.1"
firewall = { deny = ["192.0.0.0/16", "10.1.0.1", "198.51.100.0/24", "192.0.2.81"], allow = ["10.0.0.0/8"] }
service = [{ name = "web", address = "192.0.2.80", port = 80, delivery = "ipip", backend = [{ address = "10.1.0.1" }] }]
"#,
        r#"
sluice.toml:2:22: error: `192.0.0.0/16` in a deny list covers the address of service `web`
   2 | firewall = { deny = ["192.0.0.0/16", "10.1.0.1", "198.51.100.0/24", "192.0.2.81"], allow = ["10.0.0.0/8"] }
     |                      ^^^^^^^^^^^^^^
   help: name smaller prefixes around it; if you mean it, say so: `{ prefix = "…", force = true }`, or `--force` in a command
sluice.toml:2:38: error: `10.1.0.1/32` in a deny list covers backend `10.1.0.1` (10.1.0.1)
   2 | firewall = { deny = ["192.0.0.0/16", "10.1.0.1", "198.51.100.0/24", "192.0.2.81"], allow = ["10.0.0.0/8"] }
     |                                      ^^^^^^^^^^
   help: name smaller prefixes around it; if you mean it, say so: `{ prefix = "…", force = true }`, or `--force` in a command
sluice.toml:2:50: error: `198.51.100.0/24` in a deny list covers this node's source address 198.51.100.1
   2 | firewall = { deny = ["192.0.0.0/16", "10.1.0.1", "198.51.100.0/24", "192.0.2.81"], allow = ["10.0.0.0/8"] }
     |                                                  ^^^^^^^^^^^^^^^^^
   help: name smaller prefixes around it; if you mean it, say so: `{ prefix = "…", force = true }`, or `--force` in a command
3 errors; nothing was changed
"#,
    );
}

#[test]
fn everything_can_be_denied_by_who_insists() {
    let (_, model) = valid("firewall.deny = [{ prefix = '0.0.0.0/0', force = true }]");
    assert_eq!(model.firewall.deny, ["0.0.0.0/0".parse().unwrap()]);
}

#[test]
fn there_is_room_for_so_many_lists() {
    let lists = |count: usize| {
        (0..count).map(|number| format!("[[list]]\nname = 'n{number}'\naction = 'deny'\n")).collect::<String>()
    };
    valid(&lists(31));
    let shown = super::errors(&lists(32));
    assert!(shown.contains("error: this is one deny list too many: there is room for 31"), "{shown}");
}

fn edited(edit: &Edit) -> String {
    valid(TEXT).0.edit(edit).unwrap().document.text().to_owned()
}

fn add(list: &str, prefix: &str, terms: ListTerms) -> Edit {
    Edit::ListAdd { list: list.to_owned(), prefixes: vec![prefix.to_owned()], terms }
}

#[test]
fn commands_write_into_the_list_that_they_name() {
    let reason = ListTerms { reason: Some("a \"pest\"".to_owned()), ..ListTerms::default() };
    assert!(
        edited(&add("pests", "192.0.2.7", reason))
            .contains("    { prefix = \"192.0.2.7\", reason = 'a \"pest\"' },\n]")
    );
    let plain = edited(&add("friends", "192.0.2.7", ListTerms::default()));
    assert!(plain.ends_with("action = \"allow\"\nentries = [\n    \"192.0.2.7\",\n]\n"), "{plain}");
    let force = ListTerms { force: true, ..ListTerms::default() };
    assert!(edited(&add("deny", "10.1.0.1", force)).contains("{ prefix = \"10.1.0.1\", force = true },"));
    let covered = valid(TEXT).0.edit(&add("deny", "10.1.0.1", ListTerms::default())).unwrap_err().to_string();
    assert!(covered.contains("`10.1.0.1/32` in a deny list covers backend `a` (10.1.0.1)"), "{covered}");
    let removed = edited(&Edit::ListRemove { list: "pests".to_owned(), prefixes: vec!["198.51.100.0/24".to_owned()] });
    assert!(
        removed.contains("    \"203.0.113.7\", # since last week\n    { prefix = \"10.0.0.0/8\", force = true },\n"),
        "{removed}"
    );
}

#[test]
fn a_list_comes_from_a_server() {
    let text = "[[list]]\nname = 'a'\naction = 'deny'\nurl = 'https://one.example/a.txt'\n\
                [[list]]\nname = 'b'\naction = 'deny'\nurl = 'http://[2001:db8::1]:8080/b'\ninterval = '5m'\nmay_shrink = true\n";
    let (_, model) = valid(text);
    let feeds: Vec<_> = model.firewall.lists.iter().filter_map(|list| list.feed.as_ref()).collect();
    assert_eq!(
        (feeds[0].url.as_str(), feeds[0].interval.as_secs(), feeds[0].may_shrink),
        ("https://one.example/a.txt", 3600, false)
    );
    assert_eq!((feeds[1].interval.as_secs(), feeds[1].may_shrink), (300, true));
}

#[test]
fn crowdsec_is_asked_with_a_key() {
    let key = |text: &str| valid(text).1.firewall.crowdsec.unwrap();
    let first = key("[crowdsec]\nurl = 'http://127.0.0.1:8080'\napi_key = 'k3y'\n");
    assert_eq!((first.key, first.interval.as_secs()), (CrowdSecKey::Text("k3y".to_owned()), 10));
    let second = key("[crowdsec]\nurl = 'http://127.0.0.1:8080'\napi_key_file = '/etc/key'\ninterval = '1m'\n");
    assert_eq!((second.key, second.interval.as_secs()), (CrowdSecKey::File("/etc/key".into()), 60));
    refuses(
        r#"
[crowdsec]
url = "127.0.0.1"
api_key = "two words"
api_key_file = "key"
"#,
        r#"
sluice.toml:1:1: error: CrowdSec wants one API key
   1 | [crowdsec]
     | ^^^^^^^^^^
   help: make a key with `cscli bouncers add sluice`, and write `api_key`, or `api_key_file` with its file
sluice.toml:2:7: error: `127.0.0.1` is not an address on the web
   2 | url = "127.0.0.1"
     |       ^^^^^^^^^^^
   help: write it in full, like `https://example.net/list.txt`
sluice.toml:3:11: error: `api_key` is not a key
   3 | api_key = "two words"
     |           ^^^^^^^^^^^
   help: it is what `cscli bouncers add sluice` prints
sluice.toml:4:16: error: `key` is not an absolute path
   4 | api_key_file = "key"
     |                ^^^^^
   help: begin it with `/`
4 errors; nothing was changed
"#,
    );
}

#[test]
fn what_a_feed_cannot_say() {
    refuses(
        r#"
[[list]]
name = ".a"
action = "deny"
url = "ftp://one.example/a"
interval = "1ms"
[[list]]
name = "b"
action = "deny"
interval = "1h"
[[list]]
name = "c"
action = "deny"
url = "file://list.txt"
"#,
        r#"
sluice.toml:2:8: error: `.a` begins with a dot
   2 | name = ".a"
     |        ^^^^
   help: begin the name of a list with something else
sluice.toml:4:7: error: `ftp://one.example/a` is not an address on the web
   4 | url = "ftp://one.example/a"
     |       ^^^^^^^^^^^^^^^^^^^^^
   help: write it in full, like `https://example.net/list.txt`
sluice.toml:5:12: error: `interval` cannot be 1ms
   5 | interval = "1ms"
     |            ^^^^^
   help: it goes from 1s to 30days
sluice.toml:9:12: error: this is for a list with a `url`, and there is none
   9 | interval = "1h"
     |            ^^^^
   help: add `url`, or remove this
sluice.toml:13:7: error: `file://list.txt` names no file
   13 | url = "file://list.txt"
      |       ^^^^^^^^^^^^^^^^^
   help: write the whole path behind `file://`, like `file:///var/lib/list.txt`
5 errors; nothing was changed
"#,
    );
}
