//! Deliveries that no sender waits for: one worker's schedule, its runner, and the flush at the end.
//!
//! The runner is a task that exists while something waits. It takes what is due under a lease and makes
//! each attempt in a task of its own; a lease that is dropped without a verdict goes back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::calls::Calls;
use super::entrance::Pass;
use super::hand::Exchange;
use super::outcome::Outcome;
use super::schedule::{Admission, Schedule, Take, Waits};
use super::{Buffer, DeadLetter, DeadLetters, Delivery, Duplicates, Next, Promise};
use crate::drain::Watch;
use crate::telemetry::{Event, Telemetry};
use crate::webhook::WebhookId;

/// Attempts from the buffer that one worker has in flight to one upstream. An upstream that comes back
/// meets this many at once, beside its live traffic, and not the whole backlog.
pub(super) const PLACES: usize = 32;

/// An acknowledged delivery that was not delivered when the process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The webhook.
    pub id: WebhookId,
    /// Its route.
    pub route: Arc<str>,
    /// Where it should have gone.
    pub upstream: Arc<str>,
}

impl Left {
    pub(super) fn of(delivery: &Delivery) -> Self {
        Self {
            id: delivery.webhook.id,
            route: Arc::clone(&delivery.webhook.route),
            upstream: Arc::clone(delivery.upstream.name()),
        }
    }
}

/// What one worker holds.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) duplicates: Arc<Duplicates>,
    pub(super) telemetry: Telemetry,
    pub(super) watch: Watch,
    buffer: Buffer,
    dead: Arc<DeadLetters>,
    state: Mutex<State>,
    /// Something was pushed, or an attempt ended.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    schedule: Schedule<Box<Delivery>>,
    /// Attempts in flight that no sender waits for, by ticket.
    flying: BTreeMap<u64, (Left, Promise)>,
    tickets: u64,
    runner: Runner,
}

/// Who takes from the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runner {
    Nobody,
    Task,
    Flush,
    /// The flush is over: nobody will.
    Gone,
}

/// A delivery out of the schedule; unless settled, dropping it puts it back.
struct Lease {
    worker: Arc<Worker>,
    lane: Arc<str>,
    ticket: u64,
    delivery: Option<Box<Delivery>>,
    pass: Option<Pass>,
}

/// Tells a worker that a parked delivery has come first in its line.
struct Bell {
    worker: Weak<Worker>,
    ticket: u64,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if let Some(worker) = self.worker.upgrade() {
            worker.state().schedule.unpark(self.ticket);
            worker.changed.notify_one();
        }
    }
}

impl Waits for Box<Delivery> {
    fn upstream(&self) -> &Arc<str> {
        self.upstream.name()
    }

    fn route(&self) -> &Arc<str> {
        &self.webhook.route
    }
}

impl Worker {
    pub(super) fn new(
        index: usize,
        buffer: Buffer,
        dead: Arc<DeadLetters>,
        duplicates: Arc<Duplicates>,
        telemetry: Telemetry,
        watch: Watch,
    ) -> Self {
        let state = State {
            schedule: Schedule::new(PLACES),
            flying: BTreeMap::new(),
            tickets: 0,
            runner: Runner::Nobody,
        };
        let (state, changed) = (Mutex::new(state), Notify::new());
        Self {
            index,
            duplicates,
            telemetry,
            watch,
            buffer,
            dead,
            state,
            changed,
        }
    }

    /// Keeps a delivery whose sender is told that we have it.
    pub(super) fn hold(self: &Arc<Self>, mut delivery: Delivery, due: Instant) {
        delivery.promise = Promise::Held;
        delivery.accept();
        self.push(Box::new(delivery), due);
    }

    /// Lets a delivery wait until `due`, and makes sure that somebody will take it.
    ///
    /// Also called from destructors, so it must not panic where there is no runtime any more.
    pub(super) fn push(self: &Arc<Self>, delivery: Box<Delivery>, due: Instant) {
        let mut state = self.state();
        if state.runner == Runner::Gone {
            drop(state);
            self.leave(&delivery);
            return;
        }
        state.schedule.push(due, delivery);
        // While draining, the flush will come for it; without a runtime, nobody can.
        let needed = state.runner == Runner::Nobody
            && !self.watch.is_requested()
            && tokio::runtime::Handle::try_current().is_ok();
        if needed {
            state.runner = Runner::Task;
        }
        drop(state);
        if needed {
            let worker = Arc::clone(self);
            self.watch
                .spawn(async move { worker.run(Runner::Task, None).await });
        }
        self.changed.notify_one();
        self.tell_fill();
    }

    /// Finishes an exchange whose sender has gone or was answered, in a task of its own.
    pub(super) fn see_to(self: &Arc<Self>, exchange: Exchange, promise: Promise, name: Left) {
        // Without a runtime the process is past its end, and so is the exchange.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let ticket = self.state().fly(name, promise);
        let worker = Arc::clone(self);
        self.watch.spawn(async move {
            let (mut delivery, outcome) = exchange.await;
            delivery.promise = promise;
            if promise == Promise::Held {
                delivery.accept();
            }
            worker.settle(Box::new(delivery), outcome);
            worker.land(ticket);
        });
    }

