//! A delivery that waits: all that is needed to attempt it, in little memory.
//!
//! This is what a storage keeps: id, route and upstream, the webhook's bytes, what is laid over them,
//! the attempts so far, and (in the schedule) when it is due.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::background::Left;
use super::buffer::Permit;
use super::duplicates::Reservation;
use super::order::Place;
use super::packed::Packed;
use super::record::{self, Dead, Record, State};
use super::schedule::Waits;
use super::wait::Wait;
use super::ways::{Unplaced, Ways};
use super::{Contract, Delivery, Duplicates, Origin, Promise, Upstream, overlay_weight};
use crate::plugin::Writes;
use crate::spool::{Entry, Row};
use crate::telemetry::Telemetry;
use crate::webhook::{Dedupe, Overlay, Webhook, WebhookId};

/// Failed attempts that are remembered with their reasons: the last ones tell how it is.
const TRIED_MAX: usize = 8;
/// An error's words, not an essay.
const REASON_BYTES_MAX: usize = 256;

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried {
    /// Its number, counted from 1.
    pub attempt: u32,
    /// When it had failed, from the webhook's arrival on.
    pub after: Duration,
    /// Why; for people.
    pub reason: Box<str>,
}

/// The last failed attempts, oldest first; a clone shares them. Nothing is allocated before the first.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Option<Arc<[Tried]>>);

impl History {
    pub(super) fn of(tried: Vec<Tried>) -> Self {
        Self((!tried.is_empty()).then(|| tried.into()))
    }

    pub(super) fn add(&mut self, attempt: u32, after: Duration, reason: &str) {
        let before = self.tried();
        let oldest = usize::from(before.len() >= TRIED_MAX);
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        let reason = reason.get(..end).unwrap_or_default().into();
        let last = Tried {
            attempt,
            after,
            reason,
        };
        let kept = before.iter().skip(oldest).cloned();
        let all = kept.chain([last]).collect();
        self.0 = Some(all);
    }

    pub(super) fn tried(&self) -> &[Tried] {
        self.0.as_deref().unwrap_or_default()
    }

    /// Why the last attempt failed; empty where none has.
    pub(super) fn last_reason(&self) -> &str {
        self.tried().last().map_or("", |tried| &*tried.reason)
    }
}

/// A delivery that waits.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: WebhookId,
    pub(super) packed: Packed,
    /// When the webhook arrived.
    pub(super) arrival: Instant,
    pub(super) upstream: Arc<Upstream>,
    pub(super) contract: Arc<Contract>,
    pub(super) attempts: u32,
    /// What names the time of the next one.
    pub(super) wait: Wait,
    pub(super) promise: Promise,
    /// Only a dead letter may have none.
    pub(super) permit: Option<Permit>,
    /// Its row in the spool, written or not; none without a spool.
    pub(super) entry: Option<Arc<Entry>>,
    /// Nothing where all of it is nothing.
    more: Option<Box<More>>,
}

/// What most deliveries that wait have none of: a million wait because an upstream is away, and hardly one
/// of them has been attempted then.
#[derive(Debug, Default)]
struct More {
    /// Nothing is the overlay that changes nothing.
    overlay: Option<Box<Overlay>>,
    history: History,
    /// When, and after how many attempts.
    replayed: Option<(Instant, u32)>,
    reservation: Option<Box<Reservation>>,
    place: Option<Box<Place>>,
    /// What plugins remember of the webhook, once all of its deliveries are accepted.
    writes: Option<Writes>,
    unplaced: Option<Unplaced>,
    /// By command.
    is_sent: bool,
}

impl More {
    fn boxed(self) -> Option<Box<Self>> {
        let Self {
            overlay,
            history,
            replayed,
            reservation,
            place,
            writes,
            unplaced,
            is_sent,
        } = &self;
        let is_nothing = overlay.is_none()
            && history.0.is_none()
            && replayed.is_none()
            && reservation.is_none()
            && place.is_none()
            && writes.is_none()
            && unplaced.is_none()
            && !is_sent;
        (!is_nothing).then(|| Box::new(self))
    }
}

