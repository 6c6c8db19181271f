//! Changes on their way to the acceptance of their webhook.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Changes, Store};

/// What a webhook's plugins want to remember, in the hands of whoever decides whether it was taken.
///
/// Each clone is one more condition: the changes are made when all were kept, and never when one of
/// them was dropped. One for each delivery of a webhook, so that a fan-out of which one part failed
/// leaves nothing, and the sender's repeat is not taken for one.
#[derive(Debug)]
pub struct Writes {
    shared: Arc<Shared>,
    kept: bool,
}

#[derive(Debug)]
struct Shared {
    spoiled: AtomicBool,
    changes: Vec<(Arc<Store>, Changes)>,
}

impl Writes {
    pub(in crate::plugin) fn new(changes: Vec<(Arc<Store>, Changes)>) -> Option<Self> {
        if changes.is_empty() {
            return None;
        }
        Some(Self {
            shared: Arc::new(Shared {
                spoiled: AtomicBool::new(false),
                changes,
            }),
            kept: false,
        })
    }

    /// This part of the webhook was taken. After the last one the changes are there for everybody.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Clone for Writes {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            kept: false,
        }
    }
}

impl Drop for Writes {
    fn drop(&mut self) {
        if !self.kept {
            // Read by the last one to go, after all others: no order is needed beside the count's own.
            self.shared.spoiled.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if !*self.spoiled.get_mut() {
            for (store, changes) in self.changes.drain(..) {
                changes.commit(&store);
            }
        }
    }
}

/// Collects what the stages of one webhook did, by store.
pub(in crate::plugin) fn collect(
    all: &mut Vec<(Arc<Store>, Changes)>,
    store: &Arc<Store>,
    new: &mut Changes,
) {
    match all.iter_mut().find(|(known, _)| Arc::ptr_eq(known, store)) {
        Some((_, changes)) => changes.absorb(new),
        None => all.push((Arc::clone(store), std::mem::take(new))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(store: &Arc<Store>) -> Writes {
        let mut changes = Changes::default();
        changes.set("set".into(), b"new".to_vec(), 0).unwrap();
        changes.delete("deleted".into()).unwrap();
        assert!(changes.claim(store, None, "claimed".into(), 0).unwrap());
        Writes::new(vec![(Arc::clone(store), changes)]).unwrap()
    }

    fn store() -> Arc<Store> {
        let store = Arc::new(Store::new());
        store.set("deleted".into(), bytes::Bytes::new(), None);
        store
    }

    fn is_claimable(store: &Arc<Store>) -> bool {
        let mut other = Changes::default();
        other.claim(store, None, "claimed".into(), 0).unwrap()
    }

    #[test]
    fn changes_are_made_when_the_last_part_is_kept() {
        let store = store();
        let (one, two) = {
            let writes = writes(&store);
            (writes.clone(), writes)
        };

        one.keep();
        assert_eq!(store.get("set"), None);
        assert!(store.get("deleted").is_some());
        assert!(!is_claimable(&store));

        two.keep();
        assert_eq!(store.get("set").unwrap(), "new");
        assert_eq!(store.get("deleted"), None);
        assert!(!is_claimable(&store));
    }

    #[test]
    fn one_part_that_is_dropped_undoes_all() {
        let store = store();
        let (one, two) = {
            let writes = writes(&store);
            (writes.clone(), writes)
        };

        drop(one);
        two.keep();

        assert_eq!(store.get("set"), None);
        assert!(store.get("deleted").is_some());
        assert!(is_claimable(&store));
    }
}
