//! A delivery in the hands of its sender's task, and what becomes of it when that task goes away.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::background::{Left, Worker};
use super::breaker::{Sign, Turn};
use super::dispatch::{DRAINING_RETRY_AFTER, UNKEPT};
use super::entrance::{Entry, Pass};
use super::keep::Ahead;
use super::outcome::{self, Outcome};
use super::recent::{Carried as Shown, Carrying, End, Progress};
use super::road::Road;
use super::wait::{self, Wait};
use super::{Ack, Acknowledgement, Answer, Cause, Delivery, Next, Promise};
use crate::spool::Unkept;
use crate::telemetry::Event;

/// Less is not worth a sender's while: connections and queues need about as long to recover.
const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);

/// What came of carrying a delivery while its sender waits.
pub(super) enum Carried {
    Delivered(Answer),
    /// Refused for good; the sender may be told so, and the delivery is whoever's who decides that.
    Refused(Answer, Box<Delivery>),
    /// It waits in the buffer.
    Held,
    /// Withdrawn: the sender has it.
    Failed(Acknowledgement),
}

/// An exchange in progress, with the delivery it is about.
pub(super) type Exchange = Pin<Box<dyn Future<Output = (Delivery, Outcome)> + Send>>;

/// Carries one delivery. Dropping it before the end hands the delivery over to the worker.
pub(super) struct Hand<R: Road> {
    worker: Arc<Worker<R>>,
    held: Holding,
    /// What operators see of it, and how to name it while it is inside its exchange.
    carrying: Carrying,
    ack: Ack,
    deadline: Instant,
    /// The exchange ends in time by itself.
    is_cut_off: bool,
    /// Why the last attempt failed.
    failed: Option<Cause>,
    /// What would be written of the delivery while it is inside its exchange.
    ahead: Option<Ahead>,
    /// Its sender was told to come back, while the exchange goes on.
    is_refused: bool,
}

enum Holding {
    Exchange(Exchange),
    /// Until its next attempt is due, and may be made.
    Delivery(Box<Delivery>, Instant),
    Nothing,
}

impl<R: Road> Hand<R> {
    pub(super) fn new(worker: &Arc<Worker<R>>, mut delivery: Delivery) -> Self {
        if delivery.contract.ack != Ack::Upstream {
            worker.number(&mut delivery);
        }
        let mut hand = Self {
            worker: Arc::clone(worker),
            carrying: worker.recent.carry(Left::of(&delivery)),
            ack: delivery.contract.ack,
            deadline: delivery.deadline(),
            is_cut_off: delivery.cut_off().is_some(),
            failed: None,
            ahead: Ahead::of(&delivery),
            is_refused: false,
            held: Holding::Nothing,
        };
        hand.begin(delivery);
        hand
    }

    /// Attempts until delivered, refused for good, or the sender's deadline.
    pub(super) async fn carry(mut self) -> Carried {
        loop {
            if let Err(carried) = self.admitted().await {
                return carried;
            }
            let Some((mut delivery, outcome)) = self.exchanged().await else {
                return match self.ack {
                    Ack::Upstream => Carried::Failed(Acknowledgement::Unavailable {
                        cause: Cause::Timeout,
                        retry_after: RETRY_AFTER_MIN,
                    }),
                    Ack::Buffered | Ack::Early => self.written_ahead().await,
                };
            };
            let failed = match outcome {
                Outcome::Delivered(answer) => {
                    delivery.accept();
                    self.ended(End::Delivered, &delivery);
                    return Carried::Delivered(answer);
                }
                // Passed through even though it is no 2xx: only the sender can mend what it sent, and
                // a 502 would make it repeat what the upstream will never take.
                Outcome::Final(answer) => {
                    self.ended(End::Refused, &delivery);
                    return Carried::Refused(answer, Box::new(delivery));
                }
                Outcome::Failed(failed) => failed,
            };
            self.failed = Some(failed.cause);
            let draining = self.worker.watch.is_requested();
            match delivery.after_failure(failed.retry_after) {
                Next::RetryIn(delay, _) if Instant::now() + delay < self.deadline && !draining => {
                    self.wait(delivery, delay).await;
                }
                Next::RetryIn(delay, _) if self.ack != Ack::Upstream && !draining => {
                    self.worker.announce(&delivery, delay);
                    return self.hold(delivery, Instant::now() + delay).await;
                }
                Next::RetryIn(delay, _) => {
                    let asked = failed.retry_after.unwrap_or(delay);
                    return self.withdrawn(&delivery, failed.cause, asked);
                }
                Next::GiveUp => {
                    let asked = failed.retry_after.unwrap_or_default();
                    return self.withdrawn(&delivery, failed.cause, asked);
                }
            }
        }
    }

