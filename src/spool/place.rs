//! Where the bytes are: a directory for one process, with its lock and a count of what was promised.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::SpoolError;

const FILE_NAME: &str = "hookgate.spool";
/// Locked while the spool is open. It counts the commits that have returned: an engine that finds its
/// last commit torn takes the one before it, and only this tells one that nobody was promised anything
/// about from one that was damaged later.
const COUNT_NAME: &str = "commits";
/// Room that is let go when the disk is full: what makes room needs some first.
const RESERVE_NAME: &str = "reserve";
/// Many times what the engine writes to remove a few rows.
const RESERVE_BYTES: usize = 1 << 20;
/// Behind the count: whether it was left in order.
const LEFT_AT: u64 = 8;
const LEFT: [u8; 1] = [1];
/// There instead: no commit has ever returned, so an empty file is one that was never written.
const NEW: [u8; 1] = [2];
/// Only for the owner.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Where the bytes are.
#[derive(Debug)]
pub(super) enum Place {
    /// Ours while the lock is held.
    Directory {
        path: PathBuf,
        count: File,
        /// The engine's, once it is open.
        file: Option<File>,
    },
    #[cfg(test)]
    Simulated(super::tests::Simulated),
}

impl Place {
    /// The directory, made if it is not there, and ours from now on.
    pub(super) fn take(path: &Path) -> Result<Self, SpoolError> {
        let unusable = |error| SpoolError::Directory {
            directory: path.to_owned(),
            error,
        };
        let is_new = !path.exists();
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(path)
            .map_err(unusable)?;
        let count = private(&path.join(COUNT_NAME)).map_err(unusable)?;
        count.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => SpoolError::InUse(path.to_owned()),
            TryLockError::Error(error) => unusable(error),
        })?;
        if is_new {
            // More than one of them may have been made.
            for above in path.ancestors().skip(1) {
                sync(above).map_err(unusable)?;
            }
        }
        let is_empty = count.metadata().map_err(unusable)?.len() == 0;
        if is_empty && !path.join(FILE_NAME).exists() {
            let begun = count.write_all_at(&[0; 8], 0);
            begun
                .and_then(|()| count.write_all_at(&NEW, LEFT_AT))
                .and_then(|()| count.sync_all())
                .map_err(unusable)?;
        }
        Ok(Self::Directory {
            path: path.to_owned(),
            count,
            file: None,
        })
    }

    /// The engine's file: made where nothing was ever kept, and from then on the same one or none.
    pub(super) fn open(&mut self) -> io::Result<Option<File>> {
        match self {
            Self::Directory {
                file: Some(file), ..
            } => file.try_clone().map(Some),
            Self::Directory { path, .. } if !path.join(FILE_NAME).exists() && !self.is_new() => {
                Err(io::Error::new(ErrorKind::InvalidData, "its file is gone"))
            }
            Self::Directory { path, file, .. } => {
                let opened = private(&path.join(FILE_NAME))?;
                sync(path)?;
                *file = Some(opened.try_clone()?);
                Ok(Some(opened))
            }
            #[cfg(test)]
            Self::Simulated(_) => Ok(None),
        }
    }

    /// Whether the file that is written is the one that the next start will find.
    pub(super) fn is_here(&self) -> bool {
        match self {
            Self::Directory {
                path,
                file: Some(file),
                ..
            } => match (file.metadata(), std::fs::metadata(path.join(FILE_NAME))) {
                (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
                _ => false,
            },
            Self::Directory { file: None, .. } => true,
            #[cfg(test)]
            Self::Simulated(_) => true,
        }
    }

    /// Whether nothing was ever kept here.
    pub(super) fn is_new(&self) -> bool {
        let mut left = [0; 1];
        match self {
            Self::Directory { count, .. } => {
                count.read_exact_at(&mut left, LEFT_AT).is_ok() && left == NEW
            }
            #[cfg(test)]
            Self::Simulated(_) => true,
        }
    }

    /// What operators call it.
    pub(super) fn directory(&self) -> PathBuf {
        match self {
            Self::Directory { path, .. } => path.clone(),
            #[cfg(test)]
            Self::Simulated(_) => PathBuf::from("simulated"),
        }
    }

    /// This many commits have returned. Without a flush: a crash of the process cannot undo it, and
    /// where the power goes an older count is right as well.
    pub(super) fn count(&self, commits: u64) {
        match self {
            // In place, so that a full disk takes it; a count that is too low only warns of less.
            Self::Directory { count, .. } => drop(count.write_all_at(&commits.to_le_bytes(), 0)),
            #[cfg(test)]
            Self::Simulated(_) => {}
        }
    }

    /// Takes the reserve, unless it is there.
    pub(super) fn reserve(&self) -> io::Result<()> {
        match self {
            Self::Directory { path, .. } => {
                let file = private(&path.join(RESERVE_NAME))?;
                if file.metadata()?.len() == RESERVE_BYTES as u64 {
                    return Ok(());
                }
                // Of which no file system makes less.
                let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
                    .take(RESERVE_BYTES)
                    .collect();
                let written = file.write_all_at(&bytes, 0).and_then(|()| file.sync_data());
                if written.is_err() {
                    file.set_len(0)?;
                }
                written
            }
            #[cfg(test)]
            Self::Simulated(_) => Ok(()),
        }
    }

    /// Gives the reserve back to the disk.
    pub(super) fn release(&self) {
        match self {
            // One that stays is no worse than none.
            Self::Directory { path, .. } => {
                drop(private(&path.join(RESERVE_NAME)).and_then(|file| file.set_len(0)));
            }
            #[cfg(test)]
            Self::Simulated(_) => {}
        }
    }

    /// Nothing is being written: the next start is told so.
    pub(super) fn leave(&self) {
        match self {
            Self::Directory { count, .. } => drop(count.write_all_at(&LEFT, LEFT_AT)),
            #[cfg(test)]
            Self::Simulated(_) => {}
        }
    }

    /// Whether whoever was here before left in the middle of something; from now on, that is us.
    pub(super) fn enter(&self) -> bool {
        let mut left = [0; 1];
        match self {
            Self::Directory { count, .. } => {
                let was_used = count.read_exact_at(&mut left, LEFT_AT).is_ok();
                // As with the count: where it cannot be written, only a warning is missing.
                drop(count.write_all_at(&[0], LEFT_AT));
                was_used && left != LEFT && left != NEW
            }
            #[cfg(test)]
            Self::Simulated(_) => false,
        }
    }

    pub(super) fn counted(&self) -> u64 {
        let mut commits = [0; 8];
        match self {
            Self::Directory { count, .. } => match count.read_exact_at(&mut commits, 0) {
                Ok(()) => u64::from_le_bytes(commits),
                Err(_) => 0,
            },
            #[cfg(test)]
            Self::Simulated(_) => 0,
        }
    }
}

/// Whether there is a spool in that directory.
pub(super) fn is_there(directory: &Path) -> bool {
    [FILE_NAME, COUNT_NAME]
        .iter()
        .any(|name| directory.join(name).exists())
}

/// Opens a file that only its owner may read, or makes it.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .open(path)
}

/// A name is on disk when its directory is.
fn sync(directory: &Path) -> io::Result<()> {
    let here = directory.as_os_str().is_empty();
    let directory = if here { Path::new(".") } else { directory };
    File::open(directory)?.sync_all()
}
