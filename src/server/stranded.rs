//! What the spool holds and the configuration has no place for: operators see it, discard it, or send it where
//! there is a place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::Plan;
use crate::delivery::{
    Ack, Commons, Contract, DeadLetter, Dispatch, Filter, Found, Plans, Policy, Stray, TakenUp,
    Upstream,
};
use crate::gate::Memory;
use crate::spool::FoundRow;
use crate::telemetry::{Event, SpoolEvent};
use crate::webhook::{Arrival, WebhookId};

/// Rows of the spool that no route or no upstream takes.
#[derive(Debug)]
pub(super) struct Stranded {
    rows: Mutex<Vec<FoundRow>>,
    commons: Commons,
}

/// The plan in force, and one upstream instead of all.
struct Detour<'p> {
    plan: &'p Plan,
    to: &'p Arc<Upstream>,
    /// Of routes that the plan does not have, by name.
    contracts: BTreeMap<Arc<str>, Arc<Contract>>,
}

impl Plans for Detour<'_> {
    fn contract(&self, route: &str) -> Option<&Arc<Contract>> {
        self.plan
            .contracts
            .get(route)
            .or_else(|| self.contracts.get(route))
    }

    fn upstream(&self, _: &str) -> Option<&Arc<Upstream>> {
        Some(self.to)
    }
}

impl Stranded {
    pub(super) fn new(rows: Vec<FoundRow>, commons: Commons) -> Self {
        let rows = Mutex::new(rows);
        Self { rows, commons }
    }

    pub(super) fn rows(&self) -> MutexGuard<'_, Vec<FoundRow>> {
        // Each change is complete before anything that could panic.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All deliveries of a webhook.
    pub(super) fn find(&self, id: WebhookId) -> Vec<Stray> {
        let rows = self.rows();
        let strays = rows.iter().filter_map(Stray::of);
        strays.filter(|stray| stray.id() == id).collect()
    }

    /// Dead letters that are meant.
    pub(super) fn letters(&self, filter: &Filter) -> Vec<DeadLetter> {
        let rows = self.rows();
        let strays = rows.iter().filter_map(Stray::of);
        let meant = strays.filter(|stray| stray.is_meant(filter, true));
        meant.filter_map(|stray| stray.dead).collect()
    }

    /// Those that are meant and are no dead letters.
    pub(super) fn waiting(&self, filter: &Filter) -> Vec<Found> {
        let rows = self.rows();
        let strays = rows.iter().filter_map(Stray::of);
        let meant = strays.filter(|stray| stray.is_meant(filter, false));
        meant.map(|stray| stray.found).collect()
    }

    /// Discards those that are meant, among dead letters or among the others, and says how many they were.
    pub(super) fn discard(
        &self,
        filter: &Filter,
        dead: bool,
        memory: Option<&Arc<Memory>>,
    ) -> usize {
        let Some(spool) = self.commons.keeping.spool() else {
            return 0;
        };
        let mut rows = self.rows();
        let discarded = take(&mut rows, filter, dead);
        for (row, stray) in &discarded {
            stray.forget_key(&self.commons.duplicates);
            spool.entry_of(row.number).settle();
            if let Some(memory) = memory {
                memory.discarded(stray.id(), Arc::clone(&stray.found.route));
            }
        }
        self.count(&rows);
        discarded.len()
    }

    /// Sends those that are meant, among dead letters or among the others, to another upstream by way of
    /// `dispatch`, and says how many they were. Where their route is gone, they have the retries of a route that
    /// says nothing about them.
    ///
    /// # Errors
    /// One was named, and nobody said where to; or its signing key is gone.
    pub(super) fn send(
        &self,
        filter: &Filter,
        dead: bool,
        to: Option<&Arc<Upstream>>,
        (plan, dispatch): (&Plan, &Dispatch),
    ) -> Result<usize, String> {
        let Some(spool) = self.commons.keeping.spool() else {
            return Ok(0);
        };
        let mut rows = self.rows();
        let Some(to) = to else {
            let mut meant = rows.iter().filter_map(Stray::of);
            let is_meant = meant.any(|stray| stray.is_meant(filter, dead));
            return match filter.id.filter(|_| is_meant) {
                Some(id) => Err(format!(
                    "`{id}` stays in the spool, for its route or its upstream is not in the configuration; put it \
                     back and reload, or say `--to` which upstream"
                )),
                None => Ok(0),
            };
        };
        let taken = take(&mut rows, filter, dead);
        let routes = taken.iter().map(|(_, stray)| &stray.found.route);
        let detour = Detour {
            plan,
            to,
            contracts: routes
                .map(|route| (Arc::clone(route), self.without_route(route, to, plan)))
                .collect(),
        };
        let count = taken.len();
        let sent = taken.into_iter().map(|(row, _)| row).collect();
        let Commons {
            telemetry,
            duplicates,
            ..
        } = &self.commons;
        let now = Arrival::now();
        let mut sent = TakenUp::send(sent, to.name(), spool, &detour, duplicates, telemetry, now);
        let kept = std::mem::take(&mut sent.stranded);
        dispatch.take_up(sent);
        let sent = count - kept.len();
        rows.extend(kept);
        self.count(&rows);
        match filter.id {
            Some(id) if sent == 0 && count > 0 => Err(format!(
                "`{id}` stays in the spool: its route has no key of that name to sign it with"
            )),
            _ => Ok(sent),
        }
    }

    /// What is promised about deliveries of a route that is gone.
    fn without_route(&self, route: &str, to: &Arc<Upstream>, plan: &Plan) -> Arc<Contract> {
        Arc::new(Contract {
            ack: Ack::Early,
            deadline: Duration::ZERO,
            policy: Policy::default(),
            upstreams: vec![Arc::clone(to)],
            share: self.commons.buffer.share(plan.buffer),
            meters: self.commons.telemetry.route(route),
            signers: BTreeMap::new(),
        })
    }

    fn count(&self, rows: &[FoundRow]) {
        let deliveries = rows.len();
        let event = SpoolEvent::StrandedInAll { deliveries };
        self.commons.telemetry.emit(&Event::Spool(event));
    }
}

/// Takes out those that are meant.
fn take(rows: &mut Vec<FoundRow>, filter: &Filter, dead: bool) -> Vec<(FoundRow, Stray)> {
    let mut taken = Vec::new();
    for row in std::mem::take(rows) {
        match Stray::of(&row).filter(|stray| stray.is_meant(filter, dead)) {
            Some(stray) => taken.push((row, stray)),
            None => rows.push(row),
        }
    }
    taken
}
