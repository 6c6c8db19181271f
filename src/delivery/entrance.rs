//! Who may go to an upstream now: its breaker, its concurrency and its rate, for all workers together.
//!
//! A place is taken for each attempt, by a sender's own attempt as by one from the buffer, and given
//! back when the [`Pass`] is dropped. While the upstream is well and has places, entering and leaving
//! are a few atomic operations; only who must wait allocates and takes a lock. Those who wait are
//! called in the order in which they came.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::Instant;

use super::breaker::{Breaker, BreakerSettings, BreakerState, Errand, Leave, Sign, Turn};
use super::rate::{Bucket, Rate};
use super::wait::Wait;

/// What protects an upstream from us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restraint {
    /// Attempts at once, of all workers; default 256, more than most servers work on at once.
    pub concurrency: NonZeroU32,
    /// Attempts in a time; default: any number.
    pub rate: Option<Rate>,
    /// When it is left alone.
    pub breaker: BreakerSettings,
}

impl Default for Restraint {
    fn default() -> Self {
        const CONCURRENCY: NonZeroU32 = NonZeroU32::new(256).unwrap();
        Self {
            concurrency: CONCURRENCY,
            rate: None,
            breaker: BreakerSettings::default(),
        }
    }
}

/// The way into one upstream.
#[derive(Debug)]
pub(super) struct Entrance {
    restraint: Restraint,
    /// What the breaker and the bucket count from.
    epoch: Instant,
    breaker: Breaker,
    bucket: Bucket,
    inside: AtomicU32,
    /// How many wait to be called.
    waiting: AtomicUsize,
    calls: Arc<Notify>,
}

/// Whether one may enter.
#[derive(Debug)]
pub(super) enum Entry {
    Now(Pass),
    /// Nobody may before this moment.
    At(Instant),
    /// When called: see [`Entrance::wait`].
    Called,
}

/// What keeps attempts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Obstacle {
    pub(super) wait: Wait,
    /// Until when at least, where that is known.
    pub(super) until: Option<Instant>,
}

/// The right to make one attempt; dropping it leaves.
#[derive(Debug)]
pub(super) struct Pass {
    entrance: Arc<Entrance>,
    errand: Errand,
}

/// A place in the queue; resolves when it is worth trying again.
#[derive(Debug)]
pub(super) struct Waiting {
    entrance: Arc<Entrance>,
    call: Pin<Box<OwnedNotified>>,
}

impl Entrance {
    pub(super) fn new(restraint: Restraint, epoch: Instant) -> Arc<Self> {
        Arc::new(Self {
            restraint,
            epoch,
            breaker: Breaker::default(),
            bucket: Bucket::default(),
            inside: AtomicU32::new(0),
            waiting: AtomicUsize::new(0),
            calls: Arc::default(),
        })
    }

    /// Enters an upstream that is well, has no rate and has a place: without a look at the clock.
    pub(super) fn enter_calmly(self: &Arc<Self>) -> Option<Pass> {
        let is_calm = self.restraint.rate.is_none()
            && self.breaker.is_calm()
            && self.waiting.load(Ordering::SeqCst) == 0;
        (is_calm && self.take_place()).then(|| self.pass(Errand::Usual))
    }

    /// Enters at `now`, unless others wait.
    pub(super) fn enter(self: &Arc<Self>, now: Instant) -> Entry {
        if self.breaker.is_closed() && self.waiting.load(Ordering::SeqCst) > 0 {
            return Entry::Called;
        }
        self.attempt(now)
    }

    /// Queues up. Who has been called asks the [`Waiting`]; dropping it leaves the queue.
    pub(super) fn wait(self: &Arc<Self>) -> Waiting {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut call = Box::pin(Arc::clone(&self.calls).notified_owned());
        call.as_mut().enable();
        Waiting {
            entrance: Arc::clone(self),
            call,
        }
    }

    /// Attempts under way.
    pub(super) fn inside(&self) -> u32 {
        self.inside.load(Ordering::Relaxed)
    }

