//! The meters of one route, one upstream, one plugin: resolved once at load, counted by atomic adds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::guest::{Described, GuestMeters, GuestMetrics};
use super::tally::{Histogram, KeyMatches, Tally};

/// What becomes of webhooks, and the class of the status that naturally goes with it: that series
/// exists from the start, the others when they happen (an upstream's 404 passed through, ...).
pub(super) const OUTCOMES: &[(&str, &str)] = &[
    ("delivered", "2xx"),
    ("held", "2xx"),
    ("dropped", "2xx"),
    ("responded", "2xx"),
    ("duplicate", "2xx"),
    ("rejected", "4xx"),
    ("refused", "4xx"),
    ("final", "4xx"),
    ("failed", "5xx"),
    ("unkept", "5xx"),
    ("full", "5xx"),
    ("draining", "5xx"),
    ("unavailable", "5xx"),
];

/// The words of [`OUTCOMES`].
const OUTCOME_WORDS: &[&str] = &[
    "delivered",
    "held",
    "dropped",
    "responded",
    "duplicate",
    "rejected",
    "refused",
    "final",
    "failed",
    "unkept",
    "full",
    "draining",
    "unavailable",
];

/// Classes of status, from 100 on.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What becomes of attempts. A status is shown by its class.
const ATTEMPTS: &[&str] = &[
    "delivered",
    "final",
    "http_3xx",
    "http_4xx",
    "http_5xx",
    "unreachable",
    "reset",
    "timeout",
    "tls",
    "protocol",
    "too_large",
];

/// Why plugins fail: the words of `plugin::FailureKind`.
const FAILURES: &[&str] = &[
    "time",
    "memory",
    "trap",
    "output",
    "overload",
    "temporary",
    "permanent",
];

/// The stages, and what each may say.
const STAGES: [(&str, &[&str]); 3] = [
    ("verify", &["accept", "reject", "respond"]),
    ("filter", &["forward", "drop", "reject", "respond"]),
    ("transform", &["deliveries"]),
];

/// 0.5 ms to 10 s: the buckets that OpenTelemetry recommends for HTTP, and three below them, since a
/// webhook that nobody waits for takes less than a millisecond.
const HTTP_BUCKETS: &[u64] = &[
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// 10 µs (an instance and a short verdict) to 100 ms (ten times the default limit).
const PLUGIN_BUCKETS: &[u64] = &[
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
];

/// The meters of one route.
#[derive(Debug)]
pub struct RouteMeters {
    /// The route's name.
    pub name: Arc<str>,
    /// By class of status, in the order of [`CLASSES`].
    answered: [Tally; CLASSES.len()],
    pub(super) took: Histogram,
    given_up: AtomicU64,
}

impl RouteMeters {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            answered: std::array::from_fn(|_| Tally::new(OUTCOME_WORDS)),
            took: Histogram::new(HTTP_BUCKETS),
            given_up: AtomicU64::new(0),
        }
    }

    pub(super) fn answered(&self, outcome: &str, status: u16, took: Duration) {
        if let Some(tally) = self.answered.get(class(status)) {
            tally.count(outcome);
        }
        self.took.observe(took);
    }

    pub(super) fn gave_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn given_up(&self) -> u64 {
        self.given_up.load(Ordering::Relaxed)
    }

    /// Outcome, class of status, count.
    pub(super) fn outcomes(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
        let counted = CLASSES
            .into_iter()
            .zip(&self.answered)
            .flat_map(|(class, tally)| tally.rows().map(move |(word, n)| (word, class, n)));
        counted.filter(|(word, class, n)| *n > 0 || OUTCOMES.contains(&(*word, *class)))
    }
}

/// The meters of one upstream.
#[derive(Debug)]
pub struct UpstreamMeters {
    /// The upstream's name.
    pub name: Arc<str>,
    pub(super) attempts: Tally,
    pub(super) took: Histogram,
    breaker_open: AtomicBool,
    breaker_openings: AtomicU64,
    in_flight: AtomicU64,
}

