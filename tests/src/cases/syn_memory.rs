//! What the loaded program remembers for SYN protection, so that a run can begin without it.

use std::{os::fd::AsFd, path::Path, ptr, slice, time::Duration};

use anyhow::{Context, Result};
use aya::maps::MapData;
use lb_common::{LAYOUT_VERSION, SynLine};
use lb_ebpf::syn::Memory;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const MEMORIES: [(&str, Memory); 5] = [
    ("syn_sources", Memory::Sources),
    ("syn_retries", Memory::Retries),
    ("syn_answers", Memory::Answers),
    ("syn_paces", Memory::Paces),
    ("syn_samples", Memory::Samples),
];

/// The memories, mapped.
pub(super) struct SynMemories(Vec<Mapping>);

struct Mapping {
    memory: Memory,
    lines: ptr::NonNull<libc::c_void>,
    bytes: usize,
}

impl SynMemories {
    /// Maps those that are pinned here.
    pub(super) fn open(pins: &Path) -> Result<Self> {
        let folder = pins.join(format!("v{LAYOUT_VERSION}"));
        let open = |(name, memory): (&str, Memory)| Mapping::open(&folder.join(name), memory).context(name.to_owned());
        Ok(Self(MEMORIES.into_iter().map(open).collect::<Result<_>>()?))
    }

    /// Empties them.
    pub(super) fn forget(&mut self) {
        self.0.iter_mut().for_each(|mapping| mapping.used().for_each(|(_, word)| *word = 0));
    }

    /// Makes all that they hold older by so much.
    pub(super) fn age(&mut self, passed: Duration) {
        for mapping in &mut self.0 {
            let memory = mapping.memory;
            mapping.used().for_each(|(number, word)| *word = aged(memory, number, *word, passed));
        }
    }
}

/// A word as it would be if it had been written so much earlier.
const fn aged(memory: Memory, number: usize, word: u64, passed: Duration) -> u64 {
    /// The bits in which a SYN that may come again has its time, in milliseconds.
    const MILLISECONDS: u64 = (1 << 20) - 1;
    match memory {
        // A source's name, then the second of its proof and its last second.
        Memory::Sources if number.is_multiple_of(2) => word,
        Memory::Sources => word.wrapping_sub(passed.as_secs() << 32) & !0xffff_0000,
        Memory::Retries => word & !MILLISECONDS | word.wrapping_sub(passed.as_millis() as u64) & MILLISECONDS,
        Memory::Answers | Memory::Paces => word.wrapping_sub(passed.as_secs() << 32),
        Memory::Samples => word,
    }
}

impl Mapping {
    fn open(pin: &Path, memory: Memory) -> Result<Self> {
        let bytes = memory.lines() as usize * size_of::<SynLine>();
        let map = MapData::from_pin(pin)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping of a descriptor that is open; the kernel chooses the place and checks the length.
        let lines = unsafe { mmap(None, bytes.try_into()?, protection, MapFlags::MAP_SHARED, map.fd().as_fd(), 0) }?;
        Ok(Self { memory, lines, bytes })
    }

    /// The words that are not zero, with their numbers. Reading what is zero is quicker than writing all.
    fn used(&mut self) -> impl Iterator<Item = (usize, &mut u64)> {
        // SAFETY: the mapping is as long, and plain numbers; the program does not run meanwhile.
        let words = unsafe { slice::from_raw_parts_mut(self.lines.as_ptr().cast::<u64>(), self.bytes / 8) };
        words.iter_mut().enumerate().filter(|(_, word)| **word != 0)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that was made, and nothing refers into it any more.
        let _ = unsafe { munmap(self.lines, self.bytes) };
    }
}
