//! What is asked of the writer, in order.
//!
//! Bounded without a bound of its own: rows that wait here are deliveries with a place in the buffer,
//! and so are those whose state changes or that are removed; a state replaces the one before it. Only
//! how far senders may get ahead of the disk is bounded here, and how many keys may wait.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::entry::{Entry, Standing};
use super::{Row, Unkept};

/// What nobody waits for is written this often: a crash repeats at most the deliveries of so long.
const LATER: Duration = Duration::from_millis(100);
/// As many as waited for the last commit are given this long to come again: senders that were answered
/// together are back together, and one commit for all of them costs little more than one for half. A
/// sender who is alone does not wait. Measured with 64 senders: nearly twice as many rows a commit.
const GATHER: Duration = Duration::from_micros(500);
/// Rows that wait for the disk. More would not be there before senders have gone.
const ASKED_BYTES_MAX: usize = 64 << 20;
/// What one commit takes: it is in memory twice while it lasts, and everybody behind it waits.
const GROUP_BYTES_MAX: usize = 8 << 20;
/// What an operation costs beside its bytes.
const OP_BYTES: usize = 64;

/// One thing to do.
#[derive(Debug)]
pub(super) enum Op {
    Insert(Arc<Entry>, Row),
    State(u64, Vec<u8>),
    Remove(u64),
    Remember(Memory),
    /// Everything before this is on disk, or is not and will not be.
    Tell(oneshot::Sender<Result<(), Unkept>>),
    /// The same of what is not given up on a disk that is full: it is told after another try.
    Word(Word),
}

/// Somebody waits for a word about what was asked for before.
#[derive(Debug)]
pub(super) struct Word {
    /// Only about removals.
    pub(super) of_removals: bool,
    pub(super) tell: oneshot::Sender<Result<(), Unkept>>,
}

impl Word {
    pub(super) fn tell(self, told: Result<(), Unkept>) {
        // Whoever asked may have gone.
        let _ = self.tell.send(told);
    }
}

/// A key, and until when it is of use.
#[derive(Debug)]
pub(super) struct Memory {
    /// Makes it unique among those of the same moment.
    pub(super) number: u64,
    pub(super) key: Vec<u8>,
    /// Milliseconds since the Unix epoch.
    pub(super) now: u64,
    pub(super) expires: u64,
}

impl Op {
    fn bytes(&self) -> usize {
        OP_BYTES
            + match self {
                Self::Insert(_, row) => row.head.len() + row.body.len(),
                Self::State(_, state) => state.len(),
                Self::Remember(memory) => memory.key.len(),
                Self::Remove(_) | Self::Tell(_) | Self::Word(_) => 0,
            }
    }
}

/// What a disk did not take.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) removals: Vec<Op>,
    /// Without any insertion: rows that were not kept have been given up.
    pub(super) others: Vec<Op>,
    /// Who waits for them.
    pub(super) words: Vec<Word>,
}

/// Shared by all who ask and the one who writes.
#[derive(Debug, Default)]
pub(super) struct Queue {
    asked: Mutex<Asked>,
    changed: Condvar,
    /// What is on disk is not where anybody looks for it.
    lost: AtomicBool,
}

#[derive(Debug, Default)]
struct Asked {
    ops: VecDeque<Op>,
    /// Where the last state of a row stands, counted from the first operation ever.
    states: HashMap<u64, u64>,
    /// How many were taken.
    taken: u64,
    bytes: usize,
    /// How many wait.
    urgent: usize,
    /// How many waited for the last commit.
    last: usize,
    /// How many must wait to wake the writer.
    wakes: usize,
    disk: Health,
    closing: bool,
}

/// Whether the disk takes what it is given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Health {
    #[default]
    Well,
    /// Until a commit succeeds.
    Failing,
    /// For good.
    Gone,
}

