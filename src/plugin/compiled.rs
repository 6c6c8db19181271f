//! A component, compiled and linked, whose exports have been looked up and whose types are proven.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Instance, InstancePre, Lift, Lower,
    Resource, TypedFunc,
};
use wasmtime::{AsContextMut, Store};

use super::contract::{filter, types, verify};
use super::engine::{Engine, MEMORY_BYTES_MAX, Pool, SMALL_BYTES_MAX};
use super::host::{Draft, Guest};
use super::load::{METRICS, Reason, Text};
use super::{Stage, cache};
use crate::telemetry::Described;

/// The version of the contract that this host speaks.
pub(super) const VERSION: &str = "0.1.0";
const PACKAGE: &str = "hookgate:plugin/";
const PAGE_BYTES: u64 = 64 << 10;
/// Code of this size hardly ever belongs to a guest whose memory begins small.
const LARGE_CODE_BYTES: usize = 1 << 20;

/// An exported function whose type has been checked.
///
/// `ComponentExportIndex` carries the identity of its component, so that it finds nothing in an
/// instance of another one.
pub(super) struct Export<P, R> {
    index: ComponentExportIndex,
    typed: PhantomData<fn(P) -> R>,
}

impl<P, R> Export<P, R>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    fn prove(
        store: impl AsContextMut,
        instance: &Instance,
        index: ComponentExportIndex,
    ) -> wasmtime::Result<Self> {
        instance.get_typed_func::<P, R>(store, &index)?;
        Ok(Self {
            index,
            typed: PhantomData,
        })
    }

    /// The function in an instance of the same component; none in another one's.
    pub(super) fn of(
        &self,
        store: impl AsContextMut,
        instance: &Instance,
    ) -> Option<TypedFunc<P, R>> {
        let function = instance.get_func(store, self.index)?;
        // SAFETY: the function must have the type `P -> R`. `prove`, the only maker of an `Export`,
        // has checked that for this export of the component; the type of an export is a property of
        // the component; and an index finds a function only in instances of its own component.
        #[expect(
            unsafe_code,
            reason = "checking the type again costs a tenth of a webhook"
        )]
        let function = unsafe { TypedFunc::new_unchecked(function) };
        Some(function)
    }
}

type Said<V> = (Result<V, types::Failure>,);
/// Pointers and sentences.
type Problems = (Vec<(String, String)>,);

/// What a component exports of the contract.
#[derive(Default)]
pub(super) struct Exports {
    pub(super) verify: Option<Export<(), Said<verify::Verdict>>>,
    pub(super) filter: Option<Export<(), Said<filter::Verdict>>>,
    pub(super) transform: Option<Export<(), Said<Vec<Resource<Draft>>>>>,
    pub(super) describe: Option<Export<(), (String,)>>,
    pub(super) check: Option<Export<(String,), Problems>>,
    pub(super) golden: Option<Export<(String,), (String,)>>,
}

/// Ready to make instances.
pub(super) struct Compiled {
    engine: Engine,
    pool: Arc<Pool>,
    pre: InstancePre<Guest>,
    exports: Exports,
    stages: Vec<Stage>,
    imports: Vec<Box<str>>,
    digest: [u8; 32],
    waits: bool,
    origin: Origin,
    /// Bytes over all memories when an instance begins.
    memory: usize,
    /// What it counts, by its own description.
    metrics: Vec<Described>,
}

/// Where the machine code came from, and how long that took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Compiled now.
    Fresh(Duration),
    /// Read from the cache.
    FromCache(Duration),
}