impl Stored {
    /// In little memory: from now on it weighs less than its permit said, and the permit says so.
    pub(super) fn new(delivery: Delivery) -> Self {
        let webhook = &delivery.webhook;
        let (packed, is_own) = match delivery.origin {
            Origin::Packed(packed) => (packed, false),
            Origin::Alone => (Packed::new(webhook), true),
            Origin::Siblings(shared) => {
                let packed = shared.get_or_init(|| Packed::new(webhook));
                (packed.clone(), false)
            }
        };
        let overlay = delivery.overlay;
        let mut permit = delivery.permit;
        if is_own {
            // What siblings share was counted for all of them.
            permit.shrink(packed.len() + overlay_weight(&overlay));
        }
        let arrival = webhook.arrival.instant;
        let more = More {
            overlay: boxed(overlay),
            history: delivery.history,
            replayed: (delivery.since != arrival).then_some((delivery.since, delivery.spent)),
            reservation: delivery.reservation.map(Box::new),
            place: delivery.place,
            writes: delivery.writes,
            unplaced: None,
            is_sent: delivery.is_sent,
        };
        Self {
            id: webhook.id,
            packed,
            arrival,
            upstream: delivery.upstream,
            contract: delivery.contract,
            attempts: delivery.attempts,
            wait: delivery.wait,
            promise: delivery.promise,
            permit: Some(permit),
            entry: delivery.entry,
            more: more.boxed(),
        }
    }

    /// One that was kept on disk; `arrival` is the webhook's on this process's clock. Nothing where the
    /// bytes are no webhook's.
    pub(super) fn kept(
        record: Record,
        packed: Packed,
        arrival: Instant,
        ways: (Arc<Contract>, Arc<Upstream>),
        entry: Arc<Entry>,
    ) -> Option<Self> {
        let (contract, upstream) = ways;
        let Record { overlay, state, .. } = record;
        let place = overlay.ordering_key.as_ref();
        let place = place.filter(|_| state.dead.is_none());
        let place = place.map(|key| Box::new(contract.share.lines().join(upstream.name(), key)));
        let is_replayed = state.spent > 0 || !state.since.is_zero();
        let more = More {
            overlay: boxed(overlay),
            history: History::of(state.tried),
            replayed: is_replayed.then(|| (arrival + state.since, state.spent)),
            place,
            ..More::default()
        };
        let mut stored = Self {
            id: packed.id()?,
            packed,
            arrival,
            attempts: state.attempts,
            wait: state.wait,
            promise: Promise::Held,
            permit: None,
            entry: Some(entry),
            upstream,
            contract,
            more: more.boxed(),
        };
        stored
            .webhook()
            .filter(|webhook| webhook.fields.are_sound())?;
        if state.dead.is_none() {
            let permit = stored.contract.share.restore(stored.weight());
            stored.permit = Some(permit);
        }
        Some(stored)
    }

    /// Its sender has been told that we have it.
    pub(super) fn accept(&mut self) {
        self.promise = Promise::Held;
        let Some(more) = &mut self.more else { return };
        if let Some(reservation) = more.reservation.take() {
            reservation.keep();
        }
        if let Some(writes) = more.writes.take() {
            writes.keep();
        }
    }

    /// It has all the time and all the attempts of a new one, from `now` on.
    pub(super) fn renew(&mut self, now: Instant) {
        let attempts = self.attempts;
        self.more.get_or_insert_default().replayed = Some((now, attempts));
    }

    /// It goes to the upstream of its upstream's name as that is now, and nowhere where there is none.
    pub(super) fn go_by(&mut self, ways: &Ways, telemetry: &Telemetry) {
        let is_sent = self.more.as_ref().is_some_and(|more| more.is_sent);
        let route = (!is_sent).then_some(&*self.contract.meters.name);
        match ways.upstream(route, self.upstream.name()) {
            Some(upstream) => {
                if !Arc::ptr_eq(upstream, &self.upstream) {
                    self.upstream = Arc::clone(upstream);
                }
                if let Some(more) = &mut self.more {
                    more.unplaced = None;
                }
            }
            None if self.is_unplaced() => {}
            None => {
                let unplaced = Unplaced::mark(&self.name(), telemetry);
                self.more.get_or_insert_default().unplaced = Some(unplaced);
            }
        }
    }

    /// It was sent where it goes by command, whatever becomes of its route.
    pub(super) fn sent(&mut self) {
        self.more.get_or_insert_default().is_sent = true;
    }

    /// Whether the plan has no place for it.
    pub(super) fn is_unplaced(&self) -> bool {
        self.more
            .as_ref()
            .is_some_and(|more| more.unplaced.is_some())
    }

    /// It goes to another upstream, and stands last in its line there. Where it stood is given back: not to
    /// be dropped under the lock of a worker.
    pub(super) fn send_to(&mut self, upstream: &Arc<Upstream>) -> Option<Box<Place>> {
        let key = self
            .overlay()
            .and_then(|overlay| overlay.ordering_key.as_ref());
        let lines = self.contract.share.lines();
        let place = key.map(|key| Box::new(lines.join(upstream.name(), key)));
        self.upstream = Arc::clone(upstream);
        self.sent();
        std::mem::replace(&mut self.more.as_mut()?.place, place)
    }

