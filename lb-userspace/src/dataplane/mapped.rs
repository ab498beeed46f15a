//! An array map that is mapped into this process: read and written with plain atomic accesses, beside the datapath.

use std::{
    io,
    os::fd::{AsFd, AsRawFd},
    ptr::{self, NonNull},
    sync::atomic::AtomicU64,
    time::Duration,
};

use aya::maps::{Map, MapError};

/// A mapped array, as words.
pub(super) struct Mapped {
    words: NonNull<AtomicU64>,
    count: usize,
    // Keeps the map alive; the mapping alone would too, but then nobody could tell whose it is.
    _map: Map,
}

// SAFETY: the words are atomics, which any thread may use.
unsafe impl Send for Mapped {}
// SAFETY: as above.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// Maps an array of `count` words.
    pub(super) fn new(map: Map, count: usize) -> Result<Self, MapError> {
        let Map::Array(data) = &map else { return Err(MapError::InvalidMapType { map_type: 0 }) };
        let words = map_shared(data.fd(), count).map_err(MapError::IoError)?;
        Ok(Self { words, count, _map: map })
    }

    /// The words.
    pub(super) const fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping has this many words and lives as long as `self`.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr(), self.count) }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: `map_shared` made this mapping, and nobody can hold a reference into it any more.
        unsafe { libc::munmap(self.words.as_ptr().cast(), self.count * size_of::<u64>()) };
    }
}

fn map_shared(map: &impl AsFd, count: usize) -> io::Result<NonNull<AtomicU64>> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let (bytes, descriptor) = (count * size_of::<u64>(), map.as_fd().as_raw_fd());
    // SAFETY: a new mapping of a descriptor that is open; the kernel chooses the place and checks the length.
    let address = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, libc::MAP_SHARED, descriptor, 0) };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at address 0"))
}

/// How long a packet may take at the most, where the kernel cannot say that all are through.
const LONGEST_PACKET: Duration = Duration::from_millis(100);

/// Waits until every packet that is being looked at is through: programs run inside a read section of the kernel's RCU, and
/// this call waits for all of those.
pub(super) fn await_packets() {
    const GLOBAL: libc::c_int = 1;
    // SAFETY: the call takes two numbers and touches no memory.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, GLOBAL, 0, 0) };
    if result != 0 {
        std::thread::sleep(LONGEST_PACKET);
    }
}
