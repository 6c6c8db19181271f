//! The thread that writes: group after group, and what it does when the disk fails.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Unkept;
use super::entry::Standing;
use super::fault::Error;
use super::file::File;
use super::queue::{Health, Op, Queue, Retry, Word};
use crate::telemetry::{Event, SpoolEvent, Telemetry};

/// Between two looks at whether a disk takes rows again: an operator does not wait for more.
const RETRY: Duration = Duration::from_secs(1);
/// A disk has room again when it has this many pages, wherever they are, beside the reserve: for some
/// webhooks, which make room when they are delivered. Less is full at once; more is more than a disk that is
/// full of dead letters may ever have.
const ROOM_PAGES: usize = 4;
/// What one commit takes at once of what a disk did not take before.
const STEP_MAX: usize = 4_096;
/// Each commit that fails costs a look at the whole file; there is another round soon.
const FAILURES_MAX: u32 = 8;

/// Starts it; it ends when the queue is closed and empty.
pub(super) fn start(
    file: File,
    queue: Arc<Queue>,
    telemetry: Telemetry,
) -> io::Result<JoinHandle<()>> {
    let writer = Writer {
        file,
        queue,
        telemetry,
        is_compact: false,
        words: Vec::new(),
    };
    thread::Builder::new()
        .name("spool".to_owned())
        .spawn(move || writer.run())
}

struct Writer {
    file: File,
    queue: Arc<Queue>,
    telemetry: Telemetry,
    /// Nothing was written since the file was made as small as it can be.
    is_compact: bool,
    /// Who waits for what is being tried again.
    words: Vec<Word>,
}

impl Writer {
    fn run(mut self) {
        if let Err(error) = self.file.place().reserve()
            && !self.stand_by(Vec::new(), &error.into())
        {
            return;
        }
        while let Some(ops) = self.queue.next() {
            match self.file.commit(&ops) {
                Ok(()) => {
                    let operations = ops.len();
                    self.emit(SpoolEvent::Committed { operations });
                    told(ops);
                }
                Err(error) => {
                    if !self.stand_by(ops, &error) {
                        return;
                    }
                }
            }
        }
        self.emit(SpoolEvent::Closed);
        self.file.end();
    }

    fn emit(&self, event: SpoolEvent<'_>) {
        self.telemetry.emit(&Event::Spool(event));
    }

    /// Nothing is kept until a commit succeeds; whether one has.
    fn stand_by(&mut self, ops: Vec<Op>, error: &Error) -> bool {
        let is_gone = matches!(error, Error::Gone);
        let is_lasting = is_gone || self.file.is_unflushed();
        if is_gone {
            self.queue.lose();
        }
        let health = match is_lasting {
            true => Health::Gone,
            false => Health::Failing,
        };
        self.queue.fail(ops, health);
        // After it: who hears of it finds it so.
        self.emit(SpoolEvent::Failed {
            reason: &error.to_string(),
            is_lasting,
        });
        if is_lasting {
            return false;
        }
        self.is_compact = false;
        loop {
            self.queue.pause(RETRY);
            let Err(error) = self.resume() else {
                self.queue.recover();
                self.emit(SpoolEvent::Recovered);
                return true;
            };
            let is_gone = matches!(error, Error::Gone);
            self.words.drain(..).for_each(|word| word.tell(Err(Unkept)));
            let operations = self.queue.len();
            self.emit(SpoolEvent::Unwritten { operations });
            if is_gone {
                self.queue.lose();
            }
            if is_gone || self.file.is_unflushed() {
                self.queue.fail(Vec::new(), Health::Gone);
                return false;
            }
            if self.queue.is_closing() {
                if operations > 0 {
                    // Who waits for a word in this moment hears one.
                    self.queue.fail(Vec::new(), Health::Gone);
                }
                // A disk that is full may have taken all that there was.
                return operations == 0;
            }
        }
    }

    /// What was to be done, with all the room there is, and a proof that there is room for more.
    fn resume(&mut self) -> Result<(), Error> {
        self.file.place().release();
        self.file.start()?;
        let done = self.catch_up().and_then(|()| self.find_room());
        if done.is_err() && !self.is_compact && !self.file.is_unflushed() {
            self.file.start()?;
            self.file.compact()?;
            self.is_compact = true;
            self.catch_up()?;
            return self.find_room();
        }
        done
    }

    fn find_room(&mut self) -> Result<(), Error> {
        self.file.place().reserve()?;
        self.file.prove_room(ROOM_PAGES)
    }

    /// Writes what is waiting to be tried again, removals first.
    fn catch_up(&mut self) -> Result<(), Error> {
        loop {
            let Retry {
                removals,
                others,
                words,
            } = self.queue.retry();
            self.words.extend(words);
            let is_all = removals.is_empty() && others.is_empty();
            let written = match self.write(removals) {
                Ok(()) => {
                    self.tell(|word| word.of_removals);
                    self.write(others)
                }
                Err((mut left, error)) => {
                    left.extend(others);
                    Err((left, error))
                }
            };
            if let Err((left, error)) = written {
                self.queue.fail(left, Health::Failing);
                return Err(error);
            }
            self.tell(|_| true);
            if is_all {
                return Ok(());
            }
        }
    }

    /// What they wait for is on disk.
    fn tell(&mut self, is_meant: impl Fn(&Word) -> bool) {
        let told = self.words.extract_if(.., |word| is_meant(word));
        told.for_each(|word| word.tell(Ok(())));
    }

    /// Writes them in steps: where many do not fit, few may, and what they free is room for the next ones.
    /// Else what is left of them.
    fn write(&mut self, mut ops: Vec<Op>) -> Result<(), (Vec<Op>, Error)> {
        let (mut step, mut failures) = (STEP_MAX, 0);
        while !ops.is_empty() {
            step = step.min(ops.len());
            let later = ops.split_off(step);
            let Err(error) = self.file.commit(&ops) else {
                told(ops);
                self.is_compact = false;
                ops = later;
                step = (step * 2).min(STEP_MAX);
                continue;
            };
            ops.extend(later);
            failures += 1;
            if step == 1 || failures == FAILURES_MAX || self.file.is_unflushed() {
                return Err((ops, error));
            }
            if let Err(error) = self.file.start() {
                return Err((ops, error));
            }
            step = (step / 8).max(1);
        }
        Ok(())
    }
}

/// Rows are kept; who waited for them may go on.
pub(super) fn told(ops: Vec<Op>) {
    for op in ops {
        match op {
            Op::Insert(entry, _) => entry.advance(Standing::Kept),
            // Whoever asked may have gone.
            Op::Tell(tell) => {
                let _ = tell.send(Ok(()));
            }
            Op::Word(word) => word.tell(Ok(())),
            Op::State(..) | Op::Remove(_) | Op::Remember(_) => {}
        }
    }
}
