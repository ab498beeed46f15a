//! Looking a source up in the lists. For the tables see [`lb_common::ListHead`]'s module.

use core::ops::Range;

use lb_common::{
    Address, FINGERPRINTS_PER_LINE, Fingerprint, Guard, Hint, LIST_LENGTH_WORDS, LIST_LINE_WORDS,
    LIST_SHORT_LENGTH_WORDS, ListClass, ListHead, ListMatch, LongEntry, MAX_CHAIN, Single, SingleEntry, Slot,
    SlotPlace,
};

/// The tables of the lists. User space writes them while they are read: every word is read once.
pub trait ListTable {
    /// What the tables say of themselves.
    fn head(&self) -> Option<&ListHead>;

    /// A word of [`ListHead::lengths_v6`].
    fn lengths_v6(&self, word: u32) -> u64;

    /// A word of the bits for each /22.
    fn sieve(&self, word: u32) -> Option<u64>;

    /// A word of the hints for each /24.
    fn hints(&self, word: u32) -> Option<u64>;

    /// A word of the slots for each /20.
    fn dir(&self, word: u32) -> Option<u64>;

    /// A word of the blocks of slots for each /24.
    fn block(&self, word: u32) -> Option<u64>;

    /// A line of single addresses.
    fn singles(&self, line: u32) -> Option<impl Line>;

    /// A line of other entries of IPv4.
    fn line_v4(&self, line: u32) -> Option<impl Line>;

    /// A line of fingerprints.
    fn line_v6(&self, line: u32) -> Option<impl Line>;

    /// A word of the guards.
    fn guard(&self, word: u32) -> Option<u64>;

    /// A class.
    fn class(&self, class: u32) -> Option<ListClass>;

    /// Seconds since the machine started.
    fn now_s(&self) -> u32;

    /// What some lists say of an IPv4 address that may be listed: what [`find_v4`] says.
    ///
    /// This and the next six are asked of the tables so that the verifier looks at each once: they have many ways out.
    fn find_v4(&self, address: u32, lists: u64) -> ListMatch;

    /// What some lists say of an IPv6 address: what [`find_v6`] says.
    fn find_v6(&self, address: &Address, lists: u64) -> ListMatch;

    /// What the prefixes around an IPv4 address say: what [`around`] says.
    fn around(&self, address: u32, lists: u64) -> ListMatch;