impl Queue {
    /// Asks for rows that must all be written, or none.
    pub(super) fn ask(&self, ops: Vec<Op>) -> Result<(), Unkept> {
        let mut asked = self.asked();
        let bytes: usize = ops.iter().map(Op::bytes).sum();
        if asked.disk != Health::Well || asked.closing || asked.bytes + bytes > ASKED_BYTES_MAX {
            return Err(Unkept);
        }
        for op in ops {
            match &op {
                Op::Insert(entry, _) => entry.stand(Standing::Asked),
                Op::Tell(_) => asked.urgent += 1,
                Op::State(..) | Op::Remove(_) | Op::Remember(_) | Op::Word(_) => {}
            }
            asked.push(op);
        }
        let wakes = asked.urgent >= asked.wakes;
        drop(asked);
        if wakes {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Asks for what must be written some time.
    pub(super) fn ask_later(&self, op: Op) {
        let mut asked = self.asked();
        // Where nothing is written any more, the next start finds what there was.
        if asked.disk == Health::Gone {
            return;
        }
        // Keys are the only ones that are no delivery's, and may be forgotten.
        if matches!(op, Op::Remember(_)) && asked.bytes > ASKED_BYTES_MAX {
            return;
        }
        let was_empty = asked.ops.is_empty();
        asked.push(op);
        drop(asked);
        if was_empty {
            self.changed.notify_one();
        }
    }

    /// Asks for a word, of a disk that is full, too.
    pub(super) fn ask_word(&self, word: Word) {
        let mut asked = self.asked();
        if asked.disk == Health::Gone || asked.closing {
            drop(asked);
            return word.tell(Err(Unkept));
        }
        asked.urgent += 1;
        asked.push(Op::Word(word));
        drop(asked);
        self.changed.notify_one();
    }

    pub(super) fn close(&self) {
        self.asked().closing = true;
        self.changed.notify_one();
    }

    pub(super) fn is_writable(&self) -> bool {
        self.asked().disk == Health::Well
    }

    /// Nothing that was kept will be found again.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.asked().closing
    }

    /// What to write next: at once where somebody waits, else soon. Nothing when it is the end.
    pub(super) fn next(&self) -> Option<Vec<Op>> {
        let mut asked = self.asked();
        asked.wakes = 0;
        while asked.ops.is_empty() {
            if asked.closing {
                return None;
            }
            let woken = self.changed.wait(asked);
            asked = woken.unwrap_or_else(PoisonError::into_inner);
        }
        let (mut asked, _) = self
            .changed
            .wait_timeout_while(asked, LATER, |asked| asked.urgent == 0 && asked.has_time())
            .unwrap_or_else(PoisonError::into_inner);
        if asked.urgent > 0 {
            asked.wakes = asked.last;
            let gathered = self.changed.wait_timeout_while(asked, GATHER, |asked| {
                asked.urgent < asked.last && asked.has_time()
            });
            (asked, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        }
        asked.last = asked.urgent;
        Some(asked.take())
    }

    /// Waits for `pause`, for somebody who waits for a word, or for the end.
    pub(super) fn pause(&self, pause: Duration) {
        let asked = self.asked();
        let _ = self
            .changed
            .wait_timeout_while(asked, pause, |asked| !asked.closing && asked.urgent == 0);
    }

    /// The disk did not take these, and takes nothing until it is said to be well: rows are given up,
    /// and everything else is tried again.
    pub(super) fn fail(&self, ops: Vec<Op>, disk: Health) {
        let mut asked = self.asked();
        asked.disk = disk;
        let later = asked.take_all();
        for op in ops.into_iter().chain(later) {
            match op {
                Op::Insert(entry, _) => {
                    // It may be there after all.
                    entry.advance(Standing::New);
                    asked.push(Op::Remove(entry.number()));
                }
                Op::Tell(tell) => {
                    let _ = tell.send(Err(Unkept));
                }
                Op::Word(word) if disk == Health::Gone => word.tell(Err(Unkept)),
                op if disk != Health::Gone => asked.push(op),
                _ => {}
            }
        }
        if disk == Health::Gone {
            asked.take_all();
        }
    }

    /// The disk takes rows again.
    pub(super) fn recover(&self) {
        self.asked().disk = Health::Well;
    }

    /// All that is waiting to be tried again. Removals apart, for they make room: they must not wait for
    /// anything that needs some. What would be written about a row that goes is left out.
    pub(super) fn retry(&self) -> Retry {
        let all = self.asked().take_all();
        let (removals, others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|op| matches!(op, Op::Remove(_)));
        let (words, others): (Vec<_>, Vec<_>) =
            others.into_iter().partition(|op| matches!(op, Op::Word(_)));
        let words = words.into_iter().filter_map(|op| match op {
            Op::Word(word) => Some(word),
            _ => None,
        });
        let words = words.collect();
        let removed = removals.iter().filter_map(|op| match op {
            Op::Remove(number) => Some(*number),
            _ => None,
        });
        let removed: HashSet<u64> = removed.collect();
        let stays = |op: &Op| !matches!(op, Op::State(number, _) if removed.contains(number));
        let others = others.into_iter().filter(stays).collect();
        Retry {
            removals,
            others,
            words,
        }
    }

    /// How many operations wait.
    pub(super) fn len(&self) -> usize {
        self.asked().ops.len()
    }

    /// What one commit takes.
    #[cfg(test)]
    pub(super) fn group(&self) -> Vec<Op> {
        self.asked().take()
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        // Each change is complete before anything that could panic.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked {
    /// Whether a commit may wait for more.
    fn has_time(&self) -> bool {
        !self.closing && self.bytes < GROUP_BYTES_MAX
    }

    fn push(&mut self, op: Op) {
        if let Op::State(number, _) = &op {
            let at = self.states.get(number).copied();
            let index = at.and_then(|at| usize::try_from(at.checked_sub(self.taken)?).ok());
            if let Some(old) = index.and_then(|index| self.ops.get_mut(index)) {
                self.bytes = self.bytes.saturating_sub(old.bytes()) + op.bytes();
                *old = op;
                return;
            }
            let at = self.taken + self.ops.len() as u64;
            self.states.insert(*number, at);
        }
        self.bytes += op.bytes();
        self.ops.push_back(op);
    }

    fn take_all(&mut self) -> Vec<Op> {
        self.states.clear();
        self.taken += self.ops.len() as u64;
        (self.bytes, self.urgent) = (0, 0);
        self.ops.drain(..).collect()
    }

    fn take(&mut self) -> Vec<Op> {
        let mut group = Vec::new();
        let mut bytes = 0;
        while bytes < GROUP_BYTES_MAX
            && let Some(op) = self.ops.pop_front()
        {
            match &op {
                Op::Tell(_) | Op::Word(_) => self.urgent = self.urgent.saturating_sub(1),
                Op::State(number, _) => {
                    self.states.remove(number);
                }
                Op::Insert(..) | Op::Remove(_) | Op::Remember(_) => {}
            }
            bytes += op.bytes();
            self.taken += 1;
            group.push(op);
        }
        self.bytes = self.bytes.saturating_sub(bytes);
        group
    }
}
