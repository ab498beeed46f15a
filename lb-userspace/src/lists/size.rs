//! How large the tables are: as their entries need, so that somebody with ten entries does not pay for ten million.

use lb_common::{
    COUNTED_ENTRIES, FINGERPRINTS_PER_LINE, LEAST_SINGLE_LINES, LIST_LINE_WORDS, MAX_CLASSES, SingleEntry,
};

use super::{content::Lists, prefixes::Net4};

/// How large a set of tables is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Lines of single addresses of IPv4.
    pub singles: u32,
    /// Lines of other long entries of IPv4.
    pub lines_v4: u32,
    /// Blocks of slots.
    pub blocks: u32,
    /// Lines of fingerprints.
    pub lines_v6: u32,
    /// There are `1 << guard_bits` bits that say which prefixes of IPv6 there may be.
    pub guard_bits: u32,
    /// Classes.
    pub classes: u32,
}

/// Lines are made for twice their entries, and refuse more when they are this full, in hundredths. A line of eight with two
/// choices works up to 99 % and one of four up to 98 % (Dietzfelbinger and others), but near that moves become long. Lines of
/// single addresses are filled more, because what is nearer is read sooner: to so many hundredths when they are made.
const MADE_SINGLES_PERCENT: usize = 75;
const FULL_SINGLES_PERCENT: usize = 90;
const FULL_V4_PERCENT: usize = 75;
const FULL_V6_PERCENT: usize = 65;

/// No table has more lines: 1 GiB.
const MAX_LINES: u32 = 1 << 24;

/// Bits of the guards for each fingerprint. Of strangers, one in seventy finds both of his set; one in twenty where every prefix
/// is in a /32 of its own, which has a guard, too.
const BITS_PER_FINGERPRINT: usize = 16;

impl Sizes {
    /// The smallest: 10.5 MB, of which the sieve, the hints and a slot for each /20 are 8.9 MB.
    pub const LEAST: Self = Self {
        singles: LEAST_SINGLE_LINES,
        lines_v4: 1024,
        blocks: 2048,
        lines_v6: 512,
        guard_bits: 15,
        classes: COUNTED_ENTRIES + 4096,
    };

    /// Those that a program begins with: 23 MB, so that a list of a million prefixes of IPv4 as they are in use (four of five are
    /// single addresses) needs no other program, whose verification alone takes longer than filling them.
    pub const FIRST: Self = Self { singles: 72 << 10, lines_v4: 8 << 10, blocks: 128 << 10, ..Self::LEAST };

    /// What some lists need, with room to grow: during a change, what was there and what will be there stand side by side.
    pub(crate) fn of(lists: &Lists) -> Self {
        let mut need = Need::default();
        lists.0.values().for_each(|list| need.add(list));
        let blocks = if need.lists_with_blocks > 1 { need.shared_blocks } else { need.blocks };
        let guard_bits = (need.v6 * BITS_PER_FINGERPRINT).next_power_of_two().ilog2();
        Self {
            singles: Self::LEAST
                .singles
                .max((need.singles * 100 / (MADE_SINGLES_PERCENT * SingleEntry::PER_LINE)) as u32),
            lines_v4: Self::LEAST.lines_v4.max((2 * need.long / LIST_LINE_WORDS) as u32),
            blocks: Self::LEAST.blocks.max((blocks + blocks / 4 + 1024).min(1 << 20) as u32),
            lines_v6: Self::LEAST.lines_v6.max((2 * need.v6 / FINGERPRINTS_PER_LINE) as u32),
            guard_bits: guard_bits.clamp(Self::LEAST.guard_bits, 31),
            classes: (Self::LEAST.classes as usize + 4 * need.classes).min(MAX_CLASSES as usize) as u32,
        }
    }

    /// The same and half as much again, for when entries found no place by chance; `None` if that is absurd.
    pub(crate) fn larger(self) -> Option<Self> {
        let more = |size: u32| size.checked_add(size / 2).filter(|&size| size <= MAX_LINES);
        Some(Self {
            singles: more(self.singles)?,
            lines_v4: more(self.lines_v4)?,
            blocks: (self.blocks + self.blocks / 2).min(1 << 20),
            lines_v6: more(self.lines_v6)?,
            guard_bits: self.guard_bits,
            classes: (self.classes + self.classes / 2).min(MAX_CLASSES),
        })
    }

    /// How many single addresses of IPv4 it takes.
    pub(super) const fn most_singles(&self) -> usize {
        self.singles as usize * SingleEntry::PER_LINE * FULL_SINGLES_PERCENT / 100
    }

    /// How many other long entries of IPv4 it takes.
    pub(super) const fn most_v4(&self) -> usize {
        self.lines_v4 as usize * LIST_LINE_WORDS * FULL_V4_PERCENT / 100
    }

    /// How many prefixes of IPv6 it takes.
    pub(super) const fn most_v6(&self) -> usize {
        self.lines_v6 as usize * FINGERPRINTS_PER_LINE * FULL_V6_PERCENT / 100
    }

    /// How many bytes the tables have that grow with their entries, and those that do not.
    pub fn bytes(&self) -> usize {
        super::Region::OF_A_SET.iter().map(|region| region.words(self) * 8).sum()
    }
}

/// What entries need at the most; a prefix on several lists counts several times.
#[derive(Default)]
struct Need {
    singles: usize,
    long: usize,
    /// If one list has prefixes between /20 and /32: a /20 with one of up to /24 needs no block.
    blocks: usize,
    /// If several have: each may have put one more into the same /20.
    shared_blocks: usize,
    lists_with_blocks: usize,
    v6: usize,
    classes: usize,
}

impl Need {
    fn add(&mut self, list: &super::List) {
        let (bulk, own) = (&list.bulk, &list.own);
        let singles = bulk.long.iter().filter(|net| net.length() == 32).count();
        self.singles += singles + own.long.nets.len();
        // What has a counter of its own needs a long entry, too.
        self.long += bulk.long.len() - singles + own.long.nets.len();
        self.v6 += bulk.v6.len() + own.v6.nets.len();
        let longer = |nets: &[Net4], most: usize| slash20s(nets.iter().filter(|net| net.length() > 20), most);
        let mids = |nets: &[Net4]| slash20s(nets.iter().filter(|net| net.length() < 32), 0);
        // What has a counter of its own always needs a block.
        let always = mids(&bulk.long) + mids(&own.long.nets) + longer(&own.short.nets, 0);
        let all = always + longer(&bulk.short, 0);
        self.blocks += always + longer(&bulk.short, 1);
        self.shared_blocks += all;
        self.lists_with_blocks += usize::from(all > 0);
        let lives = [&own.short.expiries_s, &own.long.expiries_s, &own.v6.expiries_s];
        let expiring: usize = lives.iter().map(|lives| lives.iter().filter(|&&expires_s| expires_s != 0).count()).sum();
        self.classes += expiring + own.short.nets.len();
    }
}

/// How many /20s there are that more than `most` of some sorted prefixes are in.
fn slash20s<'a>(nets: impl Iterator<Item = &'a Net4>, most: usize) -> usize {
    let (mut last, mut inside) = (None, 0);
    nets.filter(|net| {
        let slash20 = Some(net.address() >> 12);
        inside = if last == slash20 { inside + 1 } else { 1 };
        last = slash20;
        inside == most + 1
    })
    .count()
}
