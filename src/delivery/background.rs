//! Deliveries that no sender waits for: one worker's schedule and its runner.
//!
//! The runner is a task that exists while something waits. It takes what is due under a lease and makes
//! each attempt in a task of its own; a lease that is dropped without a verdict goes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::calls::Calls;
use super::dead::Home;
use super::entrance::Pass;
use super::hand::Exchange;
use super::keep::{Ahead, Keeping};
use super::lease::{Bell, Lease};
use super::recent::{Carried, End, Progress, Recent};
use super::road::Road;
use super::schedule::{Admission, Schedule, Standing, Take};
use super::stored::Stored;
use super::ways::Ways;
use super::{Buffer, Commons, DeadLetters, Delivery, Duplicates, Promise};
use crate::drain::Watch;
use crate::spool::Entry;
use crate::telemetry::{Event, Telemetry};
use crate::webhook::{Dedupe, WebhookId};

/// Attempts from the buffer that one worker has in flight to one upstream: as many as an upstream is
/// asked for at once by default, so that its own `concurrency`, which live traffic shares, is what limits a
/// backlog, even where one worker has all of it.
pub(super) const PLACES: usize = 256;

/// An acknowledged delivery that was not delivered when the process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The webhook.
    pub id: WebhookId,
    /// Its route.
    pub route: Arc<str>,
    /// Where it should have gone.
    pub upstream: Arc<str>,
    /// Which one of several that were made of the webhook, from 1; 0 where it is the only one.
    pub part: u16,
}

impl Left {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.webhook.id,
            route: Arc::clone(&delivery.webhook.route),
            upstream: Arc::clone(delivery.upstream.name()),
            part: delivery.overlay.part,
        }
    }
}

/// What one worker holds.
#[derive(Debug)]
pub(super) struct Worker<R> {
    pub(super) road: R,
    pub(super) index: usize,
    pub(super) duplicates: Arc<Duplicates>,
    pub(super) telemetry: Telemetry,
    pub(super) watch: Watch,
    pub(super) keeping: Keeping,
    buffer: Buffer,
    pub(super) dead: Arc<DeadLetters>,
    pub(super) recent: Arc<Recent>,
    state: Mutex<State>,
    /// Something was pushed, or an attempt ended.
    pub(super) changed: Notify,
    /// Where its tasks run, once it has had any.
    home: OnceLock<Handle>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) schedule: Schedule<Box<Stored>>,
    /// Attempts in flight that no sender waits for, by ticket.
    pub(super) flying: BTreeMap<u64, Flight>,
    tickets: u64,
    pub(super) runner: Runner,
    /// By the plan in force; none before the first reload: nothing is held then that was not accepted, or
    /// taken up, by that plan.
    pub(super) ways: Option<Arc<Ways>>,
}

/// An attempt in flight that no sender waits for.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) name: Left,
    pub(super) promise: Promise,
    /// What came before it.
    pub(super) progress: Progress,
    pub(super) entry: Option<Arc<Entry>>,
    /// What could still be written of it.
    pub(super) ahead: Option<Ahead>,
    /// Its key, where it has one that was accepted.
    pub(super) dedupe: Option<Dedupe>,
    pub(super) verdict: Verdict,
}

/// What an operator has said of a delivery while an attempt at it was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Verdict {
    #[default]
    Nothing,
    /// If this attempt fails, there is no other.
    Discarded,
    /// It has failed, and what becomes of it is being seen to: it is too late to say anything.
    TooLate,
}

/// Who takes from the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runner {
    Nobody,
    Task,
    Flush,
    /// The flush is over: nobody will.
    Gone,
}

impl<R: Road> Worker<R> {
    pub(super) fn new(road: R, index: usize, commons: Commons, watch: Watch) -> Self {
        let Commons {
            buffer,
            dead,
            duplicates,
            telemetry,
            keeping,
        } = commons;
        let state = State {
            schedule: Schedule::new(PLACES),
            flying: BTreeMap::new(),
            tickets: 0,
            runner: Runner::Nobody,
            ways: None,
        };
        let (state, changed) = (Mutex::new(state), Notify::new());
        Self {
            road,
            index,
            duplicates,
            telemetry,
            watch,
            keeping,
            buffer,
            dead,
            state,
            changed,
            recent: Arc::default(),
            home: OnceLock::new(),
        }
    }

    /// Keeps a delivery whose sender is told that we have it.
    pub(super) fn hold(self: &Arc<Self>, mut delivery: Delivery, due: Instant) {
        delivery.promise = Promise::Held;
        delivery.accept();
        self.push(delivery, due);
    }

