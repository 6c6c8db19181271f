//! What is logged and counted about the orderly end.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tracing::{error, info};

use super::metrics::Telemetry;
use super::show::ms;
use crate::webhook::WebhookId;

/// Something about the end. A field is its name.
#[derive(Debug)]
#[expect(
    missing_docs,
    reason = "as with all events: the variant says what it is about"
)]
pub enum EndEvent<'a> {
    /// It was asked for.
    Draining {
        connections: usize,
        deliveries: usize,
        grace: Duration,
    },
    /// An acknowledged delivery is lost with the process.
    LeftBehind {
        id: WebhookId,
        route: &'a str,
        upstream: &'a str,
    },
    /// A dead letter is lost with the process.
    LetterLost {
        id: WebhookId,
        route: &'a str,
        upstream: &'a str,
    },
    /// It is over: what is lost, deliveries and dead letters, and what waits on disk for the next start.
    Drained {
        left: usize,
        letters: usize,
        kept: usize,
        took: Duration,
    },
}

impl Telemetry {
    pub(super) fn tell_of_end(&self, event: &EndEvent<'_>) {
        let meters = &self.meters;
        match *event {
            EndEvent::Draining {
                connections,
                deliveries,
                grace,
            } => {
                info!(target: "hookgate", connections, deliveries, grace_ms = ms(grace), "draining");
            }
            EndEvent::LeftBehind {
                id,
                route,
                upstream,
            } => {
                meters.lost.fetch_add(1, Relaxed);
                error!(target: "hookgate::delivery", %id, route, upstream,
                    "acknowledged delivery lost");
            }
            EndEvent::LetterLost {
                id,
                route,
                upstream,
            } => {
                meters.lost.fetch_add(1, Relaxed);
                error!(target: "hookgate::delivery", %id, route, upstream, "dead letter lost");
            }
            EndEvent::Drained {
                left,
                letters,
                kept,
                took,
            } => {
                // There is no later line that could say it.
                self.report_suppressed();
                let took_ms = ms(took);
                if left + letters == 0 {
                    info!(target: "hookgate", left, kept, took_ms, "drained");
                } else {
                    error!(target: "hookgate", left, dead_letters = letters, kept, took_ms,
                        "drained, deliveries were lost");
                }
            }
        }
    }
}
