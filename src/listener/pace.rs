//! How an HTTP/2 connection gets on: whether it is idle, has calls that are being answered, or does not
//! take its answers.
//!
//! One timer a connection, armed again only when it fires: what is decided here is when that timer must
//! look again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;
use super::answer::Ledger;

/// An answer has this long to be taken, and twice as long at most: time for a megabyte over a slow
/// mobile link.
pub(super) const ANSWER_TIME: Duration = Duration::from_secs(30);

/// An answer that is not taken within this time after the connection was asked to end is cut off.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(10);

/// Shared by a connection and the calls that came over it.
#[derive(Debug)]
pub(super) struct Pace {
    opened: Instant,
    /// Calls being answered.
    busy: AtomicU32,
    /// Whether a call ever came: until then a connection has the time of a head, not of a pause.
    has_called: AtomicBool,
    /// When the last call was answered, in ms since `opened`.
    since_ms: AtomicU64,
    /// Where the bytes of all connections' answers stand.
    ledger: Arc<Ledger>,
    /// Answers not taken yet, those of even turns and those of odd ones: only two turns have any.
    untaken: [AtomicU32; 2],
    /// The number of the turn; each lasts [`ANSWER_TIME`].
    turn: AtomicU32,
    /// When the turn began, in ms since `opened`.
    turned_ms: AtomicU64,
}

/// The turn in which an answer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Even,
    Odd,
}

impl Turn {
    fn of(number: u32) -> Self {
        if number.is_multiple_of(2) {
            Self::Even
        } else {
            Self::Odd
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Even => Self::Odd,
            Self::Odd => Self::Even,
        }
    }
}

/// What the timer finds when it fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing yet; look again after this long.
    In(Duration),
    /// No call for too long.
    Idle,
    /// An answer has not been taken for too long.
    NotTaken,
}

/// After this long a connection must be looked at for the first time, whatever it will be doing then.
pub(super) fn first_look(limits: &Limits) -> Duration {
    limits.header_time.min(limits.idle_time).min(ANSWER_TIME)
}

impl Pace {
    pub(super) fn new(now: Instant, ledger: Arc<Ledger>) -> Self {
        Self {
            opened: now,
            busy: AtomicU32::new(0),
            has_called: AtomicBool::new(false),
            since_ms: AtomicU64::new(0),
            ledger,
            untaken: [AtomicU32::new(0), AtomicU32::new(0)],
            turn: AtomicU32::new(0),
            turned_ms: AtomicU64::new(0),
        }
    }

    /// Where this connection's answers are entered.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// A call is being answered.
    pub(super) fn call(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
        self.has_called.store(true, Ordering::Relaxed);
    }