    /// Lets a delivery wait until `due`, and makes sure that somebody will take it.
    ///
    /// Also called from destructors, so it must not panic where there is no runtime any more.
    pub(super) fn push(self: &Arc<Self>, delivery: Delivery, due: Instant) {
        let mut stored = Box::new(Stored::new(delivery));
        self.note(&mut stored, due, None);
        self.enqueue(stored, due);
    }

    /// The same for one of which everything is written that will be.
    pub(super) fn enqueue(self: &Arc<Self>, mut delivery: Box<Stored>, due: Instant) {
        let mut state = self.state();
        if let Some(ways) = &state.ways {
            delivery.go_by(ways, &self.telemetry);
        }
        if delivery.is_unplaced() && delivery.promise == Promise::Open {
            drop(state);
            self.withdraw(&delivery);
            drop(delivery);
            return self.tell_fill();
        }
        if state.runner == Runner::Gone {
            drop(state);
            self.leave(&delivery);
            return;
        }
        state.schedule.push(due, delivery);
        // While draining, the flush will come for it; without a runtime, nobody can.
        let home = self
            .home()
            .filter(|_| state.runner == Runner::Nobody && !self.watch.is_requested());
        if home.is_some() {
            state.runner = Runner::Task;
        }
        drop(state);
        if let Some(home) = home {
            let worker = Arc::clone(self);
            let run = async move { worker.run(Runner::Task, None).await };
            self.watch.spawn_on(home, run);
        }
        self.changed.notify_one();
        self.tell_fill();
    }

    /// Where this worker's tasks run; known since its first one.
    pub(super) fn home(&self) -> Option<&Handle> {
        if self.home.get().is_none() {
            let here = Handle::try_current().ok()?;
            return Some(self.home.get_or_init(|| here));
        }
        self.home.get()
    }

    /// Finishes an exchange whose sender has gone or was answered, in a task of its own.
    pub(super) fn see_to(
        self: &Arc<Self>,
        exchange: Exchange,
        promise: Promise,
        carried: Carried,
        ahead: Option<Ahead>,
    ) {
        // Without a runtime the process is past its end, and so is the exchange.
        if Handle::try_current().is_err() {
            return;
        }
        if promise == Promise::Held
            && self.spool().is_some()
            && let Some(ahead) = ahead.as_ref().filter(|ahead| !ahead.entry.is_asked())
        {
            ahead.entry.keep_later(ahead.row());
        }
        let entry = ahead.as_ref().map(|ahead| Arc::clone(&ahead.entry));
        let Carried { name, progress } = carried;
        let ticket = self.state().fly(Flight {
            name,
            promise,
            progress,
            entry,
            ahead,
            dedupe: None,
            verdict: Verdict::Nothing,
        });
        let worker = Arc::clone(self);
        self.watch.spawn(async move {
            let (mut delivery, outcome) = exchange.await;
            delivery.promise = promise;
            if promise == Promise::Held {
                delivery.accept();
            }
            worker.settle(delivery, outcome, ticket);
            worker.land(ticket);
        });
    }

    pub(super) fn waiting(&self) -> usize {
        self.state().schedule.len()
    }

