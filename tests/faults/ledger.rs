//! Who was told what, and what the upstream got: the two lists that are compared in the end.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// What the gate had of an answer when it was killed is not known for answers this recent: it may not
/// have read them, or not have written down that it did.
const DOUBTFUL: Duration = Duration::from_secs(1);

/// What a sender heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// 2xx.
    Acknowledged,
    /// Any other status.
    Refused,
    /// No connection, or none that lasted until there was an answer.
    Nothing,
}

/// One delivery that the upstream took.
#[derive(Clone, Debug)]
struct Taking {
    at: Instant,
    /// When its 2xx was written, whole and in time.
    answered: Option<Instant>,
}

#[derive(Clone, Debug, Default)]
struct Fate {
    heard: Option<(Heard, Instant)>,
    takings: Vec<Taking>,
    id: Option<String>,
    attempts: Vec<u32>,
}

#[derive(Debug)]
struct Facts {
    fates: Vec<Fate>,
    delivered: usize,
    kills: Vec<Instant>,
    inside: usize,
    inside_most: usize,
    /// All that were inside, together.
    worked: Duration,
    slowest_greeting: Duration,
    wrong: Vec<String>,
}

/// What is known of each webhook, by number.
#[derive(Debug)]
pub struct Ledger {
    facts: Mutex<Facts>,
    changed: Notify,
}

/// What a run came to.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub sent: usize,
    pub acknowledged: usize,
    pub refused: usize,
    pub unheard: usize,
    /// Acknowledged or not.
    pub delivered: usize,
    /// Acknowledged, and not delivered.
    pub lost: usize,
    /// Acknowledged before the upstream had it.
    pub ahead: usize,
    /// Deliveries of what the upstream had taken before.
    pub repeats: usize,
    /// Those of them for which there was no reason.
    pub needless: usize,
    /// From a fresh connection to its first request.
    pub slowest_greeting: Duration,
    /// What must never be, in words.
    pub wrong: Vec<String>,
}

impl Ledger {
    pub fn new(webhooks: usize) -> Self {
        let facts = Mutex::new(Facts {
            fates: vec![Fate::default(); webhooks],
            delivered: 0,
            kills: Vec::new(),
            inside: 0,
            inside_most: 0,
            worked: Duration::ZERO,
            slowest_greeting: Duration::ZERO,
            wrong: Vec::new(),
        });
        let changed = Notify::new();
        Self { facts, changed }
    }

    /// Waits until it is so; looks again whenever a sender has heard or the upstream has taken something.
    pub async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if is_so(self) {
                return;
            }
            changed.await;
        }
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn heard(&self, number: usize, heard: Heard) {
        self.facts().fates[number].heard = Some((heard, Instant::now()));
        self.changed.notify_waiters();
    }

    /// The gate is about to be killed.
    pub fn killed(&self) {
        self.facts().kills.push(Instant::now());
    }

    /// An attempt has arrived, body included.
    pub fn attempted(&self, number: usize, id: &str, attempt: u32) {
        let mut facts = self.facts();
        let fate = &mut facts.fates[number];
        let known = fate.id.get_or_insert_with(|| id.to_owned());
        let (is_known, is_later) = (
            known == id,
            fate.attempts.last().is_none_or(|last| attempt >= *last),
        );
        fate.attempts.push(attempt);
        if !is_known || !is_later || attempt == 0 {
            let wrong = format!("webhook {number} comes as {id}, attempt {attempt}: {fate:?}");
            facts.wrong.push(wrong);
        }
    }

    /// The upstream acts on it; what to call with [`Self::answered`].
    pub fn take(&self, number: usize) -> usize {
        let mut facts = self.facts();
        let taking = Taking {
            at: Instant::now(),
            answered: None,
        };
        let takings = &mut facts.fates[number].takings;
        takings.push(taking);
        let earlier = takings.len() - 1;
        facts.delivered += usize::from(earlier == 0);
        self.changed.notify_waiters();
        earlier
    }

    /// Its 2xx was written, whole and in time.
    pub fn answered(&self, number: usize, taking: usize) {
        self.facts().fates[number].takings[taking].answered = Some(Instant::now());
    }

    /// A fresh connection has brought its first request after this long.
    pub fn greeted(&self, after: Duration) {
        let slowest = &mut self.facts().slowest_greeting;
        *slowest = (*slowest).max(after);
    }

    pub fn enter(&self) {
        let mut facts = self.facts();
        facts.inside += 1;
        facts.inside_most = facts.inside_most.max(facts.inside);
    }

    pub fn leave(&self, worked: Duration) {
        let mut facts = self.facts();
        facts.inside -= 1;
        facts.worked += worked;
    }

    /// How long attempts have been inside, all together.
    pub fn worked(&self) -> Duration {
        self.facts().worked
    }

    /// The numbers of those that were acknowledged and have not been delivered.
    pub fn owed(&self) -> Vec<usize> {
        let facts = self.facts();
        let owed = facts.fates.iter().enumerate().filter(|(_, fate)| {
            matches!(fate.heard, Some((Heard::Acknowledged, _))) && fate.takings.is_empty()
        });
        owed.map(|(number, _)| number).collect()
    }

    /// How many attempts were made at once. Where some time out, the next ones may come before it is seen
    /// that those have gone.
    pub fn inside_most(&self) -> usize {
        self.facts().inside_most
    }

    /// How many were delivered.
    pub fn delivered(&self) -> usize {
        self.facts().delivered
    }

    /// Whether a sender was told to come back.
    pub fn has_refused(&self) -> bool {
        let facts = self.facts();
        let mut heard = facts.fates.iter().filter_map(|fate| fate.heard);
        heard.any(|(heard, _)| heard == Heard::Refused)
    }

    pub fn figures(&self) -> Figures {
        let facts = self.facts();
        let mut figures = Figures {
            delivered: facts.delivered,
            slowest_greeting: facts.slowest_greeting,
            wrong: facts.wrong.clone(),
            ..Figures::default()
        };
        for fate in &facts.fates {
            figures.sent += 1;
            match fate.heard {
                Some((Heard::Acknowledged, at)) => {
                    figures.acknowledged += 1;
                    let first = fate.takings.first();
                    figures.lost += usize::from(first.is_none());
                    figures.ahead += usize::from(first.is_none_or(|first| first.at > at));
                }
                Some((Heard::Refused, _)) => figures.refused += 1,
                Some((Heard::Nothing, _)) | None => figures.unheard += 1,
            }
            for again in 1..fate.takings.len() {
                figures.repeats += 1;
                let is_needless = fate.takings[..again]
                    .iter()
                    .all(|taking| is_settled(taking, &facts.kills));
                figures.needless += usize::from(is_needless);
            }
        }
        figures
    }
}

/// Whether the gate must have known that this was delivered.
fn is_settled(taking: &Taking, kills: &[Instant]) -> bool {
    let Some(answered) = taking.answered else {
        return false;
    };
    !kills
        .iter()
        .any(|kill| (taking.at..answered + DOUBTFUL).contains(kill))
}