    pub(super) fn breaker(&self, now: Instant) -> BreakerState {
        self.breaker.state(self.since_epoch(now))
    }

    /// What keeps an attempt out at `now`: a look, which takes nothing.
    pub(super) fn obstacle(&self, now: Instant) -> Option<Obstacle> {
        let since = self.since_epoch(now);
        let at = |wait, until: Duration| {
            let until = Some(self.epoch + until);
            Some(Obstacle { wait, until })
        };
        if let Some(until) = self.breaker.open_until(since) {
            return at(Wait::Breaker, until);
        }
        let wait = match self.breaker.state(since) {
            BreakerState::Closed if self.has_place() => {
                let due = self.restraint.rate.map(|rate| self.bucket.due(rate));
                let due = due.filter(|due| *due > since)?;
                return at(Wait::Rate, due);
            }
            BreakerState::Closed => Wait::Places,
            BreakerState::Open | BreakerState::HalfOpen => Wait::Probe,
        };
        Some(Obstacle { wait, until: None })
    }

    fn attempt(self: &Arc<Self>, now: Instant) -> Entry {
        let since = self.since_epoch(now);
        // Those who wait for a place must not do so where nobody may have one.
        if let Some(until) = self.breaker.open_until(since) {
            return Entry::At(self.epoch + until);
        }
        if !self.take_place() {
            return Entry::Called;
        }
        let errand = match self.breaker.ask(&self.restraint.breaker, since) {
            Leave::Go(errand) => errand,
            refused => {
                // Nobody is called for this place: whoever waits would hear the same, and every turn
                // of the breaker calls all of them.
                self.inside.fetch_sub(1, Ordering::SeqCst);
                return match refused {
                    Leave::NotBefore(until) => Entry::At(self.epoch + until),
                    _ => Entry::Called,
                };
            }
        };
        let pass = self.pass(errand);
        match self.restraint.rate {
            None => Entry::Now(pass),
            Some(rate) => match self.bucket.take(rate, since) {
                Ok(()) => Entry::Now(pass),
                Err(until) => Entry::At(self.epoch + until),
            },
        }
    }

    fn pass(self: &Arc<Self>, errand: Errand) -> Pass {
        Pass {
            entrance: Arc::clone(self),
            errand,
        }
    }

    fn take_place(&self) -> bool {
        let max = self.restraint.concurrency.get();
        self.inside
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, |inside| {
                (inside < max).then_some(inside + 1)
            })
            .is_ok()
    }

    fn has_place(&self) -> bool {
        self.inside.load(Ordering::SeqCst) < self.restraint.concurrency.get()
    }

    fn leave_place(&self) {
        // Sequential, as is the count of the queue: either who queues up sees this place, or we see them.
        self.inside.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.calls.notify_one();
        }
    }

    fn since_epoch(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.epoch)
    }
}

impl Waiting {
    /// Tries again at `now`. After [`Entry::Called`] a new [`Waiting`] is needed once this one has resolved.
    pub(super) fn enter(&self, now: Instant) -> Entry {
        self.entrance.attempt(now)
    }

    /// Whether it is this entrance's queue.
    pub(super) fn is_for(&self, entrance: &Arc<Entrance>) -> bool {
        Arc::ptr_eq(&self.entrance, entrance)
    }

    /// Whether nobody has waited for longer: then nobody else would take a place that has just become free.
    pub(super) fn is_alone(&self) -> bool {
        self.entrance.waiting.load(Ordering::SeqCst) <= 1 || !self.entrance.breaker.is_closed()
    }
}

impl Future for Waiting {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.call.as_mut().poll(cx)
    }
}

impl Drop for Waiting {
    /// Whoever leaves the queue, entering or not, calls the next one if there is a place: it may have become
    /// free when everybody had been called, or for somebody who had no use for it any more. Unless the
    /// breaker has the say: then nobody else may enter either, and each turn of it calls all of them.
    fn drop(&mut self) {
        let entrance = &self.entrance;
        let others = entrance.waiting.fetch_sub(1, Ordering::SeqCst) - 1;
        if others > 0 && entrance.breaker.is_closed() && entrance.has_place() {
            entrance.calls.notify_one();
        }
    }
}

