//! The allocator of an instance that lives for one webhook: it hands out the rest of the linear
//! memory in order and takes back only the last block. Resetting few pages is what makes a fresh
//! instance per webhook cheap, and this dirties no page that is not used.

/// Where a block of `size` bytes goes when the free space begins at `next`: its first byte and the
/// first byte after it. None when the address space ends before.
#[cfg(any(target_arch = "wasm32", test))]
fn place(next: usize, size: usize, align: usize) -> Option<(usize, usize)> {
    let start = next.checked_next_multiple_of(align)?;
    Some((start, start.checked_add(size)?))
}

/// Whole Wasm pages needed to move the end of the memory from `end` to at least `wanted`.
#[cfg(any(target_arch = "wasm32", test))]
fn pages_missing(end: usize, wanted: usize) -> usize {
    const PAGE: usize = 64 * 1024;
    wanted.saturating_sub(end).div_ceil(PAGE)
}

#[cfg(target_arch = "wasm32")]
mod global {
    #![expect(
        unsafe_code,
        reason = "a global allocator is unsafe by its trait; proofs below"
    )]

    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::cell::Cell;
    use core::ptr;

    use super::{pages_missing, place};

    #[global_allocator]
    static BUMP: Bump = Bump;

    struct Bump;

    /// First free byte and end of the memory; both 0 before the first allocation. `componentize` makes
    /// an allocator for what the host hands over that works on these two words, and finds them by this
    /// name.
    // SAFETY: nothing else in the module has this name.
    #[unsafe(export_name = "hookgate_heap")]
    static HEAP: Heap = Heap {
        next: Cell::new(0),
        end: Cell::new(0),
    };

    #[repr(C)]
    struct Heap {
        next: Cell<usize>,
        end: Cell<usize>,
    }

    // SAFETY: a component's core module has one thread: the `threads` proposal is off in the host
    // and `memory.atomic` is not used, so the cells are never reached from two threads.
    unsafe impl Sync for Heap {}

    unsafe extern "C" {
        /// Set by the linker: the first byte behind stack and data.
        static __heap_base: u8;
    }

    impl Heap {
        /// Moves the end of the memory to at least `wanted`; false when the host refuses.
        fn reach(&self, wanted: usize) -> bool {
            let end = self.end.get();
            if wanted <= end {
                return true;
            }
            let pages = pages_missing(end, wanted);
            if memory_grow::<0>(pages) == usize::MAX {
                return false;
            }
            // A memory that ends at 4 GiB would wrap; hosts refuse long before.
            self.end
                .set(end.saturating_add(pages.saturating_mul(65_536)));
            true
        }

        fn first_free(&self) -> usize {
            if self.end.get() == 0 {
                self.next.set((&raw const __heap_base).addr());
                self.end.set(memory_size::<0>().saturating_mul(65_536));
            }
            self.next.get()
        }
    }

    // SAFETY: blocks lie in [__heap_base, end of memory), which neither stack nor data nor anybody
    // else uses (this is the only caller of memory.grow). `next` only moves past a block when it
    // is handed out and back when the block that ends there is returned, so no two live blocks
    // overlap. Alignment is `place`'s. Nothing here panics or unwinds.
    unsafe impl GlobalAlloc for Bump {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let Some((start, after)) = place(HEAP.first_free(), layout.size(), layout.align())
            else {
                return ptr::null_mut();
            };
            if !HEAP.reach(after) {
                return ptr::null_mut();
            }
            HEAP.next.set(after);
            ptr::with_exposed_provenance_mut(start)
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            if block.addr() + layout.size() == HEAP.next.get() {
                HEAP.next.set(block.addr());
            }
        }

        unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
            if block.addr() + layout.size() == HEAP.next.get() {
                let Some(after) = block.addr().checked_add(new_size) else {
                    return ptr::null_mut();
                };
                if !HEAP.reach(after) {
                    return ptr::null_mut();
                }
                HEAP.next.set(after);
                return block;
            }
            if new_size <= layout.size() {
                return block;
            }
            // SAFETY: `new_size` is not zero (the trait's rule) and `align` is a valid alignment;
            // the caller vouches that the size does not overflow `isize` when rounded up.
            let moved =
                unsafe { self.alloc(Layout::from_size_align_unchecked(new_size, layout.align())) };
            if !moved.is_null() {
                // SAFETY: both blocks are live, at least `layout.size()` long and do not overlap.
                unsafe { ptr::copy_nonoverlapping(block, moved, layout.size()) };
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{pages_missing, place};

    #[test]
    fn a_block_begins_at_its_alignment_and_ends_after_its_size() {
        assert_eq!(place(17, 10, 8), Some((24, 34)));
        assert_eq!(place(24, 10, 8), Some((24, 34)));
        assert_eq!(place(17, 0, 1), Some((17, 17)));
    }

    #[test]
    fn a_block_beyond_the_address_space_is_refused() {
        assert_eq!(place(usize::MAX - 2, 4, 1), None);
        assert_eq!(place(usize::MAX - 2, 0, 8), None);
    }

    #[test]
    fn the_memory_grows_by_whole_pages_and_only_when_needed() {
        assert_eq!(pages_missing(65_536, 65_536), 0);
        assert_eq!(pages_missing(65_536, 65_537), 1);
        assert_eq!(pages_missing(65_536, 4 * 65_536), 3);
    }
}
