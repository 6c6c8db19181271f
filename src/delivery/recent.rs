//! What an operator may ask about beside what waits: deliveries whose senders wait, and how the last
//! ones ended.
//!
//! One for each worker, with a lock that nobody else takes while webhooks pass: a few dozen nanoseconds for
//! each delivery.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::background::Left;
use crate::webhook::WebhookId;

/// Ends that one worker remembers: a minute of a busy one, or hours of most, in less than a mebibyte.
const ENDS_MAX: usize = 8_192;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The upstream took it.
    Delivered,
    /// The upstream will never take it, and its sender was told so.
    Refused,
    /// Its sender was told to try again.
    Withdrawn,
}

impl End {
    /// The word for operators.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// What one worker remembers.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// Those that are carried, each in its place.
    carried: Vec<Option<Left>>,
    free: Vec<usize>,
    /// Oldest first.
    ends: VecDeque<Ended>,
}

#[derive(Debug)]
struct Ended {
    name: Left,
    end: End,
    attempts: u32,
    at: Instant,
}

/// A delivery in the hands of its sender's task, until it is dropped.
#[derive(Debug)]
pub(super) struct Carrying {
    recent: Arc<Recent>,
    /// None: it was let go.
    place: Option<usize>,
}

impl Recent {
    /// A sender's task takes a delivery into its hands.
    pub(super) fn carry(self: &Arc<Self>, name: Left) -> Carrying {
        let mut memory = self.memory();
        let place = memory.free.pop().unwrap_or_else(|| {
            memory.carried.push(None);
            memory.carried.len() - 1
        });
        if let Some(free) = memory.carried.get_mut(place) {
            *free = Some(name);
        }
        drop(memory);
        Carrying {
            recent: Arc::clone(self),
            place: Some(place),
        }
    }

    /// A delivery has ended.
    pub(super) fn end(&self, name: Left, end: End, attempts: u32) {
        let at = Instant::now();
        let mut memory = self.memory();
        if memory.ends.len() >= ENDS_MAX {
            memory.ends.pop_front();
        }
        memory.ends.push_back(Ended {
            name,
            end,
            attempts,
            at,
        });
    }

    /// The deliveries of a webhook whose senders wait.
    pub(super) fn carried(&self, id: WebhookId) -> Vec<Left> {
        let memory = self.memory();
        let carried = memory.carried.iter().flatten();
        carried.filter(|name| name.id == id).cloned().collect()
    }

    /// How the deliveries of a webhook ended, with the number of attempts, and when.
    pub(super) fn ends(&self, id: WebhookId) -> Vec<(Left, End, u32, Instant)> {
        let memory = self.memory();
        let ends = memory.ends.iter().filter(|ended| ended.name.id == id);
        let told = ends.map(|ended| (ended.name.clone(), ended.end, ended.attempts, ended.at));
        told.collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is complete before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrying {
    /// Into other hands, or to its end: how to name it.
    pub(super) fn let_go(&mut self) -> Option<Left> {
        let place = self.place.take()?;
        let mut memory = self.recent.memory();
        memory.free.push(place);
        memory.carried.get_mut(place)?.take()
    }
}

impl Drop for Carrying {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::Arrival;

    fn name() -> Left {
        Left {
            id: WebhookId::new(Arrival::now()),
            route: "hook".into(),
            upstream: "app".into(),
        }
    }

    fn is_carried(recent: &Recent, name: &Left) -> bool {
        recent.carried(name.id).contains(name)
    }

    #[test]
    fn what_is_carried_is_seen_until_it_is_let_go_and_places_are_used_again() {
        let recent = Arc::new(Recent::default());
        let (first, second, third) = (name(), name(), name());
        let mut carrying = recent.carry(first.clone());
        let other = recent.carry(second.clone());

        assert!(is_carried(&recent, &first));
        assert_eq!(carrying.let_go(), Some(first.clone()));
        assert_eq!(carrying.let_go(), None);
        assert!(!is_carried(&recent, &first));
        let _third = recent.carry(third.clone());
        drop(carrying);

        assert!(is_carried(&recent, &second) && is_carried(&recent, &third));
        drop(other);
        assert!(!is_carried(&recent, &second));
        assert_eq!(recent.memory().carried.len(), 2);
    }

    #[test]
    fn the_last_ends_are_remembered_and_older_ones_forgotten() {
        let recent = Recent::default();
        let (first, second) = (name(), name());
        recent.end(first.clone(), End::Delivered, 2);
        recent.end(second.clone(), End::Withdrawn, 1);
        for _ in 2..ENDS_MAX {
            recent.end(name(), End::Refused, 1);
        }
        let told = |id| {
            let ends = recent.ends(id).into_iter();
            ends.map(|(_, end, attempts, _)| (end, attempts))
                .collect::<Vec<_>>()
        };

        assert_eq!(told(first.id), [(End::Delivered, 2)]);
        recent.end(name(), End::Delivered, 1);

        assert_eq!(told(first.id), []);
        assert_eq!(told(second.id), [(End::Withdrawn, 1)]);
    }
}
