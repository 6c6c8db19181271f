//! Repeats that were already accepted: dedupe keys, remembered for as long as their plugin asked.
//!
//! A key belongs to a route and an upstream, so that a fan-out of which one part failed is repeated for
//! that part only. While its first delivery is in flight, a repeat waits for what becomes of it. The key is
//! remembered together with the acceptance; a delivery that is withdrawn takes its key along. What an
//! upstream answered after its sender had stopped waiting is kept for a while, so that the sender's repeat
//! is answered from it.
//!
//! Bounded: under pressure accepted keys are forgotten, the least recently used first, and a repeat is
//! delivered again, which a receiver of webhooks must bear anyway. Keys in flight are as many as deliveries
//! are in hands, and never forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio_util::sync::CancellationToken;

use super::Answer;
use super::packed::{get, put, text};
use crate::spool::Spool;
use crate::webhook::{Arrival, Dedupe, WebhookId};

/// About 100 bytes each, so 100 MB at worst.
const KEYS_MAX: u64 = 1_000_000;
/// No sender repeats a webhook for longer; providers stop after three days.
const TTL_MAX: Duration = Duration::from_hours(7 * 24);

/// Answers that came too late for their sender: rare, and asked for again within the hour.
const ANSWERS_MAX: u64 = 1_000;
const ANSWERS_TTL: Duration = Duration::from_hours(1);
/// More is no acknowledgement any more; the repeat hears 200 without it.
const ANSWER_BYTES_MAX: usize = 4 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    route: Arc<str>,
    upstream: Arc<str>,
    key: Box<str>,
}

impl Key {
    fn new(route: &Arc<str>, upstream: &Arc<str>, dedupe: &Dedupe) -> Self {
        Self {
            route: Arc::clone(route),
            upstream: Arc::clone(upstream),
            key: dedupe.key.clone(),
        }
    }

    /// With who was accepted under it; nobody where it is to be forgotten.
    fn to_bytes(&self, by: Option<WebhookId>) -> Vec<u8> {
        let mut out = Vec::new();
        for part in [&*self.route, &*self.upstream, &*self.key] {
            put(&mut out, part.as_bytes());
        }
        let by = by.map(WebhookId::to_bytes);
        put(&mut out, by.as_ref().map_or(&[], |by| by.as_slice()));
        out
    }

    fn from_bytes(mut bytes: &[u8]) -> Option<(Self, Word)> {
        let (route, upstream, key) = (get(&mut bytes)?, get(&mut bytes)?, get(&mut bytes)?);
        let key = Self {
            route: text(route)?,
            upstream: text(upstream)?,
            key: text(key)?,
        };
        let word = match get(&mut bytes) {
            Some([]) => Word::Forget,
            Some(by) => Word::Accepted(by.try_into().ok().map(WebhookId::from_bytes)),
            // Of before anybody was named.
            None => Word::Accepted(None),
        };
        Some((key, word))
    }
}

/// What is written of a key.
enum Word {
    Accepted(Option<WebhookId>),
    Forget,
}

/// How a key was accepted.
#[derive(Clone, Copy, Debug)]
struct Mark {
    ttl: Duration,
    /// By whom; not known of some that an earlier process had accepted.
    by: Option<WebhookId>,
}

/// What is known about a key.
#[derive(Debug)]
pub(super) enum Seen {
    /// New, and marked for whoever holds this.
    Never(Reservation),
    /// In the hands of another task, which may still fail; cancelled when that is decided.
    InFlight(CancellationToken),
    /// Accepted before.
    Accepted {
        /// The upstream's, where its sender has not heard it.
        answer: Option<Arc<Answer>>,
        /// Which one it repeats, where that is known.
        by: Option<WebhookId>,
    },
}

type Flights = HashMap<Arc<Key>, CancellationToken>;

/// The keys of the process.
#[derive(Debug)]
pub struct Duplicates {
    /// Keys whose first delivery is neither accepted nor withdrawn yet; each cancelled when it is.
    flights: Mutex<Flights>,
    accepted: Cache<Arc<Key>, Mark>,
    answers: Cache<Arc<Key>, Arc<Answer>>,
    /// Where accepted keys are written too.
    spool: OnceLock<Spool>,
}

