//! What operators see of deliveries: those that are held, and how the last ones ended.

use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Filter;
use super::background::{Left, Worker};
use super::entrance::Obstacle;
use super::packed::Packed;
use super::recent::{Carried, End, Ended, Progress};
use super::road::Road;
use super::schedule::Standing;
use super::stored::{Stored, Tried};
use super::wait::Wait;
use crate::webhook::{Webhook, WebhookId};

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// It waits for an attempt.
    Waiting {
        /// How long at least; nothing where nobody knows.
        next_in: Option<Duration>,
        /// What for.
        wait: Wait,
    },
    /// An attempt is being made, and no sender waits for it.
    InFlight,
    /// Its sender waits, during an attempt or between two.
    Carried {
        /// Until the next attempt, and what named its time; nothing where one is under way, or may be at any
        /// moment.
        next: Option<(Duration, Wait)>,
    },
    /// It is kept and not attempted: the configuration has no place for it, or its bytes are not known.
    Stranded,
    /// It ended.
    Ended {
        /// How.
        end: End,
        /// When.
        ago: Duration,
    },
}

/// A delivery that is held, or was until not long ago.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The webhook's.
    pub id: WebhookId,
    /// Where it should go.
    pub upstream: Arc<str>,
    /// Its route.
    pub route: Arc<str>,
    /// Which one of several that were made of the webhook, from 1; 0 where it is the only one.
    pub part: u16,
    /// Where it is.
    pub whereabouts: Whereabouts,
    /// That have ended.
    pub attempts: u32,
    /// How the last attempts failed.
    pub tried: Vec<Tried>,
    /// As it was received; none where that is in other hands at the moment, or nowhere any more.
    pub(super) letter: Option<(Packed, Instant)>,
}

impl Found {
    /// The webhook as it was received.
    #[must_use]
    pub fn webhook(&self) -> Option<Webhook> {
        let (packed, arrival) = self.letter.as_ref()?;
        packed.unpack(Arc::clone(&self.route), *arrival)
    }
}

/// A page of what is held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Which ones: `reason` is in the last failure, `since` and `until` are about the arrival.
    pub filter: Filter,
    /// Only webhooks whose ids come after this one.
    pub after: Option<WebhookId>,
    /// Deliveries; more only where the last webhook has several.
    pub max: usize,
}

impl Wanted {
    /// Keeps what is on this page, in the order of arrival: never a part of a webhook, so that the next page
    /// begins after the last id of this one.
    pub fn cut<T>(&self, all: &mut Vec<T>, id: impl Fn(&T) -> WebhookId) {
        all.sort_by_key(&id);
        if let Some(last) = all.get(self.max.saturating_sub(1)).map(&id) {
            all.retain(|item| id(item) <= last);
        }
    }
}

/// A page of what is held.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// In the order of arrival.
    pub found: Vec<Found>,
    /// How many are meant, on all pages.
    pub total: usize,
    /// Those of them that are on this page or after it.
    pub left: usize,
}

/// The lowest ids of many.
struct Lowest {
    heap: BinaryHeap<WebhookId>,
    max: usize,
}

impl Lowest {
    fn push(&mut self, id: WebhookId) {
        if self.heap.len() < self.max {
            self.heap.push(id);
        } else if let Some(mut highest) = self.heap.peek_mut()
            && id < *highest
        {
            *highest = id;
        }
    }

    /// Whether an id is one of them; others with the same id are.
    fn reaches(&self, id: WebhookId) -> bool {
        self.heap.len() < self.max || self.heap.peek().is_some_and(|highest| id <= *highest)
    }
}

impl<R: Road> Worker<R> {
    /// The deliveries of a webhook that are held here, or were until not long ago.
    pub(super) fn find(&self, id: WebhookId, now: Instant) -> Vec<Found> {
        let wanted = Wanted {
            filter: Filter {
                id: Some(id),
                ..Filter::default()
            },
            after: None,
            max: usize::MAX,
        };
        let mut all = self.held(&wanted, now).found;
        let ends = self.recent.ends(id).into_iter();
        all.extend(ends.map(|ended| {
            let ago = now.saturating_duration_since(ended.at);
            let Ended {
                name,
                end,
                attempts,
                history,
                ..
            } = ended;
            let progress = Progress {
                attempts,
                history,
                ..Progress::default()
            };
            shown(name, Whereabouts::Ended { end, ago }, &progress)
        }));
        all
    }

