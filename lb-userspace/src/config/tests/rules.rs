//! Rules that can be written, and what they mean.

use super::valid;
use crate::model::{Fragments, Lengths, Ports, Rule, RuleAction, TcpFlags};

fn rules(text: &str) -> Vec<Rule> {
    valid(&format!("[node]\ninterfaces = [\"eth0\"]\n{text}")).1.firewall.rules
}

fn rule(conditions: &str) -> Rule {
    let mut rules = rules(&format!("[[rule]]\nname = \"r\"\naction = \"drop\"\n{conditions}"));
    rules.remove(0)
}

#[test]
fn a_rule_that_asks_for_nothing_is_for_everything() {
    let open = rule("");
    assert_eq!((open.protocol, open.length, open.fragments), (None, Lengths::ANY, None));
    assert!(open.ports.is_any() && open.source_ports.is_any() && open.source.is_empty() && open.icmp.is_empty());
    assert_eq!(open.conditions(), "everything");
}

#[test]
fn every_condition_is_read_and_said_in_words() {
    for (conditions, words) in [
        ("protocol = \"tcp\"\nport = 22", "tcp port 22"),
        ("protocol = 47", "protocol 47"),
        ("protocol = 6\nsource_port = [\"1-1023\", 5000]", "tcp source port 1-1023,5000"),
        ("source = \"192.0.2.7\"", "from 192.0.2.7/32"),
        ("source = [\"192.0.2.0/24\", \"2001:db8::/32\"]", "from 192.0.2.0/24,2001:db8::/32"),
        ("destination = \"2001:db8::1\"\nlength = 100", "to 2001:db8::1/128 length 100"),
        ("protocol = \"icmp\"\nicmp = [\"echo-request\", 13]", "icmp type 8,13"),
        ("protocol = \"icmpv6\"\nicmp = \"echo-request\"", "icmpv6 type 128"),
        ("protocol = \"tcp\"\ntcp_flags = \"syn,!ack\"", "tcp syn,!ack"),
        ("fragments = \"later\"\ninterface = \"eth0\"", "in by eth0 fragments later"),
        ("protocol = \"udp\"\nlength = \"0 - 59\"", "udp length 0-59"),
    ] {
        assert_eq!(rule(conditions).conditions(), words);
    }
}

#[test]
fn flags_are_a_mask_and_a_value() {
    let flags = rule("protocol = \"tcp\"\ntcp_flags = \"syn, !ack ,!rst\"").flags;
    assert_eq!(flags, TcpFlags { mask: 0x16, value: 0x02 });
    assert_eq!(flags.to_string(), "syn,!rst,!ack");
}

#[test]
fn the_order_is_that_of_the_document() {
    let rules = rules(
        r#"
[[rule]]
name = "b"
action = "count"
[[rule]]
name = "a"
action = "pass"
protocol = "udp"
port = "any"
fragments = "first"
"#,
    );
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!((&rules[0].action, &rules[1].action), (&RuleAction::Count, &RuleAction::Pass));
    assert_eq!((rules[1].fragments, &rules[1].ports), (Some(Fragments::First), &Ports::ANY));
}

#[test]
fn a_rule_names_services() {
    let document = "[[service]]\nname = \"web\"\naddress = \"192.0.2.80\"\nport = 80\ndelivery = \"l2\"\n";
    let rules = rules(&format!("{document}[[rule]]\nname = \"r\"\naction = \"drop\"\nservices = \"web\"\n"));
    assert_eq!((rules[0].services.as_slice(), rules[0].conditions().as_str()), (&["web".to_owned()][..], "for web"));
}

#[test]
fn rules_that_overlap_can_all_be_reached() {
    rules(
        r#"
[[rule]]
name = "counts everything"
action = "count"
[[rule]]
name = "one-port"
action = "drop"
protocol = "tcp"
port = 22
source = "192.0.2.0/24"
[[rule]]
name = "port"
action = "pass"
protocol = "tcp"
port = "20-22"
[[rule]]
name = "protocol"
action = "drop"
protocol = "tcp"
"#
        .replace("counts everything", "everything")
        .as_str(),
    );
}

#[test]
fn there_is_room_for_64_lines() {
    let one = |number: usize| {
        format!("[[rule]]\nname = \"r{number}\"\naction = \"drop\"\nprotocol = \"tcp\"\nport = {}\n", number + 1)
    };
    assert_eq!(rules(&(0..64).map(one).collect::<String>()).len(), 64);
}