impl Duplicates {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        let accepted = Cache::builder()
            .max_capacity(KEYS_MAX)
            // A new key must not have to be popular first.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(Lifetimes)
            .build();
        let answers = Cache::builder()
            .max_capacity(ANSWERS_MAX)
            .eviction_policy(EvictionPolicy::lru())
            .time_to_live(ANSWERS_TTL)
            .build();
        Self {
            flights: Mutex::default(),
            accepted,
            answers,
            spool: OnceLock::new(),
        }
    }

    /// Writes accepted keys to `spool` from now on.
    pub fn keep_in(&self, spool: Spool) {
        // The second one would be the same.
        let _ = self.spool.set(spool);
    }

    /// Remembers the keys that an earlier process had written, in that order, and that have not expired by `now`.
    pub fn recall(&self, keys: Vec<(u64, Vec<u8>)>, now: Arrival) {
        for (expires, key) in keys {
            let ttl = Duration::from_millis(expires.saturating_sub(now.unix_ms()));
            match Key::from_bytes(&key).filter(|_| !ttl.is_zero()) {
                Some((key, Word::Accepted(by))) => {
                    self.accepted.insert(Arc::new(key), Mark { ttl, by });
                }
                Some((key, Word::Forget)) => self.accepted.invalidate(&key),
                None => {}
            }
        }
    }

    /// Remembers a key that was accepted before this process began, `ago`.
    pub(super) fn remember(
        &self,
        route: &Arc<str>,
        upstream: &Arc<str>,
        dedupe: &Dedupe,
        (ago, by): (Duration, Option<WebhookId>),
    ) {
        let ttl = dedupe.ttl.min(TTL_MAX).saturating_sub(ago);
        let key = Arc::new(Key::new(route, upstream, dedupe));
        self.accepted.insert(key, Mark { ttl, by });
    }

    /// Forgets the key of a webhook that was accepted and will not be delivered: its sender's repeat is a new
    /// one. Not where another one has been accepted under it since.
    pub(super) fn forget(
        &self,
        route: &Arc<str>,
        upstream: &Arc<str>,
        dedupe: &Dedupe,
        by: WebhookId,
    ) {
        let key = Key::new(route, upstream, dedupe);
        // Under the lock nobody can begin to be accepted.
        let flights = self.flights();
        let mark = self.accepted.get(&key);
        let is_anothers = |mark: Mark| mark.by.is_some_and(|other| other != by);
        if mark.is_some_and(is_anothers) {
            return;
        }
        // Whoever is in flight decides about it.
        if mark.is_none() && flights.contains_key(&key) {
            return;
        }
        self.accepted.invalidate(&key);
        drop(flights);
        self.answers.invalidate(&key);
        // As long as what it forgets: whatever is written later has a higher number.
        self.write(&key, None, dedupe.ttl.min(TTL_MAX));
    }

    /// Remembers again what was forgotten too early: it was delivered after all. Not where a repeat has come
    /// meanwhile.
    pub(super) fn regain(
        &self,
        route: &Arc<str>,
        upstream: &Arc<str>,
        dedupe: &Dedupe,
        by: WebhookId,
    ) {
        let key = Arc::new(Key::new(route, upstream, dedupe));
        let (ttl, by) = (dedupe.ttl.min(TTL_MAX), Some(by));
        let flights = self.flights();
        if flights.contains_key(&key) || self.accepted.contains_key(&key) {
            return;
        }
        self.accepted.insert(Arc::clone(&key), Mark { ttl, by });
        drop(flights);
        self.write(&key, by, ttl);
    }

    fn write(&self, key: &Key, by: Option<WebhookId>, ttl: Duration) {
        if let Some(spool) = self.spool.get() {
            let now = Arrival::now().unix_ms();
            let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            spool.remember(key.to_bytes(by), now, now.saturating_add(ttl));
        }
    }

    pub(super) fn reserve(
        self: &Arc<Self>,
        route: &Arc<str>,
        upstream: &Arc<str>,
        dedupe: &Dedupe,
        by: WebhookId,
    ) -> Seen {
        let key = Arc::new(Key::new(route, upstream, dedupe));
        let mut flights = self.flights();
        if let Some(flight) = flights.get(&key) {
            return Seen::InFlight(flight.clone());
        }
        // Under the lock: a key is among the accepted ones before it leaves those in flight.
        if let Some(Mark { by, .. }) = self.accepted.get(&key) {
            let answer = self.answers.get(&key);
            return Seen::Accepted { answer, by };
        }
        let flight = CancellationToken::new();
        flights.insert(Arc::clone(&key), flight.clone());
        drop(flights);
        Seen::Never(Reservation {
            duplicates: Arc::clone(self),
            key,
            by,
            ttl: dedupe.ttl.min(TTL_MAX),
            flight,
        })
    }

    fn flights(&self) -> MutexGuard<'_, Flights> {
        // Each change is complete before anything that could panic.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Duplicates {
    fn default() -> Self {
        Self::new()
    }
}

/// A key that is this delivery's; unless kept, dropping it forgets the key.
#[derive(Debug)]
pub(super) struct Reservation {
    duplicates: Arc<Duplicates>,
    key: Arc<Key>,
    /// Whose it is.
    by: WebhookId,
    ttl: Duration,
    flight: CancellationToken,
}

impl Reservation {
    /// The same as [`keep`](Self::keep), with an answer that its sender has not heard.
    pub(super) fn keep_with(self, answer: Answer) {
        if answer.body.len() + answer.fields.weight() <= ANSWER_BYTES_MAX {
            let answers = &self.duplicates.answers;
            answers.insert(Arc::clone(&self.key), Arc::new(answer));
        }
        self.keep();
    }

    /// The delivery is accepted: repeats are duplicates from now on.
    pub(super) fn keep(self) {
        let (ttl, by) = (self.ttl, Some(self.by));
        self.duplicates.write(&self.key, by, ttl);
        let accepted = &self.duplicates.accepted;
        accepted.insert(Arc::clone(&self.key), Mark { ttl, by });
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.duplicates.flights().remove(&self.key);
        self.flight.cancel();
    }
}

