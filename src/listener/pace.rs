//! How a connection gets on: whether it is idle, in the middle of a head, being answered, or not taking
//! its answers.
//!
//! One timer a connection, armed again only when it fires, in place of hyper's timer a head: what is
//! decided here is when that timer must look again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;
use super::answer::Ledger;

/// An answer has this long to be taken, and twice as long at most: time for a megabyte over a slow
/// mobile link.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Nothing, and the next call may take its time.
const NOTHING: u32 = 0;
/// The beginning of a head.
const HEAD: u32 = 1;
/// Not a byte ever: such a connection has the time of a head, not of a pause.
const SILENCE: u32 = 2;
/// Bytes that came since hyper last found its buffer empty: of this call's body or of the next head.
const REST: u32 = 3;

/// Shared by the connection's stream (which sees bytes) and its service (which sees calls).
#[derive(Debug)]
pub(super) struct Pace {
    opened: Instant,
    /// Calls being answered.
    busy: AtomicU32,
    /// What has come since the last call was answered: [`NOTHING`], [`HEAD`] or [`SILENCE`]; during a
    /// call, what is left of it: [`NOTHING`] or [`REST`].
    coming: AtomicU32,
    /// When the present state began, in ms since `opened`.
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
    /// A head has taken too long.
    HeadTooSlow,
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
            coming: AtomicU32::new(SILENCE),
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

    /// hyper asks for bytes. During a call it does so only when its buffer is empty: that is how we
    /// learn that nothing of a next head is in it.
    pub(super) fn asked(&self) {
        if self.is_busy() {
            self.coming.store(NOTHING, Ordering::Relaxed);
        }
    }

    /// Bytes arrived.
    pub(super) fn read(&self, now: impl FnOnce() -> Instant) {
        if self.is_busy() {
            self.coming.store(REST, Ordering::Relaxed);
            return;
        }
        match self.coming.load(Ordering::Relaxed) {
            HEAD => {}
            SILENCE => self.coming.store(HEAD, Ordering::Relaxed),
            _ => {
                self.coming.store(HEAD, Ordering::Relaxed);
                self.stamp(now());
            }
        }
    }

    /// A head is complete, and its call is being answered.
    pub(super) fn call(&self) {
        self.busy.fetch_add(1, Ordering::Relaxed);
        // What came with the head may be more than the head; HTTP/2 does not tell of bytes.
        let left = match self.coming.load(Ordering::Relaxed) {
            HEAD | REST => REST,
            _ => NOTHING,
        };
        self.coming.store(left, Ordering::Relaxed);
    }

    /// A call has its answer; what is left of its bytes begins the next head.
    pub(super) fn answered(&self, now: Instant) {
        self.stamp(now);
        if self.coming.load(Ordering::Relaxed) == REST {
            self.coming.store(HEAD, Ordering::Relaxed);
        }
        self.busy.fetch_sub(1, Ordering::Relaxed);
    }

    /// An answer with a body was made; it is not taken yet.
    pub(super) fn made(&self) -> Turn {
        let turn = Turn::of(self.turn.load(Ordering::Relaxed));
        self.untaken_of(turn).fetch_add(1, Ordering::Relaxed);
        turn
    }

    /// An answer of this turn was taken, or nobody is left to take it.
    pub(super) fn taken(&self, turn: Turn, now: impl FnOnce() -> Instant) {
        self.untaken_of(turn).fetch_sub(1, Ordering::Relaxed);
        // HTTP/1 goes on with the next head only now.
        if self.is_in_head() {
            self.stamp(now());
        }
    }

