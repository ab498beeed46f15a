//! The sessions of `full-nat` in memory.

use std::{
    cell::{Cell as Value, Ref, RefCell},
    collections::BTreeMap,
    ops::Deref,
};

use lb_common::{DIRECTORY_WAYS, DirectoryEntry, DirectorySet, NodeAddress, Second, Session, SessionId, SessionState};
use lb_ebpf::sessions::{Cell, Directory, Ports, SessionTable, free_port};

use super::SnapshotTables;

/// The sessions of one node, and the CPU that looks at packets.
#[derive(Debug)]
pub struct SessionMemory {
    sessions: RefCell<BTreeMap<SessionId, Session>>,
    directory: RefCell<BTreeMap<u32, DirectorySet>>,
    cursors: RefCell<BTreeMap<(u32, u32, bool), u32>>,
    cpu: Value<u32>,
    cpus: u32,
    /// How many changes still succeed, and how many then fail.
    losses: Value<(u32, u32)>,
}

impl Default for SessionMemory {
    fn default() -> Self {
        Self::new(1)
    }
}

impl SessionMemory {
    /// No session, on a machine with so many CPUs.
    pub fn new(cpus: u32) -> Self {
        Self {
            sessions: RefCell::default(),
            directory: RefCell::default(),
            cursors: RefCell::default(),
            cpu: Value::new(0),
            cpus,
            losses: Value::new((0, 0)),
        }
    }

    /// This session alone, where its state says that the directory has it.
    pub fn of_session(id: SessionId, session: Session, hash: u64) -> Self {
        let memory = Self::default();
        let place = SessionState::from_word(session.state).place();
        let mut set = DirectorySet::default();
        set.0[place.way() as usize] = DirectoryEntry::new(hash, id).word();
        memory.sessions.borrow_mut().insert(id, session);
        memory.directory.borrow_mut().insert(place.set(), set);
        memory
    }

    /// After so many changes, another CPU is faster by a hair for some of them: they do not happen.
    pub fn lose_races(&self, after: u32, losses: u32) {
        self.losses.set((after, losses));
    }

    fn is_lost(&self) -> bool {
        let (after, losses) = self.losses.get();
        let is_lost = after == 0 && losses > 0;
        self.losses.set((after.saturating_sub(1), losses - u32::from(is_lost)));
        is_lost
    }

    /// The packets that follow are another CPU's.
    pub fn run_on(&self, cpu: u32) {
        assert!(cpu < self.cpus);
        self.cpu.set(cpu);
    }

    /// Every session that is open, or is being written.
    pub fn sessions(&self) -> BTreeMap<SessionId, Session> {
        self.sessions.borrow().clone()
    }

    /// How many entries the directory has.
    pub fn entries(&self) -> usize {
        let directory = self.directory.borrow();
        directory.values().flat_map(|set| set.0).filter(|word| *word != 0).count()
    }
}

impl SessionTable for SnapshotTables<'_> {
    fn now(&self) -> Second {
        Second::new(self.flows.now_s())
    }

    fn directory(&self, set: u32) -> Option<impl Directory> {
        (set < lb_common::DIRECTORY_SETS).then_some(Set { memory: &self.sessions, set })
    }

    fn session(&self, id: SessionId) -> Option<impl Cell> {
        self.sessions.sessions.borrow_mut().entry(id).or_default();
        Some(Place { memory: &self.sessions, id })
    }

    fn node_address(&self, number: u32) -> Option<&NodeAddress> {
        static NONE: NodeAddress =
            NodeAddress { address: lb_common::Address::UNSPECIFIED, first_port: 0, last_port: 0, is_shared: 0 };
        Some(self.snapshot.node_addresses.get(&number).unwrap_or(&NONE))
    }

    fn cpu(&self) -> (u32, u32) {
        (self.sessions.cpu.get(), self.sessions.cpus)
    }

    fn cursor(&self, address: u32, is_tcp: bool) -> u32 {
        let key = (self.sessions.cpu.get(), address, is_tcp);
        self.sessions.cursors.borrow().get(&key).copied().unwrap_or(0)
    }

    fn set_cursor(&self, address: u32, is_tcp: bool, cursor: u32) {
        self.sessions.cursors.borrow_mut().insert((self.sessions.cpu.get(), address, is_tcp), cursor);
    }

    fn free_port(&self, ports: Ports, now: Second) -> u64 {
        free_port(ports, now, self)
    }
}

/// A set of the directory.
struct Set<'a> {
    memory: &'a SessionMemory,
    set: u32,
}

impl Directory for Set<'_> {
    fn entry(&self, way: u32) -> DirectoryEntry {
        assert!(way < DIRECTORY_WAYS);
        let words = self.memory.directory.borrow().get(&self.set).copied().unwrap_or_default();
        DirectoryEntry::from_word(words.0[way as usize])
    }

    fn replace(&self, way: u32, old: DirectoryEntry, new: DirectoryEntry) -> bool {
        let is_same = self.entry(way) == old && !self.memory.is_lost();
        if is_same {
            self.memory.directory.borrow_mut().entry(self.set).or_default().0[way as usize] = new.word();
        }
        is_same
    }
}

/// A session in its place.
struct Place<'a> {
    memory: &'a SessionMemory,
    id: SessionId,
}

impl Place<'_> {
    fn change(&self, change: impl FnOnce(&mut Session)) {
        change(self.memory.sessions.borrow_mut().entry(self.id).or_default());
    }
}

impl Cell for Place<'_> {
    fn state(&self) -> SessionState {
        SessionState::from_word(self.session().state)
    }

    fn replace(&self, old: SessionState, new: SessionState) -> bool {
        let is_same = self.state() == old && !self.memory.is_lost();
        if is_same {
            self.change(|session| session.state = new.word());
        }
        is_same
    }

    fn session(&self) -> impl Deref<Target = Session> {
        Ref::map(self.memory.sessions.borrow(), |sessions| &sessions[&self.id])
    }

    fn write(&self, session: &Session) {
        self.change(|place| *place = Session { state: place.state, ..*session });
    }
}