impl Compiled {
    /// Compiles and links. Blocks; takes from milliseconds to seconds.
    pub(super) fn new(engine: &Engine, bytes: &[u8], digest: [u8; 32]) -> Result<Self, Reason> {
        let (component, pool, origin) = compile(engine, bytes, &digest)?;
        let types = component.component_type();
        let imports: Vec<Box<str>> = types
            .imports(component.engine())
            .map(|(name, _)| name.into())
            .collect();
        let exports: Vec<String> = types
            .exports(component.engine())
            .map(|(name, _)| name.into())
            .collect();
        let stages = stages(&component, &exports)?;
        super::load::check_imports(&imports)?;
        let waits = imports.iter().any(|import| import.starts_with("wasi:"));
        let memory = measure(&component);
        let pre = pool
            .linker(waits)
            .and_then(|linker| linker.instantiate_pre(&component))
            .map_err(|error| Reason::DoesNotLink(Text::of(&error)))?;
        Ok(Self {
            engine: engine.clone(),
            pool,
            pre,
            exports: Exports::default(),
            stages,
            imports,
            digest,
            waits,
            origin,
            memory,
            metrics: Vec::new(),
        })
    }

    /// Proves the types of the exports on a first instance.
    pub(super) fn prove(
        &mut self,
        store: &mut Store<Guest>,
        instance: &Instance,
    ) -> Result<(), Reason> {
        let component = self.pre.component().clone();
        let index = |interface: &str, function: &str| {
            let interface = component.get_export_index(None, &*name(interface))?;
            component.get_export_index(Some(&interface), function)
        };
        let mut prove = || -> wasmtime::Result<Exports> {
            let mut exports = Exports::default();
            if let Some(index) = index("verify", "verify") {
                exports.verify = Some(Export::prove(&mut *store, instance, index)?);
            }
            if let Some(index) = index("filter", "filter") {
                exports.filter = Some(Export::prove(&mut *store, instance, index)?);
            }
            if let Some(index) = index("transform", "transform") {
                exports.transform = Some(Export::prove(&mut *store, instance, index)?);
            }
            if let Some(index) = index("lifecycle", "describe") {
                exports.describe = Some(Export::prove(&mut *store, instance, index)?);
            }
            if let Some(index) = index("lifecycle", "check") {
                exports.check = Some(Export::prove(&mut *store, instance, index)?);
            }
            if let Some(index) = index("golden", "webhooks") {
                exports.golden = Some(Export::prove(&mut *store, instance, index)?);
            }
            Ok(exports)
        };
        self.exports = prove().map_err(|error| Reason::WrongType(Text::of(&error)))?;
        Ok(())
    }

    pub(super) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(super) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    pub(super) fn pre(&self) -> &InstancePre<Guest> {
        &self.pre
    }

    pub(super) fn exports(&self) -> &Exports {
        &self.exports
    }

    pub(super) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    pub(super) fn imports(&self) -> &[Box<str>] {
        &self.imports
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }

    /// Takes in what the plugin says about itself.
    pub(super) fn describe(&mut self, description: &str) -> Result<(), Reason> {
        self.metrics = super::description::metrics(description).map_err(Reason::LifecycleFailed)?;
        Ok(())
    }

    /// Whether its description is asked for: it speaks of the metrics that it may count.
    pub(super) fn counts(&self) -> bool {
        let mut imports = self.imports.iter();
        self.exports.describe.is_some() && imports.any(|import| import.starts_with(METRICS))
    }

    pub(super) fn metrics(&self) -> &[Described] {
        &self.metrics
    }

    pub(super) fn memory(&self) -> usize {
        self.memory
    }

    /// Whether a host call may wait: only WASI's do.
    pub(super) fn waits(&self) -> bool {
        self.waits
    }
}

/// From the cache, or compiled and then cached; in the pool of its size.
fn compile(
    engine: &Engine,
    bytes: &[u8],
    digest: &[u8; 32],
) -> Result<(Component, Arc<Pool>, Origin), Reason> {
    let started = tokio::time::Instant::now();
    let identity = cache::Identity::new(digest, &engine.small().engine);
    let cached = engine.cache().and_then(|cache| cache.find(identity));
    // An artifact that wasmtime refuses all the same is compiled anew, like a missing one.
    if let Some(artifact) = cached
        && let Ok((component, pool)) = place(engine, &Code::Cached(artifact))
    {
        return Ok((component, pool, Origin::FromCache(started.elapsed())));
    }
    let code = engine
        .small()
        .engine
        .precompile_component(bytes)
        .map_err(|error| Reason::DoesNotCompile(Text::of(&error)))?;
    if let Some(cache) = engine.cache() {
        // Without it the next start compiles again: slower, not wrong.
        drop(cache.write(identity, &code));
    }
    let (component, pool) = place(engine, &Code::Fresh(code))
        .map_err(|error| Reason::TooManyParts(Text::of(&error)))?;
    Ok((component, pool, Origin::Fresh(started.elapsed())))
}

