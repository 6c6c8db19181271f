//! The end of a worker: what waits is attempted, or is on disk, or is named as lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::background::{Flight, Left, Runner, Verdict, Worker};
use super::keep::Keeping;
use super::road::Road;
use super::stored::Stored;
use super::{Promise, background};
use crate::spool::Entry;

/// What was acknowledged and is not delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// Lost with the process.
    pub left: Vec<Left>,
    /// On disk, for the next start.
    pub kept: usize,
}

impl<R: Road> Worker<R> {
    pub(super) async fn flush(self: &Arc<Self>, grace: Duration) -> Rest {
        let now = Instant::now();
        let until = now + grace;
        let unplaced = {
            let mut state = self.state();
            state.runner = Runner::Flush;
            // Nobody waits for what nobody may attempt.
            let unplaced = state.schedule.extract(|_, stored| stored.is_unplaced());
            state.schedule.hurry(now);
            unplaced
        };
        self.changed.notify_waiters();
        match &self.keeping {
            // It is on disk, and the next process sees to it: only what is under way is waited for.
            Keeping::Spool(spool) if !spool.is_lost() => self.land_all(until).await,
            Keeping::Memory | Keeping::Spool(_) | Keeping::Spill(_) => {
                Arc::clone(self).run(Runner::Flush, Some(until)).await;
            }
        }
        let (waiting, flying) = {
            let mut state = self.state();
            state.runner = Runner::Gone;
            let flying = std::mem::take(&mut state.flying).into_values();
            (state.schedule.clear(), flying.collect())
        };
        let rest = self
            .sort_out(unplaced.into_iter().chain(waiting), flying)
            .await;
        rest.left.iter().for_each(|left| self.lose(left));
        self.tell_fill();
        rest
    }

    /// Returns when nothing is under way any more, or `until`.
    async fn land_all(&self, until: Instant) {
        loop {
            let changed = self.changed.notified();
            if self.state().flying.is_empty() || Instant::now() >= until {
                return;
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = background::sleep_until(Some(until)) => {}
            }
        }
    }

    /// What is on disk by now, and what is not.
    async fn sort_out(
        &self,
        waiting: impl IntoIterator<Item = Box<Stored>>,
        flying: Vec<Flight>,
    ) -> Rest {
        let mut held: Vec<(Left, Option<Arc<Entry>>)> = Vec::new();
        let due = Instant::now();
        for mut stored in waiting {
            if self.spool().is_some() && !stored.is_asked() {
                self.note(&mut stored, due, None);
            }
            if stored.promise == Promise::Held {
                held.push((stored.name(), stored.entry.take()));
            }
        }
        for flight in flying {
            if flight.promise != Promise::Held || flight.verdict == Verdict::Discarded {
                continue;
            }
            if let Some(ahead) = flight.ahead.filter(|ahead| !ahead.entry.is_asked()) {
                ahead.entry.keep_later(ahead.row());
                held.push((flight.name, Some(ahead.entry)));
            } else {
                held.push((flight.name, flight.entry));
            }
        }
        if let Some(spool) = self.spool() {
            // Each entry knows what became of it.
            let _ = spool.synced().await;
        }
        let (kept, lost): (Vec<_>, Vec<_>) = held
            .into_iter()
            .partition(|(_, entry)| entry.as_ref().is_some_and(|entry| entry.is_kept()));
        Rest {
            left: lost.into_iter().map(|(left, _)| left).collect(),
            kept: kept.len(),
        }
    }
}