    /// A call has its answer.
    pub(super) fn answered(&self, now: Instant) {
        self.since_ms.store(self.ms(now), Ordering::Relaxed);
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    /// An answer with a body was made; it is not taken yet.
    pub(super) fn made(&self) -> Turn {
        let turn = Turn::of(self.turn.load(Ordering::Relaxed));
        self.untaken_of(turn).fetch_add(1, Ordering::Relaxed);
        turn
    }

    /// An answer of this turn was taken, or nobody is left to take it.
    pub(super) fn taken(&self, turn: Turn) {
        self.untaken_of(turn).fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether a call is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    pub(super) fn due(&self, now: Instant, limits: &Limits) -> Due {
        let Some(turn_left) = self.turn_left(now) else {
            return Due::NotTaken;
        };
        match self.due_of_call(now, limits) {
            Due::In(wait) => Due::In(wait.min(turn_left)),
            due => due,
        }
    }

    /// What is left of the turn, after beginning a new one when it is over; None when answers of the
    /// turn before are still there at the end of this one.
    fn turn_left(&self, now: Instant) -> Option<Duration> {
        let began = Duration::from_millis(self.turned_ms.load(Ordering::Relaxed));
        let passed = now
            .saturating_duration_since(self.opened)
            .saturating_sub(began);
        match ANSWER_TIME.checked_sub(passed) {
            Some(left) if !left.is_zero() => return Some(left),
            _ => {}
        }
        let turn = self.turn.load(Ordering::Relaxed);
        let before = Turn::of(turn).other();
        if self.untaken_of(before).load(Ordering::Relaxed) > 0 {
            return None;
        }
        self.turn.store(turn.wrapping_add(1), Ordering::Relaxed);
        self.turned_ms.store(self.ms(now), Ordering::Relaxed);
        Some(ANSWER_TIME)
    }

    fn due_of_call(&self, now: Instant, limits: &Limits) -> Due {
        if self.is_busy() {
            // Calls have deadlines of their own; look again when this one may have become idle.
            return Due::In(limits.idle_time);
        }
        let since = Duration::from_millis(self.since_ms.load(Ordering::Relaxed));
        let passed = now
            .saturating_duration_since(self.opened)
            .saturating_sub(since);
        let limit = if self.has_called.load(Ordering::Relaxed) {
            limits.idle_time
        } else {
            limits.header_time
        };
        match limit.checked_sub(passed) {
            None | Some(Duration::ZERO) => Due::Idle,
            Some(left) => Due::In(left),
        }
    }

    fn untaken_of(&self, turn: Turn) -> &AtomicU32 {
        let [even, odd] = &self.untaken;
        match turn {
            Turn::Even => even,
            Turn::Odd => odd,
        }
    }

    fn ms(&self, now: Instant) -> u64 {
        let ms = now.saturating_duration_since(self.opened).as_millis();
        u64::try_from(ms).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_TIME, Due, Pace};
    use crate::listener::Limits;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::Instant;

    fn pace(opened: Instant) -> Pace {
        Pace::new(opened, Arc::default())
    }

    fn limits() -> Limits {
        Limits {
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            ..Limits::default()
        }
    }

    #[test]
    fn a_connection_that_never_calls_has_the_time_of_a_head() {
        let opened = Instant::now();
        let pace = pace(opened);

        let almost = opened + Duration::from_millis(9_999);
        assert_eq!(
            pace.due(almost, &limits()),
            Due::In(Duration::from_millis(1))
        );
        assert_eq!(
            pace.due(opened + Duration::from_secs(10), &limits()),
            Due::Idle
        );
    }

    #[test]
    fn a_connection_between_two_calls_has_the_idle_time() {
        let opened = Instant::now();
        let pace = pace(opened);
        pace.call();
        assert!(matches!(
            pace.due(opened + Duration::from_secs(100), &limits()),
            Due::In(_)
        ));
        pace.answered(opened + Duration::from_secs(100));

        assert!(matches!(
            pace.due(opened + Duration::from_secs(159), &limits()),
            Due::In(_)
        ));
        assert_eq!(
            pace.due(opened + Duration::from_secs(160), &limits()),
            Due::Idle
        );
    }

    #[test]
    fn an_answer_that_is_not_taken_ends_a_connection_however_busy() {
        let opened = Instant::now();
        let pace = pace(opened);
        pace.call();
        pace.made();

        assert_eq!(pace.due(opened, &limits()), Due::In(ANSWER_TIME));
        let turned = opened + ANSWER_TIME;
        assert_eq!(pace.due(turned, &limits()), Due::In(ANSWER_TIME));
        // A younger answer that is taken changes nothing for the older one.
        let younger = pace.made();
        pace.taken(younger);
        assert_eq!(pace.due(turned + ANSWER_TIME, &limits()), Due::NotTaken);
    }

    #[test]
    fn an_answer_that_is_taken_in_time_leaves_its_connection_alone() {
        let opened = Instant::now();
        let pace = pace(opened);
        pace.call();
        for turn in 1..=4 {
            let made = pace.made();
            let later = opened + ANSWER_TIME * turn;
            assert_eq!(pace.due(later, &limits()), Due::In(ANSWER_TIME));
            pace.taken(made);
        }
    }
}
