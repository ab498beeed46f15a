//! The `services` table as a map: see [`lb_common::ServiceLine`].
//!
//! The datapath reads while entries are written, so every step leaves the table right: a value stands before its key does, an
//! entry that moves aside stands in its new place before it leaves the old one, and a value is replaced by one word. A daemon
//! that dies in between leaves an entry twice, with the same value; both are found again when it is changed or removed.

use std::io;

use aya::maps::{Array, MapData, MapError};
use lb_common::{ENTRIES_PER_LINE, EndpointKey, ServiceEntry, ServiceLine, ServiceValue};

use super::Plain;

/// How many entries are moved aside at the most to make room for one. The table is 63 % full at the most, and then one or two are.
const MAX_MOVES: u32 = 5;

/// The table in the kernel.
pub(super) struct Services {
    array: Array<MapData, Plain<ServiceLine>>,
    lines: Lines,
}

impl Services {
    /// Reads what the table holds.
    pub(super) fn open(array: Array<MapData, Plain<ServiceLine>>) -> Result<Self, MapError> {
        let lines = array.iter().map(|line| line.map(|Plain(line)| line)).collect::<Result<_, _>>()?;
        Ok(Self { array, lines: Lines(lines) })
    }

    /// The services.
    pub(super) fn iter(&self) -> impl Iterator<Item = (EndpointKey, ServiceValue)> {
        self.lines.iter()
    }

    /// Adds a service, or changes its value.
    pub(super) fn insert(&mut self, key: EndpointKey, value: ServiceValue) -> Result<(), MapError> {
        let full = || MapError::IoError(io::Error::new(io::ErrorKind::StorageFull, "there is no room for this key"));
        let mut steps = Vec::new();
        let inserted = self.lines.insert(ServiceEntry { key, value }, &mut steps);
        self.write(&steps)?;
        inserted.ok_or_else(full)
    }

    /// Removes a service.
    pub(super) fn remove(&mut self, key: &EndpointKey) -> Result<(), MapError> {
        let mut steps = Vec::new();
        self.lines.remove(key, &mut steps);
        self.write(&steps)
    }

    fn write(&mut self, steps: &[Step]) -> Result<(), MapError> {
        steps.iter().try_for_each(|(index, line)| self.array.set(*index, &Plain(*line), 0))
    }
}

/// A line to be written.
type Step = (u32, ServiceLine);

/// The table's contents. What changes them notes the lines to be written, in their order.
struct Lines(Vec<ServiceLine>);

impl Lines {
    fn iter(&self) -> impl Iterator<Item = (EndpointKey, ServiceValue)> {
        let entries = self.0.iter().flat_map(|line| line.0);
        entries.filter(|entry| !entry.is_vacant()).map(|entry| (entry.key, entry.value))
    }

    /// Adds or changes an entry; `None` if there is no room.
    fn insert(&mut self, entry: ServiceEntry, steps: &mut Vec<Step>) -> Option<()> {
        let lines = ServiceLine::of(&entry.key);
        if lines.into_iter().any(|line| self.entries(line).iter().any(|old| old.key == entry.key)) {
            for line in lines {
                self.change(line, steps, |old| if old.key == entry.key { entry } else { old });
            }
            return Some(());
        }
        let line = lines.into_iter().find(|&line| self.has_room(line));
        let line = line.or_else(|| lines.into_iter().find(|&line| self.make_room(line, MAX_MOVES, steps)))?;
        self.put(line, entry, steps);
        Some(())
    }

    fn remove(&mut self, key: &EndpointKey, steps: &mut Vec<Step>) {
        for line in ServiceLine::of(key) {
            self.change(line, steps, |old| if old.key == *key { vacated(old) } else { old });
        }
    }

    /// Writes an entry into a vacant place of a line: its value first.
    fn put(&mut self, line: u32, entry: ServiceEntry, steps: &mut Vec<Step>) {
        let Some(at) = self.entries(line).iter().position(ServiceEntry::is_vacant) else { return };
        for entry in [vacated(entry), entry] {
            let line_now = &mut self.0[line as usize];
            line_now.0[at] = entry;
            steps.push((line, *line_now));
        }
    }

    /// Makes room in a full line by moving one of its entries to that entry's other line, where room is made too if need be.
    fn make_room(&mut self, line: u32, moves: u32, steps: &mut Vec<Step>) -> bool {
        if moves == 0 {
            return false;
        }
        let others = self.entries(line).map(|entry| other(line, &entry.key));
        self.move_aside(line, steps)
            || others.into_iter().any(|other| {
                // What was moved there may have come from here.
                self.make_room(other, moves - 1, steps) && (self.has_room(line) || self.move_aside(line, steps))
            })
    }

    /// Moves an entry of a line to its other line, if one of them has room there.
    fn move_aside(&mut self, line: u32, steps: &mut Vec<Step>) -> bool {
        let others = self.entries(line).map(|entry| (entry, other(line, &entry.key)));
        let Some((entry, to)) = others.into_iter().find(|(_, other)| self.has_room(*other)) else { return false };
        self.put(to, entry, steps);
        self.change(line, steps, |old| if old.key == entry.key { vacated(old) } else { old });
        true
    }