    /// Whether a call is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Relaxed) > 0
    }

    /// Whether a call is on its way: part of its head is here.
    pub(super) fn is_in_head(&self) -> bool {
        self.coming.load(Ordering::Relaxed) == HEAD
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
        if self.is_in_head() && self.is_untaken() {
            // The head is read when the answer before it is out; a 408 now would land in its middle.
            return Due::In(first_look(limits));
        }
        let since = Duration::from_millis(self.since_ms.load(Ordering::Relaxed));
        let passed = now
            .saturating_duration_since(self.opened)
            .saturating_sub(since);
        let (limit, due) = match self.coming.load(Ordering::Relaxed) {
            NOTHING => (limits.idle_time, Due::Idle),
            _ => (limits.header_time, Due::HeadTooSlow),
        };
        match limit.checked_sub(passed) {
            None | Some(Duration::ZERO) => due,
            // Whatever the state becomes meanwhile, its own limit is kept, a head's at twice at most.
            Some(left) => Due::In(left.min(first_look(limits))),
        }
    }

    fn is_untaken(&self) -> bool {
        let is_any = |count: &AtomicU32| count.load(Ordering::Relaxed) > 0;
        self.untaken.iter().any(is_any)
    }

    fn untaken_of(&self, turn: Turn) -> &AtomicU32 {
        let [even, odd] = &self.untaken;
        match turn {
            Turn::Even => even,
            Turn::Odd => odd,
        }
    }

    fn stamp(&self, now: Instant) {
        self.since_ms.store(self.ms(now), Ordering::Relaxed);
    }

    fn ms(&self, now: Instant) -> u64 {
        let ms = now.saturating_duration_since(self.opened).as_millis();
        u64::try_from(ms).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_TIME, Due, Pace, first_look};
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
    fn a_connection_that_says_nothing_has_the_time_of_a_head() {
        let opened = Instant::now();
        let pace = pace(opened);

        let almost = opened + Duration::from_millis(9_999);
        assert_eq!(
            pace.due(almost, &limits()),
            Due::In(Duration::from_millis(1))
        );
        assert_eq!(
            pace.due(opened + Duration::from_secs(10), &limits()),
            Due::HeadTooSlow
        );
    }

    #[test]
    fn bytes_that_trickle_do_not_prolong_a_head() {
        let opened = Instant::now();
        let pace = pace(opened);
        pace.call();
        pace.answered(opened + Duration::from_secs(1));

        pace.read(|| opened + Duration::from_secs(5));
        pace.read(|| opened + Duration::from_secs(14));

        assert_eq!(
            pace.due(opened + Duration::from_secs(15), &limits()),
            Due::HeadTooSlow
        );
    }

    #[test]
    fn a_head_begins_with_its_first_byte_and_ends_with_the_call() {
        let opened = Instant::now();
        let pace = pace(opened);
        assert!(!pace.is_in_head());

        pace.read(|| opened);
        assert!(pace.is_in_head());
        pace.call();
        assert!(!pace.is_in_head());
        pace.answered(opened);
        pace.read(|| opened);
        assert!(pace.is_in_head());
    }

    #[test]
    fn an_idle_time_shorter_than_that_of_a_head_is_kept() {
        let short = Limits {
            idle_time: Duration::from_secs(1),
            ..limits()
        };
        let opened = Instant::now();
        let pace = pace(opened);

        assert_eq!(first_look(&short), Duration::from_secs(1));
        assert_eq!(
            pace.due(opened + Duration::from_secs(1), &short),
            Due::In(Duration::from_secs(1))
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
    fn a_head_that_came_with_the_call_before_it_has_the_time_of_a_head() {
        let opened = Instant::now();
        let answered = opened + Duration::from_secs(1);
        for came_in_the_call in [false, true] {
            let pace = pace(opened);
            pace.read(|| opened);
            pace.call();
            if came_in_the_call {
                pace.asked();
                pace.read(|| opened);
            }
            pace.answered(answered);

            let almost = answered + Duration::from_millis(9_999);
            assert!(matches!(pace.due(almost, &limits()), Due::In(_)));
            assert_eq!(
                pace.due(answered + Duration::from_secs(10), &limits()),
                Due::HeadTooSlow
            );
        }
    }

    #[test]
    fn a_call_that_leaves_nothing_behind_has_the_idle_time() {
        let opened = Instant::now();
        let pace = pace(opened);
        pace.read(|| opened);
        pace.call();
        pace.asked();
        pace.read(|| opened);
        pace.asked();
        pace.answered(opened);

        let head_time = opened + Duration::from_secs(10);
        assert!(matches!(pace.due(head_time, &limits()), Due::In(_)));
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
        pace.taken(younger, || turned);
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
            pace.taken(made, || later);
        }
    }

    #[test]
    fn a_head_behind_an_answer_has_its_time_from_when_the_answer_is_taken() {
        let opened = Instant::now();
        let pace = pace(opened);
        pace.read(|| opened);
        pace.call();
        let made = pace.made();
        pace.answered(opened);

        let taken = opened + Duration::from_secs(20);
        assert!(matches!(pace.due(taken, &limits()), Due::In(_)));
        pace.taken(made, || taken);
        let almost = taken + Duration::from_millis(9_999);
        assert!(matches!(pace.due(almost, &limits()), Due::In(_)));
        assert_eq!(
            pace.due(taken + Duration::from_secs(10), &limits()),
            Due::HeadTooSlow
        );
    }
}
