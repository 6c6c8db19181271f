//! Keys that their owner publishes: a set that the host fetches and replaces as a whole. Here it is only
//! used and asked for; who fetches it, and from where, is not this room's business.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::time::Instant;

use super::Key;

/// A signature that no key matches may be of a key that was published since, or a forgery. So that
/// forgers cannot make us call the owner at will, the set is asked for at most this often.
const ASKED_EVERY: Duration = Duration::from_secs(60);

/// The set in force, and whether a newer one is wanted.
pub(super) struct Fetched {
    keys: ArcSwap<Vec<Arc<Key>>>,
    wish: Mutex<Wish>,
}

struct Wish {
    is_open: bool,
    /// When the owner was asked last, whatever came of it.
    asked: Option<Instant>,
}

impl Fetched {
    /// A set that was fetched `asked` ago, or at another time: then a newer one is wanted at once.
    pub(super) fn new(keys: Vec<Arc<Key>>, asked: Option<Instant>) -> Self {
        Self {
            keys: ArcSwap::from_pointee(keys),
            wish: Mutex::new(Wish {
                is_open: asked.is_none(),
                asked,
            }),
        }
    }

    /// The set in force.
    pub(super) fn keys(&self) -> Arc<Vec<Arc<Key>>> {
        self.keys.load_full()
    }

    /// None of the keys matched. Tells whether to wait for others: they are wanted now, and nothing is
    /// known of the signature until they are there.
    pub(super) fn missed(&self, now: Instant) -> bool {
        let mut wish = self.wish();
        let lately = (wish.asked).is_some_and(|asked| now.duration_since(asked) < ASKED_EVERY);
        wish.is_open |= !lately;
        wish.is_open
    }

    /// Whether a newer set is wanted before its time.
    pub(super) fn is_wanted(&self) -> bool {
        self.wish().is_open
    }

    /// The owner was asked. Without an answer the old keys stay, and so does the wish for others.
    pub(super) fn settle(&self, keys: Option<Vec<Arc<Key>>>, now: Instant) {
        let mut wish = self.wish();
        wish.asked = Some(now);
        if let Some(keys) = keys {
            self.keys.store(Arc::new(keys));
            wish.is_open = false;
        }
    }

    fn wish(&self) -> MutexGuard<'_, Wish> {
        // A panic under the lock leaves a wish that is whole: two fields, each written at once.
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("keys", &self.keys.load().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{ASKED_EVERY, Fetched, Instant};

    #[test]
    fn forgeries_ask_for_newer_keys_once_a_minute() {
        let now = Instant::now();
        let set = Fetched::new(Vec::new(), Some(now));

        assert!(!set.missed(now + ASKED_EVERY / 2) && !set.is_wanted());
        assert!(set.missed(now + ASKED_EVERY) && set.is_wanted());
        assert!(set.missed(now + ASKED_EVERY), "until they are there");

        set.settle(None, now + ASKED_EVERY);
        assert!(set.is_wanted(), "nothing is known yet");
        set.settle(Some(Vec::new()), now + ASKED_EVERY);
        assert!(!set.missed(now + ASKED_EVERY * 3 / 2) && !set.is_wanted());
        assert!(set.missed(now + ASKED_EVERY * 2));
    }

    #[test]
    fn keys_of_another_time_are_asked_for_at_once() {
        let set = Fetched::new(Vec::new(), None);

        assert!(set.is_wanted() && set.missed(Instant::now()));
    }
}
