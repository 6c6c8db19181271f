//! A delivery out of the schedule, and the bell that brings a parked one back.

use std::sync::{Arc, Weak};
use std::task::Wake;

use tokio::time::Instant;

use super::background::{Runner, Worker};
use super::entrance::Pass;
use super::road::Road;
use super::{Delivery, Promise};

/// A delivery out of the schedule; unless settled, dropping it puts it back.
pub(super) struct Lease<R: Road> {
    pub(super) worker: Arc<Worker<R>>,
    pub(super) lane: Arc<str>,
    pub(super) ticket: u64,
    pub(super) delivery: Option<Delivery>,
    pub(super) pass: Option<Pass>,
}

/// Tells a worker that a parked delivery has come first in its line.
pub(super) struct Bell<R> {
    pub(super) worker: Weak<Worker<R>>,
    pub(super) ticket: u64,
}

impl<R: Road> Wake for Bell<R> {
    fn wake(self: Arc<Self>) {
        if let Some(worker) = self.worker.upgrade() {
            worker.state().schedule.unpark(self.ticket);
            worker.changed.notify_one();
        }
    }
}

impl<R: Road> Lease<R> {
    pub(super) async fn attempt(mut self) {
        let (Some(delivery), Some(pass)) = (self.delivery.as_mut(), self.pass.take()) else {
            return;
        };
        let worker = Arc::clone(&self.worker);
        if delivery.promise == Promise::Open && Instant::now() >= delivery.deadline() {
            // Its sender has been told to try again.
            self.delivery = None;
            return worker.tell_fill();
        }
        let not_after = delivery.cut_off();
        let outcome = worker.attempt(delivery, pass, not_after).await;
        if let Some(delivery) = self.delivery.take() {
            worker.settle(delivery, outcome, self.ticket);
        }
    }
}

impl<R: Road> Drop for Lease<R> {
    fn drop(&mut self) {
        self.worker.state().schedule.settle(&self.lane);
        // The task panicked or was ended before its time: nobody settled it. A flush that is over has
        // named what was in flight.
        let is_named = self.worker.state().runner == Runner::Gone;
        if let Some(delivery) = self.delivery.take().filter(|_| !is_named) {
            match self.worker.is_discarded(self.ticket) {
                true => self.worker.discarded(&delivery),
                false => self.worker.push(delivery, Instant::now()),
            }
        }
        self.worker.land(self.ticket);
    }
}
