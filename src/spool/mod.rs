//! Rows that survive the process: numbered bytes in one file, written in groups, each group on disk
//! before anybody hears of it.
//!
//! [`Spool`] is for any number of threads; one thread writes. It takes whatever has been asked for since
//! its last commit, so that a hundred senders share one flush of the disk. Who must not go on before his
//! rows are on disk waits for [`Spool::keep`]; everything else is written soon, and what a crash undoes
//! of it is a removal or a count: a delivery is repeated then, and none is lost.
//!
//! # The engine
//!
//! `redb`: a B-tree in one file, copied on write, with a checksum on each page and one flush a commit; no
//! thread of its own, one dependency. What a commit that was cut short had written is not reachable, so
//! there is no tail to cut: the commit before it is found and its checksums are verified. It was measured
//! against fjall (a log-structured tree) with our work, groups of 64 rows of 1.5 kB that are removed
//! soon: both keep far more rows a second than workers can take, redb in files of a few MiB and commits
//! that take between 0.8 and 1.3 ms, fjall in files many times as large, with pauses for compaction and
//! threads that take cores from workers.
//!
//! Going back to the commit before is right for one that never returned, and would be a loss for any
//! other. So the commits that returned are counted beside the file: one that is missing is damage, and
//! damage is never repaired by forgetting.
//!
//! # What a failing disk means
//!
//! A write that fails (no space, a quota) leaves what is on disk as it was: nothing is kept until a
//! commit succeeds again, and then everything goes on. Meanwhile what has ended is removed all the same,
//! every second and before anything that needs room: a full disk must not make deliveries twice. An engine
//! that copies on write needs room for that, too, so there is a reserve beside its file, which is let go
//! when the disk is full and is back before anything is kept again. A *flush* that fails is another matter: the
//! system may have forgotten what it could not write, and asking again proves nothing. Then nothing is
//! kept any more by this process.

mod cipher;
mod disk;
mod entry;
mod error;
mod fault;
mod file;
mod place;
mod queue;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use entry::Entry;
pub use error::SpoolError;
pub use file::{Found, FoundRow};

use crate::secret::Secret;
use crate::telemetry::Telemetry;
use file::File;
use queue::{Memory, Op, Queue, Word};

/// Where rows are, and what seals them.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A directory for this process alone; it is made when it is not there.
    pub directory: PathBuf,
    /// Rows are sealed with keys that are derived from it.
    pub key: Option<Arc<Secret>>,
}

impl Settings {
    /// Whether it is the same directory with the same key.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let key = |settings: &Self| settings.key.as_ref().map(|key| key.expose().to_vec());
        self.directory == other.directory && key(self) == key(other)
    }
}

/// What is written: a part that changes with its owner's mind and one that is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Comes first, with its length.
    pub head: Vec<u8>,
    /// The rest.
    pub body: Arc<[u8]>,
}

/// Nothing was kept: the disk is full, or failing, or slower than what comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unkept;

/// A spool in use; cheap to clone.
#[derive(Clone, Debug)]
pub struct Spool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    queue: Arc<Queue>,
    /// The number of the next row.
    next: AtomicU64,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Written by whoever waits for it: a simulation has one thread.
    #[cfg(test)]
    inline: Mutex<Option<File>>,
}

impl Spool {
    /// Opens the spool, or makes it, and reads what it holds. Blocking, and in proportion to that.
    ///
    /// # Errors
    /// A directory that cannot be used, or a file that must not be touched; each with its cure.
    pub fn open(settings: &Settings, telemetry: &Telemetry) -> Result<(Self, Found), SpoolError> {
        let (file, found) = File::open(settings)?;
        let next = found.next_number();
        let spool =
            Self::over(file, next, telemetry.clone()).map_err(|error| SpoolError::Directory {
                directory: settings.directory.clone(),
                error,
            })?;
        Ok((spool, found))
    }

    fn over(file: File, next: u64, telemetry: Telemetry) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let writer = writer::start(file, Arc::clone(&queue), telemetry)?;
        Ok(Self(Arc::new(Inner {
            queue,
            next: AtomicU64::new(next),
            writer: Mutex::new(Some(writer)),
            #[cfg(test)]
            inline: Mutex::new(None),
        })))
    }

    /// A number for a row that is not written yet.
    #[must_use]
    pub fn entry(&self) -> Arc<Entry> {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        Entry::new(number, Arc::clone(&self.0.queue))
    }

    /// The entry of a row that was found.
    #[must_use]
    pub fn entry_of(&self, number: u64) -> Arc<Entry> {
        Entry::kept(number, Arc::clone(&self.0.queue))
    }

    /// Writes rows, all or none, and returns when they are on disk. Dropping the future does not take
    /// them back.
    ///
    /// # Errors
    /// They are not there, and will not be.
    pub async fn keep(&self, rows: Vec<(Arc<Entry>, Row)>) -> Result<(), Unkept> {
        let (tell, told) = oneshot::channel();
        let entries: Vec<_> = rows.iter().map(|(entry, _)| Arc::clone(entry)).collect();
        let inserts = rows.into_iter().map(|(entry, row)| Op::Insert(entry, row));
        self.0
            .queue
            .ask(inserts.chain([Op::Tell(tell)]).collect())?;
        #[cfg(test)]
        self.write_inline();
        let kept = told.await.unwrap_or(Err(Unkept));
        if kept.is_err() {
            // Those that were in another group than the one that failed.
            entries.iter().for_each(|entry| entry.settle());
        }
        kept
    }

    /// Returns when everything that was asked for before is on disk.
    ///
    /// # Errors
    /// Something of it may not be.
    pub async fn synced(&self) -> Result<(), Unkept> {
        self.keep(Vec::new()).await
    }

    /// Returns when the removals that were asked for before are on disk (`of_removals`), or everything that
    /// was and is not given up. On a disk that is full it waits for another try.
    ///
    /// # Errors
    /// Something of it is not.
    pub async fn caught_up(&self, of_removals: bool) -> Result<(), Unkept> {
        let (tell, told) = oneshot::channel();
        self.0.queue.ask_word(Word { of_removals, tell });
        #[cfg(test)]
        self.write_inline();
        told.await.unwrap_or(Err(Unkept))
    }

    /// Keeps `key` until `expires`, soon: the next start finds it again. Both moments in milliseconds
    /// since the Unix epoch.
    pub fn remember(&self, key: Vec<u8>, now: u64, expires: u64) {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.queue.ask_later(Op::Remember(Memory {
            number,
            key,
            now,
            expires,
        }));
    }

    /// Whether a start could use the spool of these settings, as far as it is there and not in use. Blocking, and
    /// in proportion to what it holds.
    ///
    /// # Errors
    /// As with [`Self::open`].
    pub fn check(settings: &Settings) -> Result<(), SpoolError> {
        File::check(settings)
    }

    /// Whether what was kept will not be found again.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.0.queue.is_lost()
    }

    /// Whether rows can be kept at the moment.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.0.queue.is_writable()
    }

    /// Writes what was asked for and gives the directory back. Blocking; the second call does nothing.
    pub fn close(&self) {
        self.0.queue.close();
        #[cfg(test)]
        self.write_inline();
        let writer = self.0.writer.lock();
        let writer = writer.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // One that panicked has told so through the panic hook.
            let _ = writer.join();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The thread holds the queue and not this: it ends by itself, after what was asked for.
        self.queue.close();
    }
}

#[cfg(test)]
pub(crate) mod tests;
