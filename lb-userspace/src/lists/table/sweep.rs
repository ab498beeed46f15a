//! Prefixes of IPv4 up to /24: each /24 has the class of the longest, behind which stand the shorter ones.

use lb_common::Slot;

use super::{Full, ListTables, Members, hints::Touched, slots::SlotTable};
use crate::lists::{Lists, Memory, Net4, content};

/// Sweeping everything costs about as much as sweeping this many prefixes one by one, and as all prefixes over `SHARE`.
const WHOLE: usize = 20_000;
const SHARE: usize = 8;

impl<M: Memory> ListTables<M> {
    /// Writes the classes of the /24s that changed prefixes cover.
    pub(super) fn sweep(&mut self, nets: &[Net4], to: &Lists, touched: &mut Touched) -> Result<(), Full> {
        let all: usize = to.0.values().map(|list| list.bulk.short.len() + list.own.short.nets.len()).sum();
        let mut members = Members::new(to, content::SHORT);
        if nets.len() > WHOLE + all / SHARE {
            return self.sweep_one(Net4::new(0, 0), 0, &mut members, touched);
        }
        let lengths = lengths(to);
        let mut end = 0;
        for &net in nets {
            let (from, to) = net.slash24s();
            // What is in a prefix that was swept has been swept with it.
            if to > end {
                self.sweep_one(net, lengths, &mut members, touched)?;
                debug_assert!(from >= end);
                end = to;
            }
        }
        Ok(())
    }

    /// `lengths` has a bit for each length that may be around the prefix.
    fn sweep_one(
        &mut self,
        net: Net4,
        lengths: u32,
        members: &mut Members<'_, Net4>,
        touched: &mut Touched,
    ) -> Result<(), Full> {
        let Self { memory, classes, slots, .. } = self;
        let (start, end) = net.slash24s();
        let mut class = 0;
        for length in (0..net.length()).filter(|length| lengths >> length & 1 != 0) {
            let around = Net4::around(net.address(), length);
            class = classes.of(memory, around, members.of(around), class)?;
        }
        let mut inside: Vec<Net4> = members.between(net, Net4::new((end - 1) << 8 | 0xff, 0xff)).collect();
        inside.sort_unstable();
        inside.dedup();
        // Prefixes that are open, with their ends, and what there was before them.
        let mut open: Vec<(u32, u32)> = Vec::new();
        let mut place = start;
        for net in inside {
            let (from, to) = net.slash24s();
            while let Some((end, before)) = open.pop_if(|(end, _)| *end <= from) {
                slots.set_class(memory, place, end, class)?;
                (place, class) = (end, before);
            }
            slots.set_class(memory, place, from, class)?;
            place = from;
            open.push((to, class));
            class = classes.of(memory, net, members.of(net), class)?;
        }
        while let Some((end, before)) = open.pop() {
            slots.set_class(memory, place, end, class)?;
            (place, class) = (end, before);
        }
        slots.set_class(memory, place, end, class)?;
        touched.range(start, end);
        Ok(())
    }

    /// Adds the lengths from /25 to /31 that there are in some /24s.
    pub(super) fn add_lengths(&mut self, slash24s: &[u32], to: &Lists) -> Result<(), Full> {
        self.write_lengths(slash24s, to, |slot, lengths| slot.lengths() | lengths)
    }

    /// Leaves only the lengths from /25 to /31 that there are in some /24s.
    pub(super) fn set_lengths(&mut self, slash24s: &[u32], to: &Lists) -> Result<(), Full> {
        self.write_lengths(slash24s, to, |_, lengths| lengths)
    }

    fn write_lengths(&mut self, slash24s: &[u32], to: &Lists, wanted: fn(Slot, u32) -> u32) -> Result<(), Full> {
        let mut members = Members::new(to, content::LONG);
        for &slash24 in slash24s {
            let (first, end) = (Net4::new(slash24 << 8, 0), Net4::new(slash24 << 8 | 0xff, 0xff));
            let lengths = members.between(first, end).map(Net4::length).filter(|&length| length < 32);
            let lengths = lengths.fold(0, |lengths, length| lengths | 1 << (length - 25));
            let slot = SlotTable::of(&self.memory, slash24);
            let slot = Slot::new(slot.class(), wanted(slot, lengths));
            self.slots.set(&self.memory, slash24, slot)?;
        }
        Ok(())
    }
}

/// A bit for each length up to /24 that there is.
fn lengths(lists: &Lists) -> u32 {
    let nets = lists.0.values().flat_map(|list| list.bulk.short.iter().chain(&list.own.short.nets));
    nets.fold(0, |lengths, net| lengths | 1 << net.length())
}
