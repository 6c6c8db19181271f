//! One row's number, and what may be done with it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::Row;
use super::queue::{Op, Queue};

/// A row of the spool. Dropping it leaves the row where it is: what is not settled is found at the next
/// start.
pub struct Entry {
    number: u64,
    queue: Arc<Queue>,
    standing: AtomicU8,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Only a number.
    New,
    /// Asked for.
    Asked,
    /// On disk.
    Kept,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({}, {:?})", self.number, self.standing())
    }
}

impl Entry {
    pub(super) fn new(number: u64, queue: Arc<Queue>) -> Arc<Self> {
        Arc::new(Self {
            number,
            queue,
            standing: AtomicU8::new(Standing::New as u8),
        })
    }

    pub(super) fn kept(number: u64, queue: Arc<Queue>) -> Arc<Self> {
        let entry = Self::new(number, queue);
        entry.stand(Standing::Kept);
        entry
    }

    /// Whether the row is on disk.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.standing() == Standing::Kept && !self.queue.is_lost()
    }

    /// Whether it was asked for: it is on disk, or soon will be.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.standing() != Standing::New
    }

    /// Writes the row soon. What cannot be written at the moment stays unwritten, and
    /// [`is_asked`](Self::is_asked) says so.
    pub fn keep_later(self: &Arc<Self>, row: Row) {
        let _ = self.queue.ask(vec![Op::Insert(Arc::clone(self), row)]);
    }

    /// Lays `state` over the row, soon, instead of what was laid over it before.
    pub fn change(&self, state: Vec<u8>) {
        if self.is_asked() {
            self.queue.ask_later(Op::State(self.number, state));
        }
    }

    /// Removes the row, soon: its delivery has ended.
    pub fn settle(&self) {
        if self.is_asked() {
            self.stand(Standing::New);
            self.queue.ask_later(Op::Remove(self.number));
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn standing(&self) -> Standing {
        match self.standing.load(Ordering::Acquire) {
            0 => Standing::New,
            1 => Standing::Asked,
            _ => Standing::Kept,
        }
    }

    pub(super) fn stand(&self, standing: Standing) {
        self.standing.store(standing as u8, Ordering::Release);
    }

    /// Of what was asked for, and of nothing else: it may have been settled meanwhile.
    pub(super) fn advance(&self, to: Standing) {
        let _ = self.standing.compare_exchange(
            Standing::Asked as u8,
            to as u8,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
    }
}
