//! A global allocator that counts.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Counting;

static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call goes to `System` unchanged; counting touches nothing but two atomics.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn add(bytes: usize) {
    CALLS.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a call allocated.
pub struct Counted {
    /// Allocations and reallocations.
    pub calls: u64,
    /// Bytes asked for.
    pub bytes: u64,
}

/// Counts what `call` allocates.
pub fn count<T>(call: impl FnOnce() -> T) -> (T, Counted) {
    let before = (CALLS.load(Relaxed), BYTES.load(Relaxed));
    let outcome = call();
    (outcome, Counted { calls: CALLS.load(Relaxed) - before.0, bytes: BYTES.load(Relaxed) - before.1 })
}
