//! The stores of the process, and one of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use moka::Expiry;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

/// Keys and values of one plugin on one route; past it the ones unused for longest leave.
const BYTES_MAX: u64 = 8 << 20;
/// Entries of the same. Also the counters of the same, which are kept apart.
const ENTRIES_MAX: u64 = 32_768;
/// What the smallest entry weighs, so that one capacity bounds both bytes and entries. Beside the key
/// and the value it is about what an entry costs.
const ENTRY_BYTES: u64 = BYTES_MAX / ENTRIES_MAX;
/// No sender repeats a webhook for longer than days; a month is for what is counted by the month.
const TTL_MAX: Duration = Duration::from_hours(31 * 24);

/// A value with its time to live; none is as long as there is room.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept<V> {
    value: V,
    ttl: Option<Duration>,
}

/// What one plugin remembers on one route.
#[derive(Debug)]
pub(in crate::plugin) struct Store {
    values: Cache<Box<str>, Kept<Bytes>>,
    counters: Cache<Box<str>, Kept<i64>>,
    /// Keys that webhooks in flight have claimed. As many as there are webhooks, times a small number.
    claimed: Mutex<HashSet<Box<str>>>,
}

impl Store {
    pub(in crate::plugin) fn new() -> Self {
        Self {
            values: cache(
                BYTES_MAX,
                Lifetimes::FromTheLast,
                |key, kept: &Kept<Bytes>| (key.len() + kept.value.len()) as u64 + ENTRY_BYTES,
            ),
            counters: cache(ENTRIES_MAX, Lifetimes::FromTheFirst, |_, _| 1),
            claimed: Mutex::default(),
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<Bytes> {
        self.values.get(key).map(|kept| kept.value)
    }

    pub(super) fn set(&self, key: Box<str>, value: Bytes, ttl: Option<Duration>) {
        self.values.insert(key, Kept { value, ttl });
    }

    pub(super) fn delete(&self, key: &str) {
        self.values.invalidate(key);
    }

    /// Adds to a counter, for good. Its time runs from the first addition on, as that of a window does.
    pub(super) fn increment(&self, key: &str, delta: i32, ttl: Option<Duration>) -> i64 {
        let counted = self.counters.entry(key.into()).and_upsert_with(|before| {
            match before.map(moka::Entry::into_value) {
                Some(Kept { value, ttl }) => Kept {
                    value: value.saturating_add(delta.into()),
                    ttl,
                },
                None => Kept {
                    value: delta.into(),
                    ttl,
                },
            }
        });
        counted.into_value().value
    }

    /// Reserves a key that is not there; `forgotten` when the caller is about to delete it.
    pub(super) fn claim(self: &Arc<Self>, key: &str, forgotten: bool) -> Option<Claim> {
        let mut claimed = self.claimed();
        // Under the lock: a commit writes the value before it gives the claim back.
        if (!forgotten && self.values.contains_key(key)) || !claimed.insert(key.into()) {
            return None;
        }
        Some(Claim {
            store: Arc::clone(self),
            key: key.into(),
        })
    }

    /// Lets what is too much leave now, and not when the next webhook looks.
    pub(super) fn settle(&self) {
        self.values.run_pending_tasks();
    }

    fn claimed(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        // A panic under the lock leaves the set valid: every change is one insert or one remove.
        self.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key that is one webhook's until it is given back.
#[derive(Debug)]
pub(super) struct Claim {
    store: Arc<Store>,
    key: Box<str>,
}

impl Claim {
    pub(super) fn is(&self, key: &str) -> bool {
        *self.key == *key
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.store.claimed().remove(&self.key);
    }
}

/// From a guest's seconds; 0 is as long as there is room.
pub(super) fn ttl(seconds: u32) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds.into()).min(TTL_MAX))
}

fn cache<V: Clone + Send + Sync + 'static>(
    capacity: u64,
    lifetimes: Lifetimes,
    weigh: impl Fn(&Box<str>, &Kept<V>) -> u64 + Send + Sync + 'static,
) -> Cache<Box<str>, Kept<V>> {
    let weigh = move |key: &_, kept: &_| u32::try_from(weigh(key, kept)).unwrap_or(u32::MAX);
    Cache::builder()
        .max_capacity(capacity)
        .weigher(weigh)
        // The newest always finds room: it is what the next webhook will ask about.
        .eviction_policy(EvictionPolicy::lru())
        .expire_after(lifetimes)
        .build()
}

