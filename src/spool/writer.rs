//! The thread that writes: group after group, and what it does when the disk fails.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::entry::Standing;
use super::fault::Error;
use super::file::File;
use super::queue::{Health, Op, Queue};
use crate::telemetry::{Event, SpoolEvent, Telemetry};

/// Between two looks at whether a disk takes rows again: an operator does not wait for more.
const RETRY: Duration = Duration::from_secs(1);
/// A disk has room again when it has this much: less is full within a moment. A little below a power of
/// two, in which the engine counts.
const ROOM_BYTES: usize = (1 << 20) - (8 << 10);

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
    };
    thread::Builder::new()
        .name("spool".to_owned())
        .spawn(move || writer.run())
}

struct Writer {
    file: File,
    queue: Arc<Queue>,
    telemetry: Telemetry,
}

impl Writer {
    fn run(mut self) {
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
        let reason = error.to_string();
        self.emit(SpoolEvent::Failed {
            reason: &reason,
            is_lasting,
        });
        if is_gone {
            self.queue.lose();
        }
        if is_lasting {
            self.queue.fail(ops, Health::Gone);
            return false;
        }
        self.queue.fail(ops, Health::Failing);
        loop {
            self.queue.pause(RETRY);
            if self.resume().is_ok() {
                self.queue.recover();
                self.emit(SpoolEvent::Recovered);
                return true;
            }
            if self.file.is_unflushed() {
                self.queue.fail(Vec::new(), Health::Gone);
                return false;
            }
            if self.queue.is_closing() {
                return false;
            }
        }
    }

    /// What was to be done, and a proof that there is room for more.
    fn resume(&mut self) -> Result<(), Error> {
        self.file.start()?;
        loop {
            let ops = self.queue.retry();
            if ops.is_empty() {
                return self.file.prove_room(ROOM_BYTES);
            }
            if let Err(error) = self.file.commit(&ops) {
                self.queue.fail(ops, Health::Failing);
                return Err(error);
            }
            told(ops);
        }
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
            Op::State(..) | Op::Remove(_) | Op::Remember(_) => {}
        }
    }
}
