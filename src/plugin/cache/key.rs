//! The key under which artifacts are authenticated: made once, and never seen half written.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};

use super::CacheError;
use super::private::{create_new, private, temporary};

pub(super) const KEY_BYTES: usize = 32;

/// The key at `path`, made now if there is none.
pub(super) fn open(path: &Path, owner: u32) -> Result<[u8; KEY_BYTES], CacheError> {
    let at = |source| CacheError::Io {
        path: path.to_owned(),
        source,
    };
    let mut found = Found::at(path, owner)?;
    if !matches!(found, Found::Key(_)) {
        found.make_good(path).map_err(at)?;
        // Whoever was first made the key of all.
        found = Found::at(path, owner)?;
    }
    match found {
        Found::Key(key) => Ok(key),
        Found::Damaged | Found::Nothing => Err(at(io::Error::other("its key does not stay"))),
    }
}

/// What lies where the key should be.
enum Found {
    Key([u8; KEY_BYTES]),
    /// A crash cut it short, or left only the room for it.
    Damaged,
    Nothing,
}

impl Found {
    fn at(path: &Path, owner: u32) -> Result<Self, CacheError> {
        let error = |source| CacheError::Io {
            path: path.to_owned(),
            source,
        };
        let file = match fs::symlink_metadata(path) {
            Ok(file) => file,
            Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Self::Nothing),
            Err(source) => return Err(error(source)),
        };
        private(path, &file, owner)?;
        if !file.is_file() {
            return Err(error(io::Error::other("it is not a file: remove it")));
        }
        let mut bytes = Vec::new();
        let bound = u64::try_from(KEY_BYTES).unwrap_or(u64::MAX);
        File::open(path)
            .and_then(|file| file.take(bound + 1).read_to_end(&mut bytes))
            .map_err(error)?;
        Ok(match bytes.try_into() {
            Ok(key) if key != [0; KEY_BYTES] => Self::Key(key),
            Ok(_) | Err(_) => Self::Damaged,
        })
    }

    /// Makes a key where there is none. It appears with all its bytes or not at all, and never over
    /// the one that another start made meanwhile; only a damaged one is replaced. What was cached
    /// under that is then compiled anew, and so is what the slower of two healing starts caches.
    fn make_good(&self, path: &Path) -> io::Result<()> {
        let mut key = [0; KEY_BYTES];
        SystemRandom::new()
            .fill(&mut key)
            .map_err(|_unspecified| io::Error::other("no randomness"))?;
        let temporary = temporary(path);
        let mut file = create_new(&temporary)?;
        let made = file
            .write_all(&key)
            .and_then(|()| file.sync_all())
            .and_then(|()| match self {
                Self::Nothing => match fs::hard_link(&temporary, path) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                    Ok(()) => Ok(()),
                    // A file system without hard links.
                    Err(_) => fs::rename(&temporary, path),
                },
                Self::Key(_) | Self::Damaged => fs::rename(&temporary, path),
            });
        drop(fs::remove_file(&temporary));
        made
    }
}
