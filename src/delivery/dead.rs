//! Dead letters: deliveries that were given up after their sender had been told that we have them.
//!
//! Bounded in count and bytes; the oldest leaves to make room for a newer one, and is counted. (An
//! acknowledged delivery that still waits never leaves this way.)

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::webhook::{Overlay, Webhook};

/// An operator reads a list of this length; more is a trend and belongs in the metrics.
const LETTERS_MAX: usize = 1_000;
/// A quarter of the buffer's default: what was given up must not crowd out what may still succeed.
const BYTES_MAX: usize = 64 << 20;

/// A delivery that was given up, with all that is needed to hand it over again.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// As it was received.
    pub webhook: Arc<Webhook>,
    /// What the delivery changes about it.
    pub overlay: Overlay,
    /// The upstream that did not take it.
    pub upstream: Arc<str>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up; for people.
    pub reason: Arc<str>,
    /// When it was given up.
    pub given_up: SystemTime,
}

impl DeadLetter {
    fn weight(&self) -> usize {
        self.webhook.weight() + super::overlay_weight(&self.overlay) + self.reason.len()
    }
}

/// The dead letters of the process, oldest first.
#[derive(Debug, Default)]
pub struct DeadLetters(Mutex<Letters>);

#[derive(Debug, Default)]
struct Letters {
    kept: VecDeque<DeadLetter>,
    bytes: usize,
    left: u64,
}

impl DeadLetters {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// All that are kept, oldest first; bodies are shared, not copied.
    #[must_use]
    pub fn list(&self) -> Vec<DeadLetter> {
        self.letters().kept.iter().cloned().collect()
    }

    /// How many are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.letters().kept.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many had to leave to make room.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.letters().left
    }

    pub(super) fn add(&self, letter: DeadLetter) {
        let mut letters = self.letters();
        letters.bytes += letter.weight();
        letters.kept.push_back(letter);
        // The newest stays even when it alone is too heavy: the buffer's bounds have admitted it once.
        while letters.kept.len() > 1
            && (letters.kept.len() > LETTERS_MAX || letters.bytes > BYTES_MAX)
            && let Some(oldest) = letters.kept.pop_front()
        {
            letters.bytes = letters.bytes.saturating_sub(oldest.weight());
            letters.left += 1;
        }
    }

    fn letters(&self) -> std::sync::MutexGuard<'_, Letters> {
        // A panic elsewhere cannot leave this half changed in a way that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
