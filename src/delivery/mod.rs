//! To the upstream, sooner or later: attempts, the buffer between them, and the end of both.
//!
//! A [`Dispatch`] stands on each worker. [`Dispatch::hand_over`] takes an accepted webhook, makes its
//! deliveries and answers by the route's [`Contract`] what the sender may be told.
//!
//! # Cancel safety
//!
//! A sender that hangs up drops the future of [`Dispatch::hand_over`]. Nothing is cancelled by that: an
//! exchange in progress moves into a task of its own, and what waits for its next attempt goes on
//! waiting in the worker's schedule. With `buffered` it stays until delivered or given up; with
//! `upstream` until the sender's deadline, after which the sender's own queue has it again.
//!
//! # Order
//!
//! Deliveries of one route to one upstream with the same [`Overlay::ordering_key`] go out in the order in
//! which they were accepted, each after the one before it has been delivered, given up or withdrawn.
//! Nothing is promised about the order of others.

mod addresses;
mod attempt;
mod background;
mod breaker;
mod buffer;
mod calls;
mod collect;
mod dead;
mod dispatch;
mod distrust;
mod duplicates;
mod entrance;
mod flush;
mod hand;
mod head;
mod held;
mod keep;
mod lease;
mod moves;
mod one;
mod order;
mod outcome;
mod packed;
mod pool;
mod rate;
mod recent;
mod record;
mod request;
mod retry;
mod road;
mod schedule;
mod sent;
mod settle;
mod stored;
mod stray;
mod take_up;
mod trace;
mod two;
mod upstream;
mod wait;
mod ways;
mod wire;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

pub use background::Left;
pub use breaker::{BreakerSettings, BreakerState};
pub use buffer::{Bounds, Buffer, Permit, Share};
pub use dead::{DeadLetter, DeadLetters, Filter, Replayed};
pub use dispatch::{Commons, Dispatch};
pub use duplicates::Duplicates;
pub use entrance::Restraint;
pub use flush::Rest;
pub use head::HOOKGATE_ID;
pub use held::{Found, Held, Wanted, Whereabouts};
pub use keep::{Keeping, Storage};
pub use moves::Moved;
pub use outcome::{Answer, BODY_BYTES_MAX, Failed, Outcome};
pub use rate::Rate;
pub use recent::End;
pub use retry::{Next, Policy, Schedule, StatusSet, retry_after};
pub use road::{Road, Sockets};
pub use stored::Tried;
pub use stray::Stray;
pub use take_up::{Plans, TakenUp};
pub use upstream::{Upstream, UpstreamError, UpstreamHealth, UpstreamSettings, UpstreamUrl};
pub use wait::Wait;
pub use ways::Ways;

use crate::http1::Limits;
use crate::plugin::Writes;
use crate::spool::Entry;
use crate::telemetry::RouteMeters;
use crate::webhook::{Change, Overlay, Sign, Webhook};
use duplicates::Reservation;
use order::Place;
use packed::Packed;
use stored::History;

/// The head of an answer: one beyond this is an attack or a mistake.
const ANSWER_LIMITS: Limits = Limits {
    bytes_max: 64 << 10,
    count_max: 100,
};

/// What a sender's 2xx means on a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ack {
    /// An upstream took it; its answer is passed through.
    #[default]
    Upstream,
    /// An upstream took it, or it is held in the buffer.
    Buffered,
    /// It is held in the buffer.
    Early,
}

impl Ack {
    /// The word in the configuration, logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Buffered => "buffered",
            Self::Early => "early",
        }
    }
}

/// What a route promises its senders, and where it delivers to.
#[derive(Debug)]
pub struct Contract {
    /// What a 2xx means.
    pub ack: Ack,
    /// How long the sender waits, from the webhook's arrival.
    pub deadline: Duration,
    /// How stubborn.
    pub policy: Policy,
    /// Where to; at least one.
    pub upstreams: Vec<Arc<Upstream>>,
    /// This route's part of the buffer.
    pub share: Arc<Share>,
    /// This route's meters.
    pub meters: Arc<RouteMeters>,
    /// What its plugins may have signed with, by name: a delivery from the spool has no more than that.
    pub signers: Signers,
}

/// By the names that they give themselves.
pub type Signers = BTreeMap<Box<str>, Arc<dyn Sign>>;

/// What the sender may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acknowledgement {
    /// An upstream's own words: a 2xx, or a final refusal that tells the sender why not.
    Answered(Answer),
    /// Held in the buffer: 202.
    Held,
    /// Its dedupe key was accepted before, and its sender has heard the answer: 200.
    Duplicate,
    /// It could not be written to the spool: 503.
    Unkept {
        /// When to come back.
        retry_after: Duration,
    },
    /// No room in the buffer: 503.
    Full {
        /// When to come back.
        retry_after: Duration,
    },
    /// The process is ending, and the upstream did not take it at once: 503.
    Draining {
        /// When to come back, to whoever stands here then.
        retry_after: Duration,
    },
    /// Not delivered in time and withdrawn: the sender still has it.
    Unavailable {
        /// Why, and with it the status.
        cause: Cause,
        /// When to come back.
        retry_after: Duration,
    },
}

/// Why an upstream did not take a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// No connection: 502.
    Unreachable,
    /// No TLS with who answered, or no trust: 502.
    Tls,
    /// No complete answer in time: 504.
    Timeout,
    /// Answered this instead of a 2xx, a 3xx included: 502.
    Failing(StatusCode),
    /// Answered 429 or 503, or the same webhook is in another task's hands: 503.
    Busy,
    /// Broke off, answered nonsense, or more than is accepted: 502.
    Broken,
}

