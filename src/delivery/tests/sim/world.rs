//! What is known from outside: who was told what, what each upstream got, and what must always hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::super::super::outcome::Outcome;
use super::super::super::road::Road;
use super::super::super::{Acknowledgement, Bounds, Buffer, Cause, Delivery};
use super::upstreams::{Moody, failed};
use crate::drain::Watch;
use crate::telemetry::Telemetry;
use crate::webhook::WebhookId;

/// The simulated world, seen by senders and upstreams.
#[derive(Clone, Debug)]
pub(super) struct World(Arc<Mutex<Facts>>);

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) seed: u64,
    pub(super) dice: fastrand::Rng,
    begun: Instant,
    log: DefaultHasher,
    buffer: Buffer,
    bounds: Bounds,
    upstreams: BTreeMap<Arc<str>, Seen>,
    /// By webhook.
    pub(super) numbers: BTreeMap<WebhookId, u64>,
    /// Taken for sure, or perhaps.
    pub(super) taken: BTreeSet<(u64, Arc<str>)>,
    delivered: BTreeSet<(u64, Arc<str>)>,
    refused: BTreeSet<(u64, Arc<str>)>,
    /// The last number of each ordering key that was attempted, by upstream.
    last: BTreeMap<(Arc<str>, Box<str>), u64>,
    /// Told 2xx.
    pub(super) acknowledged: BTreeSet<u64>,
    pub(super) attempts: u32,
    pub(super) repeats: u32,
    pub(super) full: u32,
    pub(super) withdrawn: u32,
}

/// One upstream, and what it sees of us.
#[derive(Debug)]
struct Seen {
    moody: Moody,
    inside: u32,
    concurrency: u32,
    /// Attempts in a second, and when the last ones began.
    rate: Option<usize>,
    recent: VecDeque<Instant>,
}

impl World {
    pub(super) fn new(seed: u64, buffer: Buffer, bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Facts {
            seed,
            dice: fastrand::Rng::with_seed(seed),
            begun: Instant::now(),
            log: DefaultHasher::new(),
            buffer,
            bounds,
            upstreams: BTreeMap::new(),
            numbers: BTreeMap::new(),
            taken: BTreeSet::new(),
            delivered: BTreeSet::new(),
            refused: BTreeSet::new(),
            last: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
            attempts: 0,
            repeats: 0,
            full: 0,
            withdrawn: 0,
        })))
    }

    pub(super) fn facts(&self) -> MutexGuard<'_, Facts> {
        // After a check has failed, the rest may as well go on: the first failure has been told.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add_upstream(&self, name: &Arc<str>, concurrency: u32, rate: Option<usize>) {
        let seen = Seen {
            moody: Moody::new(Instant::now()),
            inside: 0,
            concurrency,
            rate,
            recent: VecDeque::new(),
        };
        self.facts().upstreams.insert(Arc::clone(name), seen);
    }

    /// Another process begins, on another clock: what one process sees to (that nothing goes twice, or
    /// out of order) it cannot know of the one before it.
    pub(super) fn begin_again(&self, buffer: Buffer) {
        let mut facts = self.facts();
        let now = Instant::now();
        (facts.begun, facts.buffer) = (now, buffer);
        facts.delivered.clear();
        facts.last.clear();
        for seen in facts.upstreams.values_mut() {
            (seen.moody, seen.inside) = (Moody::new(now), 0);
            seen.recent.clear();
        }
    }

    /// A sender was told something, or hung up before.
    pub(super) fn told(&self, number: u64, told: Option<&Acknowledgement>) {
        let mut facts = self.facts();
        let word = match told {
            None => "hung up",
            Some(Acknowledgement::Answered(answer)) if answer.status.is_success() => "delivered",
            Some(Acknowledgement::Answered(_)) => "final",
            Some(Acknowledgement::Held) => "held",
            Some(Acknowledgement::Duplicate) => "duplicate",
            Some(Acknowledgement::Full { .. }) => "full",
            Some(Acknowledgement::Unkept { .. }) => "unkept",
            Some(Acknowledgement::Draining { .. }) => "draining",
            Some(Acknowledgement::Unavailable { .. }) => "unavailable",
        };
        match word {
            "delivered" | "held" | "duplicate" => {
                facts.acknowledged.insert(number);
            }
            "full" => facts.full += 1,
            "unavailable" => facts.withdrawn += 1,
            _ => {}
        }
        facts.log(word, number, "");
        facts.check_bounds();
    }
}

