//! One buffer a thread that sockets are read into.
//!
//! A connection that waits holds no buffer: what came is copied once, to where it stays, with exactly
//! its size. That costs a hundred nanoseconds and saves every idle connection some kilobytes.

use std::cell::RefCell;

/// One read of this size takes a typical webhook whole; larger ones arrive in several.
pub const SCRATCH_BYTES: usize = 64 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH_BYTES]);
}

/// Calls `use_it` with this thread's buffer of [`SCRATCH_BYTES`], whatever is in it.
pub fn with_scratch<R>(use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => use_it(&mut scratch),
        // A read inside of a read: nobody does that, and it works all the same.
        Err(_) => use_it(&mut vec![0; SCRATCH_BYTES]),
    })
}
