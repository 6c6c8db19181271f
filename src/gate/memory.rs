//! Calls that came to no delivery, remembered for whoever asks where a webhook is: refused, dropped,
//! answered by a plugin, or told to come back.
//!
//! One memory for each worker, with a lock that nobody else takes while webhooks pass. What is delivered or
//! held never comes here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::webhook::WebhookId;

/// Of strangers' calls, and apart from them of the others, so that a flood of forgeries does not push out
/// what an operator asks about: a mebibyte each at worst.
const REMEMBERED_MAX: usize = 4_096;
/// A plugin's words, not an essay.
const REASON_BYTES_MAX: usize = 256;

/// How a call ended that came to no delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The webhook's, as its sender was told.
    pub id: WebhookId,
    /// None took it.
    pub route: Option<Arc<str>>,
    /// As in the log and the metrics.
    pub outcome: &'static str,
    /// What the sender heard; none where that was about something else before.
    pub status: Option<u16>,
    /// Who decided so, if a plugin did.
    pub plugin: Option<Arc<str>>,
    /// Why, for people.
    pub reason: Option<Box<str>>,
    /// When.
    pub at: Instant,
}

/// What one worker remembers.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Ends>);

/// Oldest first.
#[derive(Debug, Default)]
struct Ends {
    refused: VecDeque<Ended>,
    others: VecDeque<Ended>,
}

impl Memory {
    /// How this webhook's call ended; nothing where it came to a delivery, or was too long ago.
    #[must_use]
    pub fn find(&self, id: WebhookId) -> Option<Ended> {
        let ends = self.ends();
        let mut all = ends.refused.iter().chain(&ends.others);
        all.find(|ended| ended.id == id).cloned()
    }

    /// An operator has forgotten a dead letter of this webhook.
    pub fn discarded(&self, id: WebhookId, route: Arc<str>) {
        let ended = Ended {
            id,
            route: Some(route),
            outcome: "discarded",
            status: None,
            plugin: None,
            reason: None,
            at: Instant::now(),
        };
        self.add(ended, None);
    }

    pub(super) fn add(&self, mut ended: Ended, reason: Option<String>) {
        ended.reason = reason.map(|mut reason| {
            reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
            reason.into_boxed_str()
        });
        let mut ends = self.ends();
        let ring = match ended.outcome {
            "refused" | "rejected" => &mut ends.refused,
            _ => &mut ends.others,
        };
        if ring.len() >= REMEMBERED_MAX {
            ring.pop_front();
        }
        ring.push_back(ended);
    }

    fn ends(&self) -> MutexGuard<'_, Ends> {
        // Each change is complete before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::webhook::Arrival;

    fn ended(outcome: &'static str) -> Ended {
        Ended {
            id: WebhookId::new(Arrival::now()),
            route: Some("hook".into()),
            outcome,
            status: Some(401),
            plugin: None,
            reason: None,
            at: Instant::now(),
        }
    }

    #[test]
    fn a_flood_of_forgeries_pushes_out_forgeries_only() {
        let memory = Memory::default();
        let (dropped, forged) = (ended("dropped"), ended("rejected"));
        memory.add(dropped.clone(), None);
        memory.add(forged.clone(), None);

        for _ in 1..REMEMBERED_MAX {
            memory.add(ended("rejected"), None);
        }
        assert_eq!(memory.find(forged.id), Some(forged.clone()));
        memory.add(ended("refused"), None);

        assert_eq!(memory.find(forged.id), None);
        assert_eq!(memory.find(dropped.id), Some(dropped));
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let memory = Memory::default();
        let dropped = ended("dropped");

        memory.add(dropped.clone(), Some("ü".repeat(REASON_BYTES_MAX)));

        let reason = memory.find(dropped.id).unwrap().reason.unwrap();
        assert_eq!(reason.len(), REASON_BYTES_MAX);
    }
}