    /// Gives a delivery up whose sender was told that we have it.
    pub(super) fn bury(&self, delivery: Delivery, reason: &str) {
        self.telemetry.emit(&Event::GaveUp {
            id: delivery.webhook.id,
            route: &delivery.contract.meters,
            upstream: delivery.upstream.meters(),
            attempts: delivery.attempts,
            reason,
        });
        // Its sender was told that we have it, and will not repeat it.
        if let Some(writes) = delivery.writes {
            writes.keep();
        }
        let arrival = delivery.webhook.arrival;
        self.dead.add(DeadLetter {
            given_up: arrival.wall() + arrival.instant.elapsed(),
            webhook: delivery.webhook,
            overlay: delivery.overlay,
            upstream: Arc::clone(delivery.upstream.name()),
            attempts: delivery.attempts,
            reason: reason.into(),
        });
    }

    pub(super) fn waiting(&self) -> usize {
        self.state().schedule.len()
    }

    pub(super) async fn flush(self: &Arc<Self>, grace: Duration) -> Vec<Left> {
        let now = Instant::now();
        {
            let mut state = self.state();
            state.runner = Runner::Flush;
            state.schedule.hurry(now);
        }
        self.changed.notify_waiters();
        Arc::clone(self).run(Runner::Flush, Some(now + grace)).await;

        let mut state = self.state();
        state.runner = Runner::Gone;
        let waiting = state.schedule.clear();
        let flying = std::mem::take(&mut state.flying).into_values();
        drop(state);
        let left: Vec<Left> = waiting
            .iter()
            .map(|delivery| (Left::of(delivery), delivery.promise))
            .chain(flying)
            .filter(|(_, promise)| *promise == Promise::Held)
            .map(|(left, _)| left)
            .collect();
        for Left {
            id,
            route,
            upstream,
        } in &left
        {
            self.telemetry.emit(&Event::LeftBehind {
                id: *id,
                route,
                upstream,
            });
        }
        self.tell_fill();
        left
    }

    /// Takes what is due until nothing waits, `until`, or somebody else runs.
    async fn run(self: Arc<Self>, runner: Runner, until: Option<Instant>) {
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
                    Take::Now(delivery, pass) => {
                        let ticket = state.fly(Left::of(&delivery), delivery.promise);
                        drop(state);
                        let lease = Lease {
                            worker: Arc::clone(&self),
                            lane: Arc::clone(delivery.upstream.name()),
                            ticket,
                            delivery: Some(delivery),
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
    fn take(self: &Arc<Self>, state: &mut State, calls: &mut Calls) -> Take<Box<Delivery>, Pass> {
        let now = Instant::now();
        let State {
            schedule, tickets, ..
        } = state;
        calls.begin();
        let take = schedule.take(now, |delivery| {
            if let Some(place) = &delivery.place {
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

    /// After an attempt that no sender waits for.
    fn settle(self: &Arc<Self>, mut delivery: Box<Delivery>, outcome: Outcome) {
        let failed = match outcome {
            Outcome::Delivered(_) => {
                delivery.accept();
                drop(delivery);
                return self.tell_fill();
            }
            Outcome::Final(answer) => {
                return self.end(*delivery, &format!("answered {}", answer.status.as_u16()));
            }
            Outcome::Failed(failed) => failed,
        };
        match delivery.after_failure(failed.retry_after) {
            Next::GiveUp => self.end(*delivery, &failed.reason),
            Next::RetryIn(delay) => {
                let due = Instant::now() + delay;
                if delivery.promise == Promise::Open && due >= delivery.deadline() {
                    // Its sender would have been told to try again.
                    return;
                }
                self.announce(&delivery, delay);
                self.push(delivery, due);
            }
        }
    }

    /// No further attempt: a dead letter, unless the sender still has it.
    fn end(&self, delivery: Delivery, reason: &str) {
        if delivery.promise == Promise::Held {
            self.bury(delivery, reason);
            self.tell_fill();
        }
    }

    fn leave(&self, delivery: &Delivery) {
        if delivery.promise == Promise::Held {
            let Left {
                id,
                route,
                upstream,
            } = Left::of(delivery);
            self.telemetry.emit(&Event::LeftBehind {
                id,
                route: &route,
                upstream: &upstream,
            });
        }
    }

    fn land(&self, ticket: u64) {
        self.state().flying.remove(&ticket);
        self.changed.notify_one();
    }

    fn tell_fill(&self) {
        let (deliveries, bytes) = self.buffer.fill();
        self.telemetry.emit(&Event::Buffered { deliveries, bytes });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Each change below is complete before anything that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn fly(&mut self, name: Left, promise: Promise) -> u64 {
        self.tickets += 1;
        self.flying.insert(self.tickets, (name, promise));
        self.tickets
    }
}

impl Lease {
    async fn attempt(mut self) {
        let (Some(delivery), Some(pass)) = (self.delivery.as_mut(), self.pass.take()) else {
            return;
        };
        let worker = Arc::clone(&self.worker);
        let not_after = (delivery.promise == Promise::Open).then(|| delivery.deadline());
        if not_after.is_some_and(|end| Instant::now() >= end) {
            // Its sender has been told to try again.
            self.delivery = None;
            return worker.tell_fill();
        }
        let outcome = worker.attempt(delivery, pass, not_after).await;
        if let Some(delivery) = self.delivery.take() {
            worker.settle(delivery, outcome);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.worker.state().schedule.settle(&self.lane);
        // The task panicked or was ended before its time: nobody settled it. A flush that is over has
        // named what was in flight.
        let is_named = self.worker.state().runner == Runner::Gone;
        if let Some(delivery) = self.delivery.take().filter(|_| !is_named) {
            self.worker.push(delivery, Instant::now());
        }
        self.worker.land(self.ticket);
    }
}

async fn sleep_until(when: Option<Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}
