//! The file under the engine, and whether a disk has ever failed to flush.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::StorageBackend;

/// Remembers a flush that failed.
#[derive(Debug)]
pub(super) struct Watched<D> {
    disk: D,
    unflushed: Arc<AtomicBool>,
}

/// A file of the system's. Who may open it is left to the directory's lock.
#[derive(Debug)]
pub(super) struct Disk(pub(super) File);

impl<D> Watched<D> {
    pub(super) fn new(disk: D, unflushed: &Arc<AtomicBool>) -> Self {
        let unflushed = Arc::clone(unflushed);
        Self { disk, unflushed }
    }
}

impl<D: StorageBackend> StorageBackend for Watched<D> {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let flushed = self.disk.sync_data();
        if flushed.is_err() {
            self.unflushed.store(true, Ordering::Relaxed);
        }
        flushed
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(offset, data)
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
