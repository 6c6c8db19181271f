//! What a delivery leaves on disk, and when: its row before its sender hears 202, its state after each
//! change, and nothing after its end.

use std::sync::Arc;

use tokio::time::Instant;

use super::background::Worker;
use super::packed::Packed;
use super::record::{self, Dead, State};
use super::road::Road;
use super::stored::Stored;
use super::{Delivery, Origin, Promise};
use crate::spool::{Entry, Found, Row, Settings, Spool, SpoolError, Unkept};
use crate::telemetry::Telemetry;
use crate::webhook::{Overlay, Webhook};

/// Where what is held is.
#[derive(Clone, Debug, Default)]
pub enum Keeping {
    /// In memory alone.
    #[default]
    Memory,
    /// On disk too, before anybody is told that we have it.
    Spool(Spool),
    /// In memory, and on disk when the process ends in order.
    Spill(Spool),
}

/// The same as it is written in the configuration.
#[derive(Clone, Debug, Default)]
pub enum Storage {
    /// Memory alone.
    #[default]
    Memory,
    /// A spool.
    Spool(Settings),
    /// A spool for what is left at the end.
    Spill(Settings),
}

impl Storage {
    /// Whether everything that is held is on disk.
    #[must_use]
    pub fn is_durable(&self) -> bool {
        matches!(self, Self::Spool(_))
    }

    /// Whether it is the same place, in the same use, with the same key.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory, Self::Memory) => true,
            (Self::Spool(one), Self::Spool(other)) | (Self::Spill(one), Self::Spill(other)) => {
                one.is_same(other)
            }
            _ => false,
        }
    }

    /// Whether a start could use it, as far as anybody can know before. Blocking.
    ///
    /// # Errors
    /// A spool that is not to be used so: another start will not help.
    pub fn check(&self) -> Result<(), SpoolError> {
        match self {
            Self::Memory => Ok(()),
            Self::Spool(settings) | Self::Spill(settings) => match Spool::check(settings) {
                Err(error) if error.is_lasting() => Err(error),
                // Whoever checks may be somebody else than whoever runs.
                _ => Ok(()),
            },
        }
    }

    /// Opens it, and reads what an earlier process left. Blocking.
    ///
    /// # Errors
    /// A spool that cannot be used.
    pub fn open(&self, telemetry: &Telemetry) -> Result<(Keeping, Found), SpoolError> {
        Ok(match self {
            Self::Memory => (Keeping::Memory, Found::default()),
            Self::Spool(settings) => {
                let (spool, found) = Spool::open(settings, telemetry)?;
                (Keeping::Spool(spool), found)
            }
            Self::Spill(settings) => {
                let (spool, found) = Spool::open(settings, telemetry)?;
                (Keeping::Spill(spool), found)
            }
        })
    }
}

impl Keeping {
    /// Whatever is open.
    #[must_use]
    pub fn spool(&self) -> Option<&Spool> {
        match self {
            Self::Memory => None,
            Self::Spool(spool) | Self::Spill(spool) => Some(spool),
        }
    }

    /// Whether what an operator has done is on disk, where a later process would find it undone; waits for it,
    /// and where the disk is full for another try. `of_removals`: nothing but discards.
    pub async fn caught_up(&self, of_removals: bool) -> bool {
        match self {
            Self::Memory => true,
            Self::Spool(spool) | Self::Spill(spool) => spool.caught_up(of_removals).await.is_ok(),
        }
    }

    /// Whether a sender who waits for a 202 can be given one.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        match self {
            Self::Memory | Self::Spill(_) => true,
            Self::Spool(spool) => spool.is_writable(),
        }
    }
}

/// What would be written of a delivery that is inside an exchange.
#[derive(Debug)]
pub(super) struct Ahead {
    pub(super) entry: Arc<Entry>,
    webhook: Arc<Webhook>,
    route: Arc<str>,
    packed: Option<Packed>,
    overlay: Overlay,
    state: State,
}

