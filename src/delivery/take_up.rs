//! What an earlier process left in the spool, taken up: into the schedule, or among the dead letters, or
//! kept where it is because the configuration has no place for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use tokio::time::Instant;

use super::background::Worker;
use super::packed::Packed;
use super::record::{Dead, Record};
use super::road::Road;
use super::stored::Stored;
use super::{Contract, Duplicates, Upstream, stray};
use crate::spool::{FoundRow, Spool};
use crate::telemetry::{Event, SpoolEvent, Telemetry};
use crate::webhook::Arrival;

/// Lines in the log about single deliveries that have no place; the gauge tells how many there are.
const STRANDED_LINES_MAX: usize = 100;

/// Where deliveries may go now, by name.
pub trait Plans {
    /// The contract of a route.
    fn contract(&self, route: &str) -> Option<&Arc<Contract>>;
    /// An upstream, whether the route still forwards to it or not.
    fn upstream(&self, name: &str) -> Option<&Arc<Upstream>>;
}

/// Deliveries that were found, sorted.
#[derive(Debug, Default)]
pub struct TakenUp {
    waiting: Vec<(Box<Stored>, Instant)>,
    dead: Vec<(Stored, Dead, SystemTime)>,
    /// What the plan has no place for: it stays in the spool.
    pub stranded: Vec<FoundRow>,
}

impl TakenUp {
    /// Sorts `rows` by what the plan knows, at `now`; what it does not know is named in the log.
    #[must_use]
    pub fn sort(
        rows: Vec<FoundRow>,
        spool: &Spool,
        plans: &impl Plans,
        duplicates: &Duplicates,
        telemetry: &Telemetry,
        now: Arrival,
    ) -> Self {
        let mut taken = Self::default();
        let mut last: Option<Packed> = None;
        for row in rows {
            let record = Record::read(&row.row, row.state.as_deref());
            let (id, route, upstream) = match &record {
                Some((record, packed)) => (packed.id(), &*record.route, &*record.state.upstream),
                None => (None, "", ""),
            };
            let names = (id, Box::<str>::from(route), Box::<str>::from(upstream));
            let entry = spool.entry_of(row.number);
            let placed = record
                .ok_or("its bytes are not known to this version")
                .and_then(|(record, packed)| {
                    // The deliveries of a fan-out stand together and share their webhook's bytes.
                    let packed = last.take().filter(|last| *last == packed).unwrap_or(packed);
                    last = Some(packed.clone());
                    taken.place(record, packed, entry, plans, duplicates, now)
                });
            if let Err(reason) = placed {
                if taken.stranded.len() < STRANDED_LINES_MAX {
                    let (id, route, upstream) = names;
                    telemetry.emit(&Event::Spool(SpoolEvent::Stranded {
                        id,
                        route: &route,
                        upstream: &upstream,
                        reason,
                    }));
                }
                taken.stranded.push(row);
            }
        }
        let deliveries = taken.stranded.len();
        telemetry.emit(&Event::Spool(SpoolEvent::StrandedInAll { deliveries }));
        taken
    }

    /// The same for rows that had no place and are sent to `upstream` now, whatever they were: due at once, with
    /// all the attempts and the time of a new delivery. Those for which there is no place all the same stay as
    /// they were.
    #[must_use]
    pub fn send(
        mut rows: Vec<FoundRow>,
        upstream: &Arc<str>,
        spool: &Spool,
        plans: &impl Plans,
        duplicates: &Duplicates,
        telemetry: &Telemetry,
        now: Arrival,
    ) -> Self {
        let before = rows.iter_mut().map(|row| {
            let before = stray::renew(row, upstream, now);
            (row.number, before)
        });
        let mut before: BTreeMap<u64, Option<Vec<u8>>> = before.collect();
        let mut taken = Self::sort(rows, spool, plans, duplicates, telemetry, now);
        for row in &mut taken.stranded {
            row.state = before.remove(&row.number).flatten();
        }
        for (stored, due) in &mut taken.waiting {
            stored.sent();
            let state = stored.state(*due, None).to_bytes();
            stored
                .entry
                .iter()
                .for_each(|entry| entry.change(state.clone()));
        }
        taken
    }

    /// How many wait, and how many are dead letters.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.waiting.len(), self.dead.len())
    }

    /// In as many parts as there are workers.
    #[must_use]
    pub fn split(self, parts: usize) -> Vec<Self> {
        let mut split: Vec<Self> = (0..parts.max(1)).map(|_| Self::default()).collect();
        let count = split.len();
        for (index, waiting) in self.waiting.into_iter().enumerate() {
            if let Some(part) = split.get_mut(index % count) {
                part.waiting.push(waiting);
            }
        }
        if let Some(first) = split.first_mut() {
            first.dead = self.dead;
        }
        split
    }

    fn place(
        &mut self,
        mut record: Record,
        packed: Packed,
        entry: Arc<crate::spool::Entry>,
        plans: &impl Plans,
        duplicates: &Duplicates,
        now: Arrival,
    ) -> Result<(), &'static str> {
        let contract = plans
            .contract(&record.route)
            .ok_or("there is no such route")?;
        let upstream = plans
            .upstream(&record.state.upstream)
            .ok_or("there is no such upstream")?;
        if !record.unseal(&contract.signers) {
            return Err("the route has no key of that name to sign with");
        }
        let arrived = packed.arrived();
        let ago = now.wall().duration_since(arrived).unwrap_or_default();
        let arrival = now.instant.checked_sub(ago).unwrap_or(now.instant);
        if let Some(dedupe) = &record.overlay.dedupe {
            let route = &contract.meters.name;
            duplicates.remember(route, upstream.name(), dedupe, (ago, packed.id()));
        }
        let (due, dead) = (record.state.due, record.state.dead.clone());
        let ways = (Arc::clone(contract), Arc::clone(upstream));
        let stored = Stored::kept(record, packed, arrival, ways, entry)
            .ok_or("its bytes are no webhook's")?;
        match dead {
            None => {
                let due = arrival.checked_add(due).unwrap_or(now.instant);
                self.waiting.push((Box::new(stored), due));
            }
            Some(dead) => {
                let given_up = arrived.checked_add(dead.given_up).unwrap_or(arrived);
                self.dead.push((stored, dead, given_up));
            }
        }
        Ok(())
    }
}

impl<R: Road> Worker<R> {
    /// Takes its part over; to be called on its runtime, with nothing too, before it serves.
    pub(super) fn take_up(self: &Arc<Self>, taken: TakenUp) {
        self.home();
        for (stored, due) in taken.waiting {
            self.enqueue(stored, due);
        }
        for (stored, dead, given_up) in taken.dead {
            self.keep_letter(stored, given_up, &dead.reason);
        }
    }
}