    /// The class of the entry with exactly this prefix of 25 to 32 bits, or 0: what [`long`] says.
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

/// What the lists say of a source, if only some of them are asked. Most packets end at the bit of their /22.
#[inline(always)]
pub fn find(source: &Address, lists: u64, table: &impl ListTable) -> ListMatch {
    if !source.is_v4() {
        return table.find_v6(source, lists);
    }
    let slash22 = source.low() >> 10;
    if !table.sieve(slash22 / 64).is_some_and(|word| word >> (slash22 % 64) & 1 != 0) {
        return ListMatch::NONE;
    }
    table.find_v4(source.low(), lists)
}

/// What the lists say of an IPv4 address in whose /22 there is something.
#[inline(always)]
pub fn find_v4(address: u32, lists: u64, table: &impl ListTable) -> ListMatch {
    let slash24 = address >> 8;
    let Some(word) = table.hints(slash24 / Hint::PER_WORD) else { return ListMatch::NONE };
    let hint = Hint::of_word(word, slash24);
    if hint.is_empty() {
        return ListMatch::NONE;
    }
    // Read before the others are: neither waits for the other.
    let single = if hint.has_singles() { single(address, table) } else { 0 };
    let mut found = ListMatch::NONE;
    if hint.has_slot() {
        found = table.around(address, lists);
    }
    if single == 0 {
        return found;
    }
    meaning(single, lists, table).or(found)
}

/// What a class means: most have no lifetime, and nothing behind them.
#[inline(always)]
fn meaning(class: u32, lists: u64, table: &impl ListTable) -> ListMatch {
    match table.class(class) {
        Some(ListClass { lists: on, life: 0 }) if on & lists != 0 => ListMatch::new(on & lists, class, 128),
        _ => table.meet(class, lists),
    }
}

/// What the prefixes up to /31 around an IPv4 address say.
#[inline(always)]
pub fn around(address: u32, lists: u64, table: &impl ListTable) -> Option<ListMatch> {
    let slash24 = address >> 8;
    let place = SlotPlace::in_dir(slash24 >> 4);
    let slot = slot(Slot::of_word(table.dir(place.word)?, place), slash24, table)?;
    let mut found = ListMatch::NONE;
    if slot.lengths() != 0 {
        found = between(address, slot.lengths(), lists, table);
    }
    if slot.class() != 0 {
        found = found.or(meaning(slot.class(), lists, table));
    }
    Some(found)
}

/// The slot of a /24, where its /20 has this one.
#[inline(always)]
fn slot(all: Slot, slash24: u32, table: &impl ListTable) -> Option<Slot> {
    let Some(block) = all.as_block() else { return Some(all.at(slash24)) };
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

/// What the lists say of an IPv6 address. Most end at the guard of what is inside their /32; else every length in use is asked
/// for, eight at a time.
#[inline(always)]
pub fn find_v6(address: &Address, lists: u64, table: &impl ListTable) -> ListMatch {
    let Some(head) = table.head() else { return ListMatch::NONE };
    let is_inside = may_be(head.guard_inside(address), table);
    let found = of_lengths(0..LIST_SHORT_LENGTH_WORDS, address, lists, table);
    if !is_inside {
        return found;
    }
    found.or(of_lengths(LIST_SHORT_LENGTH_WORDS..LIST_LENGTH_WORDS, address, lists, table))
}

#[inline(always)]
fn of_lengths(words: Range<usize>, address: &Address, lists: u64, table: &impl ListTable) -> ListMatch {
    let mut found = ListMatch::NONE;
    for word in words {
        let lengths = table.lengths_v6(word as u32);
        if lengths == 0 {
            break;
        }
        found = found.or(table.prefixes_v6(address, lists, lengths));
    }
    found
}

/// What the prefixes of up to eight lengths say of an IPv6 address; `lengths` is a word of [`ListHead::lengths_v6`].
#[inline(always)]
pub fn prefixes_v6(address: &Address, lists: u64, lengths: u64, table: &impl ListTable) -> ListMatch {
    let mut found = ListMatch::NONE;
    let Some(head) = table.head() else { return found };
    for byte in 0..8 {
        let length = (lengths >> (8 * byte)) as u8;
        if length == 0 {
            break;
        }
        let bits = u32::from(length) - 1;
        if may_be(head.guard(&address.prefix(bits as u8), bits), table) {
            let class = table.prefix_v6(address, bits);
            if class != 0 {
                found = found.or(meaning(class, lists, table).by(bits));
            }
        }
    }
    found
}

/// Whether there may be what a guard is for.
#[inline(always)]
fn may_be(guard: Guard, table: &impl ListTable) -> bool {
    table.guard(guard.word).is_some_and(|word| guard.is_in(word))
}

/// The class of the entry for the one address; 0 if there is none.
#[inline(always)]
fn single(address: u32, table: &impl ListTable) -> u32 {
    let Some(head) = table.head() else { return 0 };
    let single = head.single(address);
    let Some(line) = table.singles(single.first_line(head)) else { return 0 };
    let mut code = code_in(&line, single, false);
    // Few lines are, so this is foretold right. The mark is read behind the entries: whoever moves one marks the line first.
    if SingleEntry::is_spilled(line.word(0)) && code == 0 {
        let Some(line) = table.singles(single.second_line(head)) else { return 0 };
        code = code_in(&line, single, true);
    }
    match code {
        0 => 0,
        SingleEntry::ELSEWHERE => table.long(address, 32),
        code => ListClass::of_code(code),
    }
}

/// The code of an address if it stands in a line; 0 if it does not.
#[inline(always)]
fn code_in(line: &impl Line, single: Single, is_second: bool) -> u32 {
    (0..LIST_LINE_WORDS as u32).fold(0, |code, number| code | single.code_in(line.word(number), is_second))
}

/// The class of the entry with exactly this prefix of 25 to 32 bits; 0 if there is none.
#[inline(always)]
pub fn long(address: u32, length: u32, table: &impl ListTable) -> u32 {
    let Some(head) = table.head() else { return 0 };
    let [first, second] = head.long_lines(address, length);
    let Some(line) = table.line_v4(first) else { return 0 };
    let (class, is_spilled) = long_in(&line, address, length);
    if class != 0 || !is_spilled {
        return class;
    }
    let Some(line) = table.line_v4(second) else { return 0 };
    long_in(&line, address, length).0
}

/// The class of the entry with a prefix if it stands in a line, and whether the line has once been full. The word that says so
/// is read behind the others: whoever moves an entry marks the line first.
#[inline(always)]
fn long_in(line: &impl Line, address: u32, length: u32) -> (u32, bool) {
    let mut class = 0;
    for number in (1..LIST_LINE_WORDS as u32).rev() {
        class |= LongEntry::from_word(line.word(number)).class_of(address, length);
    }
    let first = line.word(0);
    (class | LongEntry::from_word(first).class_of(address, length), LongEntry::is_spilled(first))
}

/// The class of exactly this prefix of an IPv6 address; 0 if there is none.
#[inline(always)]
pub fn prefix_v6(address: &Address, bits: u32, table: &impl ListTable) -> u32 {
    let Some(head) = table.head() else { return 0 };
    let fingerprint = head.fingerprint(&address.prefix(bits as u8), bits);
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
    let mut class = 0;
    for number in 0..FINGERPRINTS_PER_LINE as u32 {
        class |= fingerprint.class_of(line.word(2 * number), line.word(2 * number + 1));
    }
    class
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
