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
use super::{Contract, Delivery, Origin, Promise, Upstream, overlay_weight};
use crate::plugin::Writes;
use crate::spool::{Entry, Row};
use crate::webhook::{Overlay, Webhook, WebhookId};

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

/// The last failed attempts, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct History(Vec<Tried>);

impl History {
    pub(super) fn add(&mut self, attempt: u32, after: Duration, reason: &str) {
        if self.0.len() >= TRIED_MAX {
            self.0.remove(0);
        }
        let end = reason.floor_char_boundary(REASON_BYTES_MAX);
        let reason = reason.get(..end).unwrap_or_default().into();
        self.0.push(Tried {
            attempt,
            after,
            reason,
        });
    }

    pub(super) fn tried(&self) -> &[Tried] {
        &self.0
    }
}

/// A delivery that waits.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) id: WebhookId,
    pub(super) packed: Packed,
    /// When the webhook arrived.
    pub(super) arrival: Instant,
    /// Nothing is the overlay that changes nothing.
    overlay: Option<Box<Overlay>>,
    pub(super) upstream: Arc<Upstream>,
    pub(super) contract: Arc<Contract>,
    /// What its policy counts from.
    pub(super) since: Instant,
    pub(super) attempts: u32,
    pub(super) spent: u32,
    pub(super) history: History,
    pub(super) promise: Promise,
    reservation: Option<Box<Reservation>>,
    pub(super) place: Option<Box<Place>>,
    /// What plugins remember of the webhook, once all of its deliveries are accepted.
    writes: Option<Writes>,
    /// Only a dead letter may have none.
    pub(super) permit: Option<Permit>,
    /// Its row in the spool, written or not; none without a spool.
    pub(super) entry: Option<Arc<Entry>>,
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
        Self {
            id: webhook.id,
            packed,
            arrival: webhook.arrival.instant,
            overlay: (overlay != Overlay::default()).then(|| Box::new(overlay)),
            upstream: delivery.upstream,
            contract: delivery.contract,
            since: delivery.since,
            attempts: delivery.attempts,
            spent: delivery.spent,
            history: delivery.history,
            promise: delivery.promise,
            reservation: delivery.reservation.map(Box::new),
            place: delivery.place,
            writes: delivery.writes,
            permit: Some(permit),
            entry: delivery.entry,
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
        let mut stored = Self {
            id: packed.id()?,
            packed,
            arrival,
            overlay: (overlay != Overlay::default()).then(|| Box::new(overlay)),
            since: arrival + state.since,
            attempts: state.attempts,
            spent: state.spent,
            history: History(state.tried),
            promise: Promise::Held,
            reservation: None,
            place,
            writes: None,
            permit: None,
            entry: Some(entry),
            upstream,
            contract,
        };
        stored.webhook()?;
        if state.dead.is_none() {
            let permit = stored.contract.share.restore(stored.weight());
            stored.permit = Some(permit);
        }
        Some(stored)
    }

    /// Its sender has been told that we have it.
    pub(super) fn accept(&mut self) {
        self.promise = Promise::Held;
        if let Some(reservation) = self.reservation.take() {
            reservation.keep();
        }
        if let Some(writes) = self.writes.take() {
            writes.keep();
        }
    }

    /// Whether it is on disk, or soon will be.
    pub(super) fn is_asked(&self) -> bool {
        self.entry.as_ref().is_some_and(|entry| entry.is_asked())
    }

    /// What has become of it; due at that moment, or dead.
    pub(super) fn state(&self, due: Instant, dead: Option<Dead>) -> State {
        State {
            upstream: Arc::clone(self.upstream.name()),
            attempts: self.attempts,
            spent: self.spent,
            since: self.since.saturating_duration_since(self.arrival),
            due: due.saturating_duration_since(self.arrival),
            tried: self.history.0.clone(),
            dead,
        }
    }

    /// All that a spool keeps of it.
    pub(super) fn row(&self, state: &State) -> Row {
        let nothing = Overlay::default();
        let overlay = self.overlay.as_deref().unwrap_or(&nothing);
        record::row(&self.contract.meters.name, overlay, state, &self.packed)
    }

    /// Ready for an attempt; nothing if it holds no place, or is no webhook any more.
    pub(super) fn wake(self) -> Option<Delivery> {
        let webhook = self.webhook()?;
        Some(Delivery {
            webhook: Arc::new(webhook),
            origin: Origin::Packed(self.packed),
            overlay: self.overlay.map(|overlay| *overlay).unwrap_or_default(),
            upstream: self.upstream,
            contract: self.contract,
            since: self.since,
            attempts: self.attempts,
            spent: self.spent,
            history: self.history,
            promise: self.promise,
            reservation: self.reservation.map(|reservation| *reservation),
            place: self.place,
            writes: self.writes,
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
        }
    }

    /// Bytes that it holds.
    pub(super) fn weight(&self) -> usize {
        let nothing = Overlay::default();
        self.packed.len() + overlay_weight(self.overlay.as_deref().unwrap_or(&nothing))
    }
}

impl Waits for Box<Stored> {
    fn upstream(&self) -> &Arc<str> {
        self.upstream.name()
    }

    fn route(&self) -> &Arc<str> {
        &self.contract.meters.name
    }
}
