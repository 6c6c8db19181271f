//! Compiled plugins on disk. A compiled plugin is native code: whoever could forge one would run it
//! inside the proxy, so nothing is used that this cache did not write and authenticate itself.

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{digest, hmac};
use thiserror::Error;

/// The key's file.
const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = digest::SHA256_OUTPUT_LEN;
/// Only for the owner: whoever can write here can run code in the proxy.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const MODE_BITS: u32 = 0o777;
/// A compiled Python interpreter has 60 MB.
const ARTIFACT_BYTES_MAX: u64 = 512 << 20;
/// More than the plugins of any one installation; past it the oldest go.
const ARTIFACTS_MAX: usize = 64;

/// Why the cache cannot be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// It cannot be made, read or written.
    #[error("cannot use the plugin cache `{}`: {source}", path.display())]
    Io {
        /// The directory or the file in it.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may write what we would run.
    #[error("the plugin cache `{}` is not private: {reason}; `chmod 700` it, or name another directory", path.display())]
    NotPrivate {
        /// The directory or the file in it.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// A private directory of compiled plugins.
pub(super) struct Cache {
    directory: PathBuf,
    key: hmac::Key,
}

/// What an artifact was made of and for. Its file name, and part of what is authenticated: one valid
/// artifact cannot stand in for another.
#[derive(Clone, Copy)]
pub(super) struct Identity([u8; digest::SHA256_OUTPUT_LEN]);

impl Identity {
    /// Of a component's digest and the engine: settings, wasmtime's version, the processor's features.
    pub(super) fn new(component: &[u8; 32], engine: &wasmtime::Engine) -> Self {
        /// Hashes with SHA-256 what implements `Hash`.
        struct Sha(digest::Context);
        impl Hasher for Sha {
            fn write(&mut self, bytes: &[u8]) {
                self.0.update(bytes);
            }

            fn finish(&self) -> u64 {
                0 // Not asked for: the whole digest is taken.
            }
        }
        let mut sha = Sha(digest::Context::new(&digest::SHA256));
        sha.write(b"hookgate compiled plugin 1");
        sha.write(component);
        engine.precompile_compatibility_hash().hash(&mut sha);
        let mut identity = [0; digest::SHA256_OUTPUT_LEN];
        identity.copy_from_slice(sha.0.finish().as_ref());
        Self(identity)
    }
}

impl Cache {
    /// Opens or makes the directory and its key.
    pub(super) fn open(directory: &Path) -> Result<Self, CacheError> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| CacheError::Io { path, source }
        };
        if !directory.exists() {
            let mut builder = fs::DirBuilder::new();
            builder.recursive(true).mode(DIRECTORY_MODE);
            builder.create(directory).map_err(at(directory))?;
        }
        let place = fs::symlink_metadata(directory).map_err(at(directory))?;
        if !place.is_dir() {
            let reason = "it is not a directory".into();
            return Err(CacheError::NotPrivate {
                path: directory.to_owned(),
                reason,
            });
        }
        let owner = process_owner().unwrap_or_else(|| place.uid());
        private(directory, &place, owner)?;
        let path = directory.join(KEY_FILE);
        let mut found = Found::at(&path, place.uid())?;
        if !matches!(found, Found::Key(_)) {
            found.make_good(&path).map_err(at(&path))?;
            // Whoever was first made the key of all.
            found = Found::at(&path, place.uid())?;
        }
        let Found::Key(key) = found else {
            let gone = io::Error::other("its key does not stay");
            return Err(at(&path)(gone));
        };
        Ok(Self {
            directory: directory.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })
    }

    /// The artifact, authenticated; none when there is none that we wrote.
    pub(super) fn read(&self, identity: Identity) -> Option<Artifact> {
        let mut file = File::open(self.path(identity)).ok()?;
        if file.metadata().ok()?.len() > ARTIFACT_BYTES_MAX {
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let (mac, artifact) = bytes.split_at_checked(MAC_BYTES)?;
        let genuine = authenticate(&self.key, identity, artifact);
        aws_lc_rs::constant_time::verify_slices_are_equal(genuine.as_ref(), mac).ok()?;
        Some(Artifact { bytes })
    }

    /// Keeps an artifact: all of it or nothing, whatever happens meanwhile.
    ///
    /// # Errors
    /// When the disk refuses; the plugin is compiled already and works without.
    pub(super) fn write(&self, identity: Identity, artifact: &[u8]) -> io::Result<()> {
        self.prune();
        let path = self.path(identity);
        let temporary = temporary(&path);
        let mut file = create_new(&temporary)?;
        let written = file
            .write_all(authenticate(&self.key, identity, artifact).as_ref())
            .and_then(|()| file.write_all(artifact))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            drop(fs::remove_file(&temporary));
        }
        written
    }

    fn path(&self, Identity(identity): Identity) -> PathBuf {
        let name: String = identity.iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(name).with_extension("compiled")
    }

    /// Removes the oldest artifacts until there is room for one more.
    fn prune(&self) {
        let Ok(entries) = fs::read_dir(&self.directory) else {
            return;
        };
        let mut artifacts: Vec<_> = entries
            .flatten()
            .filter(|entry| entry.file_name() != KEY_FILE)
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        artifacts.sort();
        let surplus = (artifacts.len() + 1).saturating_sub(ARTIFACTS_MAX);
        for (_, path) in artifacts.into_iter().take(surplus) {
            drop(fs::remove_file(path));
        }
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

/// Compiled code that passed the cache's check; only [`Cache::read`] makes one.
pub(super) struct Artifact {
    bytes: Vec<u8>,
}

impl Artifact {
    pub(super) fn code(&self) -> &[u8] {
        self.bytes.get(MAC_BYTES..).unwrap_or_default()
    }
}

fn authenticate(key: &hmac::Key, Identity(identity): Identity, artifact: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(&identity);
    context.update(artifact);
    context.sign()
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
}

/// A name next to `path` that no other start uses; what a crash leaves there is pruned in time. A
/// process id would not do: two containers that share a directory may both have the same.
fn temporary(path: &Path) -> PathBuf {
    path.with_extension(format!("{:016x}.tmp", fastrand::u64(..)))
}

/// Who we are, by what the system says about us; none where there is no `/proc`.
fn process_owner() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|process| process.uid())
}

