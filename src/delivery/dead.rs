//! Dead letters: deliveries that were given up after their sender had been told that we have them.
//!
//! Kept until somebody replays or discards them, and bounded all the same: while the desk below has
//! room, a letter gives its place in the buffer back; beyond, it keeps that place, and a buffer full of
//! dead letters refuses new webhooks rather than drop what was acknowledged.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

use tokio::time::Instant;

use super::background::Left;
use super::packed::Packed;
use super::record::Dead;
use super::stored::{Stored, Tried};
use super::{Contract, Duplicates, Upstream};
use crate::spool::Spool;
use crate::webhook::{Webhook, WebhookId};

/// An operator reads a list of this length; more is a trend and belongs in the metrics.
const LETTERS_MAX: usize = 1_000;
/// A quarter of the buffer's default: what was given up must not crowd out what may still succeed.
const BYTES_MAX: usize = 64 << 20;

/// A delivery that was given up, as operators see it.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The webhook's.
    pub id: WebhookId,
    /// By name.
    pub route: Arc<str>,
    /// The upstream that did not take it.
    pub upstream: Arc<str>,
    /// Which one of several that were made of the webhook, from 1; 0 where it is the only one.
    pub part: u16,
    /// How often it was tried.
    pub attempts: u32,
    /// How the last attempts failed, oldest first.
    pub tried: Vec<Tried>,
    /// Why it was given up; for people.
    pub reason: Arc<str>,
    /// When the webhook arrived.
    pub arrived: SystemTime,
    /// When it was given up.
    pub given_up: SystemTime,
    /// It stays in the spool: the configuration has no place for it.
    pub is_stranded: bool,
    pub(super) packed: Packed,
    pub(super) arrival: Instant,
}

impl DeadLetter {
    /// The webhook as it was received.
    #[must_use]
    pub fn webhook(&self) -> Option<Webhook> {
        self.packed.unpack(Arc::clone(&self.route), self.arrival)
    }
}

/// Which dead letters are meant; what is not said is any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this webhook.
    pub id: Option<WebhookId>,
    /// Of this route.
    pub route: Option<String>,
    /// Not taken by this upstream.
    pub upstream: Option<String>,
    /// With this in their reason.
    pub reason: Option<String>,
    /// Given up at this time or later.
    pub since: Option<SystemTime>,
    /// Given up before this time.
    pub until: Option<SystemTime>,
}

impl Filter {
    /// Whether it says anything at all.
    #[must_use]
    pub fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// Whether one is meant of which all this is known.
    pub(super) fn fits(
        &self,
        id: WebhookId,
        route: &str,
        upstream: &str,
        reason: &str,
        at: SystemTime,
    ) -> bool {
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|w| w == name);
        self.id.is_none_or(|wanted| wanted == id)
            && is(&self.route, route)
            && is(&self.upstream, upstream)
            && self
                .reason
                .as_ref()
                .is_none_or(|part| reason.contains(&**part))
            && self.since.is_none_or(|since| at >= since)
            && self.until.is_none_or(|until| at < until)
    }
}

/// The worker that a letter came from.
pub(super) trait Home: fmt::Debug + Send + Sync {
    /// Lets a delivery wait for an attempt again, from whatever thread; it comes back where there is no
    /// room for it, or the end has begun.
    fn replay(self: Arc<Self>, stored: Stored) -> Result<(), Box<Stored>>;
}

/// What became of a replay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Deliveries that wait for an attempt again.
    pub replayed: usize,
    /// Letters that stay.
    pub kept: usize,
    /// Why they do; for people.
    pub why: BTreeSet<String>,
}

/// The dead letters of the process, oldest first.
#[derive(Debug, Default)]
pub struct DeadLetters(Mutex<Desk>);

#[derive(Debug, Default)]
struct Desk {
    letters: VecDeque<Letter>,
    /// Of the letters that hold no place in the buffer.
    bytes: usize,
    count: usize,
}

#[derive(Debug)]
struct Letter {
    stored: Stored,
    reason: Arc<str>,
    given_up: SystemTime,
    /// Whose connections it uses.
    worker: Weak<dyn Home>,
}

