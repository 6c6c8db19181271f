//! [`Telemetry`]: where events go, and the meters of the process as a whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use jiff::Timestamp;
use tokio::time::Instant;

use super::event::Event;
use super::flood::{Admitted, Floods, Kind};
use super::meters::{PluginMeters, RouteMeters, UpstreamMeters};
use super::shadow::ShadowMeters;
use super::spool::SpoolMeters;
use super::tally::Tally;

/// Where events go: cheap to clone, passed as an argument, one for each process or test.
#[derive(Clone, Debug)]
pub struct Telemetry {
    pub(super) meters: Arc<Meters>,
    ear: Option<Ear>,
}

/// Who hears every event beside the log and the metrics: a command that explains what happened.
#[derive(Clone)]
struct Ear(Arc<dyn Fn(&Event<'_>) + Send + Sync>);

impl fmt::Debug for Ear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ear(..)")
    }
}

/// By name. Weak, so that what a reload removed leaves the metrics with its last user: nothing has to
/// be told, and a refused reload leaves no trace.
type Resolved<K, M> = Mutex<BTreeMap<K, Weak<M>>>;

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Meters {
    routes: Resolved<Arc<str>, RouteMeters>,
    upstreams: Resolved<Arc<str>, UpstreamMeters>,
    /// By route and plugin.
    plugins: Resolved<(Arc<str>, Arc<str>), PluginMeters>,
    /// By route, plugin and candidate.
    shadows: Resolved<[Arc<str>; 3], ShadowMeters>,
    pub(super) floods: Floods,
    pub(super) connections: AtomicI64,
    pub(super) handshakes_failed: AtomicU64,
    pub(super) accepts_failed: AtomicU64,
    pub(super) unrouted: Tally,
    pub(super) deliveries_waiting: AtomicU64,
    pub(super) deliveries_stranded: AtomicU64,
    pub(super) buffer_bytes: AtomicU64,
    pub(super) dead_letters: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) key_fetches: Tally,
    pub(super) spool: SpoolMeters,
    pub(super) reloads: Tally,
    /// Unix seconds; 0 until the first plan is in force.
    pub(super) reloaded_at: AtomicI64,
}

/// Statuses of calls that never became a webhook.
const UNROUTED: &[&str] = &[
    "400", "403", "404", "405", "408", "413", "414", "421", "429", "431", "503",
];

/// What became of fetches of published keys.
const KEY_FETCHES: &[&str] = &["fetched", "failed"];

/// What became of reloads.
const RELOADS: &[&str] = &["applied", "refused"];

