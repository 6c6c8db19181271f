//! Instances that wait for their plugin's next webhook on the same route: for guests that take longer
//! to begin than to answer, and only where the configuration says that their memory may be shared.
//!
//! Such a guest sees what it kept in its memory from webhook to webhook. Nobody else does: the
//! instances of a seat serve no other route, and one that failed in any way is gone.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Reuse;
use super::engine::Pool;
use super::instance::Instance;

/// Idle instances of one seat, and for how much longer they may serve.
pub(super) struct Kept {
    reuse: Reuse,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    instance: Instance,
    _place: Place,
}

/// What an instance has behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Service {
    since: Instant,
    webhooks: u32,
}

impl Service {
    pub(super) fn one_more(&mut self) {
        self.webhooks = self.webhooks.saturating_add(1);
    }

    /// Of an instance that is made now.
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            webhooks: 0,
        }
    }
}

impl Kept {
    pub(super) fn new(reuse: Reuse) -> Self {
        Self {
            reuse,
            idle: Mutex::default(),
        }
    }

    /// One that may serve another webhook: the one that was busy last, whose memory is warm.
    pub(super) fn take(&self) -> Option<Instance> {
        let mut idle = self.idle();
        idle.retain(|idle| self.may_serve(idle.instance.service()));
        idle.pop().map(|idle| idle.instance)
    }

    /// Keeps an instance that did its work, if it may serve again and there is room.
    pub(super) fn put(&self, mut instance: Instance, pool: &Pool) {
        instance.served();
        if !self.may_serve(instance.service()) || !instance.guest().rest() {
            return;
        }
        if let Some(place) = pool.place() {
            self.idle().push(Idle {
                instance,
                _place: place,
            });
        }
    }

    fn may_serve(&self, service: Service) -> bool {
        service.webhooks < self.reuse.webhooks.get() && service.since.elapsed() < self.reuse.time
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        // A panic under the lock leaves the list valid: every change is one push or one removal.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sandboxes of a pool that instances may keep while they are idle.
#[derive(Debug)]
pub(super) struct Places {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// One of them.
pub(super) struct Place(Arc<AtomicUsize>);

impl Places {
    pub(super) fn new(max: usize) -> Self {
        Self {
            taken: Arc::default(),
            max,
        }
    }

    pub(super) fn take(&self) -> Option<Place> {
        let free = |taken| (taken < self.max).then_some(taken + 1);
        let taken = self
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, free);
        taken.ok().map(|_| Place(Arc::clone(&self.taken)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn no_more_places_are_given_than_there_are() {
        let places = Places::new(2);

        let (one, two) = (places.take(), places.take());

        assert!(one.is_some() && two.is_some() && places.take().is_none());
        drop(one);
        assert!(places.take().is_some());
    }
}