    /// Waits until the next attempt may be made and begins it; or what comes instead of one, when it may
    /// not be made in time.
    async fn admitted(&mut self) -> Result<(), Carried> {
        let Holding::Delivery(delivery, _) = &self.held else {
            return Ok(());
        };
        let leave = tokio::select! {
            biased;
            leave = leave(delivery, self.deadline) => leave,
            () = tokio::time::sleep_until(self.deadline) => Err(self.deadline),
            () = self.worker.watch.requested() => Err(Instant::now()),
        };
        let Holding::Delivery(delivery, _) = std::mem::replace(&mut self.held, Holding::Nothing)
        else {
            return Ok(());
        };
        match leave {
            Ok(pass) => self.exchange(*delivery, pass),
            Err(due) if self.ack != Ack::Upstream && !self.worker.watch.is_requested() => {
                let mut delivery = delivery;
                let obstacle = delivery.upstream.entrance().obstacle(Instant::now());
                delivery.wait = obstacle.map_or(Wait::Turn, |obstacle| obstacle.wait);
                return Err(self.hold(*delivery, due).await);
            }
            Err(due) => {
                let asked = due.saturating_duration_since(Instant::now());
                let cause = self.failed.unwrap_or(Cause::Busy);
                return Err(self.withdrawn(&delivery, cause, asked));
            }
        }
        Ok(())
    }

    /// The end of the exchange in progress; `None` when the sender's deadline came first. The exchange
    /// then goes on without the sender.
    async fn exchanged(&mut self) -> Option<(Delivery, Outcome)> {
        let Holding::Exchange(exchange) = &mut self.held else {
            return None;
        };
        let ended = if self.is_cut_off {
            exchange.await
        } else {
            // Dropping `self` then leaves the exchange to the worker.
            tokio::time::timeout_at(self.deadline, exchange)
                .await
                .ok()?
        };
        self.held = Holding::Nothing;
        Some(ended)
    }

    /// Holds it, on disk first where there is a spool.
    async fn hold(&mut self, delivery: Delivery, due: Instant) -> Carried {
        self.show(&delivery, Some(due));
        let held = self.worker.hold_all(std::iter::once(delivery), due).await;
        match held {
            Ok(()) => self.told_held(),
            Err(Unkept) => Carried::Failed(UNKEPT),
        }
    }

    /// The same for one that is inside its exchange, which goes on without its sender.
    async fn written_ahead(&mut self) -> Carried {
        if let (Some(spool), Some(ahead)) = (self.worker.spool(), &self.ahead) {
            let row = (Arc::clone(&ahead.entry), ahead.row());
            if spool.keep(vec![row]).await == Err(Unkept) {
                self.is_refused = true;
                return Carried::Failed(UNKEPT);
            }
        }
        self.told_held()
    }

    /// Its sender hears 202, and operators hear why.
    fn told_held(&self) -> Carried {
        if let Some(Shown { name, progress }) = self.carrying.seen() {
            let reason = progress.history.last_reason();
            self.worker.telemetry.emit(&Event::Held {
                id: name.id,
                route: &name.route,
                upstream: &name.upstream,
                attempts: progress.attempts,
                reason: (!reason.is_empty()).then_some(reason),
            });
        }
        Carried::Held
    }

    /// What operators see of a delivery that has failed and is not given up.
    fn show(&self, delivery: &Delivery, due: Option<Instant>) {
        self.carrying.tell(Progress {
            attempts: delivery.attempts,
            history: delivery.history.clone(),
            wait: delivery.wait,
            due,
        });
    }

    /// Waits for the next attempt and begins it; the end of the process cuts the wait short.
    async fn wait(&mut self, delivery: Delivery, delay: Duration) {
        self.worker.announce(&delivery, delay);
        let due = Instant::now() + delay;
        self.show(&delivery, Some(due));
        self.held = Holding::Delivery(Box::new(delivery), due);
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(due) => {}
            () = self.worker.watch.requested() => {}
        }
        if let Holding::Delivery(delivery, _) = std::mem::replace(&mut self.held, Holding::Nothing)
        {
            self.begin(*delivery);
        }
    }

    fn begin(&mut self, delivery: Delivery) {
        let entrance = delivery.upstream.entrance();
        match entrance.enter_calmly().filter(|_| delivery.place.is_none()) {
            Some(pass) => self.exchange(delivery, pass),
            None => self.held = Holding::Delivery(Box::new(delivery), Instant::now()),
        }
    }

    fn exchange(&mut self, mut delivery: Delivery, pass: Pass) {
        let not_after = delivery.cut_off();
        let worker = Arc::clone(&self.worker);
        self.held = Holding::Exchange(Box::pin(async move {
            let outcome = worker.attempt(&mut delivery, pass, not_after).await;
            (delivery, outcome)
        }));
    }

    /// What operators hear of it from now on.
    fn ended(&mut self, end: End, delivery: &Delivery) {
        if let Some(Shown { name, .. }) = self.carrying.let_go() {
            let history = delivery.history.clone();
            self.worker
                .recent
                .end(name, end, delivery.attempts, history);
        }
    }

    fn withdrawn(&mut self, delivery: &Delivery, cause: Cause, asked: Duration) -> Carried {
        self.ended(End::Withdrawn, delivery);
        if self.worker.watch.is_requested() {
            let retry_after = DRAINING_RETRY_AFTER;
            return Carried::Failed(Acknowledgement::Draining { retry_after });
        }
        let cap = delivery
            .contract
            .policy
            .retry_after_cap
            .max(RETRY_AFTER_MIN);
        let retry_after = asked.clamp(RETRY_AFTER_MIN, cap);
        Carried::Failed(Acknowledgement::Unavailable { cause, retry_after })
    }
}

