//! Whether an upstream that failed again and again is left alone: a circuit breaker in one word.
//!
//! Closed, it counts failures in a row. Open, it lets nobody through until its time is over, and then
//! a few probes: the first that succeeds closes it, the first that fails opens it anew. It has no clock
//! and no lock, so all workers share one, and looking at a closed one costs a load.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// When an upstream is left alone, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerSettings {
    /// Failures in a row that open it; default 10. One delivery that its upstream cannot digest does
    /// not get there within its sender's patience.
    pub failures: NonZeroU32,
    /// How long nobody goes there then; default 2 s, a fifth of what most senders wait.
    pub open: Duration,
    /// Attempts that may try it at once afterwards; default 1, at most 32,767 count.
    pub probes: NonZeroU32,
}

impl Default for BreakerSettings {
    fn default() -> Self {
        const FAILURES: NonZeroU32 = NonZeroU32::new(10).unwrap();
        Self {
            failures: FAILURES,
            open: Duration::from_secs(2),
            probes: NonZeroU32::MIN,
        }
    }
}

/// What operators see of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// Deliveries go through.
    Closed,
    /// Deliveries wait.
    Open,
    /// Probes may go, the other deliveries wait for what they find.
    HalfOpen,
}

impl BreakerState {
    /// The word in the admin's answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    Go(Errand),
    /// Not before this time.
    NotBefore(Duration),
    /// Not before a probe has come back.
    AwaitProbe,
}

/// What an attempt is to the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    Usual,
    Probe,
}

/// What an attempt says about its upstream, whatever it says about its delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It answered like one that is well, be it with a refusal.
    Well,
    Ill,
    /// Nobody knows: the attempt was given up.
    Unknown,
}

/// What a sign changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Opened { failures: u32 },
    Reopened,
    Closed,
}

/// A breaker; times are counted from a moment that its owner knows.
#[derive(Debug, Default)]
pub(super) struct Breaker(AtomicU64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Failures in a row.
    Closed(u32),
    Open {
        /// In milliseconds.
        until: u64,
        /// Probes on their way.
        probes: u32,
    },
}

const OPEN: u64 = 1 << 63;
/// 4,000 years.
const UNTIL_BITS: u32 = 47;
const UNTIL_MASK: u64 = (1 << UNTIL_BITS) - 1;
const PROBES_MAX: u32 = 0x7fff;

impl State {
    fn pack(self) -> u64 {
        match self {
            Self::Closed(failures) => u64::from(failures),
            Self::Open { until, probes } => {
                let probes = u64::from(probes.min(PROBES_MAX));
                OPEN | probes << UNTIL_BITS | until.min(UNTIL_MASK)
            }
        }
    }

    fn unpack(word: u64) -> Self {
        let part = |bits: u64| u32::try_from(bits).unwrap_or(u32::MAX);
        if word & OPEN == 0 {
            return Self::Closed(part(word));
        }
        Self::Open {
            until: word & UNTIL_MASK,
            probes: part((word & !OPEN) >> UNTIL_BITS),
        }
    }
}

