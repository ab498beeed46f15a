//! What the loaded program remembers for SYN protection, so that a run can begin without it.

use std::{os::fd::AsFd, path::Path, ptr, slice};

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
    lines: ptr::NonNull<libc::c_void>,
    bytes: usize,
}

impl SynMemories {
    /// Maps those that are pinned here.
    pub(super) fn open(pins: &Path) -> Result<Self> {
        let folder = pins.join(format!("v{LAYOUT_VERSION}"));
        let open = |(name, memory): (&str, Memory)| {
            Mapping::open(&folder.join(name), memory.lines() as usize * size_of::<SynLine>()).context(name.to_owned())
        };
        Ok(Self(MEMORIES.into_iter().map(open).collect::<Result<_>>()?))
    }

    /// Empties them.
    pub(super) fn forget(&self) {
        for mapping in &self.0 {
            // SAFETY: the mapping is as long, and plain numbers; the program does not run meanwhile.
            let words = unsafe { slice::from_raw_parts_mut(mapping.lines.as_ptr().cast::<u64>(), mapping.bytes / 8) };
            // Reading what is zero already is quicker than writing all.
            words.iter_mut().filter(|word| **word != 0).for_each(|word| *word = 0);
        }
    }
}

impl Mapping {
    fn open(pin: &Path, bytes: usize) -> Result<Self> {
        let map = MapData::from_pin(pin)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping of a descriptor that is open; the kernel chooses the place and checks the length.
        let lines = unsafe { mmap(None, bytes.try_into()?, protection, MapFlags::MAP_SHARED, map.fd().as_fd(), 0) }?;
        Ok(Self { lines, bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that was made, and nothing refers into it any more.
        let _ = unsafe { munmap(self.lines, self.bytes) };
    }
}
