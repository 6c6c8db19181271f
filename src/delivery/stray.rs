//! A delivery that stays in the spool because the configuration has no place for it: what is known of it, and
//! how it is sent elsewhere all the same.

use std::sync::Arc;

use tokio::time::Instant;

use super::background::Left;
use super::held::{Found, Whereabouts};
use super::record::Record;
use super::{DeadLetter, Duplicates, Filter};
use crate::spool::FoundRow;
use crate::webhook::{Arrival, Dedupe, WebhookId};

/// A delivery that stays in the spool.
#[derive(Debug)]
pub struct Stray {
    /// As one that waits; or was given up, see `dead`.
    pub found: Found,
    /// The same as a dead letter, where it is one.
    pub dead: Option<DeadLetter>,
    dedupe: Option<Dedupe>,
}

impl Stray {
    /// Nothing where its bytes are not known to this version.
    #[must_use]
    pub fn of(row: &FoundRow) -> Option<Self> {
        let (record, packed) = Record::read(&row.row, row.state.as_deref())?;
        let Record {
            route,
            overlay,
            state,
            ..
        } = record;
        let (id, route) = (packed.id()?, Arc::<str>::from(route));
        let (arrived, arrival) = (packed.arrived(), Instant::now());
        let dead = state.dead.map(|dead| DeadLetter {
            id,
            route: Arc::clone(&route),
            upstream: Arc::clone(&state.upstream),
            part: overlay.part,
            attempts: state.attempts,
            tried: state.tried.clone(),
            reason: dead.reason,
            arrived,
            given_up: arrived + dead.given_up,
            is_stranded: true,
            packed: packed.clone(),
            arrival,
        });
        let found = Found {
            id,
            upstream: state.upstream,
            route,
            part: overlay.part,
            whereabouts: Whereabouts::Stranded,
            attempts: state.attempts,
            tried: state.tried,
            letter: Some((packed, arrival)),
        };
        let dedupe = overlay.dedupe;
        Some(Self {
            found,
            dead,
            dedupe,
        })
    }

    /// Whose.
    #[must_use]
    pub fn id(&self) -> WebhookId {
        self.found.id
    }

    /// Whether it is one of the dead letters, or of those that wait, that are meant.
    #[must_use]
    pub fn is_meant(&self, filter: &Filter, dead: bool) -> bool {
        let Found {
            id,
            route,
            upstream,
            part,
            tried,
            ..
        } = &self.found;
        match &self.dead {
            Some(letter) => {
                dead && filter.fits(*id, route, upstream, &letter.reason, letter.given_up)
            }
            None => {
                let name = Left {
                    id: *id,
                    route: Arc::clone(route),
                    upstream: Arc::clone(upstream),
                    part: *part,
                };
                let reason = tried.last().map_or("", |tried| &*tried.reason);
                !dead && filter.fits_held(&name, reason)
            }
        }
    }

    /// Forgets its dedupe key: its sender's repeat is a new webhook.
    pub fn forget_key(&self, duplicates: &Duplicates) {
        if let Some(dedupe) = &self.dedupe {
            let Found {
                id,
                route,
                upstream,
                ..
            } = &self.found;
            duplicates.forget(route, upstream, dedupe, *id);
        }
    }
}

/// Lays over a row what it is when it is sent to another upstream at `now`: due, with all the attempts and the
/// time of a new delivery. What was laid over it before is given back.
pub(super) fn renew(row: &mut FoundRow, upstream: &Arc<str>, now: Arrival) -> Option<Vec<u8>> {
    let before = row.state.take();
    if let Some((record, packed)) = Record::read(&row.row, before.as_deref()) {
        let mut state = record.state;
        let since = now.wall().duration_since(packed.arrived());
        state.upstream = Arc::clone(upstream);
        state.since = since.unwrap_or_default();
        (state.due, state.spent, state.dead) = (state.since, state.attempts, None);
        row.state = Some(state.to_bytes());
    }
    before
}
