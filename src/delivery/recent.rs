//! What an operator may ask about beside what waits: deliveries whose senders wait, and how the last
//! ones ended.
//!
//! One for each worker, with a lock that nobody else takes while webhooks pass: a few dozen nanoseconds for
//! each delivery.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::background::Left;
use super::stored::History;
use super::wait::Wait;
use crate::webhook::WebhookId;

/// Ends that one worker remembers: a minute of a busy one, or hours of most, in less than a mebibyte.
const ENDS_MAX: usize = 8_192;
/// Ends after failed attempts, which are remembered with them: two mebibytes at worst. Apart, so that
/// what went well does not push out what an operator asks about.
const ROUGH_ENDS_MAX: usize = 1_024;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The upstream took it.
    Delivered,
    /// The upstream will never take it, and its sender was told so.
    Refused,
    /// Its sender was told to try again.
    Withdrawn,
    /// An operator has discarded it.
    Discarded,
    /// Another webhook with its dedupe key was accepted before, and it is that one's repeat.
    Duplicate {
        /// That one, where it is known.
        of: Option<WebhookId>,
    },
}

impl End {
    /// The word for operators.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Discarded => "discarded",
            Self::Duplicate { .. } => "duplicate",
        }
    }
}

/// What one worker remembers.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// Those that are carried, each in its place.
    carried: Vec<Option<Carried>>,
    free: Vec<usize>,
    /// Of those that ended with their first attempt; oldest first.
    smooth: VecDeque<Ended>,
    /// Of the others.
    rough: VecDeque<Ended>,
}

/// How far a delivery has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// That ended.
    pub(super) attempts: u32,
    /// How they failed.
    pub(super) history: History,
    /// What names the time of the next one.
    pub(super) wait: Wait,
    /// When the next one is due.
    pub(super) due: Option<Instant>,
}

/// A delivery whose sender waits.
#[derive(Clone, Debug)]
pub(super) struct Carried {
    pub(super) name: Left,
    pub(super) progress: Progress,
}

