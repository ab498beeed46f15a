//! The firewall's lists in the kernel's maps.

use std::{
    hash::BuildHasher,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
};

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, MapError, PerCpuArray},
};
use lb_common::Hits;

use super::{
    DataplaneError, Plain,
    mapped::{Mapped, await_packets},
    tables::{failed, reset, take, take_map},
};
use crate::lists::{ListTables, Lists, Memory, Region, Sizes, Slots, names};

/// The maps of one set, and the ones that outlive it.
pub(super) struct Maps {
    set: Vec<Mapped>,
    pinned: Arc<Pinned>,
}

/// The maps that outlive a set.
pub(super) struct Pinned {
    words: Vec<Mapped>,
    lists: Mutex<PerCpuArray<MapData, Plain<Hits>>>,
    entries: Mutex<PerCpuArray<MapData, Plain<Hits>>>,
}

/// Makes the maps of a set as large as said.
pub(super) fn resize<'a>(loader: &mut EbpfLoader<'a>, sizes: &Sizes) {
    for region in Region::OF_A_SET {
        loader.map_max_entries(region.map(), region.elements(sizes));
    }
}

/// Takes the maps that outlive a set out of the first object that was loaded.
pub(super) fn pinned(ebpf: &mut Ebpf) -> Result<Arc<Pinned>, DataplaneError> {
    let words = Region::PINNED.map(|region| mapped(ebpf, region, &Sizes::FIRST));
    Ok(Arc::new(Pinned {
        words: words.into_iter().collect::<Result<_, _>>()?,
        lists: Mutex::new(take(ebpf, "list_hits")?),
        entries: Mutex::new(take(ebpf, "list_entry_hits")?),
    }))
}

/// The empty tables of the set that a loaded object has, with what a former daemon has left in the pinned maps.
pub(super) fn opened(ebpf: &mut Ebpf, pinned: &Arc<Pinned>) -> Result<ListTables<Maps>, DataplaneError> {
    let [labels, listed] = [0, 1].map(|index| pinned.words[index].words());
    tables(ebpf, Sizes::FIRST, pinned, Slots::read(labels), names(listed))
}

/// The empty tables of the set that a loaded object has.
pub(super) fn tables(
    ebpf: &mut Ebpf,
    sizes: Sizes,
    pinned: &Arc<Pinned>,
    slots: Slots,
    names: Lists,
) -> Result<ListTables<Maps>, DataplaneError> {
    let set = Region::OF_A_SET.map(|region| mapped(ebpf, region, &sizes));
    let maps = Maps { set: set.into_iter().collect::<Result<_, _>>()?, pinned: Arc::clone(pinned) };
    // Whoever could guess the key could aim at one line. The standard library's hasher is keyed by the system.
    let random = std::hash::RandomState::new();
    Ok(ListTables::new(maps, sizes, [0, 1].map(|word: u64| random.hash_one(word)), slots, Arc::new(names)))
}

fn mapped(ebpf: &mut Ebpf, region: Region, sizes: &Sizes) -> Result<Mapped, DataplaneError> {
    let name = region.map();
    Mapped::new(take_map(ebpf, name)?, region.words(sizes)).map_err(|source| failed("map", name, source))
}

type HitsMap<'a> = MutexGuard<'a, PerCpuArray<MapData, Plain<Hits>>>;

impl Pinned {
    /// The counters of the lists.
    pub(super) fn lists(&self) -> HitsMap<'_> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters of entries.
    pub(super) fn entries(&self) -> HitsMap<'_> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Maps {
    /// The maps that outlive this set.
    pub(super) const fn pinned(&self) -> &Arc<Pinned> {
        &self.pinned
    }
}

impl Memory for Maps {
    fn words(&self, region: Region) -> &[AtomicU64] {
        match region {
            Region::Labels => self.pinned.words[0].words(),
            Region::Names => self.pinned.words[1].words(),
            region => self.set[region as usize].words(),
        }
    }

    fn grace(&self) {
        await_packets();
    }

    fn reset_entry(&self, slot: u32) {
        note(reset(&mut self.pinned.entries(), slot));
    }

    fn reset_list(&self, number: u32) {
        note(reset(&mut self.pinned.lists(), number));
    }
}

/// Counters that do not begin at zero are no reason to leave a list as it is.
fn note(result: Result<(), MapError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "counters of a list begin with what its predecessor has counted");
    }
}