    /// A page of what is held here, and how many are meant in all.
    ///
    /// Looks at all of it under the lock of the schedule: for an operator, not for a webhook.
    pub(super) fn held(&self, wanted: &Wanted, now: Instant) -> Held {
        let next = |progress: &Progress| {
            let next_in = progress.due?.checked_duration_since(now)?;
            Some((next_in, progress.wait))
        };
        let is_after = |id| wanted.after.is_none_or(|after| id > after);
        let mut carried = self.recent.all_carried();
        carried.retain(|Carried { name, progress }| {
            wanted
                .filter
                .fits_held(name, progress.history.last_reason())
        });
        let mut total = carried.len();
        carried.retain(|carried| is_after(carried.name.id));
        let mut left = carried.len();
        let mut all: Vec<Found> = carried
            .into_iter()
            .map(|Carried { name, progress }| {
                let next = next(&progress);
                shown(name, Whereabouts::Carried { next }, &progress)
            })
            .collect();

        let mut lowest = Lowest {
            heap: BinaryHeap::new(),
            max: wanted.max,
        };
        let state = self.state();
        let is_meant = |stored: &Stored| wanted.filter.fits_stored(stored);
        for (_, stored) in state.schedule.iter().filter(|(_, stored)| is_meant(stored)) {
            total += 1;
            if is_after(stored.id) {
                left += 1;
                lowest.push(stored.id);
            }
        }
        let waiting = state.schedule.iter().filter(|(_, stored)| {
            is_after(stored.id) && lowest.reaches(stored.id) && is_meant(stored)
        });
        all.extend(waiting.map(|(standing, stored)| {
            let progress = Progress {
                attempts: stored.attempts,
                history: stored.history(),
                ..Progress::default()
            };
            let waits = waits(stored, standing, now);
            Found {
                letter: Some((stored.packed.clone(), stored.arrival)),
                ..shown(stored.name(), waits, &progress)
            }
        }));
        // At most as many as there are places.
        for flight in state.flying.values() {
            if wanted
                .filter
                .fits_held(&flight.name, flight.progress.history.last_reason())
            {
                total += 1;
                if is_after(flight.name.id) {
                    left += 1;
                    let name = flight.name.clone();
                    all.push(shown(name, Whereabouts::InFlight, &flight.progress));
                }
            }
        }
        drop(state);
        wanted.cut(&mut all, |found| found.id);
        Held {
            found: all,
            total,
            left,
        }
    }
}

/// What a delivery waits for that stands so.
fn waits(stored: &Stored, standing: Standing, now: Instant) -> Whereabouts {
    if stored.is_unplaced() {
        return Whereabouts::Stranded;
    }
    let (wait, until) = match standing {
        Standing::Until(due) if due > now => (stored.wait, Some(due)),
        Standing::Parked => (Wait::Order, None),
        Standing::Until(_) | Standing::Ready => match stored.upstream.entrance().obstacle(now) {
            Some(Obstacle { wait, until }) => (wait, until),
            None => (Wait::Turn, None),
        },
    };
    let next_in = until.map(|until| until.saturating_duration_since(now));
    Whereabouts::Waiting { next_in, wait }
}

fn shown(name: Left, whereabouts: Whereabouts, progress: &Progress) -> Found {
    Found {
        id: name.id,
        upstream: name.upstream,
        route: name.route,
        part: name.part,
        whereabouts,
        attempts: progress.attempts,
        tried: progress.history.tried().to_vec(),
        letter: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::Arrival;

    fn found(id: WebhookId, upstream: &'static str) -> Found {
        let name = Left {
            id,
            route: "hook".into(),
            upstream: upstream.into(),
            part: 0,
        };
        shown(name, Whereabouts::InFlight, &Progress::default())
    }

    #[test]
    fn a_page_is_in_the_order_of_arrival_and_holds_whole_webhooks() {
        let mut ids = [(); 3].map(|()| WebhookId::new(Arrival::now()));
        ids.sort();
        let all = [(2, "a"), (1, "b"), (0, "a"), (1, "a")];
        let page = |max| {
            let mut page: Vec<_> = all.map(|(id, to)| found(ids[id], to)).into();
            let wanted = Wanted {
                max,
                ..Wanted::default()
            };
            wanted.cut(&mut page, |found| found.id);
            let ids = page.into_iter().map(|found| found.id);
            ids.collect::<Vec<_>>()
        };
        let [first, second, third] = ids;

        assert_eq!(page(1), [first]);
        assert_eq!(page(2), [first, second, second]);
        assert_eq!(page(9), [first, second, second, third]);
    }

    #[test]
    fn the_lowest_ids_are_told_from_the_others() {
        let mut ids = [(); 4].map(|()| WebhookId::new(Arrival::now()));
        ids.sort();
        let mut lowest = Lowest {
            heap: BinaryHeap::new(),
            max: 2,
        };

        for place in [3, 0, 2, 1] {
            lowest.push(ids[place]);
        }

        assert_eq!(ids.map(|id| lowest.reaches(id)), [true, true, false, false]);
    }
}