    /// Takes what is due until nothing waits, `until`, or somebody else runs.
    pub(super) async fn run(self: Arc<Self>, runner: Runner, until: Option<Instant>) {
        let mut calls = Calls::default();
        loop {
            let changed = self.changed.notified();
            let wake = {
                let mut state = self.state();
                if state.runner != runner {
                    return;
                }
                if runner == Runner::Task && self.watch.is_requested() {
                    state.runner = Runner::Nobody;
                    return;
                }
                match self.take(&mut state, &mut calls) {
                    Take::Now(stored, pass) => {
                        let mut flight = Flight::of(&stored);
                        let lane = Arc::clone(&flight.name.upstream);
                        drop(state);
                        let mut delivery = stored.wake();
                        match &mut delivery {
                            Some(delivery) => {
                                self.number(delivery);
                                flight.entry = delivery.entry.clone();
                                flight.ahead = self.ahead(delivery);
                            }
                            None if flight.promise == Promise::Held => self.lose(&flight.name),
                            None => {}
                        }
                        let ticket = self.state().fly(flight);
                        let lease = Lease {
                            worker: Arc::clone(&self),
                            lane,
                            ticket,
                            delivery,
                            pass: Some(pass),
                        };
                        self.watch.spawn(lease.attempt());
                        continue;
                    }
                    // A flush also waits for what is in flight: it may come back.
                    Take::Nothing if runner == Runner::Task || state.flying.is_empty() => {
                        state.runner = Runner::Nobody;
                        return;
                    }
                    Take::At(due) => Some(due),
                    Take::Nothing | Take::WhenSettled => None,
                }
            };
            let wake = match (wake, until) {
                (Some(wake), Some(until)) => Some(wake.min(until)),
                (wake, until) => wake.or(until),
            };
            let drained = async {
                match runner {
                    Runner::Task => self.watch.requested().await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = calls.next() => {}
                () = drained => {}
                () = sleep_until(wake) => {}
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                return;
            }
        }
    }

    /// What is due and may go, or when to ask again.
    fn take(self: &Arc<Self>, state: &mut State, calls: &mut Calls) -> Take<Box<Stored>, Pass> {
        let now = Instant::now();
        let State {
            schedule, tickets, ..
        } = state;
        calls.begin();
        let take = schedule.take(now, |delivery| {
            if delivery.is_unplaced() {
                // Nobody rings for it but a plan that has a place for it.
                *tickets += 1;
                return Admission::Parked(*tickets);
            }
            if let Some(place) = delivery.place() {
                *tickets += 1;
                let (worker, ticket) = (Arc::downgrade(self), *tickets);
                if !place.is_first(&Waker::from(Arc::new(Bell { worker, ticket }))) {
                    return Admission::Parked(ticket);
                }
            }
            calls.admit(&delivery.upstream, now)
        });
        if !matches!(take, Take::Now(..)) {
            calls.forget_unasked();
        }
        take
    }

    /// What waits goes by these ways from now on: who corrects an address has what was held for it in mind,
    /// too, and who takes an upstream away wants nothing to go there. An attempt in flight ends where it
    /// began.
    pub(super) fn rebind(&self, ways: &Arc<Ways>) {
        let now = Instant::now();
        let mut state = self.state();
        state.ways = Some(Arc::clone(ways));
        let aside = state.schedule.extract(|standing, stored| {
            matches!(standing, Standing::Parked) && stored.is_unplaced()
        });
        aside
            .into_iter()
            .for_each(|stored| state.schedule.push(now, stored));
        for stored in state.schedule.iter_mut() {
            stored.go_by(ways, &self.telemetry);
        }
        let open = state
            .schedule
            .extract(|_, stored| stored.is_unplaced() && stored.promise == Promise::Open);
        drop(state);
        open.iter().for_each(|stored| self.withdraw(stored));
        drop(open);
        self.changed.notify_one();
        self.tell_fill();
    }

    /// Its sender has it still: nobody waits here for a way that may never be there again.
    fn withdraw(&self, stored: &Stored) {
        let (name, attempts) = (stored.name(), stored.attempts);
        self.recent
            .end(name, End::Withdrawn, attempts, stored.history());
    }

    pub(super) fn land(&self, ticket: u64) {
        self.state().flying.remove(&ticket);
        self.changed.notify_one();
    }

    pub(super) fn tell_fill(&self) {
        let (deliveries, bytes) = self.buffer.fill();
        self.telemetry.emit(&Event::Buffered { deliveries, bytes });
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Each change below is complete before anything that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Road> Home for Worker<R> {
    fn replay(self: Arc<Self>, mut stored: Stored) -> Result<(), Box<Stored>> {
        if self.watch.is_requested() || self.home.get().is_none() {
            return Err(Box::new(stored));
        }
        if stored.permit.is_none() {
            stored.permit = stored.contract.share.admit_one(stored.weight());
        }
        if stored.permit.is_none() {
            return Err(Box::new(stored));
        }
        let now = Instant::now();
        stored.renew(now);
        self.note(&mut stored, now, None);
        self.enqueue(Box::new(stored), now);
        Ok(())
    }
}

impl Flight {
    /// Of what is on its way out of the schedule.
    fn of(stored: &Stored) -> Self {
        Self {
            name: stored.name(),
            promise: stored.promise,
            progress: Progress {
                attempts: stored.attempts,
                history: stored.history(),
                wait: stored.wait,
                due: None,
            },
            entry: None,
            ahead: None,
            dedupe: stored.dedupe().cloned(),
            verdict: Verdict::Nothing,
        }
    }
}

impl State {
    fn fly(&mut self, flight: Flight) -> u64 {
        self.tickets += 1;
        self.flying.insert(self.tickets, flight);
        self.tickets
    }
}

pub(super) async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}