impl Cause {
    /// The word in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Failing(_) => "failing",
            Self::Busy => "busy",
            Self::Broken => "broken",
        }
    }
}

/// Whether a sender was told that we have a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promise {
    /// It was not: the delivery may be withdrawn.
    Open,
    /// It was, or hung up where it would have been: delivered or a dead letter, nothing else.
    Held,
}

/// What memory a held delivery's webhook is in.
#[derive(Debug)]
enum Origin {
    /// None yet.
    Alone,
    /// None yet, and several deliveries will share it.
    Siblings(Arc<OnceLock<Packed>>),
    /// Held before.
    Packed(Packed),
}

/// One thing to hand to one upstream, with its place in the buffer.
#[derive(Debug)]
pub struct Delivery {
    webhook: Arc<Webhook>,
    /// What it becomes when it is held.
    origin: Origin,
    overlay: Overlay,
    upstream: Arc<Upstream>,
    contract: Arc<Contract>,
    /// What its policy counts from: the webhook's arrival, or its replay.
    since: Instant,
    /// The number of the attempt in progress, or of the last one.
    attempts: u32,
    /// Those of them that were made before its replay.
    spent: u32,
    /// How the last ones failed.
    history: History,
    /// What names the time of the next one.
    wait: Wait,
    promise: Promise,
    /// Where it goes by command, whatever becomes of its route.
    is_sent: bool,
    reservation: Option<Reservation>,
    /// What plugins remember of the webhook, once all of its deliveries are accepted.
    writes: Option<Writes>,
    /// Where it stands, if it must go in order.
    place: Option<Box<Place>>,
    /// Given back when the delivery ends, whichever way.
    permit: Permit,
    /// Its row in the spool, written or not; none without a spool.
    entry: Option<Arc<Entry>>,
}

impl Delivery {
    /// When an attempt must end for its sender's sake. One whose outcome can be remembered for the
    /// sender's repeat goes on; any other would only make two deliveries of one.
    fn cut_off(&self) -> Option<Instant> {
        let is_cut = self.promise == Promise::Open
            && self.contract.ack == Ack::Upstream
            && self.reservation.is_none();
        is_cut.then(|| self.deadline())
    }

    /// When the sender stops waiting.
    fn deadline(&self) -> Instant {
        self.webhook.arrival.instant + self.contract.deadline
    }

    /// Remembers its dedupe key and what plugins wrote: it is delivered, or its sender was told that we
    /// have it.
    fn accept(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.keep();
        }
        self.keep_writes();
    }

    /// The same when its sender has stopped waiting and still has it: its repeat hears this answer.
    fn accept_late(&mut self, answer: Answer) {
        if let Some(reservation) = self.reservation.take() {
            reservation.keep_with(answer);
        }
        self.keep_writes();
    }

    /// It has ended well: nothing of it stays on disk.
    fn settle(&self) {
        if let Some(entry) = &self.entry {
            entry.settle();
        }
    }

    fn keep_writes(&mut self) {
        if let Some(writes) = self.writes.take() {
            writes.keep();
        }
    }

    /// The attempt has failed.
    fn remember(&mut self, reason: &str) {
        let after = self.webhook.arrival.instant.elapsed();
        self.history.add(self.attempts, after, reason);
    }

    /// Why there is no other attempt after one that failed so.
    fn given_up(&self, failed: &str) -> String {
        let (made, policy) = (self.attempts - self.spent, &self.contract.policy);
        if made >= policy.attempts_max.get() {
            return format!("{failed}; that was the last of {made} attempts");
        }
        let horizon = policy.horizon;
        format!("{failed}; another attempt would be beyond the horizon of {horizon:?}")
    }

    /// After a failed attempt that is not final.
    fn after_failure(&mut self, retry_after: Option<Duration>) -> Next {
        let attempt = NonZeroU32::new(self.attempts - self.spent).unwrap_or(NonZeroU32::MIN);
        let since = self.since.elapsed();
        let policy = &self.contract.policy;
        let next = policy.after_failure(attempt, since, retry_after, fastrand::f64());
        if let Next::RetryIn(_, wait) = next {
            self.wait = wait;
        }
        next
    }
}

/// Bytes that an overlay holds beside its webhook, allocation overhead included.
fn overlay_weight(overlay: &Overlay) -> usize {
    /// The delivery itself, its box, its place in the schedule, and how its attempts failed.
    const FIXED: usize = 512;
    const PER_CHANGE: usize = 80;
    let changes: usize = overlay
        .changes
        .iter()
        .map(|change| {
            let (Change::Set(name, _) | Change::Add(name, _) | Change::Remove(name)) = change;
            let value = match change {
                Change::Set(_, value) | Change::Add(_, value) => value.len(),
                Change::Remove(_) => 0,
            };
            name.as_str().len() + value + PER_CHANGE
        })
        .sum();
    let keys = [&overlay.upstream, &overlay.ordering_key];
    FIXED
        + changes
        + overlay.body.as_ref().map_or(0, bytes::Bytes::len)
        + overlay
            .target
            .as_ref()
            .map_or(0, |target| target.as_str().len())
        + keys
            .iter()
            .filter_map(|key| key.as_ref().map(|key| key.len()))
            .sum::<usize>()
        + overlay.dedupe.as_ref().map_or(0, |dedupe| dedupe.key.len())
        + overlay
            .seal
            .as_ref()
            .map_or(0, |seal| seal.id.len() + PER_CHANGE)
}

#[cfg(test)]
mod tests;