    /// Changes a line's entries, and notes the line if they differ then.
    fn change(&mut self, line: u32, steps: &mut Vec<Step>, change: impl Fn(ServiceEntry) -> ServiceEntry) {
        let old = &mut self.0[line as usize];
        let new = ServiceLine(old.0.map(change));
        if *old != new {
            *old = new;
            steps.push((line, new));
        }
    }

    fn has_room(&self, line: u32) -> bool {
        self.entries(line).iter().any(ServiceEntry::is_vacant)
    }

    fn entries(&self, line: u32) -> &[ServiceEntry; ENTRIES_PER_LINE] {
        &self.0[line as usize].0
    }
}

/// The entry without its key. The value stays: the datapath may have met the key a moment ago.
fn vacated(entry: ServiceEntry) -> ServiceEntry {
    ServiceEntry { key: EndpointKey::default(), ..entry }
}

/// The other one of the two lines where a key may stand.
fn other(line: u32, key: &EndpointKey) -> u32 {
    let [first, second] = ServiceLine::of(key);
    if first == line { second } else { first }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use lb_common::{Address, MAX_LINE_ENTRIES, SERVICE_LINES};

    use super::*;

    /// Entries as they come: few addresses, many ports, both families, and server ids that count up.
    fn key(number: u32) -> EndpointKey {
        if number.is_multiple_of(4) {
            return EndpointKey::server((number % 5) as u16, (number / 4).into());
        }
        let address = match number % 3 {
            0 => Address::v4(0x0a00_0000 + number % 7),
            1 => Address::v4(0xc0a8_0000 + number),
            _ => Address::v6([0xfd00_0000, 0, 0, number % 5]),
        };
        EndpointKey::new(address, (number / 3) as u16, if number.is_multiple_of(2) { 6 } else { 17 })
    }

    fn value(number: u32) -> ServiceValue {
        ServiceValue { ring: number as u16, id: 1, ring_bits: 12, ..ServiceValue::default() }
    }

    fn empty() -> Lines {
        Lines(vec![ServiceLine::default(); SERVICE_LINES as usize])
    }

    /// What the datapath finds.
    fn find(lines: &[ServiceLine], key: &EndpointKey) -> Option<ServiceValue> {
        ServiceLine::of(key).into_iter().find_map(|line| lines[line as usize].find(key).copied())
    }

    #[test]
    fn all_entries_that_may_be_find_room() {
        let mut lines = empty();
        for number in 0..MAX_LINE_ENTRIES {
            let entry = ServiceEntry { key: key(number), value: value(number) };
            assert!(lines.insert(entry, &mut Vec::new()).is_some(), "entry {number}");
        }
        let expected: BTreeMap<_, _> = (0..MAX_LINE_ENTRIES).map(|n| (key(n), value(n))).collect();
        assert_eq!(expected.len(), MAX_LINE_ENTRIES as usize);
        assert_eq!(lines.iter().collect::<BTreeMap<_, _>>(), expected);
    }

    #[test]
    fn no_step_hides_an_entry_or_shows_a_wrong_value() {
        let (mut lines, mut present) = (empty(), BTreeMap::new());
        let mut kernel = lines.0.clone();
        let mut state = 1u32;
        let mut moved = 0;
        for _ in 0..80_000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // As many keys as there are places: the table gets fuller than it ever will be.
            let (key, value) = (key((state >> 8) % (2 * SERVICE_LINES)), value(state));
            let mut steps = Vec::new();
            let old = present.get(&key).copied();
            if state >> 30 == 0 {
                lines.remove(&key, &mut steps);
                present.remove(&key);
            } else if lines.insert(ServiceEntry { key, value }, &mut steps).is_some() {
                present.insert(key, value);
            }
            moved += u32::from(steps.len() > 2);
            let new = present.get(&key).copied();
            for (index, line) in steps {
                let before = kernel[index as usize].0;
                kernel[index as usize] = line;
                let touched = before.into_iter().chain(line.0).filter(|entry| !entry.is_vacant());
                for entry in touched.filter(|entry| entry.key != key) {
                    assert_eq!(find(&kernel, &entry.key), present.get(&entry.key).copied());
                }
                assert!([old, new].contains(&find(&kernel, &key)));
                for (was, is) in before.into_iter().zip(line.0).filter(|(was, is)| was.key != is.key) {
                    assert!(
                        was.value == is.value && (was.is_vacant() || is.is_vacant()),
                        "a key came before its value"
                    );
                }
            }
            assert_eq!(find(&kernel, &key), new);
        }
        assert_eq!(kernel, lines.0);
        assert_eq!(lines.iter().collect::<BTreeMap<_, _>>(), present);
        assert!(moved > 100, "the test has moved only {moved} entries");
    }

    #[test]
    fn an_entry_that_stands_twice_changes_twice() {
        let mut lines = empty();
        let old = ServiceEntry { key: key(1), value: value(1) };
        let [first, second] = ServiceLine::of(&old.key);
        assert_ne!(first, second);
        (lines.0[first as usize].0[0], lines.0[second as usize].0[0]) = (old, old);
        let mut steps = Vec::new();
        lines.insert(ServiceEntry { value: value(2), ..old }, &mut steps).unwrap();
        assert_eq!(steps.len(), 2);
        lines.remove(&old.key, &mut steps);
        assert_eq!(lines.iter().count(), 0);
    }
}
