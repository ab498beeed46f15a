//! Looking a source up in the lists. For the tables see [`lb_common::ListHead`]'s module.

use lb_common::{
    Address, FINGERPRINTS_PER_LINE, Fingerprint, LIST_LENGTH_WORDS, LIST_LINE_WORDS, ListClass, ListHead, ListMatch,
    LongEntry, MAX_CHAIN, Slot, SlotPlace,
};

/// The tables of the lists. User space writes them while they are read: every word is read once.
pub trait ListTable {
    /// What the tables say of themselves.
    fn head(&self) -> Option<&ListHead>;

    /// A word of [`ListHead::lengths_v6`].
    fn lengths_v6(&self, word: u32) -> u64;

    /// A word of the bits for each /24.
    fn bits(&self, word: u32) -> Option<u64>;

    /// A word of the slots for each /20.
    fn dir(&self, word: u32) -> Option<u64>;

    /// A word of the blocks of slots for each /24.
    fn block(&self, word: u32) -> Option<u64>;

    /// A line of entries of IPv4.
    fn line_v4(&self, line: u32) -> Option<impl Line>;

    /// A line of fingerprints.
    fn line_v6(&self, line: u32) -> Option<impl Line>;

    /// A word of the bits for fingerprints.
    fn guard(&self, word: u32) -> Option<u64>;

    /// A class.
    fn class(&self, class: u32) -> Option<ListClass>;

    /// Seconds since the machine started.
    fn now_s(&self) -> u32;

    /// The class of the entry with exactly this prefix of 25 to 32 bits, or 0: what [`long`] says.
    ///
    /// This and the next three are asked of the tables so that the verifier looks at each once: they have many ways out.
    fn long(&self, address: u32, length: u32) -> u32;

    /// The class of exactly this prefix of an IPv6 address, or 0: what [`prefix_v6`] says.
    fn prefix_v6(&self, address: &Address, bits: u32) -> u32;

    /// What the prefixes of some lengths say of an IPv6 address: what [`prefixes_v6`] says.
    fn prefixes_v6(&self, address: &Address, lists: u64, lengths: u64) -> ListMatch;

    /// What a class means, if only some lists are asked: what [`meet`] says.
    fn meet(&self, class: u32, lists: u64) -> ListMatch;
}

/// A line of a table, which is one cache line.
pub trait Line {
    /// The word with a number below [`LIST_LINE_WORDS`].
    fn word(&self, number: u32) -> u64;
}

/// What the lists say of a source, if only some of them are asked.
#[inline(always)]
pub fn find(source: &Address, lists: u64, table: &impl ListTable) -> Option<ListMatch> {
    if source.is_v4() { find_v4(source.low(), lists, table) } else { find_v6(source, lists, table) }
}

/// Whether anything covers any of an address's /24.
#[inline(always)]
pub fn may_be_listed(address: u32, table: &impl ListTable) -> bool {
    let slash24 = address >> 8;
    table.bits(slash24 >> 6).is_some_and(|bits| bits >> (slash24 & 63) & 1 != 0)
}

/// Most packets end at the bit of their /24. What leads to its slot is read before an entry for the one address is looked for:
/// neither has to wait for the other.
#[inline(always)]
fn find_v4(address: u32, lists: u64, table: &impl ListTable) -> Option<ListMatch> {
    if !may_be_listed(address, table) {
        return None;
    }
    let slash24 = address >> 8;
    let place = SlotPlace::in_dir(slash24 >> 4);
    let all = Slot::of_word(table.dir(place.word)?, place);
    let single = table.long(address, 32);
    let slot = slot(all, slash24, table)?;
    let mut found = ListMatch::NONE;
    if single != 0 {
        found = table.meet(single, lists);
    }
    if slot.lengths() != 0 {
        found = found.or(between(address, slot.lengths(), lists, table));
    }
    if slot.class() != 0 {
        found = found.or(table.meet(slot.class(), lists));
    }
    Some(found)
}

/// The slot of a /24, where its /20 has this one.
#[inline(always)]
fn slot(all: Slot, slash24: u32, table: &impl ListTable) -> Option<Slot> {
    let Some(block) = all.as_block() else { return Some(all) };
    let place = SlotPlace::in_block(block, slash24);
    Some(Slot::of_word(table.block(place.word)?, place))
}

