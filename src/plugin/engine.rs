//! How guests are made: two pools of sandboxes, their clock, and the permits in front of them.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::cache::{Cache, CacheError};
use super::host::{self, Guest};
use super::kept::{Place, Places};
use super::memory::TABLE_ELEMENTS_MAX;
use super::shadow::Shadows;
use super::ticker::Ticker;

/// The most that a plugin's `limits.memory` may say.
pub const MEMORY_BYTES_MAX: usize = 256 << 20;
/// What a reset writes over instead of giving it back to the system. Measured: the cheapest choice for
/// memories up to this size, and as good as any other without `pagemap_scan`, which is off because it
/// leaves swapped-out pages of one guest to the next (bytecodealliance/wasmtime#14357).
const KEEP_RESIDENT_BYTES: usize = 128 << 10;
/// Plugins whose memories begin with no more than this share a pool with each other only, so that the
/// slots of small, cheap guests are never warm with the image of a large one.
pub(super) const SMALL_BYTES_MAX: usize = KEEP_RESIDENT_BYTES;
/// Core instances in one component: adapters and shims of real tool chains stay below 20.
const CORE_INSTANCES_MAX: u32 = 64;
/// Memories in one component.
const MEMORIES_MAX: u32 = 8;
/// Tables in one component.
const TABLES_MAX: u32 = 16;
/// Wasm stack of a guest; the host's functions have the rest of the fiber.
pub(super) const STACK_BYTES: usize = 256 << 10;
const FIBER_BYTES: usize = 1 << 20;
/// Of the sandboxes: so many more are there for instances that are idle between two webhooks.
const IDLE_PART: u32 = 4;
/// How long a webhook waits for a free sandbox before the sender is told to call again.
const PERMIT_WAIT_MAX: Duration = Duration::from_secs(1);

/// What an [`Engine`] may use.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Sandboxes in each of the two pools at one time; 1 to 4,096, default 256.
    pub instances_max: usize,
    /// A private directory for compiled plugins; without one each start compiles anew.
    pub cache: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            instances_max: 256,
            cache: None,
        }
    }
}

/// Why there is no engine.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The number is out of its range.
    #[error("{0} sandboxes cannot be had; choose 1 to 4096")]
    Instances(usize),
    /// The address space is too small or limited.
    #[error(
        "cannot reserve the sandboxes: {0}; choose fewer, or raise the limit of virtual memory (`ulimit -v`)"
    )]
    Pool(String),
    /// No thread for the clock.
    #[error("cannot start the clock of the plugins")]
    Clock(#[source] std::io::Error),
    /// The cache cannot be used safely.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// Where guests run. Cheap to clone; one for each process.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    small: Arc<Pool>,
    large: Arc<Pool>,
    cache: Option<Cache>,
    shadows: Shadows,
    /// Dropped first of what it speaks of: its thread holds engines of its own.
    ticker: Ticker,
}

/// Sandboxes of one profile.
pub(super) struct Pool {
    pub(super) engine: wasmtime::Engine,
    permits: Arc<Semaphore>,
    instances_max: usize,
    /// For instances that are idle between two webhooks: beside the permits, so that they take nobody's.
    places: Places,
}

impl Engine {
    /// Reserves address space for the sandboxes and starts their clock.
    ///
    /// # Errors
    /// When the system does not give what it needs, or the cache's directory is not private.
    pub fn new(settings: &Settings) -> Result<Self, EngineError> {
        let Ok(instances @ 1..=4_096) = u32::try_from(settings.instances_max) else {
            return Err(EngineError::Instances(settings.instances_max));
        };
        let cache = settings.cache.as_deref().map(Cache::open).transpose()?;
        let small = Arc::new(Pool::new(instances)?);
        let large = Arc::new(Pool::new(instances)?);
        let engines = [small.engine.clone(), large.engine.clone()];
        let permits = [Arc::clone(&small.permits), Arc::clone(&large.permits)];
        let instances_max = settings.instances_max;
        let ticker = Ticker::start(
            move || engines.iter().for_each(wasmtime::Engine::increment_epoch),
            move || {
                permits
                    .iter()
                    .any(|free| free.available_permits() < instances_max)
            },
        )
        .map_err(EngineError::Clock)?;
        Ok(Self(Arc::new(Inner {
            small,
            large,
            cache,
            shadows: Shadows::default(),
            ticker,
        })))
    }

