//! The plugins of this process: each component is read, checked, compiled and linked once.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use aws_lc_rs::digest;
use bytes::Bytes;
use http::Method;
use http::uri::PathAndQuery;

use super::compiled::{Compiled, Origin};
use super::engine::{Engine, MEMORY_BYTES_MAX};
use super::failure::Fault;
use super::host::{Case, Guest, Outfit};
use super::instance::Instance;
use super::load::{LoadError, Reason, SIGNING};
use super::{FailureKind, Keyring, Limits, Stage, bundled};
use crate::telemetry::Telemetry;
use crate::webhook::{Arrival, Fields, Scheme, Webhook, WebhookId};

/// A component with a whole JavaScript or Python runtime has 12 to 18 MB.
pub const COMPONENT_BYTES_MAX: usize = 64 << 20;
/// What `lifecycle` functions may compute: nobody waits for them but the operator.
const LOAD_TIME: Duration = Duration::from_secs(1);
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
    /// State shared by its instances; not there yet.
    pub kv: bool,
}

/// A problem that a plugin found in its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// A JSON pointer into the step's `with`.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

/// All loaded plugins. Cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    engine: Engine,
    compiled: Arc<Mutex<HashMap<[u8; 32], Arc<Compiled>>>>,
}

/// A loaded plugin.
pub struct Plugin {
    name: Arc<str>,
    compiled: Arc<Compiled>,
    limits: Limits,
    grants: Grants,
}

impl Catalog {
    /// An empty one.
    #[must_use]
    pub fn new(engine: Engine) -> Self {
        Self {
            engine,
            compiled: Arc::default(),
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
        let ungranted = |import: &&Box<str>| import.starts_with(SIGNING);
        if grants.signing.is_empty()
            && let Some(import) = compiled.imports().iter().find(ungranted)
        {
            let import = import.to_string();
            let grant = "`signing` and the names of the keys";
            return Err(error(Reason::NotGranted { import, grant }));
        }
        if compiled.memory() > limits.memory {
            let (needs, may) = (compiled.memory(), limits.memory);
            return Err(error(Reason::NeedsMemory { needs, may }));
        }
        Ok(Arc::new(Plugin {
            name: name.into(),
            compiled,
            limits,
            grants: grants.clone(),
        }))
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
                (bundled::component(name).ok_or_else(missing)?, None)
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

impl Plugin {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What it may be asked, in the order of asking; at least one.
    #[must_use]
    pub fn stages(&self) -> &[Stage] {
        self.compiled.stages()
    }

    /// SHA-256 of the component.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.compiled.digest()
    }

    /// Where its machine code came from.
    #[must_use]
    pub fn compiled_in(&self) -> Origin {
        self.compiled.origin()
    }

    /// What it may use.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What it is granted.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The interfaces that it imports.
    #[must_use]
    pub fn imports(&self) -> &[Box<str>] {
        self.compiled.imports()
    }

    /// What it says about itself, as JSON; none when it says nothing. Blocks for up to two seconds.
    ///
    /// # Errors
    /// When it fails to say it.
    pub fn describe(&self) -> Result<Option<String>, LoadError> {
        if self.compiled.exports().describe.is_none() {
            return Ok(None);
        }
        let said = self.at_load("{}", async |guest: &mut Instance, compiled: &Compiled| {
            guest.call(compiled.exports().describe.as_ref(), ()).await
        });
        said.map(|(description,)| Some(description))
    }

    /// What it finds wrong with a step's configuration; nothing when it does not check. Blocks for up
    /// to two seconds.
    ///
    /// # Errors
    /// When it fails to check.
    pub fn check(&self, config_json: &str) -> Result<Vec<ConfigProblem>, LoadError> {
        if self.compiled.exports().check.is_none() {
            return Ok(Vec::new());
        }
        let config = config_json.to_owned();
        let said = self.at_load(
            config_json,
            async move |guest: &mut Instance, compiled: &Compiled| {
                guest
                    .call(compiled.exports().check.as_ref(), (config,))
                    .await
            },
        );
        let (problems,) = said?;
        let problem = |(pointer, message)| ConfigProblem { pointer, message };
        Ok(problems.into_iter().map(problem).collect())
    }

    pub(super) fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }

    fn at_load<R: Send>(
        &self,
        config: &str,
        work: impl AsyncFnOnce(&mut Instance, &Compiled) -> Result<R, Fault> + Send,
    ) -> Result<R, LoadError> {
        let limits = Limits {
            time: LOAD_TIME,
            memory: self.limits.memory,
        };
        let guest = guest_at_load(config, limits);
        let compiled = &self.compiled;
        let done = on_own_thread(async || {
            let permits = compiled.pool().permits(1).await;
            if permits.is_none() {
                return Err(Fault::new(
                    FailureKind::Overload,
                    compiled.pool().overload(),
                ));
            }
            compiled.engine().guest_starts();
            let mut instance = Instance::start(compiled, guest, limits).await?;
            work(&mut instance, compiled).await
        });
        done.map_err(|fault| LoadError {
            plugin: (*self.name).into(),
            origin: self.name.to_string(),
            reason: Reason::LifecycleFailed(fault.detail),
        })
    }
}

impl fmt::Debug for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("stages", &self.stages())
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Makes one instance, to learn whether it starts and whether its exports have the contract's types.
fn try_out(compiled: &mut Compiled) -> Result<(), Reason> {
    let limits = Limits {
        time: LOAD_TIME,
        memory: MEMORY_BYTES_MAX,
    };
    on_own_thread(async || {
        let pool = Arc::clone(compiled.pool());
        let Some(_permits) = pool.permits(1).await else {
            return Err(Reason::DoesNotStart(pool.overload()));
        };
        compiled.engine().guest_starts();
        let guest = guest_at_load("{}", limits);
        let mut instance = Instance::start(compiled, guest, limits)
            .await
            .map_err(|fault| Reason::DoesNotStart(fault.detail))?;
        instance.prove(compiled)
    })
}

/// Runs guests away from whatever runtime the caller is in. WASI's clock needs one with timers.
fn on_own_thread<R: Send>(work: impl AsyncFnOnce() -> R + Send) -> R {
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        #[expect(
            clippy::expect_used,
            reason = "a runtime without IO makes no system call that fails"
        )]
        let runtime = runtime.expect("a runtime with timers only");
        runtime.block_on(work())
    };
    thread::scope(|scope| match scope.spawn(run).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// There is no webhook at load; a plugin that looks at it sees an empty one.
fn guest_at_load(config: &str, limits: Limits) -> Guest {
    let arrival = Arrival::now();
    let webhook = Webhook {
        id: WebhookId::new(arrival),
        route: "".into(),
        method: Method::POST,
        target: PathAndQuery::from_static("/"),
        host: None,
        scheme: Scheme::Http,
        fields: Fields::default(),
        body: Bytes::new(),
        arrival,
        sender: std::net::Ipv4Addr::LOCALHOST.into(),
        public_url: None,
    };
    let outfit = Outfit {
        config: config.into(),
        keys: Keyring::new(),
        signing: Vec::new(),
        meters: None,
    };
    let case = Case::new(Arc::new(webhook), Box::default(), Telemetry::new());
    Guest::new(Arc::new(case), Arc::new(outfit), limits.memory)
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