impl UpstreamMeters {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            attempts: Tally::new(ATTEMPTS),
            took: Histogram::new(HTTP_BUCKETS),
            breaker_open: AtomicBool::new(false),
            breaker_openings: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
        }
    }

    pub(super) fn breaker_opened(&self) {
        self.breaker_openings.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn is_at(&self, in_flight: u32, breaker_closed: bool) {
        self.in_flight.store(in_flight.into(), Ordering::Relaxed);
        self.breaker_open.store(!breaker_closed, Ordering::Relaxed);
    }

    /// 1 while it is left alone or probed.
    pub(super) fn breaker_open(&self) -> u64 {
        self.breaker_open.load(Ordering::Relaxed).into()
    }

    /// How often it has been left alone.
    pub(super) fn breaker_openings(&self) -> u64 {
        self.breaker_openings.load(Ordering::Relaxed)
    }

    /// Attempts under way.
    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn attempted(&self, outcome: &str, status: Option<u16>, took: Duration) {
        let word = match status.map(class) {
            Some(2) if outcome == "status" => "http_3xx",
            Some(3) if outcome == "status" => "http_4xx",
            Some(4) if outcome == "status" => "http_5xx",
            _ => outcome,
        };
        self.attempts.count(word);
        self.took.observe(took);
    }
}

/// The meters of one plugin on one route.
#[derive(Debug)]
pub struct PluginMeters {
    /// The plugin's name in the configuration.
    pub name: Arc<str>,
    /// The route that runs it.
    pub route: Arc<str>,
    stages: [StageMeters; STAGES.len()],
    pub(super) failures: Tally,
    pub(super) keys: KeyMatches,
    pub(super) guest: GuestMeters,
}

/// What one stage of a plugin said and how long it took.
#[derive(Debug)]
pub(super) struct StageMeters {
    pub(super) stage: &'static str,
    announced: AtomicBool,
    pub(super) verdicts: Tally,
    pub(super) took: Histogram,
}

impl PluginMeters {
    pub(super) fn new(name: &str, route: &str) -> Self {
        Self {
            name: name.into(),
            route: route.into(),
            stages: STAGES.map(|(stage, verdicts)| StageMeters {
                stage,
                announced: AtomicBool::new(false),
                verdicts: Tally::new(verdicts),
                took: Histogram::new(PLUGIN_BUCKETS),
            }),
            failures: Tally::new(FAILURES),
            keys: KeyMatches::default(),
            guest: GuestMeters::default(),
        }
    }

    /// Says at load that the plugin serves `stage`, so that its series exist before its first webhook.
    pub fn serves(&self, stage: &str) {
        if let Some(meters) = self.stage(stage) {
            meters.announced.store(true, Ordering::Relaxed);
        }
    }

    /// Says at load that the plugin may use this key, so that a key that never matches shows as 0.
    pub fn holds(&self, key: &str, label: &str) {
        self.keys.announce(key, label);
    }

    /// The plugin's own metrics, as it describes them; they go on from what they have counted already.
    #[must_use]
    pub fn counts(&self, described: &[Described]) -> GuestMetrics {
        self.guest.resolve(described)
    }

    pub(super) fn judged(&self, stage: &str, verdict: &str, took: Duration) {
        if let Some(meters) = self.stage(stage) {
            meters.verdicts.count(verdict);
            meters.took.observe(took);
        }
    }

    /// The stages that the plugin serves, or has served.
    pub(super) fn stages(&self) -> impl Iterator<Item = &StageMeters> {
        self.stages.iter().filter(|meters| {
            meters.announced.load(Ordering::Relaxed) || meters.verdicts.rows().any(|(_, n)| n > 0)
        })
    }

    fn stage(&self, stage: &str) -> Option<&StageMeters> {
        self.stages.iter().find(|meters| meters.stage == stage)
    }
}

/// Index into [`CLASSES`]; what is no status counts as the nearest one.
fn class(status: u16) -> usize {
    usize::from(status / 100).clamp(1, CLASSES.len()) - 1
}

#[cfg(test)]
mod tests {
    use super::{OUTCOME_WORDS, OUTCOMES, UpstreamMeters, class};
    use std::time::Duration;

    #[test]
    fn the_words_of_outcomes_are_one_list() {
        assert!(OUTCOMES.iter().map(|(word, _)| word).eq(OUTCOME_WORDS));
    }

    #[test]
    fn a_status_has_a_class_even_if_it_is_none() {
        assert_eq!(
            [0, 99, 100, 204, 404, 599, 999].map(class),
            [0, 0, 0, 1, 3, 4, 4]
        );
    }

    #[test]
    fn an_attempt_is_counted_by_the_class_of_its_status_or_by_its_outcome() {
        let meters = UpstreamMeters::new("ci");

        meters.attempted("status", Some(503), Duration::ZERO);
        meters.attempted("delivered", Some(200), Duration::ZERO);
        meters.attempted("timeout", None, Duration::ZERO);

        let counted: Vec<_> = meters.attempts.rows().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counted, [("delivered", 1), ("http_5xx", 1), ("timeout", 1)]);
    }
}
