//! The plugins of this process: each component is read, checked, compiled and linked once.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;

use super::bundled::{bundled, component};
use super::cache::Identity;
use super::compiled::Compiled;
use super::engine::Engine;
use super::kv::Stores;
use super::load::{KV, LoadError, Reason, SIGNING};
use super::loaded::{Plugin, try_out};
use super::{Limits, Reuse};

/// A component with a whole JavaScript or Python runtime has 12 to 18 MB.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;
/// A first byte `\0asm`, then the version: 1 and layer 0 is a core module, 13 and layer 1 a component.
const MAGIC: &[u8] = b"\0asm";
const CORE: [u8; 4] = [1, 0, 0, 0];

/// Where a plugin comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// With the binary: one of [`bundled`](super::bundled).
    Bundled(&'static str),
    /// From a file.
    File {
        /// Of the component.
        path: PathBuf,
        /// What it must hash to, if the configuration says so.
        sha256: Option<[u8; 32]>,
    },
}

/// What a plugin may do beyond what every plugin may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grants {
    /// Names of keys that it may make MACs with.
    pub signing: Vec<Box<str>>,
    /// State shared by its instances on one route.
    pub kv: bool,
    /// Keeping its memory from webhook to webhook; none: each webhook has a fresh instance.
    pub reuse: Option<Reuse>,
}

/// All loaded plugins. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    engine: Engine,
    compiled: Arc<Mutex<HashMap<[u8; 32], Arc<Compiled>>>>,
    stores: Stores,
}

impl Catalog {
    /// An empty one.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            compiled: Arc::default(),
            stores: Stores::default(),
        }
    }

    /// Loads a plugin; a component that was loaded before is not compiled again. Blocks, for as long
    /// as a compilation takes (seconds for interpreted languages): not on a worker.
    ///
    /// # Errors
    /// See [`Reason`].
    pub fn load(
        &self,
        name: &str,
        source: &Source,
        limits: Limits,
        grants: &Grants,
    ) -> Result<Arc<Plugin>, LoadError> {
        let error = |reason| LoadError {
            plugin: name.into(),
            origin: match source {
                Source::Bundled(name) => (*name).into(),
                Source::File { path, .. } => path.display().to_string(),
            },
            reason,
        };
        let compiled = self.compile(source).map_err(error)?;
        let signing = (SIGNING, "`signing` and the names of the keys");
        for ((interface, grant), granted) in [
            (signing, !grants.signing.is_empty()),
            ((KV, "`kv`"), grants.kv),
        ] {
            let mut imports = compiled.imports().iter();
            if !granted && let Some(import) = imports.find(|name| name.starts_with(interface)) {
                let import = import.to_string();
                return Err(error(Reason::NotGranted { import, grant }));
            }
        }
        if compiled.memory() > limits.memory {
            let (needs, may) = (compiled.memory(), limits.memory);
            return Err(error(Reason::NeedsMemory { needs, may }));
        }
        Ok(Arc::new(Plugin::new(
            name,
            compiled,
            limits,
            grants.clone(),
            self.stores.clone(),
        )))
    }

    /// Keeps bytes for the next start, beside the compiled plugins and authenticated like them; without
    /// a cache, or when its disk refuses, they are not kept. Blocks.
    pub fn keep(&self, name: &str, bytes: &[u8]) {
        if let Some(cache) = self.engine.cache() {
            drop(cache.write(Identity::of(name), bytes));
        }
    }

    /// What was kept under that name. Blocks.
    #[must_use]
    pub fn kept_bytes(&self, name: &str) -> Option<Vec<u8>> {
        self.engine.cache()?.read(Identity::of(name))
    }

    /// Forgets the components that no [`Plugin`] uses any more.
    pub fn retain_used(&self) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.retain(|_, compiled| Arc::strong_count(compiled) > 1);
    }

    /// How many components are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.compiled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn compile(&self, source: &Source) -> Result<Arc<Compiled>, Reason> {
        let read;
        let (bytes, pin) = match source {
            Source::Bundled(name) => {
                let missing = || Reason::NotBundled(bundled().to_vec());
                (component(name).ok_or_else(missing)?, None)
            }
            Source::File { path, sha256 } => {
                read = read_bounded(path)?;
                (read.as_slice(), sha256.as_ref())
            }
        };
        let digest = sha256(bytes);
        if let Some(expected) = pin.filter(|expected| **expected != digest) {
            return Err(Reason::DigestDiffers {
                expected: hex(expected),
                found: hex(&digest),
            });
        }
        if let Some(known) = self.kept(&digest) {
            return Ok(known);
        }
        match bytes.strip_prefix(MAGIC) {
            None => return Err(Reason::NotWasm),
            Some(rest) if rest.starts_with(&CORE) => return Err(Reason::CoreModule),
            Some(_) => {}
        }
        let mut compiled = Compiled::new(&self.engine, bytes, digest)?;
        try_out(&mut compiled)?;
        let mut kept = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever was first meanwhile stays, so that equal plugins share one component.
        Ok(Arc::clone(
            kept.entry(digest).or_insert_with(|| Arc::new(compiled)),
        ))
    }

    fn kept(&self, digest: &[u8; 32]) -> Option<Arc<Compiled>> {
        self.compiled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(digest)
            .cloned()
    }
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog")
            .field("plugins", &self.len())
            .finish_non_exhaustive()
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Reason> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(COMPONENT_BYTES_MAX).unwrap_or(u64::MAX);
    File::open(path)
        .and_then(|file| file.take(bound + 1).read_to_end(&mut bytes))
        .map_err(Reason::Unreadable)?;
    if bytes.len() > COMPONENT_BYTES_MAX {
        return Err(Reason::TooLarge(COMPONENT_BYTES_MAX));
    }
    Ok(bytes)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