impl DeadLetters {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Those that are meant, oldest first; bodies are shared, not copied.
    #[must_use]
    pub fn list(&self, filter: &Filter) -> Vec<DeadLetter> {
        let desk = self.desk();
        let meant = desk.letters.iter().filter(|letter| letter.is_meant(filter));
        meant.map(Letter::shown).collect()
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.desk().letters.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets those that are meant, and their keys among `duplicates`: whoever sends one again is delivered.
    /// Says how many they were.
    pub fn discard(&self, filter: &Filter, duplicates: &Duplicates) -> usize {
        // Dropped after the lock is.
        let discarded = self.desk().take(filter);
        let all = discarded.iter();
        all.for_each(|letter| letter.stored.forget_key(duplicates));
        let entries = discarded
            .iter()
            .filter_map(|letter| letter.stored.entry.as_ref());
        entries.for_each(|entry| entry.settle());
        discarded.len()
    }

    /// Lets those that are meant wait for an attempt again, at once and with all the attempts and the
    /// time of a new delivery. `anew` says by which contract and to which upstream, or why a letter stays.
    pub fn replay(
        &self,
        filter: &Filter,
        anew: impl Fn(&DeadLetter) -> Result<(Arc<Contract>, Arc<Upstream>), String>,
    ) -> Replayed {
        let mut replayed = Replayed::default();
        let letters = self.desk().take(filter);
        for letter in letters {
            match letter.replay(&anew) {
                Ok(()) => replayed.replayed += 1,
                Err((letter, why)) => {
                    replayed.kept += 1;
                    replayed.why.insert(why);
                    self.desk().put(*letter);
                }
            }
        }
        replayed
    }

    /// Writes those that are in memory alone to the spool, soon.
    pub fn spill(&self, spool: &Spool) {
        for letter in &mut self.desk().letters {
            let stored = &mut letter.stored;
            if stored.is_asked() {
                continue;
            }
            let given_up = letter.given_up.duration_since(stored.packed.arrived());
            let dead = Dead {
                reason: Arc::clone(&letter.reason),
                given_up: given_up.unwrap_or_default(),
            };
            let row = stored.row(&stored.state(stored.arrival, Some(dead)));
            let entry = stored.entry.get_or_insert_with(|| spool.entry());
            entry.keep_later(row);
        }
    }

    /// Those that no spool has: they end with the process.
    #[must_use]
    pub fn unkept(&self) -> Vec<Left> {
        let desk = self.desk();
        let stored = desk.letters.iter().map(|letter| &letter.stored);
        let unkept = stored.filter(|stored| !stored.is_kept());
        unkept.map(Stored::name).collect()
    }

    pub(super) fn add(
        &self,
        worker: &Arc<dyn Home>,
        stored: Stored,
        given_up: SystemTime,
        reason: &str,
    ) {
        let letter = Letter {
            stored,
            reason: reason.into(),
            given_up,
            worker: Arc::downgrade(worker),
        };
        self.desk().put(letter);
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A panic elsewhere cannot leave this half changed in a way that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    fn put(&mut self, mut letter: Letter) {
        let weight = letter.stored.weight();
        if self.count < LETTERS_MAX && self.bytes + weight <= BYTES_MAX {
            letter.stored.permit = None;
        }
        if letter.stored.permit.is_none() {
            self.count += 1;
            self.bytes += weight;
        }
        let after = self
            .letters
            .partition_point(|l| l.given_up <= letter.given_up);
        self.letters.insert(after, letter);
    }

    fn take(&mut self, filter: &Filter) -> Vec<Letter> {
        let all = std::mem::take(&mut self.letters);
        let (taken, kept) = all.into_iter().partition(|letter| letter.is_meant(filter));
        self.letters = kept;
        let taken: Vec<Letter> = Vec::from(taken);
        for letter in taken.iter().filter(|letter| letter.stored.permit.is_none()) {
            self.count = self.count.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(letter.stored.weight());
        }
        taken
    }
}

impl Letter {
    /// Lets it wait again; else itself, as it was, and why.
    fn replay(
        self,
        anew: impl Fn(&DeadLetter) -> Result<(Arc<Contract>, Arc<Upstream>), String>,
    ) -> Result<(), (Box<Self>, String)> {
        let (contract, upstream) = match anew(&self.shown()) {
            Ok(ways) => ways,
            Err(why) => return Err((Box::new(self), why)),
        };
        let Some(worker) = self.worker.upgrade() else {
            return Err((Box::new(self), "the process is ending".to_owned()));
        };
        let mut stored = self.stored;
        let before = (
            std::mem::replace(&mut stored.contract, contract),
            std::mem::replace(&mut stored.upstream, upstream),
        );
        worker.replay(stored).map_err(|stored| {
            let mut stored = *stored;
            (stored.contract, stored.upstream) = before;
            let why = "the buffer has no room for them, or the process is ending".to_owned();
            (Box::new(Self { stored, ..self }), why)
        })
    }

    fn is_meant(&self, filter: &Filter) -> bool {
        let Stored {
            id,
            contract,
            upstream,
            ..
        } = &self.stored;
        let (route, upstream) = (&contract.meters.name, upstream.name());
        filter.fits(*id, route, upstream, &self.reason, self.given_up)
    }

    fn shown(&self) -> DeadLetter {
        let Stored {
            id,
            packed,
            arrival,
            upstream,
            contract,
            attempts,
            ..
        } = &self.stored;
        DeadLetter {
            id: *id,
            route: Arc::clone(&contract.meters.name),
            upstream: Arc::clone(upstream.name()),
            part: self.stored.name().part,
            attempts: *attempts,
            tried: self.stored.tried().to_vec(),
            reason: Arc::clone(&self.reason),
            arrived: packed.arrived(),
            given_up: self.given_up,
            is_stranded: false,
            packed: packed.clone(),
            arrival: *arrival,
        }
    }
}
