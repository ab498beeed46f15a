//! The firewall's lists in the kernel.
//!
//! The tables of a set belong to one loaded program and are not pinned: they are as large as their entries need, so they are
//! made anew, filled and put into effect together with another instance of the program. The counters are pinned.

use aya_ebpf::{
    bindings::BPF_F_MMAPABLE,
    macros::map,
    maps::{Array, PerCpuArray},
};
use lb_common::{
    Address, COUNTED_ENTRIES, Hits, LIST_DIR_WORDS, LIST_HINT_WORDS, LIST_LINE_WORDS, LIST_NAME_BYTES,
    LIST_SIEVE_WORDS, ListClass, ListHead, ListLabel, ListMatch, MAX_LISTS, MAX_SERVICES,
};
use lb_ebpf::firewall::lists::{self, Line, ListTable};

use crate::flows::seconds;

#[map(name = "list_head")]
static HEAD: Array<ListHead> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map(name = "list_sieve")]
static SIEVE: Array<u64> = Array::with_max_entries(LIST_SIEVE_WORDS, BPF_F_MMAPABLE);
#[map(name = "list_hints")]
static HINTS: Array<u64> = Array::with_max_entries(LIST_HINT_WORDS, BPF_F_MMAPABLE);
#[map(name = "list_dir")]
static DIR: Array<u64> = Array::with_max_entries(LIST_DIR_WORDS, BPF_F_MMAPABLE);
// The sizes of the next six are set when they are loaded.
#[map(name = "list_blocks")]
static BLOCKS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map(name = "list_singles")]
static SINGLES: Array<[u64; LIST_LINE_WORDS]> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map(name = "list_lines_v4")]
static LINES_V4: Array<[u64; LIST_LINE_WORDS]> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map(name = "list_lines_v6")]
static LINES_V6: Array<[u64; LIST_LINE_WORDS]> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map(name = "list_guards")]
static GUARDS: Array<u64> = Array::with_max_entries(1, BPF_F_MMAPABLE);
#[map(name = "list_classes")]
static CLASSES: Array<ListClass> = Array::with_max_entries(1, BPF_F_MMAPABLE);
/// By service id: the lists that apply to its packets. The last element is that of packets for no service.
#[map(name = "list_scopes")]
static SCOPES: Array<u64> = Array::with_max_entries(MAX_SERVICES + 1, BPF_F_MMAPABLE);

#[map(name = "list_hits")]
static LIST_HITS: PerCpuArray<Hits> = PerCpuArray::pinned(MAX_LISTS, 0);
/// By class: what the entries that count for themselves have matched.
#[map(name = "list_entry_hits")]
static ENTRY_HITS: PerCpuArray<Hits> = PerCpuArray::pinned(COUNTED_ENTRIES, 0);
/// Whose counters they are. Only user space reads this and the next.
#[map(name = "list_labels")]
static LABELS: Array<ListLabel> = Array::pinned(COUNTED_ENTRIES, BPF_F_MMAPABLE);
#[map(name = "list_names")]
static NAMES: Array<[u8; LIST_NAME_BYTES]> = Array::pinned(MAX_LISTS, BPF_F_MMAPABLE);

/// What the lists say of a source.
#[inline(always)]
pub(crate) fn listed(source: &Address, lists: u64) -> ListMatch {
    lists::find(source, lists, &KernelLists)
}

/// The lists that apply to packets for a service, or for none.
#[inline(always)]
pub(crate) fn for_service(service: Option<u16>) -> u64 {
    let index = service.map_or(MAX_SERVICES, u32::from);
    // SAFETY: the element is valid and aligned; one 64-bit load is atomic.
    SCOPES.get_ptr(index).map_or(0, |scope| unsafe { scope.read_volatile() })
}

/// Counts a packet for the list, and for the entry if it has a counter.
#[inline(always)]
pub(crate) fn count(found: ListMatch, bytes: u64) {
    add(LIST_HITS.get_ptr_mut(found.list()), bytes);
    if found.class() < COUNTED_ENTRIES {
        add(ENTRY_HITS.get_ptr_mut(found.class()), bytes);
    }
}

#[inline(always)]
fn add(hits: Option<*mut Hits>, bytes: u64) {
    if let Some(hits) = hits {
        // SAFETY: the slot belongs to this CPU, and an XDP program is not interrupted by another on the same CPU.
        let hits = unsafe { &mut *hits };
        hits.packets += 1;
        hits.bytes += bytes;
    }
}

/// [`lists::find_v4`] as a global function, and so are the six below: the verifier checks each once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_listed_v4(address: u32, lists: u64) -> u64 {
    lists::find_v4(address, lists, &KernelLists).word()
}

/// See [`lists::find_v6`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_listed_v6(upper: u64, lower: u64, lists: u64) -> u64 {
    lists::find_v6(&Address::from_halves([upper, lower]), lists, &KernelLists).word()
}

/// See [`lists::around`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_list_around(address: u32, lists: u64) -> u64 {
    lists::around(address, lists, &KernelLists).unwrap_or(ListMatch::NONE).word()
}

