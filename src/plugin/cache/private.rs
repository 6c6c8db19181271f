//! Files that are ours alone: whoever can write here can run code in the proxy.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::CacheError;

/// Only for the owner.
pub(super) const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const MODE_BITS: u32 = 0o777;

pub(super) fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
}

/// A name next to `path` that no other start uses; what a crash leaves there is pruned in time. A
/// process id would not do: two containers that share a directory may both have the same.
pub(super) fn temporary(path: &Path) -> PathBuf {
    path.with_extension(format!("{:016x}.tmp", fastrand::u64(..)))
}

/// Who we are, by what the system says about us; none where there is no `/proc`.
pub(super) fn process_owner() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|process| process.uid())
}

pub(super) fn private(path: &Path, found: &fs::Metadata, owner: u32) -> Result<(), CacheError> {
    let others = found.mode() & MODE_BITS & !DIRECTORY_MODE;
    let reason = if found.uid() != owner {
        format!("it belongs to user {} and not to user {owner}", found.uid())
    } else if others != 0 {
        format!("its mode is {:03o}", found.mode() & MODE_BITS)
    } else {
        return Ok(());
    };
    Err(CacheError::NotPrivate {
        path: path.to_owned(),
        reason,
    })
}
