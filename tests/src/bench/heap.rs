//! A heap that knows how much of it is in use: what a computation needs besides its result.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The system's heap, counted. A program that measures makes it its global allocator.
#[derive(Debug, Default)]
pub struct Heap {
    used_bytes: AtomicUsize,
    peak_bytes: AtomicUsize,
}

impl Heap {
    /// A heap of which nothing is in use.
    pub const fn new() -> Self {
        Self { used_bytes: AtomicUsize::new(0), peak_bytes: AtomicUsize::new(0) }
    }

    /// What a computation returns, and how many bytes more than before were in use at most while it ran.
    pub fn peak_of<T>(&self, compute: impl FnOnce() -> T) -> (T, usize) {
        let before = self.used_bytes.load(Relaxed);
        self.peak_bytes.store(before, Relaxed);
        let result = compute();
        (result, self.peak_bytes.load(Relaxed).saturating_sub(before))
    }

    /// How many bytes are in use.
    pub fn used(&self) -> usize {
        self.used_bytes.load(Relaxed)
    }

    fn take(&self, bytes: usize) {
        let used = self.used_bytes.fetch_add(bytes, Relaxed) + bytes;
        self.peak_bytes.fetch_max(used, Relaxed);
    }
}

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.take(layout.size());
        // SAFETY: the caller's promise is the one that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        self.used_bytes.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above; the memory came from `alloc` and so from the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_what_was_in_use_at_once() {
        let heap = Heap::new();
        let layout = Layout::array::<u64>(1000).unwrap();
        let ((), peak_bytes) = heap.peak_of(|| {
            for _ in 0..3 {
                // SAFETY: the layout is not empty, and what is given back is what was taken.
                unsafe {
                    let [one, other] = [heap.alloc(layout), heap.alloc(layout)];
                    heap.dealloc(one, layout);
                    heap.dealloc(other, layout);
                }
            }
        });
        assert_eq!(peak_bytes, 16_000);
    }
}