impl Ahead {
    /// To be asked before the exchange takes the delivery; nothing where nothing could be written.
    pub(super) fn of(delivery: &Delivery) -> Option<Self> {
        let arrival = delivery.webhook.arrival.instant;
        let packed = match &delivery.origin {
            Origin::Packed(packed) => Some(packed.clone()),
            Origin::Alone | Origin::Siblings(_) => None,
        };
        Some(Self {
            entry: Arc::clone(delivery.entry.as_ref()?),
            webhook: Arc::clone(&delivery.webhook),
            route: Arc::clone(&delivery.contract.meters.name),
            packed,
            overlay: delivery.overlay.clone(),
            state: State {
                upstream: Arc::clone(delivery.upstream.name()),
                // The one that is under way has not failed yet.
                attempts: delivery.attempts,
                spent: delivery.spent,
                since: delivery.since.saturating_duration_since(arrival),
                due: arrival.elapsed(),
                wait: delivery.wait,
                tried: delivery.history.tried().to_vec(),
                dead: None,
            },
        })
    }

    pub(super) fn row(&self) -> Row {
        let packed = match &self.packed {
            Some(packed) => packed.clone(),
            None => Packed::new(&self.webhook),
        };
        record::row(&self.route, &self.overlay, &self.state, &packed)
    }
}

/// Deliveries on their way to the disk, for a sender who waits. Who hangs up meanwhile has not been told
/// anything, and what was accepted is held all the same.
struct Pledge<'w, R: Road> {
    worker: &'w Arc<Worker<R>>,
    stored: Vec<Stored>,
    due: Instant,
}

impl<R: Road> Drop for Pledge<'_, R> {
    fn drop(&mut self) {
        for mut stored in self.stored.drain(..) {
            stored.accept();
            self.worker.enqueue(Box::new(stored), self.due);
        }
    }
}

impl<R: Road> Worker<R> {
    /// Holds the deliveries of a webhook whose sender is to be told that we have them: on disk first,
    /// where there is a spool.
    ///
    /// # Errors
    /// They are not held, and the sender still has the webhook.
    pub(super) async fn hold_all(
        self: &Arc<Self>,
        deliveries: impl Iterator<Item = Delivery>,
        due: Instant,
    ) -> Result<(), Unkept> {
        let Some(spool) = self.spool() else {
            deliveries.for_each(|delivery| self.hold(delivery, due));
            return Ok(());
        };
        let mut pledge = Pledge {
            worker: self,
            stored: deliveries.map(Stored::new).collect(),
            due,
        };
        let rows = pledge.stored.iter_mut().map(|stored| {
            let entry = stored.entry.get_or_insert_with(|| spool.entry());
            let entry = Arc::clone(entry);
            (entry, stored.row(&stored.state(due, None)))
        });
        let rows = rows.collect();
        let kept = spool.keep(rows).await;
        if kept.is_err() {
            pledge.stored.clear();
        }
        kept
    }

    /// Gives a delivery its number, where what becomes of it may have to be written.
    pub(super) fn number(&self, delivery: &mut Delivery) {
        if let Some(spool) = self.keeping.spool()
            && delivery.entry.is_none()
        {
            delivery.entry = Some(spool.entry());
        }
    }

    /// What could still be written of a delivery that goes into an attempt: nothing where it is on disk,
    /// or never will be.
    pub(super) fn ahead(&self, delivery: &Delivery) -> Option<Ahead> {
        let entry = delivery.entry.as_ref()?;
        let is_held = delivery.promise == Promise::Held;
        (is_held && !entry.is_asked()).then(|| Ahead::of(delivery))?
    }

    /// Writes what has become of a delivery, and the delivery itself where it is to be on disk and is not.
    pub(super) fn note(&self, stored: &mut Stored, due: Instant, dead: Option<Dead>) {
        if stored.promise != Promise::Held {
            return;
        }
        match (&stored.entry, self.spool()) {
            (Some(entry), _) if entry.is_asked() => {
                entry.change(stored.state(due, dead).to_bytes());
            }
            (_, Some(spool)) => {
                let row = stored.row(&stored.state(due, dead));
                let entry = stored.entry.get_or_insert_with(|| spool.entry());
                entry.keep_later(row);
            }
            (_, None) => {}
        }
    }

    /// What everything that is held is written to, now.
    pub(super) fn spool(&self) -> Option<&Spool> {
        match &self.keeping {
            Keeping::Spill(spool) if self.watch.is_requested() => Some(spool),
            Keeping::Spool(spool) => Some(spool),
            Keeping::Memory | Keeping::Spill(_) => None,
        }
    }
}
