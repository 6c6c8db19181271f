//! Looks after the published keys of the plan in force.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Running;

/// How long a wish for newer keys waits at most. Webhooks that they sign are told to come again meanwhile.
const LOOKED_AT_EVERY: Duration = Duration::from_millis(500);

impl Running {
    /// Fetches what is due, one after another, until the admin's end.
    pub(super) fn look_after_keys(&self) {
        let (plan, telemetry, watch) = (
            Arc::clone(&self.plan),
            self.commons.telemetry.clone(),
            self.admin.watch(),
        );
        let mut ticks = interval(LOOKED_AT_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = self.admin.watch();
        let work = async move {
            loop {
                ticks.tick().await;
                let sources = plan.load().sources.clone();
                for source in sources.iter().filter(|source| source.is_due()) {
                    source.refresh(&telemetry).await;
                }
            }
        };
        watch.spawn(async move {
            tokio::select! {
                () = work => {}
                () = end.requested() => {}
            }
        });
    }
}