/// How a delivery ended.
#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) name: Left,
    pub(super) end: End,
    pub(super) attempts: u32,
    pub(super) history: History,
    pub(super) at: Instant,
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
            *free = Some(Carried {
                name,
                progress: Progress::default(),
            });
        }
        drop(memory);
        Carrying {
            recent: Arc::clone(self),
            place: Some(place),
        }
    }

    /// A delivery has ended.
    pub(super) fn end(&self, name: Left, end: End, attempts: u32, history: History) {
        let at = Instant::now();
        let ended = Ended {
            name,
            end,
            attempts,
            history,
            at,
        };
        let mut memory = self.memory();
        let Memory { smooth, rough, .. } = &mut *memory;
        let (ends, max) = match ended.history.tried() {
            [] => (smooth, ENDS_MAX),
            _ => (rough, ROUGH_ENDS_MAX),
        };
        if ends.len() >= max {
            ends.pop_front();
        }
        ends.push_back(ended);
    }

    /// All whose senders wait.
    pub(super) fn all_carried(&self) -> Vec<Carried> {
        self.memory().carried.iter().flatten().cloned().collect()
    }

    /// How the deliveries of a webhook ended, the last end last.
    pub(super) fn ends(&self, id: WebhookId) -> Vec<Ended> {
        let memory = self.memory();
        let ends = memory.smooth.iter().chain(&memory.rough);
        let mut ends: Vec<Ended> = ends.filter(|ended| ended.name.id == id).cloned().collect();
        drop(memory);
        ends.sort_by_key(|ended| ended.at);
        ends
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is complete before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carrying {
    /// Into other hands, or to its end: what was seen of it.
    pub(super) fn let_go(&mut self) -> Option<Carried> {
        let place = self.place.take()?;
        let mut memory = self.recent.memory();
        memory.free.push(place);
        memory.carried.get_mut(place)?.take()
    }

    /// An attempt has failed.
    pub(super) fn tell(&self, progress: Progress) {
        let mut memory = self.recent.memory();
        let place = self.place.and_then(|place| memory.carried.get_mut(place));
        if let Some(Some(carried)) = place {
            carried.progress = progress;
        }
    }

    /// What operators see of it.
    pub(super) fn seen(&self) -> Option<Carried> {
        let memory = self.recent.memory();
        memory.carried.get(self.place?)?.clone()
    }
}

impl Drop for Carrying {
    fn drop(&mut self) {
        self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::webhook::Arrival;

    fn name() -> Left {
        Left {
            id: WebhookId::new(Arrival::now()),
            route: "hook".into(),
            upstream: "app".into(),
            part: 0,
        }
    }

    fn is_carried(recent: &Recent, name: &Left) -> bool {
        let carried = recent.all_carried();
        carried.iter().any(|carried| carried.name == *name)
    }

    #[test]
    fn what_is_carried_is_seen_until_it_is_let_go_and_places_are_used_again() {
        let recent = Arc::new(Recent::default());
        let (first, second, third) = (name(), name(), name());
        let mut carrying = recent.carry(first.clone());
        let other = recent.carry(second.clone());

        assert!(is_carried(&recent, &first));
        let gone = carrying.let_go();
        assert_eq!(gone.map(|carried| carried.name), Some(first.clone()));
        assert!(carrying.let_go().is_none());
        assert!(!is_carried(&recent, &first));
        let _third = recent.carry(third.clone());
        drop(carrying);

        assert!(is_carried(&recent, &second) && is_carried(&recent, &third));
        drop(other);
        assert!(!is_carried(&recent, &second));
        assert_eq!(recent.memory().carried.len(), 2);
    }

    fn ends(recent: &Recent, id: WebhookId) -> Vec<(End, u32, usize)> {
        let ends = recent.ends(id).into_iter();
        ends.map(|ended| (ended.end, ended.attempts, ended.history.tried().len()))
            .collect()
    }

    #[test]
    fn the_last_ends_are_remembered_and_older_ones_forgotten() {
        let recent = Recent::default();
        let (first, second) = (name(), name());
        let smooth = History::default;
        recent.end(first.clone(), End::Delivered, 1, smooth());
        recent.end(second.clone(), End::Withdrawn, 1, smooth());
        for _ in 2..ENDS_MAX {
            recent.end(name(), End::Refused, 1, smooth());
        }

        assert_eq!(ends(&recent, first.id), [(End::Delivered, 1, 0)]);
        recent.end(name(), End::Delivered, 1, smooth());

        assert_eq!(ends(&recent, first.id), []);
        assert_eq!(ends(&recent, second.id), [(End::Withdrawn, 1, 0)]);
    }

    #[test]
    fn what_ended_after_failures_is_not_pushed_out_by_what_went_well() {
        let recent = Recent::default();
        let rough = name();
        let mut history = History::default();
        history.add(1, Duration::ZERO, "answered 503");
        recent.end(rough.clone(), End::Delivered, 2, history.clone());

        for _ in 0..=ENDS_MAX {
            recent.end(name(), End::Delivered, 1, History::default());
        }
        assert_eq!(ends(&recent, rough.id), [(End::Delivered, 2, 1)]);
        for _ in 0..ROUGH_ENDS_MAX {
            recent.end(name(), End::Withdrawn, 1, history.clone());
        }
        assert_eq!(ends(&recent, rough.id), []);
    }

    #[test]
    fn what_is_carried_tells_how_its_attempts_failed() {
        let recent = Arc::new(Recent::default());
        let carrying = recent.carry(name());
        let mut history = History::default();
        history.add(1, Duration::ZERO, "answered 503");

        carrying.tell(Progress {
            attempts: 1,
            history,
            wait: Wait::default(),
            due: None,
        });

        let seen = carrying.seen().unwrap().progress;
        assert_eq!(
            (seen.attempts, seen.history.last_reason()),
            (1, "answered 503")
        );
    }
}