/// See [`lists::long`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_list_long(address: u32, length: u32) -> u32 {
    lists::long(address, length, &KernelLists)
}

/// See [`lists::prefix_v6`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_list_prefix(upper: u64, lower: u64, bits: u32) -> u32 {
    lists::prefix_v6(&Address::from_halves([upper, lower]), bits, &KernelLists)
}

/// See [`lists::prefixes_v6`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_list_prefixes(upper: u64, lower: u64, lists: u64, lengths: u64) -> u64 {
    lists::prefixes_v6(&Address::from_halves([upper, lower]), lists, lengths, &KernelLists).word()
}

/// See [`lists::meet`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn sluice_list_meet(class: u32, lists: u64) -> u64 {
    lists::meet(class, lists, &KernelLists).word()
}

struct KernelLists;

/// An element's word, read once: the compiler may not read half of it before a comparison and half behind it.
#[inline(always)]
fn word(element: Option<*const u64>) -> Option<u64> {
    // SAFETY: a map's element is valid and aligned, and elements of an array map are never freed.
    element.map(|element| unsafe { element.read_volatile() })
}

impl ListTable for KernelLists {
    #[inline(always)]
    fn head(&self) -> Option<&ListHead> {
        HEAD.get(0)
    }

    #[inline(always)]
    fn lengths_v6(&self, index: u32) -> u64 {
        let Some(head) = HEAD.get_ptr(0) else { return 0 };
        let index = ListHead::LENGTHS_WORD + index as usize;
        if index >= size_of::<ListHead>() / size_of::<u64>() {
            return 0;
        }
        // SAFETY: the word is inside the element.
        unsafe { head.cast::<u64>().add(index).read_volatile() }
    }

    #[inline(always)]
    fn sieve(&self, index: u32) -> Option<u64> {
        word(SIEVE.get_ptr(index))
    }

    #[inline(always)]
    fn hints(&self, index: u32) -> Option<u64> {
        word(HINTS.get_ptr(index))
    }

    #[inline(always)]
    fn dir(&self, index: u32) -> Option<u64> {
        word(DIR.get_ptr(index))
    }

    #[inline(always)]
    fn block(&self, index: u32) -> Option<u64> {
        word(BLOCKS.get_ptr(index))
    }

    #[inline(always)]
    fn singles(&self, line: u32) -> Option<impl Line> {
        SINGLES.get_ptr(line).map(KernelLine)
    }

    #[inline(always)]
    fn line_v4(&self, line: u32) -> Option<impl Line> {
        LINES_V4.get_ptr(line).map(KernelLine)
    }

    #[inline(always)]
    fn line_v6(&self, line: u32) -> Option<impl Line> {
        LINES_V6.get_ptr(line).map(KernelLine)
    }

    #[inline(always)]
    fn guard(&self, index: u32) -> Option<u64> {
        word(GUARDS.get_ptr(index))
    }

    #[inline(always)]
    fn class(&self, class: u32) -> Option<ListClass> {
        let words = CLASSES.get_ptr(class)?.cast::<u64>();
        // SAFETY: as in `word`; a class has two words.
        Some(unsafe { ListClass { lists: words.read_volatile(), life: words.add(1).read_volatile() } })
    }

    #[inline(always)]
    fn now_s(&self) -> u32 {
        seconds() as u32
    }

    #[inline(always)]
    fn find_v4(&self, address: u32, lists: u64) -> ListMatch {
        ListMatch::from_word(sluice_listed_v4(address, lists))
    }

    #[inline(always)]
    fn find_v6(&self, address: &Address, lists: u64) -> ListMatch {
        let [upper, lower] = address.halves();
        ListMatch::from_word(sluice_listed_v6(upper, lower, lists))
    }

    #[inline(always)]
    fn around(&self, address: u32, lists: u64) -> ListMatch {
        ListMatch::from_word(sluice_list_around(address, lists))
    }

    #[inline(always)]
    fn long(&self, address: u32, length: u32) -> u32 {
        sluice_list_long(address, length)
    }

    #[inline(always)]
    fn prefix_v6(&self, address: &Address, bits: u32) -> u32 {
        let [upper, lower] = address.halves();
        sluice_list_prefix(upper, lower, bits)
    }

    #[inline(always)]
    fn prefixes_v6(&self, address: &Address, lists: u64, lengths: u64) -> ListMatch {
        let [upper, lower] = address.halves();
        ListMatch::from_word(sluice_list_prefixes(upper, lower, lists, lengths))
    }

    #[inline(always)]
    fn meet(&self, class: u32, lists: u64) -> ListMatch {
        ListMatch::from_word(sluice_list_meet(class, lists))
    }
}

struct KernelLine(*const [u64; LIST_LINE_WORDS]);

impl Line for KernelLine {
    #[inline(always)]
    fn word(&self, number: u32) -> u64 {
        // SAFETY: the line has that many words; the mask tells the verifier what the callers know.
        unsafe { self.0.cast::<u64>().add(number as usize & (LIST_LINE_WORDS - 1)).read_volatile() }
    }
}
