//! How a connection gets on: whether it is idle, in the middle of a head, or being answered.
//!
//! One timer a connection, armed again only when it fires, in place of hyper's timer a head: what is
//! decided here is when that timer must look again.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Limits;

/// Nothing, and the next call may take its time.
const NOTHING: u32 = 0;
/// The beginning of a head.
const HEAD: u32 = 1;
/// Not a byte ever: such a connection has the time of a head, not of a pause.
const SILENCE: u32 = 2;

/// Shared by the connection's stream (which sees bytes) and its service (which sees calls).
#[derive(Debug)]
pub(super) struct Pace {
    opened: Instant,
    /// Calls being answered.
    busy: AtomicU32,
    /// What has come since the last call was answered: [`NOTHING`], [`HEAD`] or [`SILENCE`].
    coming: AtomicU32,
    /// When the present state began, in ms since `opened`.
    since_ms: AtomicU64,
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
}

/// After this long a connection must be looked at for the first time, whatever it will be doing then.
pub(super) fn first_look(limits: &Limits) -> Duration {
    limits.header_time.min(limits.idle_time)
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            opened: now,
            busy: AtomicU32::new(0),
            coming: AtomicU32::new(SILENCE),
            since_ms: AtomicU64::new(0),
        }
    }

    /// Bytes arrived.
    pub(super) fn read(&self, now: impl FnOnce() -> Instant) {
        if self.is_busy() {
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
        self.coming.store(NOTHING, Ordering::Relaxed);
    }

    /// A call has its answer.
    pub(super) fn answered(&self, now: Instant) {
        self.stamp(now);
        self.busy.fetch_sub(1, Ordering::Relaxed);
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
        if self.is_busy() {
            // Calls have deadlines of their own; look again when this one may have become idle.
            return Due::In(limits.idle_time);
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

    fn stamp(&self, now: Instant) {
        let ms = now.saturating_duration_since(self.opened).as_millis();
        self.since_ms
            .store(u64::try_from(ms).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Due, Pace, first_look};
    use crate::listener::Limits;
    use std::time::Duration;
    use tokio::time::Instant;

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
        let pace = Pace::new(opened);

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
        let pace = Pace::new(opened);
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
        let pace = Pace::new(opened);
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
        let pace = Pace::new(opened);

        assert_eq!(first_look(&short), Duration::from_secs(1));
        assert_eq!(
            pace.due(opened + Duration::from_secs(1), &short),
            Due::In(Duration::from_secs(1))
        );
    }

    #[test]
    fn a_connection_between_two_calls_has_the_idle_time() {
        let opened = Instant::now();
        let pace = Pace::new(opened);
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
}