impl Facts {
    pub(super) fn log(&mut self, word: &str, number: u64, upstream: &str) {
        let at = self.begun.elapsed().as_nanos();
        (at, word, number, upstream).hash(&mut self.log);
    }

    /// A number that stands for everything that happened.
    pub(super) fn digest(&self) -> u64 {
        self.log.finish()
    }

    /// Whether an upstream has it, or has said that it never will.
    pub(super) fn is_settled(&self, number: u64, upstream: &Arc<str>) -> bool {
        let key = (number, Arc::clone(upstream));
        self.taken.contains(&key) || self.refused.contains(&key)
    }

    fn check_bounds(&self) {
        let (deliveries, bytes) = self.buffer.fill();
        let Bounds {
            deliveries: most,
            bytes: most_bytes,
        } = self.bounds;
        assert!(
            deliveries <= most && bytes <= most_bytes,
            "seed {}: {deliveries} deliveries of {bytes} bytes are held",
            self.seed
        );
    }

    /// An attempt arrives at its upstream.
    fn begin(&mut self, delivery: &Delivery, number: u64, now: Instant) {
        let (seed, name) = (self.seed, delivery.upstream.name());
        let attempt = delivery.attempts - delivery.spent;
        let most = delivery.contract.policy.attempts_max.get();
        assert!(
            attempt <= most,
            "seed {seed}: {number} has attempt {attempt} of {most}"
        );
        let key = (number, Arc::clone(name));
        assert!(
            !self.delivered.contains(&key),
            "seed {seed}: {number} was delivered to {name} and is attempted again"
        );
        self.attempts += 1;
        self.repeats += u32::from(self.taken.contains(&key));
        // A replay is an operator's, and comes when it comes.
        if let Some(ordering) = &delivery.overlay.ordering_key
            && delivery.spent == 0
        {
            let last = self.last.entry((Arc::clone(name), ordering.clone()));
            let last = last.or_insert(number);
            assert!(
                *last <= number,
                "seed {seed}: {number} goes to {name} after {last}, both with key {ordering}"
            );
            *last = number;
        }
        let seen = self.upstreams.get_mut(name).unwrap();
        seen.inside += 1;
        assert!(
            seen.inside <= seen.concurrency,
            "seed {seed}: {name} has {} attempts at once",
            seen.inside
        );
        if let Some(rate) = seen.rate {
            seen.recent.push_back(now);
            while seen.recent[0] + Duration::from_secs(1) <= now {
                seen.recent.pop_front();
            }
            let recent = seen.recent.len();
            assert!(
                recent <= rate + rate / 10,
                "seed {seed}: {name} has {recent} attempts in a second"
            );
        }
        self.check_bounds();
        self.log("attempt", number, name);
    }
}

/// An attempt at an upstream; dropping it, the upstream sees it end.
struct Inside<'a>(&'a World, Arc<str>);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let mut facts = self.0.facts();
        facts.upstreams.get_mut(&self.1).unwrap().inside -= 1;
    }
}

impl Road for World {
    async fn attempt(
        &self,
        delivery: &Delivery,
        _worker: usize,
        not_after: Option<Instant>,
        _watch: &Watch,
        _telemetry: &Telemetry,
    ) -> Outcome {
        let number = u64::from_le_bytes(delivery.webhook.body[..8].try_into().unwrap());
        let (now, name) = (Instant::now(), Arc::clone(delivery.upstream.name()));
        let act = {
            let mut facts = self.facts();
            facts.begin(delivery, number, now);
            let Facts {
                upstreams, dice, ..
            } = &mut *facts;
            let seen = upstreams.get_mut(&name).unwrap();
            seen.moody.act(number, now, dice)
        };
        let _inside = Inside(self, Arc::clone(&name));
        let timeout = now + delivery.upstream.settings().timeout;
        let end = not_after.map_or(timeout, |not_after| timeout.min(not_after));
        let is_late = now + act.after > end;
        tokio::time::sleep_until(end.min(now + act.after)).await;

        let mut facts = self.facts();
        let outcome = match act.outcome {
            _ if is_late => failed(Cause::Timeout, None),
            outcome => outcome,
        };
        let key = (number, Arc::clone(&name));
        if act.takes {
            facts.taken.insert(key.clone());
        }
        let word = match &outcome {
            Outcome::Delivered(_) => {
                facts.delivered.insert(key);
                "delivered"
            }
            Outcome::Final(_) => {
                facts.refused.insert(key);
                "final"
            }
            Outcome::Failed(_) => "failed",
        };
        facts.log(word, number, &name);
        outcome
    }
}