/// Waits for the right to attempt `delivery`: for its turn, and for its upstream; or when it can be had
/// at the earliest, if that is not before `deadline`.
async fn leave(delivery: &Delivery, deadline: Instant) -> Result<Pass, Instant> {
    if let Some(place) = &delivery.place {
        poll_fn(|cx| match place.is_first(cx.waker()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
    let entrance = delivery.upstream.entrance();
    let mut entry = entrance.enter(Instant::now());
    loop {
        match entry {
            Entry::Now(pass) => return Ok(pass),
            Entry::At(at) if at >= deadline => return Err(at),
            Entry::At(at) => {
                tokio::time::sleep_until(at).await;
                entry = entrance.enter(Instant::now());
            }
            Entry::Called => {
                let mut waiting = entrance.wait();
                // A place may have become free just before we could be called.
                if waiting.is_alone() {
                    entry = waiting.enter(Instant::now());
                    if !matches!(entry, Entry::Called) {
                        continue;
                    }
                }
                (&mut waiting).await;
                entry = waiting.enter(Instant::now());
            }
        }
    }
}

impl<R: Road> Drop for Hand<R> {
    fn drop(&mut self) {
        let promise = match self.ack {
            Ack::Upstream => Promise::Open,
            _ if self.is_refused => Promise::Open,
            Ack::Buffered | Ack::Early => Promise::Held,
        };
        match std::mem::replace(&mut self.held, Holding::Nothing) {
            Holding::Nothing => {}
            Holding::Exchange(exchange) => {
                let ahead = self.ahead.take();
                if let Some(shown) = self.carrying.let_go() {
                    self.worker.see_to(exchange, promise, shown, ahead);
                }
            }
            Holding::Delivery(mut delivery, due) => {
                delivery.promise = promise;
                self.worker.push(*delivery, due);
            }
        }
    }
}

impl<R: Road> Worker<R> {
    /// One attempt at `delivery`, counted, and what it says about the upstream.
    pub(super) async fn attempt(
        &self,
        delivery: &mut Delivery,
        mut pass: Pass,
        not_after: Option<Instant>,
    ) -> Outcome {
        delivery.attempts = delivery.attempts.saturating_add(1);
        let (watch, telemetry) = (&self.watch, &self.telemetry);
        let outcome = self
            .road
            .attempt(delivery, self.index, not_after, watch, telemetry)
            .await;
        let sign = match outcome.sign() {
            // Cut short by its sender's deadline, it says nothing.
            Sign::Ill if not_after.is_some_and(|end| Instant::now() >= end) => Sign::Unknown,
            sign => sign,
        };
        match &outcome {
            Outcome::Delivered(_) => {}
            Outcome::Final(answer) => delivery.remember(&outcome::answered(answer.status)),
            Outcome::Failed(failed) => match failed.retry_after {
                Some(asked) => {
                    let cap = delivery.contract.policy.retry_after_cap;
                    delivery.remember(&wait::asked(&failed.reason, asked, cap));
                }
                None => delivery.remember(&failed.reason),
            },
        }
        if let Some(turn) = pass.tell(sign, Instant::now) {
            self.announce_turn(delivery, turn, &outcome);
        }
        outcome
    }

    fn announce_turn(&self, delivery: &Delivery, turn: Turn, outcome: &Outcome) {
        let reason = match outcome {
            Outcome::Failed(failed) => &*failed.reason,
            Outcome::Delivered(_) | Outcome::Final(_) => "",
        };
        let upstream = delivery.upstream.meters();
        let open = delivery.upstream.settings().restraint.breaker.open;
        match turn {
            Turn::Opened { failures } => self.telemetry.emit(&Event::BreakerOpened {
                upstream,
                failures,
                open,
                reason,
            }),
            // The attempt's own line has said it.
            Turn::Reopened => {}
            Turn::Closed => self.telemetry.emit(&Event::BreakerClosed { upstream }),
        }
    }

    /// Tells telemetry that `delivery` waits.
    pub(super) fn announce(&self, delivery: &Delivery, next_in: Duration) {
        self.telemetry.emit(&Event::Waiting {
            id: delivery.webhook.id,
            upstream: delivery.upstream.meters(),
            attempt: delivery.attempts,
            next_in,
        });
    }
}
