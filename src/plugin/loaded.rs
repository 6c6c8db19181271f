//! A loaded plugin, and what it is asked outside of webhooks: who it is, and whether a configuration is
//! right.

use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::catalog::Grants;
use super::compiled::{Compiled, Origin};
use super::engine::MEMORY_BYTES_MAX;
use super::failure::Fault;
use super::host::{Case, Guest, Outfit};
use super::instance::Instance;
use super::kv::{Store, Stores};
use super::load::{KV, LoadError, Reason};
use super::{FailureKind, Keyring, Limits, Stage};
use crate::telemetry::GuestMetrics;

/// What `lifecycle` functions may compute: nobody waits for them but the operator.
const LOAD_TIME: Duration = Duration::from_secs(1);

/// A problem that a plugin found in its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// A JSON pointer into the step's `with`.
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

/// A loaded plugin.
pub struct Plugin {
    name: Arc<str>,
    compiled: Arc<Compiled>,
    limits: Limits,
    grants: Grants,
    stores: Stores,
}

impl Plugin {
    pub(super) fn new(
        name: &str,
        compiled: Arc<Compiled>,
        limits: Limits,
        grants: Grants,
        stores: Stores,
    ) -> Self {
        Self {
            name: name.into(),
            compiled,
            limits,
            grants,
            stores,
        }
    }

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

    /// Bytes over all memories when an instance begins; an upper bound.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.compiled.memory()
    }

    /// What it says about itself, as JSON; none when it says nothing. Blocks for up to two seconds.
    ///
    /// # Errors
    /// When it fails to say it.
    pub fn describe(&self) -> Result<Option<String>, LoadError> {
        if self.compiled.exports().describe.is_none() {
            return Ok(None);
        }
        let work = async |guest: &mut Instance, compiled: &Compiled| {
            guest.call(compiled.exports().describe.as_ref(), ()).await
        };
        let said = self.at_load("{}", &Keyring::new(), work);
        said.map(|(description,)| Some(description))
    }

    /// What it finds wrong with a step's configuration; nothing when it does not check. It may use `keys`
    /// meanwhile, to learn whether they fit. Blocks for up to two seconds.
    ///
    /// # Errors
    /// When it fails to check.
    pub fn check(
        &self,
        config_json: &str,
        keys: &Keyring,
    ) -> Result<Vec<ConfigProblem>, LoadError> {
        if self.compiled.exports().check.is_none() {
            return Ok(Vec::new());
        }
        let config = config_json.to_owned();
        let said = self.at_load(
            config_json,
            keys,
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

    /// What it remembers on a route; none unless it is granted to remember and asks for it.
    pub(super) fn store(&self, route: &Arc<str>) -> Option<Arc<Store>> {
        let asks = self.grants.kv && self.imports().iter().any(|import| import.starts_with(KV));
        asks.then(|| self.stores.get(route, &self.name))
    }

    /// What it may use where nobody waits for it but the operator.
    pub(super) fn limits_at_load(&self) -> Limits {
        Limits {
            time: LOAD_TIME,
            memory: self.limits.memory,
        }
    }

    pub(super) fn at_load<R: Send>(
        &self,
        config: &str,
        keys: &Keyring,
        work: impl AsyncFnOnce(&mut Instance, &Compiled) -> Result<R, Fault> + Send,
    ) -> Result<R, LoadError> {
        let limits = self.limits_at_load();
        let guest = guest_at_load(config, keys, limits);
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
        done.map_err(|fault| {
            LoadError::of_plugin(&self.name, Reason::LifecycleFailed(fault.detail))
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

/// Makes one instance, to learn whether it starts, whether its exports have the contract's types, and
/// what it counts.
pub(super) fn try_out(compiled: &mut Compiled) -> Result<(), Reason> {
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
        let guest = guest_at_load("{}", &Keyring::new(), limits);
        let mut instance = Instance::start(compiled, guest, limits)
            .await
            .map_err(|fault| Reason::DoesNotStart(fault.detail))?;
        instance.prove(compiled)?;
        if compiled.counts() {
            let describe = compiled.exports().describe.as_ref();
            let (description,) = instance
                .call(describe, ())
                .await
                .map_err(|fault| Reason::LifecycleFailed(fault.detail))?;
            compiled.describe(&description)?;
        }
        Ok(())
    })
}

/// Runs guests away from whatever runtime the caller is in. WASI's clock needs one with timers.
pub(super) fn on_own_thread<R: Send>(work: impl AsyncFnOnce() -> R + Send) -> R {
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
fn guest_at_load(config: &str, keys: &Keyring, limits: Limits) -> Guest {
    let outfit = Outfit {
        step: Box::default(),
        config: config.into(),
        keys: keys.clone(),
        signing: Vec::new(),
        store: None,
        metrics: GuestMetrics::default(),
        meters: None,
    };
    Guest::new(Case::of_nothing(), Arc::new(outfit), limits.memory)
}
