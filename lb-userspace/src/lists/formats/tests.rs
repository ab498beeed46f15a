//! The formats in use, and what is none.

use proptest::prelude::*;

use super::{line, parse, write};

fn nets(text: &str) -> Vec<String> {
    let parsed = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    parsed.prefixes.iter().map(|net| net.to_string()).collect()
}

fn refused(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn one_prefix_a_line_with_comments() {
    let text = "\u{feff}# a list\r\n192.0.2.7\r\n  198.51.100.0/24  # scanners\n\n2001:db8::/32 ; and more\n10.0.0.0/8";
    assert_eq!(nets(text), ["10.0.0.0/8", "192.0.2.7/32", "198.51.100.0/24", "2001:db8::/32"]);
    assert_eq!(nets(""), [""; 0]);
}

#[test]
fn spamhaus_drop_as_text_and_as_json() {
    let text = "; Spamhaus DROP List\n; Expires: never\n192.0.2.0/24 ; SBL1\n198.51.100.0/22 ; SBL2\n";
    let json = "{\"cidr\":\"192.0.2.0/24\",\"sblid\":\"SBL1\",\"rir\":\"ripencc\"}\n{\"cidr\":\"198.51.100.0/22\",\"sblid\":\"SBL2\"}\n\
                {\"type\":\"metadata\",\"timestamp\":1,\"size\":2}\n";
    assert_eq!(nets(text), ["192.0.2.0/24", "198.51.100.0/22"]);
    assert_eq!(nets(json), nets(text));
}

#[test]
fn what_ipset_saves() {
    let text = "create bad hash:net family inet hashsize 1024 maxelem 65536\nadd bad 192.0.2.0/24\n\
                add bad 198.51.100.7 timeout 300 comment \"x\"\n";
    assert_eq!(nets(text), ["192.0.2.0/24", "198.51.100.7/32"]);
    assert_eq!(
        refused("add bad 192.0.2.0/25 nomatch\n"),
        "line 1: 192.0.2.0/25 is an exception (`nomatch`): put it into an allow list instead\ncorrect them, or remove them"
    );
}

#[test]
fn a_prefix_that_stands_there_twice_is_kept_once() {
    let parsed = parse(b"192.0.2.7\n192.0.2.7/32\n192.0.2.0/24\n2001:db8::1\n2001:db8::1\n").unwrap();
    assert_eq!((parsed.prefixes.len(), parsed.duplicates), (3, 2));
}

#[test]
fn a_web_page_is_no_list() {
    for page in ["<!DOCTYPE html>\n<html>", "  \n<html lang=en>"] {
        assert!(refused(page).starts_with("this is a web page and not a list"));
    }
}

#[test]
fn wrong_lines_are_named_and_nothing_is_taken() {
    let text = "192.0.2.7\n192.0.2.1/24\nnonsense\n192.0.2.1-192.0.2.9\n10.0.0.1 10.0.0.2\n{\"x\":1}\n::ffff:10.0.0.1\n300.1.1.1\n";
    assert_eq!(
        refused(text),
        "line 2: `192.0.2.1/24` has bits set behind its length; write `192.0.2.0/24` for the whole prefix, or `192.0.2.1` for \
         the one address\n\
         line 3: `nonsense` is neither an address nor a prefix; write `192.0.2.7`, `192.0.2.0/24` or `2001:db8::/32`\n\
         line 4: `192.0.2.1-192.0.2.9` is a range: write it as prefixes\n\
         line 5: `10.0.0.2` stands behind 10.0.0.1, and a line has one prefix: write `#` in front of remarks\n\
         line 6: this has no `cidr`\n\
         and 2 more wrong lines\n\
         correct them, or remove them"
    );
    assert!(parse(b"192.0.2.7\n\xff\xfe\n").unwrap_err().to_string().starts_with("line 2: this is not text"));
}

proptest! {
    /// The short way reads nothing that the long way would not, and reads it the same way.
    #[test]
    fn the_short_way_agrees_with_the_long_one(line in "[0-9]{1,3}(\\.[0-9]{0,3}){2,4}(/[0-9]{0,3})?\r?") {
        if let Some((address, length)) = line::plain_v4(line.as_bytes()) {
            let expected = line::read(line.as_bytes()).unwrap().unwrap();
            prop_assert_eq!(format!("{}/{length}", std::net::Ipv4Addr::from_bits(address)), expected.to_string());
        }
    }

    #[test]
    fn what_is_written_is_read_again(v4 in prop::collection::vec((any::<u32>(), 0..=32_u8), 0..20), v6 in prop::collection::vec((any::<u128>(), 0..=128_u8), 0..20)) {
        let v4 = v4.into_iter().map(|(bits, length)| ipnet::IpNet::new_assert(std::net::Ipv4Addr::from_bits(bits).into(), length));
        let v6 = v6.into_iter().map(|(bits, length)| ipnet::IpNet::new_assert(std::net::Ipv6Addr::from_bits(bits).into(), length));
        // IPv4 in IPv6 form is refused, and is another matter.
        let v6 = v6.filter(|net| !matches!(net.addr(), std::net::IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some()));
        let prefixes: crate::lists::Prefixes = v4.chain(v6).map(|net| net.trunc()).collect();
        let text = write(prefixes.iter().map(|net| (net, Some("a remark"))));
        prop_assert_eq!(parse(text.as_bytes()).unwrap().prefixes, prefixes);
    }
}
