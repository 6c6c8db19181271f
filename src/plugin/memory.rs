//! How much memory a guest has, over all its memories, and whether it asked for more than it may.

use wasmtime::ResourceLimiter;

/// Table elements over all tables: 8 bytes each in the host. Python guests need about 20,000.
pub(super) const TABLE_ELEMENTS_MAX: usize = 50_000;

/// Counts what one instance has, and remembers a refusal: the guest aborts after it, and the trap
/// that we then see does not say why.
#[derive(Debug)]
pub(super) struct Memory {
    max: usize,
    used: usize,
    elements: usize,
    refused: bool,
    /// Granted last; taken back when the growth then fails.
    granted: usize,
}

impl Memory {
    /// Bytes over all memories of the instance.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            used: 0,
            elements: 0,
            refused: false,
            granted: 0,
        }
    }

    /// Bytes over all memories, which never shrink.
    pub(super) fn used(&self) -> usize {
        self.used
    }

    /// What was refused to one webhook does not explain the failure of another.
    pub(super) fn forget_refusal(&mut self) {
        self.refused = false;
    }

    /// Whether the guest was refused memory.
    pub(super) fn was_refused(&self) -> bool {
        self.refused
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        let fits = self.used.saturating_add(more) <= self.max;
        if fits {
            self.used += more;
            self.granted = more;
        } else {
            self.refused = true;
        }
        Ok(fits)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        self.used -= std::mem::take(&mut self.granted);
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.elements = self
            .elements
            .saturating_add(desired.saturating_sub(current));
        let fits = self.elements <= TABLE_ELEMENTS_MAX;
        self.refused |= !fits;
        Ok(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_together_and_a_refusal_is_remembered() {
        let mut memory = Memory::new(100);

        assert!(memory.memory_growing(0, 60, None).unwrap());
        assert!(memory.memory_growing(0, 40, None).unwrap());
        assert!(!memory.was_refused());
        assert!(!memory.memory_growing(40, 41, None).unwrap());
        assert!(memory.was_refused());
    }

    #[test]
    fn what_could_not_be_grown_is_not_counted() {
        let mut memory = Memory::new(100);
        assert!(memory.memory_growing(0, 100, None).unwrap());

        memory
            .memory_grow_failed(wasmtime::Error::msg("no room"))
            .unwrap();

        assert!(memory.memory_growing(0, 100, None).unwrap());
    }

    #[test]
    fn a_growth_past_the_end_of_numbers_is_refused() {
        let mut memory = Memory::new(usize::MAX - 1);

        assert!(memory.memory_growing(0, 10, None).unwrap());
        assert!(!memory.memory_growing(0, usize::MAX, None).unwrap());
    }
}
