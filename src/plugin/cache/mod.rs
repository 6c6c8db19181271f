//! Compiled plugins on disk. A compiled plugin is native code: whoever could forge one would run it
//! inside the proxy, so nothing is used that this cache did not write and authenticate itself.

mod key;
mod private;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use thiserror::Error;

use self::private::{DIRECTORY_MODE, create_new, private, process_owner, temporary};

/// The key's file.
const KEY_FILE: &str = "key";
/// Behind the artifact, so that the file begins as a file of code does.
const MAC_BYTES: usize = digest::SHA256_OUTPUT_LEN;
/// What is authenticated at once: half of a small second-level cache.
const PIECE_BYTES: usize = 256 << 10;
/// A compiled Python interpreter has 60 MB.
const ARTIFACT_BYTES_MAX: u64 = 512 << 20;
/// More than the plugins of any one installation; past it the oldest go.
const ARTIFACTS_MAX: usize = 64;

/// Why the cache cannot be used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// It cannot be made, read or written.
    #[error("cannot use the plugin cache `{}`", path.display())]
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
    owner: u32,
    key: hmac::Key,
}

/// What an artifact was made of and for. Its file name, and part of what is authenticated: one valid
/// artifact cannot stand in for another.
#[derive(Clone, Copy)]
pub(super) struct Identity {
    hash: [u8; digest::SHA256_OUTPUT_LEN],
    /// What it is, for whoever lists the folder.
    extension: &'static str,
}

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
        sha.write(b"hookgate compiled plugin 2");
        sha.write(component);
        engine.precompile_compatibility_hash().hash(&mut sha);
        Self::finish(sha.0, "compiled")
    }

    /// Of something else that is kept from start to start.
    pub(super) fn of(name: &str) -> Self {
        let mut sha = digest::Context::new(&digest::SHA256);
        sha.update(b"hookgate kept 1");
        sha.update(name.as_bytes());
        Self::finish(sha, "kept")
    }

    fn finish(sha: digest::Context, extension: &'static str) -> Self {
        let mut hash = [0; digest::SHA256_OUTPUT_LEN];
        hash.copy_from_slice(sha.finish().as_ref());
        Self { hash, extension }
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
        let key = key::open(&path, place.uid())?;
        Ok(Self {
            directory: directory.to_owned(),
            owner,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
        })
    }

    /// The artifact, authenticated; none when there is none that we wrote.
    pub(super) fn find(&self, identity: Identity) -> Option<Artifact> {
        let path = self.path(identity);
        let file = self.open_artifact(&path)?;
        let mut mac = hmac::Context::with_key(&self.key);
        mac.update(&identity.hash);
        // In pieces that stay in the processor's cache: it is mapped afterwards, and never all in our
        // own memory.
        let length = file.metadata().ok()?.len().checked_sub(MAC_BYTES as u64)?;
        let mut file = file.take(length);
        let mut piece = vec![0; PIECE_BYTES];
        loop {
            match file.read(&mut piece).ok()? {
                0 => break,
                count => mac.update(piece.get(..count)?),
            }
        }
        let mut written = [0; MAC_BYTES];
        file.into_inner().read_exact(&mut written).ok()?;
        verify_slices_are_equal(mac.sign().as_ref(), &written).ok()?;
        let length = usize::try_from(length).ok()?;
        Some(Artifact { path, length })
    }

    /// The bytes of an artifact, authenticated as they are given.
    pub(super) fn read(&self, identity: Identity) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut file = self.open_artifact(&self.path(identity))?;
        file.read_to_end(&mut bytes).ok()?;
        let length = bytes.len().checked_sub(MAC_BYTES)?;
        let (artifact, written) = bytes.split_at_checked(length)?;
        let genuine = authenticate(&self.key, identity, artifact);
        verify_slices_are_equal(genuine.as_ref(), written).ok()?;
        bytes.truncate(length);
        Some(bytes)
    }

    /// The file, if nobody else may write it.
    fn open_artifact(&self, path: &Path) -> Option<File> {
        let file = File::open(path).ok()?;
        let found = file.metadata().ok()?;
        private(path, &found, self.owner).ok()?;
        (found.is_file() && found.len() <= ARTIFACT_BYTES_MAX).then_some(file)
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
            .write_all(artifact)
            .and_then(|()| file.write_all(authenticate(&self.key, identity, artifact).as_ref()))
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            drop(fs::remove_file(&temporary));
        }
        written
    }

    fn path(&self, Identity { hash, extension }: Identity) -> PathBuf {
        let name: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        self.directory.join(name).with_extension(extension)
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

/// Compiled code that passed the cache's check; only [`Cache::find`] makes one.
pub(super) struct Artifact {
    path: PathBuf,
    length: usize,
}

impl Artifact {
    /// Bytes of code.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// The file: the code, and behind it what authenticates it. In the private directory, where we are
    /// the only ones who write, and never into a file that has its name already.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

fn authenticate(key: &hmac::Key, identity: Identity, artifact: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(&identity.hash);
    context.update(artifact);
    context.sign()
}
