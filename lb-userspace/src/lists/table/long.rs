//! Prefixes of IPv4 from /25 on: single addresses, and the others.

use lb_common::{ListClass, LongEntry, Single, SingleEntry};

use super::{Full, ListTables, Members, lines};
use crate::lists::{Lists, Memory, Net4, content};

/// Entries that a change takes away.
#[derive(Default)]
pub(super) struct Doomed {
    singles: Vec<(Single, u32)>,
    long: Vec<LongEntry>,
    /// Packets may be on their way from the entry of a single address, which stays, to its longer one.
    are_awaited: bool,
}

impl<M: Memory> ListTables<M> {
    /// Writes new and changed entries; returns those that are to be removed. Who is sent from one entry to another finds it:
    /// the other is written first.
    pub(super) fn put_long(&mut self, nets: &[Net4], to: &Lists) -> Result<Doomed, Full> {
        let Self { memory, head, classes, sizes, .. } = self;
        let mut singles = self.singles.fill(memory, head, sizes.most_singles());
        let mut long = self.long.fill(memory, head, sizes.most_v4());
        let mut members = Members::new(to, content::LONG);
        let (mut doomed, mut elsewhere) = (Doomed::default(), Vec::new());
        for nets in nets.chunks(lines::BATCH) {
            singles.fetch(nets.iter().map(|net| (head.single(net.address()), 0)));
            for &net in nets {
                let class = classes.of(memory, net, members.of(net), 0)?;
                let entry = LongEntry::new(net.address(), net.length(), class);
                let code = ListClass::code(class);
                let is_single = net.length() == 32;
                if class != 0 && (code == SingleEntry::ELSEWHERE || !is_single) {
                    long.put(entry)?;
                } else if long.has(entry) {
                    doomed.long.push(entry);
                    doomed.are_awaited |= class != 0;
                }
                let single = (head.single(net.address()), code);
                match code {
                    _ if !is_single => {}
                    0 => doomed.singles.push(single),
                    SingleEntry::ELSEWHERE => elsewhere.push(single),
                    _ => singles.put(single)?,
                }
            }
        }
        long.settle(self.is_quiet)?;
        elsewhere.into_iter().try_for_each(|single| singles.put(single))?;
        singles.settle(self.is_quiet)?;
        Ok(doomed)
    }

    /// Removes entries.
    pub(super) fn remove_long(&mut self, doomed: &Doomed) {
        let Self { memory, head, .. } = self;
        self.singles.remove(memory, head, &doomed.singles);
        if doomed.are_awaited && !self.is_quiet {
            memory.grace();
        }
        self.long.remove(memory, head, &doomed.long);
    }
}
