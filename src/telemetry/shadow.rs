//! What a candidate would have said, beside what the plugin in force said: counts and the last
//! differences.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::debug;

use super::tally::Tally;
use crate::webhook::WebhookId;

/// An operator looks at the newest few; how often it happens is in the counts.
const DIFFERENCES_MAX: usize = 50;

/// What comes of asking a candidate.
const OUTCOMES: &[&str] = &["same", "verdict", "bytes", "failed", "skipped"];

/// The meters of one candidate beside one plugin on one route.
#[derive(Debug)]
pub struct ShadowMeters {
    /// The route that runs both.
    pub route: Arc<str>,
    /// The plugin in force.
    pub plugin: Arc<str>,
    /// The one that may follow it.
    pub candidate: Arc<str>,
    outcomes: Tally,
    differences: Mutex<VecDeque<Difference>>,
}

/// One webhook about which the two said different things. Never a body or a header's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The webhook's.
    pub id: WebhookId,
    /// Which question it was.
    pub stage: &'static str,
    /// `verdict`, `bytes` or `failed`.
    pub outcome: &'static str,
    /// What the plugin in force said.
    pub current: String,
    /// What the candidate said.
    pub candidate: String,
}

impl ShadowMeters {
    pub(super) fn new(route: &str, plugin: &str, candidate: &str) -> Self {
        Self {
            route: route.into(),
            plugin: plugin.into(),
            candidate: candidate.into(),
            outcomes: Tally::new(OUTCOMES),
            differences: Mutex::default(),
        }
    }

    /// How often each outcome was.
    pub fn outcomes(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.outcomes.rows()
    }

    /// The last differences, newest last.
    #[must_use]
    pub fn differences(&self) -> Vec<Difference> {
        self.lock().iter().cloned().collect()
    }

    /// Counts what came of asking the candidate (`same` or `skipped` where there is no difference), and
    /// keeps the difference if there is one.
    pub fn asked(&self, outcome: &str, difference: Option<&Difference>) {
        let Some(difference) = difference else {
            self.outcomes.count(outcome);
            return;
        };
        self.outcomes.count(difference.outcome);
        debug!(target: "hookgate::plugin", id = %difference.id, plugin = &*self.plugin,
            route = &*self.route, candidate = &*self.candidate, stage = difference.stage,
            outcome = difference.outcome, "candidate differs");
        let mut differences = self.lock();
        if differences.len() == DIFFERENCES_MAX {
            differences.pop_front();
        }
        differences.push_back(difference.clone());
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Difference>> {
        // A panic under the lock leaves the list valid: every change is one push or one removal.
        self.differences
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::Arrival;

    #[test]
    fn the_last_differences_are_kept_and_all_are_counted() {
        let meters = ShadowMeters::new("r", "old", "new");
        let id = WebhookId::new(Arrival::now());

        for n in 0..=DIFFERENCES_MAX {
            let difference = Difference {
                id,
                stage: "filter",
                outcome: "verdict",
                current: n.to_string(),
                candidate: String::new(),
            };
            meters.asked("same", Some(&difference));
        }
        meters.asked("same", None);

        let differences = meters.differences();
        assert_eq!(differences.len(), DIFFERENCES_MAX);
        assert_eq!(differences[0].current, "1");
        let counted: Vec<_> = meters.outcomes().filter(|(_, n)| *n > 0).collect();
        assert_eq!(counted, [("same", 1), ("verdict", 51)]);
    }
}
