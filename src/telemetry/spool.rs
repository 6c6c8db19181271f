//! What is logged and counted about the spool.

use std::fmt;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::{debug, error, info, warn};

use super::metrics::Telemetry;
use super::page::Page;
use super::show::ms;
use crate::webhook::WebhookId;

/// Something about the spool. A field is its name.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "as with all events: the variant says what it is about"
)]
pub enum SpoolEvent<'a> {
    /// It is open, and this was in it.
    Opened {
        deliveries: usize,
        dead_letters: usize,
        stranded: usize,
        was_cut: bool,
        took: Duration,
    },
    /// A delivery that was found, and that the configuration has no place for; it is kept.
    Stranded {
        id: Option<WebhookId>,
        route: &'a str,
        upstream: &'a str,
        reason: &'a str,
    },
    /// How many of them there are.
    StrandedInAll { deliveries: usize },
    /// The disk did not take a commit. `is_lasting`: and will not, in this process.
    Failed { reason: &'a str, is_lasting: bool },
    /// It has been asked again and has not taken this many removals and changes (counters only).
    Unwritten { operations: usize },
    /// It takes commits again.
    Recovered,
    /// A commit is on disk (counters only).
    Committed { operations: usize },
    /// It was closed.
    Closed,
}

/// What is counted; nothing is shown where there is no spool.
#[derive(Debug, Default)]
pub(super) struct SpoolMeters {
    pub(super) opened: AtomicU64,
    /// It may be so before it is told to be open.
    pub(super) failing: AtomicU64,
    pub(super) failures: AtomicU64,
    pub(super) unwritten: AtomicU64,
    pub(super) commits: AtomicU64,
    pub(super) operations: AtomicU64,
    pub(super) found: AtomicU64,
    pub(super) stranded: AtomicU64,
}

impl SpoolMeters {
    pub(super) fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        if self.opened.load(Relaxed) == 0 {
            return Ok(());
        }
        page.gauge(
            "hookgate_spool_writable",
            "0 while the disk does not take what should be on it: senders are asked to come back.",
            &(1 - self.failing.load(Relaxed)),
        )?;
        page.gauge(
            "hookgate_spool_stranded",
            "Deliveries in the spool that the configuration has no place for.",
            &self.stranded.load(Relaxed),
        )?;
        page.counter(
            "hookgate_spool_found",
            "Deliveries and dead letters that an earlier process had left.",
            &self.found.load(Relaxed),
        )?;
        page.counter(
            "hookgate_spool_failures",
            "How often the disk stopped taking commits.",
            &self.failures.load(Relaxed),
        )?;
        page.gauge(
            "hookgate_spool_unwritten",
            "Removals and changes that a full disk did not take yet: a kill would undo them, and repeat deliveries.",
            &self.unwritten.load(Relaxed),
        )?;
        page.counter(
            "hookgate_spool_commits",
            "Groups of operations that are on disk.",
            &self.commits.load(Relaxed),
        )?;
        page.counter(
            "hookgate_spool_operations",
            "Rows written, changed and removed; divided by the commits, how many share a flush.",
            &self.operations.load(Relaxed),
        )
    }
}

impl Telemetry {
    pub(super) fn tell_of_spool(&self, event: &SpoolEvent<'_>) {
        let meters = &self.meters.spool;
        match *event {
            SpoolEvent::Opened {
                deliveries,
                dead_letters,
                stranded,
                was_cut,
                took,
            } => {
                meters.opened.store(1, Relaxed);
                let found = deliveries + dead_letters;
                meters.found.fetch_add(found as u64, Relaxed);
                if was_cut {
                    warn!(target: "hookgate::spool",
                        "the process before this one did not end in order: what it had not written is undone");
                }
                info!(target: "hookgate::spool", deliveries, dead_letters, stranded,
                    took_ms = ms(took), "spool opened");
            }
            SpoolEvent::Stranded {
                id,
                route,
                upstream,
                reason,
            } => {
                let id = id.map(tracing::field::display);
                warn!(target: "hookgate::spool", id, route, upstream, reason,
                    "delivery stranded in the spool");
            }
            SpoolEvent::StrandedInAll { deliveries } => {
                meters.stranded.store(deliveries as u64, Relaxed);
            }
            SpoolEvent::Failed { reason, is_lasting } => {
                meters.failing.store(1, Relaxed);
                meters.failures.fetch_add(1, Relaxed);
                let until = if is_lasting { "restart" } else { "it has room" };
                error!(target: "hookgate::spool", reason, until,
                    "spool cannot be written, senders are asked to come back");
            }
            SpoolEvent::Unwritten { operations } => {
                meters.unwritten.store(operations as u64, Relaxed);
            }
            SpoolEvent::Recovered => {
                meters.failing.store(0, Relaxed);
                meters.unwritten.store(0, Relaxed);
                info!(target: "hookgate::spool", "spool can be written again");
            }
            SpoolEvent::Committed { operations } => {
                meters.commits.fetch_add(1, Relaxed);
                meters.operations.fetch_add(operations as u64, Relaxed);
            }
            SpoolEvent::Closed => debug!(target: "hookgate::spool", "spool closed"),
        }
    }
}
