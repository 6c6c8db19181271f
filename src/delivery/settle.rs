//! The end of a delivery that no sender waits for: delivered, to be tried again, a dead letter, or lost.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::background::{Left, Worker};
use super::dead::Home;
use super::outcome::{self, Outcome};
use super::recent::End;
use super::record::Dead;
use super::road::Road;
use super::stored::Stored;
use super::{Delivery, Next, Promise};
use crate::telemetry::{EndEvent, Event};

impl<R: Road> Worker<R> {
    /// After an attempt that no sender waits for; `ticket` is its flight's.
    pub(super) fn settle(self: &Arc<Self>, mut delivery: Delivery, outcome: Outcome, ticket: u64) {
        let failed = match outcome {
            // Its sender still has it, and its repeat must hear the same.
            Outcome::Delivered(answer) | Outcome::Final(answer)
                if delivery.promise == Promise::Open =>
            {
                let end = match answer.status.is_success() {
                    true => End::Delivered,
                    false => End::Refused,
                };
                self.ended(end, &delivery);
                delivery.accept_late(answer);
                drop(delivery);
                return self.tell_fill();
            }
            Outcome::Delivered(_) => {
                self.ended(End::Delivered, &delivery);
                delivery.accept();
                delivery.settle();
                if self.is_discarded(ticket) {
                    self.delivered_all_the_same(&delivery);
                }
                drop(delivery);
                return self.tell_fill();
            }
            Outcome::Final(_) | Outcome::Failed(_) if self.is_discarded(ticket) => {
                self.discarded(&delivery);
                drop(delivery);
                return self.tell_fill();
            }
            Outcome::Final(answer) => {
                return self.end(delivery, &outcome::answered_finally(answer.status));
            }
            Outcome::Failed(failed) => failed,
        };
        match delivery.after_failure(failed.retry_after) {
            Next::GiveUp => {
                let reason = delivery.given_up(&failed.reason);
                self.end(delivery, &reason);
            }
            Next::RetryIn(delay, _) => {
                let due = Instant::now() + delay;
                if delivery.promise == Promise::Open && due >= delivery.deadline() {
                    // Its sender would have been told to try again.
                    return self.ended(End::Withdrawn, &delivery);
                }
                self.announce(&delivery, delay);
                self.push(delivery, due);
            }
        }
    }

    /// No further attempt: a dead letter, unless the sender still has it.
    fn end(self: &Arc<Self>, delivery: Delivery, reason: &str) {
        if delivery.promise == Promise::Held {
            self.bury(delivery, reason);
            self.tell_fill();
        } else {
            self.ended(End::Withdrawn, &delivery);
        }
    }

    pub(super) fn ended(&self, end: End, delivery: &Delivery) {
        let history = delivery.history.clone();
        let name = Left::of(delivery);
        self.recent.end(name, end, delivery.attempts, history);
    }

    pub(super) fn leave(&self, delivery: &Stored) {
        if delivery.promise == Promise::Held && !delivery.is_asked() {
            self.lose(&delivery.name());
        }
    }

    pub(super) fn lose(&self, name: &Left) {
        self.telemetry.emit(&Event::End(EndEvent::LeftBehind {
            id: name.id,
            route: &name.route,
            upstream: &name.upstream,
        }));
    }

    /// Gives a delivery up whose sender was told that we have it.
    pub(super) fn bury(self: &Arc<Self>, mut delivery: Delivery, reason: &str) {
        self.telemetry.emit(&Event::GaveUp {
            id: delivery.webhook.id,
            route: &delivery.contract.meters,
            upstream: delivery.upstream.meters(),
            attempts: delivery.attempts,
            reason,
        });
        // Its sender was told that we have it: a repeat is one.
        delivery.accept();
        let arrival = delivery.webhook.arrival;
        let given_up = arrival.wall() + arrival.instant.elapsed();
        let mut stored = Stored::new(delivery);
        stored.leave_line();
        stored.promise = Promise::Held;
        let dead = Dead {
            reason: reason.into(),
            given_up: arrival.instant.elapsed(),
        };
        self.note(&mut stored, Instant::now(), Some(dead));
        self.home();
        self.keep_letter(stored, given_up, reason);
    }

    /// A dead letter, new or from the spool.
    pub(super) fn keep_letter(
        self: &Arc<Self>,
        stored: Stored,
        given_up: SystemTime,
        reason: &str,
    ) {
        let home = Arc::clone(self) as Arc<dyn Home>;
        self.dead.add(&home, stored, given_up, reason);
    }
}