impl Pass {
    /// Tells what the attempt found; the clock is read only where that matters.
    pub(super) fn tell(&mut self, sign: Sign, now: impl FnOnce() -> Instant) -> Option<Turn> {
        let Entrance {
            breaker, restraint, ..
        } = &*self.entrance;
        if sign == Sign::Well && breaker.is_calm() {
            return None;
        }
        let since = self.entrance.since_epoch(now());
        let errand = std::mem::replace(&mut self.errand, Errand::Usual);
        let turn = breaker.tell(&restraint.breaker, errand, sign, since);
        if turn.is_some() || errand == Errand::Probe {
            self.entrance.calls.notify_waiters();
        }
        turn
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        // A probe that has told is none any more.
        if self.errand == Errand::Probe {
            let Entrance {
                breaker, restraint, ..
            } = &*self.entrance;
            breaker.tell(
                &restraint.breaker,
                self.errand,
                Sign::Unknown,
                Duration::ZERO,
            );
            self.entrance.calls.notify_waiters();
        }
        self.entrance.leave_place();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn entered(entry: Entry) -> Option<Pass> {
        match entry {
            Entry::Now(pass) => Some(pass),
            Entry::At(_) | Entry::Called => None,
        }
    }

    /// With this many places, all taken.
    fn full(places: u32) -> (Arc<Entrance>, Vec<Pass>) {
        let restraint = Restraint {
            concurrency: NonZeroU32::new(places).unwrap(),
            ..Restraint::default()
        };
        let entrance = Entrance::new(restraint, Instant::now());
        let inside = (0..places).filter_map(|_| entered(entrance.enter(Instant::now())));
        let inside = inside.collect();
        (entrance, inside)
    }

    fn is_called(waiting: &mut Waiting) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        Pin::new(waiting).poll(&mut cx).is_ready()
    }

    #[test]
    fn what_keeps_attempts_out_is_told_with_its_end_where_that_is_known() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let restraint = Restraint {
            concurrency: NonZeroU32::new(2).unwrap(),
            rate: Some(Rate {
                attempts: NonZeroU32::new(1).unwrap(),
                period: second,
            }),
            breaker: BreakerSettings {
                failures: NonZeroU32::MIN,
                ..BreakerSettings::default()
            },
        };
        let entrance = Entrance::new(restraint, now);
        let is_kept_out = |at: Instant, wait, until: Option<Instant>| {
            assert_eq!(entrance.obstacle(at), Some(Obstacle { wait, until }));
        };

        assert_eq!(entrance.obstacle(now), None);
        let mut first = entered(entrance.enter(now)).unwrap();
        is_kept_out(now, Wait::Rate, Some(now + second));
        assert_eq!(entrance.obstacle(now + second), None);
        let second_pass = entered(entrance.enter(now + second));
        is_kept_out(now + 2 * second, Wait::Places, None);
        drop(second_pass);
        first.tell(Sign::Ill, || now);
        is_kept_out(now, Wait::Breaker, Some(now + 2 * second));
        is_kept_out(now + 2 * second, Wait::Probe, None);
    }

    #[test]
    fn places_that_become_free_together_are_all_taken_by_two_who_queue_up_again_and_again() {
        let (entrance, all) = full(8);
        let mut queue = [entrance.wait(), entrance.wait()];

        drop(all);
        let mut inside = Vec::new();
        while let Some(called) = queue.iter_mut().position(is_called) {
            inside.extend(entered(queue[called].enter(Instant::now())));
            queue[called] = entrance.wait();
        }

        assert_eq!(inside.len(), 8);
    }

    #[test]
    fn who_is_called_and_has_no_use_for_it_calls_the_next() {
        let (entrance, all) = full(1);
        let (mut first, mut second) = (entrance.wait(), entrance.wait());

        drop(all);
        assert!(is_called(&mut first) && !is_called(&mut second));
        drop(first);

        assert!(is_called(&mut second));
    }
}
