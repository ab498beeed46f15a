//! The buckets of rate limits in memory.

use std::{cell::Cell, collections::BTreeMap};

use lb_common::{Bucket, LIMIT_WAYS};
use lb_ebpf::firewall::limits::Buckets;

/// One set of sources' buckets: a packet at a time needs no more.
#[derive(Debug, Default)]
pub(super) struct SetMemory([Cell<u64>; LIMIT_WAYS]);

impl Buckets for &SetMemory {
    fn bucket(&self, number: u32) -> Bucket {
        Bucket::from_word(self.0[number as usize].get())
    }

    fn replace(&self, number: u32, old: Bucket, new: Bucket) -> bool {
        self.0[number as usize].replace(new.word()) == old.word()
    }
}

/// The buckets that sources share; those that nobody has used are full.
#[derive(Debug, Default)]
pub(super) struct TotalMemory(std::cell::RefCell<BTreeMap<u32, u64>>);

impl TotalMemory {
    /// The bucket of a limit and service.
    pub(super) const fn at(&self, index: u32) -> Total<'_> {
        Total { memory: self, index }
    }
}

/// One of them.
pub(super) struct Total<'a> {
    memory: &'a TotalMemory,
    index: u32,
}

impl Buckets for Total<'_> {
    fn bucket(&self, _: u32) -> Bucket {
        Bucket::from_word(self.memory.0.borrow().get(&self.index).copied().unwrap_or_default())
    }

    fn replace(&self, _: u32, old: Bucket, new: Bucket) -> bool {
        self.memory.0.borrow_mut().insert(self.index, new.word()).unwrap_or_default() == old.word()
    }
}
