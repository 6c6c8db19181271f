//! What operators do to deliveries that wait: hurry them, send them elsewhere, discard them.
//!
//! All of it under the lock of the schedule, so that a delivery is seen in one place, and an attempt begins
//! with it as it was before or as it is after.

use std::sync::Arc;

use tokio::time::Instant;

use super::background::{Left, Verdict, Worker};
use super::recent::End;
use super::road::Road;
use super::schedule::Standing;
use super::stored::Stored;
use super::{Delivery, Dispatch, Filter, Upstream};

/// What became of what an operator asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Deliveries that waited, and it was done to them.
    pub moved: usize,
    /// Those in an attempt, which is finished. One that was to be discarded is attempted no more after it; one
    /// that was to be sent elsewhere stays where it is.
    pub in_flight: usize,
    /// Those whose senders wait: they hear soon what becomes of them.
    pub carried: usize,
    /// Those that the configuration has no place for, where none was given.
    pub stranded: usize,
}

impl Moved {
    /// Whether there was no such delivery.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn and(self, other: Self) -> Self {
        Self {
            moved: self.moved + other.moved,
            in_flight: self.in_flight + other.in_flight,
            carried: self.carried + other.carried,
            stranded: self.stranded + other.stranded,
        }
    }
}

impl<R: Road> Dispatch<R> {
    /// Makes the next attempt at those that are meant due now, at another upstream if one is given: there with
    /// all the attempts and the time of a new delivery. What keeps attempts out (a breaker, a rate, order) is
    /// obeyed. Nothing is done once the end was asked for: then everything is due.
    ///
    /// What is written of it is asked for, and on disk when [`Keeping::caught_up`](super::Keeping::caught_up) says so.
    #[must_use]
    pub fn hurry(workers: &[Self], filter: &Filter, to: Option<&Arc<Upstream>>) -> Moved {
        let each = workers
            .iter()
            .map(|dispatch| dispatch.worker.hurry(filter, to));
        each.fold(Moved::default(), Moved::and)
    }

    /// Discards those that are meant. On disk as with [`Self::hurry`].
    #[must_use]
    pub fn discard(workers: &[Self], filter: &Filter) -> Moved {
        let each = workers
            .iter()
            .map(|dispatch| dispatch.worker.discard(filter));
        each.fold(Moved::default(), Moved::and)
    }
}

impl Filter {
    /// Whether a delivery is meant that is held: `reason` is in its last failure, `since` and `until` are about
    /// the arrival.
    pub(super) fn fits_held(&self, name: &Left, reason: &str) -> bool {
        let arrived = name.id.arrived();
        self.fits(name.id, &name.route, &name.upstream, reason, arrived)
    }

    pub(super) fn fits_stored(&self, stored: &Stored) -> bool {
        let (route, upstream) = (&stored.contract.meters.name, stored.upstream.name());
        let last = stored.tried().last();
        let (id, reason) = (stored.id, last.map_or("", |tried| &*tried.reason));
        self.fits(id, route, upstream, reason, id.arrived())
    }
}

impl<R: Road> Worker<R> {
    fn hurry(&self, filter: &Filter, to: Option<&Arc<Upstream>>) -> Moved {
        let mut moved = self.under_way(filter);
        if self.watch.is_requested() {
            return moved;
        }
        let now = Instant::now();
        // Dropping one wakes whoever comes after it.
        let mut places = Vec::new();
        let mut state = self.state();
        let ways = state.ways.clone();
        let flights = state.flying.values();
        let meant = flights.filter(|f| filter.fits_held(&f.name, f.progress.history.last_reason()));
        moved.in_flight = meant.count();
        let extracted = state.schedule.extract(|standing, stored| {
            let is_meant = filter.fits_stored(stored);
            if is_meant && to.is_none() && stored.is_unplaced() {
                moved.stranded += 1;
                return false;
            }
            moved.moved += usize::from(is_meant);
            // What is due keeps its turn.
            let is_due = !matches!(standing, Standing::Until(due) if due > now);
            is_meant && (to.is_some() || !is_due)
        });
        for mut stored in extracted {
            if let Some(to) = to {
                places.extend(stored.send_to(to));
                stored.renew(now);
                if let Some(ways) = &ways {
                    stored.go_by(ways, &self.telemetry);
                }
            }
            self.note(&mut stored, now, None);
            state.schedule.push(now, stored);
        }
        drop(state);
        drop(places);
        self.changed.notify_one();
        moved
    }

    fn discard(&self, filter: &Filter) -> Moved {
        let mut moved = self.under_way(filter);
        let mut state = self.state();
        let discarded = state
            .schedule
            .extract(|_, stored| filter.fits_stored(stored));
        moved.moved = discarded.len();
        for flight in state.flying.values_mut() {
            let is_meant = filter.fits_held(&flight.name, flight.progress.history.last_reason());
            if is_meant && flight.verdict != Verdict::TooLate {
                moved.in_flight += usize::from(flight.verdict == Verdict::Nothing);
                flight.verdict = Verdict::Discarded;
                // Whatever becomes of the attempt and of this process: nobody after it makes another.
                if let Some(dedupe) = &flight.dedupe {
                    let Left {
                        id,
                        route,
                        upstream,
                        ..
                    } = &flight.name;
                    self.duplicates.forget(route, upstream, dedupe, *id);
                }
                let entries = flight.entry.iter();
                entries.for_each(|entry| entry.settle());
            }
        }
        // Before the lock is gone: who asks for it in this moment must find it somewhere.
        for stored in &discarded {
            stored.forget_key(&self.duplicates);
            stored.entry.iter().for_each(|entry| entry.settle());
            let (name, attempts) = (stored.name(), stored.attempts);
            self.recent
                .end(name, End::Discarded, attempts, stored.history());
        }
        drop(state);
        drop(discarded);
        self.changed.notify_one();
        self.tell_fill();
        moved
    }

    /// Whether an operator has discarded a delivery whose attempt has failed; from now on it is too late for that.
    pub(super) fn is_discarded(&self, ticket: u64) -> bool {
        let mut state = self.state();
        let Some(flight) = state.flying.get_mut(&ticket) else {
            return false;
        };
        if flight.verdict == Verdict::Nothing {
            flight.verdict = Verdict::TooLate;
        }
        flight.verdict == Verdict::Discarded
    }

    /// The end of one that was discarded while an attempt at it was under way.
    pub(super) fn discarded(&self, delivery: &Delivery) {
        delivery.settle();
        if let Some(dedupe) = &delivery.overlay.dedupe {
            let (route, upstream) = (&delivery.webhook.route, delivery.upstream.name());
            self.duplicates
                .forget(route, upstream, dedupe, delivery.webhook.id);
        }
        self.ended(End::Discarded, delivery);
    }

    /// One that was discarded while an attempt at it was under way, and delivered by that attempt.
    pub(super) fn delivered_all_the_same(&self, delivery: &Delivery) {
        if let Some(dedupe) = &delivery.overlay.dedupe {
            let (route, upstream) = (&delivery.webhook.route, delivery.upstream.name());
            self.duplicates
                .regain(route, upstream, dedupe, delivery.webhook.id);
        }
    }

    /// Those whose senders wait.
    fn under_way(&self, filter: &Filter) -> Moved {
        let carried = self.recent.all_carried().into_iter();
        let carried =
            carried.filter(|c| filter.fits_held(&c.name, c.progress.history.last_reason()));
        Moved {
            carried: carried.count(),
            ..Moved::default()
        }
    }
}