    pub(super) fn small(&self) -> &Arc<Pool> {
        &self.0.small
    }

    pub(super) fn large(&self) -> &Arc<Pool> {
        &self.0.large
    }

    pub(super) fn cache(&self) -> Option<&Cache> {
        self.0.cache.as_ref()
    }

    pub(super) fn shadows(&self) -> &Shadows {
        &self.0.shadows
    }

    pub(super) fn guest_starts(&self) {
        self.0.ticker.guest_starts();
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Pool {
    fn new(instances: u32) -> Result<Self, EngineError> {
        let instances_max = usize::try_from(instances).unwrap_or(usize::MAX);
        let idle = (instances / IDLE_PART).max(1);
        let engine = wasmtime::Engine::new(&config(instances + idle))
            .map_err(|error| EngineError::Pool(format!("{error:#}")))?;
        Ok(Self {
            engine,
            permits: Arc::new(Semaphore::new(instances_max)),
            instances_max,
            places: Places::new(usize::try_from(idle).unwrap_or(usize::MAX)),
        })
    }

    /// Room for one idle instance, if there is any.
    pub(super) fn place(&self) -> Option<Place> {
        self.places.take()
    }

    /// The right to `count` sandboxes, all at once: who held some and waited for more could wait for
    /// others who do the same. None when it took too long.
    pub(super) async fn permits(&self, count: u32) -> Option<SemaphorePermit<'_>> {
        let all = u32::try_from(self.instances_max).unwrap_or(u32::MAX);
        let count = count.min(all);
        if let Ok(permits) = self.permits.try_acquire_many(count) {
            return Some(permits);
        }
        let waiting = self.permits.acquire_many(count);
        tokio::time::timeout(PERMIT_WAIT_MAX, waiting)
            .await
            .ok()?
            .ok()
    }

    pub(super) fn overload(&self) -> String {
        format!(
            "all {} sandboxes were busy for {} s",
            self.instances_max,
            PERMIT_WAIT_MAX.as_secs()
        )
    }

    /// What a component is linked with; with `wasi`, the deny-all WASI 0.2.
    pub(super) fn linker(&self, wasi: bool) -> wasmtime::Result<Linker<Guest>> {
        let mut linker = Linker::new(&self.engine);
        host::link(&mut linker)?;
        if wasi {
            wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        }
        Ok(linker)
    }
}

fn config(instances: u32) -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        .consume_fuel(false)
        .generate_address_map(true)
        .native_unwind_info(false)
        .wasm_backtrace_max_frames(NonZeroUsize::new(20));
    // No guest needs the surface of WASI 0.3; without it stores and calls are cheaper.
    config
        .concurrency_support(false)
        .max_wasm_stack(STACK_BYTES)
        .async_stack_size(FIBER_BYTES)
        .async_stack_zeroing(false);
    config
        .memory_init_cow(true)
        // Heaps of JavaScript and Python guests are larger than the default and would be copied.
        .memory_guaranteed_dense_image_size(64 << 20)
        // The image must not change with a file that the operator replaces.
        .force_memory_init_memfd(true)
        .memory_may_move(false);
    // Proposals that had memory corruption in the last year, or would make replays differ. They are
    // compiled in all the same (see the manifest).
    config
        .wasm_memory64(false)
        .wasm_threads(false)
        .wasm_gc(false)
        .wasm_function_references(false)
        .wasm_exceptions(false)
        .gc_support(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_relaxed_simd(false);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    config
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_stacks(instances)
        // Most components are one or two core instances with one memory; the few that are more share.
        .total_core_instances(8 * instances.max(CORE_INSTANCES_MAX / 8))
        .total_memories(2 * instances.max(MEMORIES_MAX / 2))
        .total_tables(4 * instances.max(TABLES_MAX / 4))
        .max_core_instances_per_component(CORE_INSTANCES_MAX)
        .max_memories_per_component(MEMORIES_MAX)
        .max_tables_per_component(TABLES_MAX)
        .max_memories_per_module(2)
        .max_tables_per_module(4)
        .table_elements(TABLE_ELEMENTS_MAX)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(2 << 20)
        .max_memory_size(MEMORY_BYTES_MAX)
        .max_unused_warm_slots(instances.min(256))
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(64 << 10)
        .decommit_batch_size(1)
        .pagemap_scan(Enabled::No);
    pool
}