/// Each entry has its own time, from when it was written.
#[derive(Clone, Copy)]
enum Lifetimes {
    /// A counter is a window: adding does not make it longer.
    FromTheFirst,
    /// A value is new whenever it is written.
    FromTheLast,
}

#[expect(
    clippy::disallowed_types,
    reason = "moka brings its own clock, and it is this one"
)]
impl<V> Expiry<Box<str>, Kept<V>> for Lifetimes {
    fn expire_after_create(
        &self,
        _: &Box<str>,
        kept: &Kept<V>,
        _: std::time::Instant,
    ) -> Option<Duration> {
        kept.ttl
    }

    fn expire_after_update(
        &self,
        _: &Box<str>,
        kept: &Kept<V>,
        _: std::time::Instant,
        left: Option<Duration>,
    ) -> Option<Duration> {
        match self {
            Self::FromTheFirst => left,
            Self::FromTheLast => kept.ttl,
        }
    }
}

/// The stores in use, by route and plugin. Weak, so that what a reload removed is forgotten with its
/// last user, and what it keeps goes on.
#[derive(Clone, Debug, Default)]
pub(in crate::plugin) struct Stores(Arc<Mutex<ByName>>);

type ByName = BTreeMap<(Arc<str>, Arc<str>), Weak<Store>>;

impl Stores {
    /// The store of a plugin on a route; the same one as long as anybody holds it.
    pub(in crate::plugin) fn get(&self, route: &Arc<str>, plugin: &Arc<str>) -> Arc<Store> {
        let mut stores = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (Arc::clone(route), Arc::clone(plugin));
        if let Some(store) = stores.get(&name).and_then(Weak::upgrade) {
            return store;
        }
        // Loading is the moment at which names come and go.
        stores.retain(|_, store| store.strong_count() > 0);
        let store = Arc::new(Store::new());
        stores.insert(name, Arc::downgrade(&store));
        store
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_and_bytes_are_bounded_and_the_newest_stays() {
        let store = Store::new();

        for n in 0..ENTRIES_MAX + 1_000 {
            store.set(n.to_string().into(), Bytes::new(), None);
        }
        store.settle();
        let small = store.values.entry_count();
        for n in 0..200 {
            let large = vec![0; super::super::VALUE_BYTES_MAX];
            store.set(format!("large {n}").into(), large.into(), None);
        }
        store.settle();

        assert!(small <= ENTRIES_MAX, "{small}");
        assert!(store.values.weighted_size() <= BYTES_MAX);
        assert!(store.get("large 199").is_some());
        assert!(store.get("0").is_none());
    }

    #[test]
    fn counters_are_bounded() {
        let store = Store::new();

        for n in 0..ENTRIES_MAX + 1_000 {
            store.increment(&n.to_string(), 1, None);
        }
        store.counters.run_pending_tasks();

        assert!(store.counters.entry_count() <= ENTRIES_MAX);
    }

    #[test]
    fn a_value_lives_from_its_last_writing_on_and_a_counter_from_its_first() {
        let store = Store::new();
        let (short, long) = (Some(Duration::from_millis(20)), ttl(3_600));
        let value = Bytes::from_static(b"a");
        store.set("short".into(), value.clone(), short);
        store.set("renewed".into(), value.clone(), short);
        store.set("renewed".into(), value, long);
        assert_eq!(store.increment("window", 2, short), 2);
        let more = store.increment("window", 3, long);

        while store.get("short").is_some() || store.increment("window", 0, long) != 0 {
            std::thread::yield_now();
        }

        assert_eq!(more, 5);
        assert!(store.get("renewed").is_some());
    }

    #[test]
    fn no_time_is_longer_than_the_longest_and_none_is_until_there_is_no_room() {
        assert_eq!(ttl(0), None);
        assert_eq!(ttl(1), Some(Duration::from_secs(1)));
        assert_eq!(ttl(u32::MAX), Some(TTL_MAX));
    }

    #[test]
    fn a_store_is_the_same_for_the_same_names_while_somebody_holds_it() {
        let stores = Stores::default();
        let (route, plugin, other) = ("r".into(), "p".into(), "q".into());

        let store = stores.get(&route, &plugin);
        store.set("key".into(), Bytes::new(), None);

        assert!(stores.get(&route, &plugin).get("key").is_some());
        assert!(stores.get(&route, &other).get("key").is_none());
        drop(store);
        assert!(stores.get(&route, &plugin).get("key").is_none());
        assert_eq!(stores.0.lock().unwrap().len(), 1);
    }
}