impl Telemetry {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            meters: Arc::new(Meters {
                routes: Mutex::default(),
                upstreams: Mutex::default(),
                plugins: Mutex::default(),
                shadows: Mutex::default(),
                floods: Floods::new(Instant::now()),
                connections: AtomicI64::new(0),
                handshakes_failed: AtomicU64::new(0),
                accepts_failed: AtomicU64::new(0),
                unrouted: Tally::new(UNROUTED),
                deliveries_waiting: AtomicU64::new(0),
                deliveries_stranded: AtomicU64::new(0),
                buffer_bytes: AtomicU64::new(0),
                dead_letters: AtomicU64::new(0),
                lost: AtomicU64::new(0),
                key_fetches: Tally::new(KEY_FETCHES),
                spool: SpoolMeters::default(),
                reloads: Tally::new(RELOADS),
                reloaded_at: AtomicI64::new(0),
            }),
            ear: None,
        }
    }

    /// The same meters, and `ear` hears every event first.
    #[must_use]
    pub fn heard_by(mut self, ear: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.ear = Some(Ear(Arc::new(ear)));
        self
    }

    /// Whether somebody hears events that are neither logged nor counted.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.ear.is_some()
    }

    /// Tells the ear.
    pub(super) fn tell(&self, event: &Event<'_>) {
        if let Some(Ear(ear)) = &self.ear {
            ear(event);
        }
    }

    /// The meters of a route; the same ones for the same name as long as anybody holds them.
    #[must_use]
    pub fn route(&self, name: &str) -> Arc<RouteMeters> {
        resolve(&self.meters.routes, name.into(), || RouteMeters::new(name))
    }

    /// The meters of an upstream; the same ones for the same name as long as anybody holds them.
    #[must_use]
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMeters> {
        resolve(&self.meters.upstreams, name.into(), || {
            UpstreamMeters::new(name)
        })
    }

    /// The meters of a plugin on a route; the same ones for the same names as long as anybody holds
    /// them.
    #[must_use]
    pub fn plugin(&self, name: &str, route: &str) -> Arc<PluginMeters> {
        resolve(&self.meters.plugins, (route.into(), name.into()), || {
            PluginMeters::new(name, route)
        })
    }

    /// The meters of a candidate beside a plugin on a route; the same ones for the same names as long as
    /// anybody holds them.
    #[must_use]
    pub fn shadow(&self, route: &str, plugin: &str, candidate: &str) -> Arc<ShadowMeters> {
        let name = [route.into(), plugin.into(), candidate.into()];
        resolve(&self.meters.shadows, name, || {
            ShadowMeters::new(route, plugin, candidate)
        })
    }

    /// All candidates that are asked, by route, plugin and name.
    #[must_use]
    pub fn shadows(&self) -> Vec<Arc<ShadowMeters>> {
        alive(&self.meters.shadows)
    }

    /// Writes one line for each kind of log line that was suppressed since the last report. The server
    /// calls it every few seconds; otherwise a flood that just stops would not be accounted for.
    pub fn report_suppressed(&self) {
        for (kind, lines) in self.meters.floods.take_unreported() {
            report(kind, lines);
        }
    }

    /// Whether a noisy line may be written now.
    pub(super) fn admits(&self, kind: Kind) -> bool {
        match self.meters.floods.admit(kind, Instant::now()) {
            Some(Admitted { suppressed: 0 }) => true,
            Some(Admitted { suppressed }) => {
                report(kind, suppressed);
                true
            }
            None => false,
        }
    }

    /// A plan is in force since now.
    pub(super) fn plan_in_force(&self) {
        self.meters
            .reloaded_at
            .store(Timestamp::now().as_second(), Ordering::Relaxed);
    }
}

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Meters {
    /// By name.
    pub(super) fn routes(&self) -> Vec<Arc<RouteMeters>> {
        alive(&self.routes)
    }

    /// By name.
    pub(super) fn upstreams(&self) -> Vec<Arc<UpstreamMeters>> {
        alive(&self.upstreams)
    }

    /// By route, plugin and candidate.
    pub(super) fn shadows(&self) -> Vec<Arc<ShadowMeters>> {
        alive(&self.shadows)
    }

    /// By route and name.
    pub(super) fn plugins(&self) -> Vec<Arc<PluginMeters>> {
        alive(&self.plugins)
    }
}

fn report(kind: Kind, lines: u64) {
    tracing::warn!(target: "hookgate", kind = kind.as_str(), lines, "log lines suppressed");
}

fn resolve<K: Ord, M>(all: &Resolved<K, M>, name: K, make: impl FnOnce() -> M) -> Arc<M> {
    let mut all = lock(all);
    if let Some(meters) = all.get(&name).and_then(Weak::upgrade) {
        return meters;
    }
    // Loading is the moment at which names come and go.
    all.retain(|_, meters| meters.strong_count() > 0);
    let meters = Arc::new(make());
    all.insert(name, Arc::downgrade(&meters));
    meters
}

fn alive<K: Ord, M>(all: &Resolved<K, M>) -> Vec<Arc<M>> {
    lock(all).values().filter_map(Weak::upgrade).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic under the lock leaves the map valid: every change is one insert or one remove.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Arc, Telemetry};

    #[test]
    fn the_same_name_gives_the_same_meters() {
        let telemetry = Telemetry::new();

        let github = telemetry.route("github");

        assert!(Arc::ptr_eq(&github, &telemetry.clone().route("github")));
        assert!(!Arc::ptr_eq(&github, &telemetry.route("stripe")));
        assert!(!Arc::ptr_eq(&github, &Telemetry::new().route("github")));
    }

    #[test]
    fn a_thousand_reloads_with_new_names_keep_only_the_last() {
        let telemetry = Telemetry::new();

        for n in 0..1_000 {
            drop(telemetry.plugin("signature", &format!("r{n}")));
        }
        let last = telemetry.plugin("signature", "last");

        let alive = telemetry.meters.plugins();
        assert_eq!(alive.len(), 1);
        assert!(Arc::ptr_eq(&alive[0], &last));
        assert_eq!(telemetry.meters.plugins.lock().unwrap().len(), 1);
    }
}