/// Compiled code that may be run.
enum Code {
    /// What the compiler has made a moment ago.
    Fresh(Vec<u8>),
    /// What the cache has authenticated a moment ago.
    Cached(cache::Artifact),
}

/// Makes a component of compiled code, in the pool of its size.
fn place(engine: &Engine, code: &Code) -> wasmtime::Result<(Component, Arc<Pool>)> {
    let is_large = match code {
        Code::Fresh(code) => code.len() > LARGE_CODE_BYTES,
        Code::Cached(artifact) => artifact.len() > LARGE_CODE_BYTES,
    };
    // Nearly certain for an interpreter; guessed right, its code is read once and not twice.
    if is_large {
        let large = load(engine.large(), code)?;
        if measure(&large) > SMALL_BYTES_MAX {
            return Ok((large, Arc::clone(engine.large())));
        }
    }
    let small = load(engine.small(), code)?;
    if measure(&small) <= SMALL_BYTES_MAX {
        Ok((small, Arc::clone(engine.small())))
    } else {
        Ok((load(engine.large(), code)?, Arc::clone(engine.large())))
    }
}

fn load(pool: &Pool, code: &Code) -> wasmtime::Result<Component> {
    match code {
        Code::Fresh(code) => {
            // SAFETY: the bytes must be what `precompile_component` returned, unchanged: `compile`
            // passes them on as they came from it.
            #[expect(unsafe_code, reason = "the compiler's work is not thrown away")]
            let component = unsafe { Component::deserialize(&pool.engine, code) };
            component
        }
        Code::Cached(artifact) => {
            // SAFETY: the file must hold what `precompile_component` returned and must not change
            // while it is mapped. An `Artifact` carries a MAC under a key that only we can read, so
            // we wrote it. Its directory and itself belong to our user and to nobody else, which
            // `Cache` has checked, and we write new files only and rename them: whoever could change
            // this one is our user or root, and could as well change this process. wasmtime itself
            // refuses code of another version or setting.
            #[expect(unsafe_code, reason = "compiled code is the point of the cache")]
            let component = unsafe { Component::deserialize_file(&pool.engine, artifact.path()) };
            component
        }
    }
}

/// An upper bound of what all memories of an instance begin with.
fn measure(component: &Component) -> usize {
    let Some(needs) = component.resources_required() else {
        return MEMORY_BYTES_MAX;
    };
    let each = needs
        .max_initial_memory_size
        .unwrap_or_default()
        .saturating_mul(PAGE_BYTES);
    usize::try_from(each.saturating_mul(needs.num_memories.into())).unwrap_or(usize::MAX)
}

fn stages(component: &Component, exports: &[String]) -> Result<Vec<Stage>, Reason> {
    let all = [Stage::Verify, Stage::Filter, Stage::Transform];
    let found = all.into_iter().filter(|stage| {
        component
            .get_export_index(None, &*name(stage.as_str()))
            .is_some()
    });
    let found: Vec<Stage> = found.collect();
    let known = all
        .iter()
        .map(|stage| stage.as_str())
        .chain(["lifecycle", "golden"]);
    for interface in known {
        let ours = component
            .get_export_index(None, &*name(interface))
            .is_some();
        let prefix = format!("{PACKAGE}{interface}@");
        if let Some(other) = exports.iter().find(|export| export.starts_with(&prefix))
            && !ours
        {
            return Err(Reason::OtherVersion(other.clone()));
        }
    }
    if found.is_empty() {
        Err(Reason::NoStage(exports.to_vec()))
    } else {
        Ok(found)
    }
}

fn name(interface: &str) -> String {
    format!("{PACKAGE}{interface}@{VERSION}")
}