/// Each key lives as long as its plugin asked.
struct Lifetimes;

#[expect(
    clippy::disallowed_types,
    reason = "moka brings its own clock, and it is this one"
)]
impl Expiry<Arc<Key>, Mark> for Lifetimes {
    fn expire_after_create(
        &self,
        _: &Arc<Key>,
        mark: &Mark,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(mark.ttl)
    }

    fn expire_after_update(
        &self,
        _: &Arc<Key>,
        mark: &Mark,
        _: std::time::Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(mark.ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dedupe(ttl: Duration) -> Dedupe {
        Dedupe {
            key: "evt_1".into(),
            ttl,
        }
    }

    fn id() -> WebhookId {
        WebhookId::new(Arrival::now())
    }

    #[test]
    fn a_key_that_is_forgotten_is_new_and_not_if_another_webhook_has_it_by_now() {
        let duplicates = Arc::new(Duplicates::new());
        let (route, upstream): (Arc<str>, Arc<str>) = ("r".into(), "u".into());
        let dedupe = dedupe(Duration::from_secs(60));
        let by = id();
        if let Seen::Never(first) = duplicates.reserve(&route, &upstream, &dedupe, by) {
            first.keep();
        }

        duplicates.forget(&route, &upstream, &dedupe, id());
        let again = duplicates.reserve(&route, &upstream, &dedupe, id());
        assert!(matches!(again, Seen::Accepted { by: first, .. } if first == Some(by)));
        duplicates.forget(&route, &upstream, &dedupe, by);

        let again = duplicates.reserve(&route, &upstream, &dedupe, id());
        assert!(matches!(again, Seen::Never(_)));
    }

    #[test]
    fn what_is_written_of_a_key_is_read_again_the_words_of_before_too() {
        let duplicates = Arc::new(Duplicates::new());
        let (route, upstream): (Arc<str>, Arc<str>) = ("r".into(), "u".into());
        let dedupe = dedupe(Duration::from_secs(60));
        let by = id();
        let key = Key::new(&route, &upstream, &dedupe);
        let accepted = key.to_bytes(Some(by));
        let mut of_before = accepted.clone();
        of_before.truncate(accepted.len() - 17);
        let seen = |written: &[Vec<u8>]| {
            let keys = written.iter().map(|key| (u64::MAX, key.clone()));
            duplicates.recall(keys.collect(), Arrival::now());
            match duplicates.reserve(&route, &upstream, &dedupe, id()) {
                Seen::Accepted { by, .. } => Some(by),
                _ => None,
            }
        };

        assert_eq!(seen(std::slice::from_ref(&accepted)), Some(Some(by)));
        assert_eq!(seen(&[of_before]), Some(None));
        let forgotten = key.to_bytes(None);
        assert_eq!(seen(&[accepted.clone(), forgotten.clone()]), None);
        assert_eq!(seen(&[forgotten, accepted]), Some(Some(by)));
    }

    #[test]
    fn a_key_is_in_flight_then_accepted_and_only_for_its_route_and_upstream() {
        let duplicates = Arc::new(Duplicates::new());
        let (route, upstream): (Arc<str>, Arc<str>) = ("r".into(), "u".into());
        let dedupe = dedupe(Duration::from_secs(60));

        let Seen::Never(first) = duplicates.reserve(&route, &upstream, &dedupe, id()) else {
            panic!("a new key is new");
        };
        assert!(matches!(
            duplicates.reserve(&route, &upstream, &dedupe, id()),
            Seen::InFlight(_)
        ));
        first.keep();

        assert!(matches!(
            duplicates.reserve(&route, &upstream, &dedupe, id()),
            Seen::Accepted { answer: None, .. }
        ));
        assert!(matches!(
            duplicates.reserve(&"s".into(), &upstream, &dedupe, id()),
            Seen::Never(_)
        ));
        assert!(matches!(
            duplicates.reserve(&route, &"v".into(), &dedupe, id()),
            Seen::Never(_)
        ));
    }

    #[test]
    fn a_withdrawn_delivery_takes_its_key_along() {
        let duplicates = Arc::new(Duplicates::new());
        let (route, upstream): (Arc<str>, Arc<str>) = ("r".into(), "u".into());
        let dedupe = dedupe(Duration::from_secs(60));

        drop(duplicates.reserve(&route, &upstream, &dedupe, id()));

        assert!(matches!(
            duplicates.reserve(&route, &upstream, &dedupe, id()),
            Seen::Never(_)
        ));
    }

    #[test]
    fn a_key_without_time_to_live_is_forgotten_at_once() {
        let duplicates = Arc::new(Duplicates::new());
        let (route, upstream): (Arc<str>, Arc<str>) = ("r".into(), "u".into());

        if let Seen::Never(first) =
            duplicates.reserve(&route, &upstream, &dedupe(Duration::ZERO), id())
        {
            first.keep();
        }

        let again = duplicates.reserve(&route, &upstream, &dedupe(Duration::ZERO), id());
        assert!(matches!(again, Seen::Never(_)));
    }
}
