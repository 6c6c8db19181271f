//! A delivery in the hands of its sender's task, and what becomes of it when that task goes away.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempt;
use super::background::{Left, Worker};
use super::dispatch::DRAINING_RETRY_AFTER;
use super::outcome::{Failed, Outcome};
use super::{Ack, Acknowledgement, Answer, Delivery, Next, Promise};
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
pub(super) struct Hand {
    worker: Arc<Worker>,
    held: Holding,
    /// How to name the delivery, and by what contract, while it is inside its exchange.
    name: Left,
    ack: Ack,
    deadline: Instant,
}

enum Holding {
    Exchange(Exchange),
    /// Until its next attempt is due.
    Delivery(Box<Delivery>, Instant),
    Nothing,
}

impl Hand {
    pub(super) fn new(worker: &Arc<Worker>, delivery: Delivery) -> Self {
        let mut hand = Self {
            worker: Arc::clone(worker),
            name: Left::of(&delivery),
            ack: delivery.contract.ack,
            deadline: delivery.deadline(),
            held: Holding::Nothing,
        };
        hand.begin(delivery);
        hand
    }

    /// Attempts until delivered, refused for good, or the sender's deadline.
    pub(super) async fn carry(mut self) -> Carried {
        loop {
            let Some((mut delivery, outcome)) = self.exchanged().await else {
                return Carried::Held;
            };
            let failed = match outcome {
                Outcome::Delivered(answer) => {
                    delivery.accept();
                    return Carried::Delivered(answer);
                }
                // Passed through even though it is no 2xx: only the sender can mend what it sent, and
                // a 502 would make it repeat what the upstream will never take.
                Outcome::Final(answer) => return Carried::Refused(answer, Box::new(delivery)),
                Outcome::Failed(failed) => failed,
            };
            let draining = self.worker.watch.is_requested();
            match delivery.after_failure(failed.retry_after) {
                Next::RetryIn(delay) if Instant::now() + delay < self.deadline && !draining => {
                    self.wait(delivery, delay).await;
                }
                Next::RetryIn(delay) if self.ack != Ack::Upstream && !draining => {
                    self.worker.announce(&delivery, delay);
                    self.worker.hold(delivery, Instant::now() + delay);
                    return Carried::Held;
                }
                Next::RetryIn(delay) => return self.withdrawn(&delivery, &failed, delay),
                Next::GiveUp => return self.withdrawn(&delivery, &failed, Duration::ZERO),
            }
        }
    }

    /// The end of the exchange in progress; `None` when the sender's deadline came first and the
    /// delivery is held. (With `upstream` the exchange itself ends at the deadline.)
    async fn exchanged(&mut self) -> Option<(Delivery, Outcome)> {
        let Holding::Exchange(exchange) = &mut self.held else {
            return None;
        };
        let ended = if self.ack == Ack::Upstream {
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

    /// Waits for the next attempt and begins it; the end of the process cuts the wait short.
    async fn wait(&mut self, delivery: Delivery, delay: Duration) {
        self.worker.announce(&delivery, delay);
        let due = Instant::now() + delay;
        self.held = Holding::Delivery(Box::new(delivery), due);
        tokio::select! {
            () = tokio::time::sleep_until(due) => {}
            () = self.worker.watch.requested() => {}
        }
        if let Holding::Delivery(delivery, _) = std::mem::replace(&mut self.held, Holding::Nothing)
        {
            self.begin(*delivery);
        }
    }

    fn begin(&mut self, delivery: Delivery) {
        // A sender that hears "try again" at its deadline will repeat the webhook: an exchange that went
        // on beyond would only make two of one.
        let not_after = (self.ack == Ack::Upstream).then_some(self.deadline);
        let worker = Arc::clone(&self.worker);
        self.held = Holding::Exchange(Box::pin(async move {
            let mut delivery = delivery;
            let outcome = worker.attempt(&mut delivery, not_after).await;
            (delivery, outcome)
        }));
    }

    fn withdrawn(&self, delivery: &Delivery, failed: &Failed, delay: Duration) -> Carried {
        if self.worker.watch.is_requested() {
            let retry_after = DRAINING_RETRY_AFTER;
            return Carried::Failed(Acknowledgement::Draining { retry_after });
        }
        let cap = delivery
            .contract
            .policy
            .retry_after_cap
            .max(RETRY_AFTER_MIN);
        let asked = failed.retry_after.unwrap_or(delay);
        let retry_after = asked.clamp(RETRY_AFTER_MIN, cap);
        Carried::Failed(Acknowledgement::Unavailable {
            cause: failed.cause,
            retry_after,
        })
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        let promise = match self.ack {
            Ack::Upstream => Promise::Open,
            Ack::Buffered | Ack::Early => Promise::Held,
        };
        match std::mem::replace(&mut self.held, Holding::Nothing) {
            Holding::Nothing => {}
            Holding::Exchange(exchange) => {
                self.worker.see_to(exchange, promise, self.name.clone());
            }
            Holding::Delivery(mut delivery, due) => {
                delivery.promise = promise;
                self.worker.push(delivery, due);
            }
        }
    }
}

impl Worker {
    /// One attempt at `delivery`, counted.
    pub(super) async fn attempt(
        &self,
        delivery: &mut Delivery,
        not_after: Option<Instant>,
    ) -> Outcome {
        delivery.attempts = delivery.attempts.saturating_add(1);
        attempt::make(
            delivery,
            self.index,
            not_after,
            &self.watch,
            &self.telemetry,
        )
        .await
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