/// What the prefixes from /31 to /25 say.
#[inline(always)]
fn between(address: u32, lengths: u32, lists: u64, table: &impl ListTable) -> ListMatch {
    let mut found = ListMatch::NONE;
    for shorter in 1..8 {
        let length = 32 - shorter;
        if lengths >> (length - 25) & 1 != 0 {
            let class = table.long(address >> shorter << shorter, length);
            if class != 0 {
                found = found.or(table.meet(class, lists));
            }
        }
    }
    found
}

/// Every length in use is asked for, eight at a time.
#[inline(always)]
fn find_v6(address: &Address, lists: u64, table: &impl ListTable) -> Option<ListMatch> {
    let mut found = ListMatch::NONE;
    for word in 0..LIST_LENGTH_WORDS as u32 {
        let lengths = table.lengths_v6(word);
        if lengths == 0 {
            break;
        }
        found = found.or(table.prefixes_v6(address, lists, lengths));
    }
    Some(found)
}

/// What the prefixes of up to eight lengths say of an IPv6 address; `lengths` is a word of [`ListHead::lengths_v6`].
#[inline(always)]
pub fn prefixes_v6(address: &Address, lists: u64, lengths: u64, table: &impl ListTable) -> ListMatch {
    let mut found = ListMatch::NONE;
    for byte in 0..8 {
        let length = (lengths >> (8 * byte)) as u8;
        if length != 0 {
            let bits = u32::from(length) - 1;
            let class = table.prefix_v6(address, bits);
            if class != 0 {
                found = found.or(table.meet(class, lists).by(bits));
            }
        }
    }
    found
}

/// The class of the entry with exactly this prefix of 25 to 32 bits; 0 if there is none.
#[inline(always)]
pub fn long(address: u32, length: u32, table: &impl ListTable) -> u32 {
    let Some(head) = table.head() else { return 0 };
    let [first, second] = head.long_lines(address, length);
    let Some(line) = table.line_v4(first) else { return 0 };
    let class = long_in(&line, address, length);
    // Read behind the entries: whoever moves one marks the line first.
    if class != 0 || !LongEntry::is_spilled(line.word(0)) {
        return class;
    }
    let Some(line) = table.line_v4(second) else { return 0 };
    long_in(&line, address, length)
}

#[inline(always)]
fn long_in(line: &impl Line, address: u32, length: u32) -> u32 {
    for number in 0..LIST_LINE_WORDS as u32 {
        let class = LongEntry::from_word(line.word(number)).class_of(address, length);
        if class != 0 {
            return class;
        }
    }
    0
}

/// The class of exactly this prefix of an IPv6 address; 0 if there is none.
#[inline(always)]
pub fn prefix_v6(address: &Address, bits: u32, table: &impl ListTable) -> u32 {
    let Some(head) = table.head() else { return 0 };
    let fingerprint = head.fingerprint(&address.prefix(bits as u8), bits);
    let guard = fingerprint.guard(head);
    match table.guard(guard >> 6) {
        Some(word) if word >> (guard & 63) & 1 != 0 => {}
        _ => return 0,
    }
    let [first, second] = fingerprint.lines(head);
    let Some(line) = table.line_v6(first) else { return 0 };
    let class = class_in(&line, fingerprint);
    if class != 0 || !Fingerprint::is_spilled(line.word(1)) {
        return class;
    }
    let Some(line) = table.line_v6(second) else { return 0 };
    class_in(&line, fingerprint)
}

#[inline(always)]
fn class_in(line: &impl Line, fingerprint: Fingerprint) -> u32 {
    for number in 0..FINGERPRINTS_PER_LINE as u32 {
        if line.word(2 * number) == fingerprint.word() {
            let class = fingerprint.class_of(line.word(2 * number + 1));
            if class != 0 {
                return class;
            }
        }
    }
    0
}

/// What a class means, if only some lists are asked, and all that is behind it. What has expired means nothing; the clock is
/// read only for what expires.
#[inline(always)]
pub fn meet(class: u32, lists: u64, table: &impl ListTable) -> ListMatch {
    let (mut found, mut class) = (ListMatch::NONE, class);
    for _ in 0..MAX_CHAIN {
        if class == 0 {
            break;
        }
        let Some(meaning) = table.class(class) else { break };
        let asked = meaning.lists & lists;
        let expires_s = meaning.expires_s();
        if asked != 0 && (expires_s == 0 || table.now_s() < expires_s) {
            found = found.or(ListMatch::new(asked, class, 128));
        }
        class = meaning.next();
    }
    found
}