fn private(path: &Path, found: &fs::Metadata, owner: u32) -> Result<(), CacheError> {
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    const ONE: Identity = Identity([1; 32]);
    const TWO: Identity = Identity([2; 32]);

    fn cache() -> (tempfile::TempDir, Cache) {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(&home.path().join("cache")).unwrap();
        (home, cache)
    }

    #[test]
    fn what_was_written_is_read_also_after_a_restart() {
        let (home, cache) = cache();

        cache.write(ONE, b"code").unwrap();

        assert_eq!(cache.read(ONE).unwrap().code(), b"code");
        let again = Cache::open(&home.path().join("cache")).unwrap();
        assert_eq!(again.read(ONE).unwrap().code(), b"code");
        assert!(again.read(TWO).is_none());
    }

    #[test]
    fn one_flipped_bit_anywhere_is_refused() {
        let (_home, cache) = cache();
        cache.write(ONE, b"code").unwrap();
        let genuine = fs::read(cache.path(ONE)).unwrap();

        for at in 0..genuine.len() {
            let mut forged = genuine.clone();
            forged[at] ^= 1;
            fs::write(cache.path(ONE), forged).unwrap();
            assert!(cache.read(ONE).is_none(), "byte {at}");
        }
        for length in 0..genuine.len() {
            fs::write(cache.path(ONE), &genuine[..length]).unwrap();
            assert!(cache.read(ONE).is_none(), "cut at {length}");
        }
        fs::write(cache.path(ONE), &genuine).unwrap();
        assert!(cache.read(ONE).is_some());
    }

    #[test]
    fn one_artifact_cannot_stand_in_for_another() {
        let (_home, cache) = cache();
        cache.write(ONE, b"code").unwrap();

        fs::rename(cache.path(ONE), cache.path(TWO)).unwrap();

        assert!(cache.read(TWO).is_none());
    }

    #[test]
    fn an_artifact_of_another_cache_is_refused() {
        let ((_one, from), (_other, to)) = (cache(), cache());
        from.write(ONE, b"code").unwrap();

        fs::copy(from.path(ONE), to.path(ONE)).unwrap();

        assert!(to.read(ONE).is_none());
    }

    #[test]
    fn a_directory_that_others_may_read_is_refused() {
        let (home, cache) = cache();
        let path = home.path().join("cache");
        drop(cache);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();

        let error = Cache::open(&path).err().unwrap().to_string();

        assert_eq!(
            error,
            format!(
                "the plugin cache `{}` is not private: its mode is 750; `chmod 700` it, or name another directory",
                path.display()
            )
        );
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let (home, cache) = cache();
        drop(cache);
        let path = home.path().join("cache");
        fs::set_permissions(path.join(KEY_FILE), fs::Permissions::from_mode(0o644)).unwrap();

        assert!(matches!(
            Cache::open(&path),
            Err(CacheError::NotPrivate { .. })
        ));
    }

    #[test]
    fn starts_that_race_for_a_new_directory_share_one_key() {
        const STARTS: usize = 16;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("cache");
        let line = Barrier::new(STARTS);

        let caches: Vec<Cache> = thread::scope(|scope| {
            let start = || {
                line.wait();
                Cache::open(&path).unwrap()
            };
            let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|s| s.join().unwrap()).collect()
        });

        for writer in &caches {
            writer.write(ONE, b"code").unwrap();
            assert!(caches.iter().all(|reader| reader.read(ONE).is_some()));
        }
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "leftovers");
    }

    #[test]
    fn a_damaged_key_is_replaced_and_what_it_vouched_for_forgotten() {
        for damage in [
            &[][..],
            &[7; KEY_BYTES - 1],
            &[7; KEY_BYTES + 1],
            &[0; KEY_BYTES],
        ] {
            let (home, cache) = cache();
            cache.write(ONE, b"code").unwrap();
            let path = home.path().join("cache");
            fs::write(path.join(KEY_FILE), damage).unwrap();

            let healed = Cache::open(&path).unwrap();

            assert!(healed.read(ONE).is_none());
            healed.write(ONE, b"new code").unwrap();
            let again = Cache::open(&path).unwrap();
            assert_eq!(again.read(ONE).unwrap().code(), b"new code");
        }
    }

    #[test]
    fn a_damaged_key_that_others_may_read_is_refused_and_stays() {
        let (home, cache) = cache();
        drop(cache);
        let path = home.path().join("cache").join(KEY_FILE);
        fs::write(&path, b"").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();

        assert!(matches!(
            Cache::open(path.parent().unwrap()),
            Err(CacheError::NotPrivate { .. })
        ));
        assert_eq!(fs::read(&path).unwrap(), b"");
    }

    #[test]
    fn a_key_that_is_no_file_is_refused() {
        let (home, cache) = cache();
        drop(cache);
        let path = home.path().join("cache").join(KEY_FILE);
        fs::remove_file(&path).unwrap();
        fs::DirBuilder::new()
            .mode(DIRECTORY_MODE)
            .create(&path)
            .unwrap();

        assert!(matches!(
            Cache::open(path.parent().unwrap()),
            Err(CacheError::Io { .. })
        ));
    }

    #[test]
    fn a_full_cache_forgets_its_oldest() {
        let (home, cache) = cache();

        for n in 0..=u8::try_from(ARTIFACTS_MAX).unwrap() {
            cache.write(Identity([n; 32]), b"code").unwrap();
        }

        let kept = fs::read_dir(home.path().join("cache")).unwrap().count();
        assert_eq!(kept, ARTIFACTS_MAX + 1);
        assert!(cache.read(Identity([64; 32])).is_some());
    }
}