impl Breaker {
    /// Whether it is closed and remembers no failure: then there is nothing to ask and nothing to tell.
    pub(super) fn is_calm(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) & OPEN == 0
    }

    /// Asks for leave at `now`; a probe must be told off with [`Self::tell`].
    pub(super) fn ask(&self, settings: &BreakerSettings, now: Duration) -> Leave {
        let mut leave = Leave::Go(Errand::Usual);
        // The closure runs again when another worker was faster.
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let next;
                (leave, next) = match State::unpack(word) {
                    State::Closed(_) => (Leave::Go(Errand::Usual), None),
                    State::Open { until, .. } if ms(now) < until => {
                        (Leave::NotBefore(Duration::from_millis(until)), None)
                    }
                    State::Open { until, probes } => {
                        if probes < settings.probes.get().min(PROBES_MAX) {
                            let probes = probes + 1;
                            (
                                Leave::Go(Errand::Probe),
                                Some(State::Open { until, probes }),
                            )
                        } else {
                            (Leave::AwaitProbe, None)
                        }
                    }
                };
                next.map(State::pack)
            });
        leave
    }

    /// Takes in what an attempt found at `now`.
    pub(super) fn tell(
        &self,
        settings: &BreakerSettings,
        errand: Errand,
        sign: Sign,
        now: Duration,
    ) -> Option<Turn> {
        let mut turn = None;
        let until = ms(now.saturating_add(settings.open));
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |word| {
                let next;
                (turn, next) = match (State::unpack(word), sign) {
                    (State::Closed(_), Sign::Unknown) | (State::Closed(0), Sign::Well) => {
                        (None, None)
                    }
                    (State::Closed(_), Sign::Well) => (None, Some(State::Closed(0))),
                    (State::Closed(failures), Sign::Ill) => {
                        let failures = failures.saturating_add(1);
                        if failures < settings.failures.get() {
                            (None, Some(State::Closed(failures)))
                        } else {
                            let opened = State::Open { until, probes: 0 };
                            (Some(Turn::Opened { failures }), Some(opened))
                        }
                    }
                    // Begun before it opened: what it found is old.
                    (State::Open { .. }, _) if errand == Errand::Usual => (None, None),
                    (State::Open { .. }, Sign::Well) => {
                        (Some(Turn::Closed), Some(State::Closed(0)))
                    }
                    (State::Open { probes, .. }, Sign::Ill) => {
                        let probes = probes.saturating_sub(1);
                        (Some(Turn::Reopened), Some(State::Open { until, probes }))
                    }
                    (State::Open { until, probes }, Sign::Unknown) => {
                        let probes = probes.saturating_sub(1);
                        (None, Some(State::Open { until, probes }))
                    }
                };
                next.map(State::pack)
            });
        turn
    }

    /// Until when nobody may go, if that is after `now`.
    pub(super) fn open_until(&self, now: Duration) -> Option<Duration> {
        match State::unpack(self.0.load(Ordering::Acquire)) {
            State::Open { until, .. } if ms(now) < until => Some(Duration::from_millis(until)),
            _ => None,
        }
    }

    /// What operators see at `now`.
    pub(super) fn state(&self, now: Duration) -> BreakerState {
        match self.open_until(now) {
            Some(_) => BreakerState::Open,
            None if self.is_closed() => BreakerState::Closed,
            None => BreakerState::HalfOpen,
        }
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis())
        .unwrap_or(u64::MAX)
        .min(UNTIL_MASK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const USUAL: Leave = Leave::Go(Errand::Usual);
    const PROBE: Leave = Leave::Go(Errand::Probe);

    fn settings(probes: u32) -> BreakerSettings {
        BreakerSettings {
            failures: NonZeroU32::new(3).unwrap(),
            open: 10 * SECOND,
            probes: NonZeroU32::new(probes).unwrap(),
        }
    }

    /// One that opened at zero.
    fn opened(settings: &BreakerSettings) -> Breaker {
        let breaker = Breaker::default();
        for _ in 0..2 {
            assert_eq!(
                breaker.tell(settings, Errand::Usual, Sign::Ill, Duration::ZERO),
                None
            );
        }
        assert_eq!(
            breaker.tell(settings, Errand::Usual, Sign::Ill, Duration::ZERO),
            Some(Turn::Opened { failures: 3 })
        );
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_one_success_starts_the_row_anew() {
        let (settings, breaker) = (settings(1), Breaker::default());
        for sign in [Sign::Ill, Sign::Ill, Sign::Well, Sign::Ill, Sign::Ill] {
            assert_eq!(breaker.tell(&settings, Errand::Usual, sign, SECOND), None);
            assert_eq!(breaker.ask(&settings, SECOND), USUAL);
        }

        let turn = breaker.tell(&settings, Errand::Usual, Sign::Ill, SECOND);

        assert_eq!(turn, Some(Turn::Opened { failures: 3 }));
        assert_eq!(
            breaker.ask(&settings, SECOND),
            Leave::NotBefore(11 * SECOND)
        );
        assert_eq!(breaker.state(SECOND), BreakerState::Open);
    }

    #[test]
    fn what_nobody_knows_is_neither_failure_nor_success() {
        let (settings, breaker) = (settings(1), Breaker::default());
        for sign in [Sign::Ill, Sign::Ill, Sign::Unknown] {
            breaker.tell(&settings, Errand::Usual, sign, SECOND);
        }

        let turn = breaker.tell(&settings, Errand::Usual, Sign::Ill, SECOND);

        assert_eq!(turn, Some(Turn::Opened { failures: 3 }));
    }

    #[test]
    fn after_its_time_only_the_probes_go_and_a_success_closes_it() {
        let settings = settings(2);
        let breaker = opened(&settings);
        let last = 10 * SECOND - Duration::from_millis(1);
        assert_eq!(breaker.ask(&settings, last), Leave::NotBefore(10 * SECOND));

        let asked: Vec<_> = (0..3)
            .map(|_| breaker.ask(&settings, 10 * SECOND))
            .collect();
        assert_eq!(asked, [PROBE, PROBE, Leave::AwaitProbe]);
        assert_eq!(breaker.state(10 * SECOND), BreakerState::HalfOpen);

        let turn = breaker.tell(&settings, Errand::Probe, Sign::Well, 11 * SECOND);
        assert_eq!(turn, Some(Turn::Closed));
        assert_eq!(breaker.ask(&settings, 11 * SECOND), USUAL);
        assert!(breaker.is_calm());
    }

    #[test]
    fn a_probe_that_fails_opens_it_anew_and_one_that_is_given_up_leaves_its_place() {
        let settings = settings(1);
        let breaker = opened(&settings);
        assert_eq!(breaker.ask(&settings, 10 * SECOND), PROBE);
        let turn = breaker.tell(&settings, Errand::Probe, Sign::Unknown, 11 * SECOND);
        assert_eq!(turn, None);

        assert_eq!(breaker.ask(&settings, 12 * SECOND), PROBE);
        let turn = breaker.tell(&settings, Errand::Probe, Sign::Ill, 13 * SECOND);

        assert_eq!(turn, Some(Turn::Reopened));
        assert_eq!(
            breaker.ask(&settings, 14 * SECOND),
            Leave::NotBefore(23 * SECOND)
        );
    }

    #[test]
    fn what_was_under_way_when_it_opened_changes_nothing() {
        let settings = settings(1);
        let breaker = opened(&settings);

        for sign in [Sign::Well, Sign::Ill, Sign::Unknown] {
            let turn = breaker.tell(&settings, Errand::Usual, sign, 5 * SECOND);
            assert_eq!(turn, None, "{sign:?}");
        }

        assert_eq!(
            breaker.ask(&settings, 5 * SECOND),
            Leave::NotBefore(10 * SECOND)
        );
    }

    #[test]
    fn a_state_survives_its_word() {
        for state in [
            State::Closed(0),
            State::Closed(u32::MAX),
            State::Open {
                until: 0,
                probes: 0,
            },
            State::Open {
                until: UNTIL_MASK,
                probes: PROBES_MAX,
            },
        ] {
            assert_eq!(State::unpack(state.pack()), state);
        }
    }
}