    /// Who comes after it goes on.
    pub(super) fn leave_line(&mut self) {
        if let Some(more) = &mut self.more {
            more.place = None;
        }
    }

    /// Where it stands, if it must go in order.
    pub(super) fn place(&self) -> Option<&Place> {
        self.more.as_ref()?.place.as_deref()
    }

    /// How its last attempts failed.
    pub(super) fn tried(&self) -> &[Tried] {
        let more = self.more.as_ref();
        more.map_or(&[], |more| more.history.tried())
    }

    /// The same, to be kept by somebody else.
    pub(super) fn history(&self) -> History {
        let more = self.more.as_ref();
        more.map(|more| more.history.clone()).unwrap_or_default()
    }

    /// Forgets its dedupe key: its sender's repeat is a new webhook.
    pub(super) fn forget_key(&self, duplicates: &Duplicates) {
        if let Some(dedupe) = self.dedupe().filter(|_| self.promise == Promise::Held) {
            let route = &self.contract.meters.name;
            duplicates.forget(route, self.upstream.name(), dedupe, self.id);
        }
    }

    /// Its key, where it has one.
    pub(super) fn dedupe(&self) -> Option<&Dedupe> {
        self.overlay()?.dedupe.as_ref()
    }

    fn overlay(&self) -> Option<&Overlay> {
        self.more.as_ref()?.overlay.as_deref()
    }

    fn replayed(&self) -> Option<(Instant, u32)> {
        self.more.as_ref()?.replayed
    }

    /// Whether it is on disk, or soon will be.
    pub(super) fn is_asked(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.is_asked())
    }

    /// Whether it is on disk.
    pub(super) fn is_kept(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.is_kept())
    }

    /// What has become of it; due at that moment, or dead.
    pub(super) fn state(&self, due: Instant, dead: Option<Dead>) -> State {
        let (since, spent) = self.replayed().unwrap_or((self.arrival, 0));
        State {
            upstream: Arc::clone(self.upstream.name()),
            attempts: self.attempts,
            spent,
            since: since.saturating_duration_since(self.arrival),
            due: due.saturating_duration_since(self.arrival),
            wait: self.wait,
            tried: self.tried().to_vec(),
            dead,
        }
    }

    /// All that a spool keeps of it.
    pub(super) fn row(&self, state: &State) -> Row {
        let nothing = Overlay::default();
        let overlay = self.overlay().unwrap_or(&nothing);
        record::row(&self.contract.meters.name, overlay, state, &self.packed)
    }

    /// Ready for an attempt; nothing if it holds no place, or is no webhook any more.
    pub(super) fn wake(self) -> Option<Delivery> {
        let webhook = self.webhook()?;
        let more = self.more.map(|more| *more).unwrap_or_default();
        let (since, spent) = more.replayed.unwrap_or((self.arrival, 0));
        Some(Delivery {
            webhook: Arc::new(webhook),
            origin: Origin::Packed(self.packed),
            overlay: more.overlay.map(|overlay| *overlay).unwrap_or_default(),
            upstream: self.upstream,
            contract: self.contract,
            since,
            attempts: self.attempts,
            spent,
            history: more.history,
            wait: self.wait,
            promise: self.promise,
            is_sent: more.is_sent,
            reservation: more.reservation.map(|reservation| *reservation),
            place: more.place,
            writes: more.writes,
            permit: self.permit?,
            entry: self.entry,
        })
    }

    /// The webhook as it was received.
    pub(super) fn webhook(&self) -> Option<Webhook> {
        let route = Arc::clone(&self.contract.meters.name);
        self.packed.unpack(route, self.arrival)
    }

    /// How to call it.
    pub(super) fn name(&self) -> Left {
        Left {
            id: self.id,
            route: Arc::clone(&self.contract.meters.name),
            upstream: Arc::clone(self.upstream.name()),
            part: self.overlay().map_or(0, |overlay| overlay.part),
        }
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        let nothing = Overlay::default();
        self.packed.len() + overlay_weight(self.overlay().unwrap_or(&nothing))
    }
}

fn boxed(overlay: Overlay) -> Option<Box<Overlay>> {
    (overlay != Overlay::default()).then(|| Box::new(overlay))
}

impl Waits for Box<Stored> {
    fn upstream(&self) -> &Arc<str> {
        self.upstream.name()
    }

    fn route(&self) -> &Arc<str> {
        &self.contract.meters.name
    }
}
