//! When a failed delivery is tried again, and when it is given up: arithmetic without clock or dice.
//!
//! Whoever asks brings the time that has passed and a number between 0 and 1, so a simulation can ask
//! a million times and a test can ask twice and get the same answer.

use std::num::NonZeroU32;
use std::time::{Duration, SystemTime};

use http::{HeaderValue, StatusCode};

use super::wait::Wait;

/// Statuses by which an upstream says that this delivery will never be taken.
///
/// 401 and 403 are here although an operator can cure them: hammering an upstream that refuses our
/// credentials cures nothing, and the dead letter is kept. 408, 409, 421, 425 and 429 are not: they speak of the
/// moment, not of the delivery.
const FINAL_STATUSES: [u16; 14] = [
    400, 401, 403, 404, 405, 406, 410, 411, 413, 414, 415, 422, 431, 451,
];

/// What jitter adds to a delay that somebody named (a step of a schedule, a `Retry-After`): up to a
/// tenth, so that deliveries which failed together do not come back together.
const SPREAD: f64 = 0.1;

/// How the delay between attempts grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// Full jitter: anything from zero to `base` doubled for each failure, at most `cap`.
    Exponential {
        /// The widest delay after the first failure.
        base: Duration,
        /// The widest delay ever.
        cap: Duration,
    },
    /// These delays, one after each failure; the last one repeats.
    Steps(Vec<Duration>),
}

/// A set of HTTP statuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusSet(Box<[u16]>);

impl StatusSet {
    /// Whether `status` is one of them.
    #[must_use]
    pub fn contains(&self, status: StatusCode) -> bool {
        self.0.contains(&status.as_u16())
    }

    /// All of them, in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.0.iter().copied()
    }
}

impl FromIterator<u16> for StatusSet {
    fn from_iter<I: IntoIterator<Item = u16>>(statuses: I) -> Self {
        Self(statuses.into_iter().collect())
    }
}

/// What becomes of a delivery after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another attempt after this long, and what names the time.
    RetryIn(Duration, Wait),
    /// No more attempts.
    GiveUp,
}

/// How stubborn a route is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The delays between attempts.
    pub schedule: Schedule,
    /// Attempts in all, the first one included; default 30.
    pub attempts_max: NonZeroU32,
    /// From arrival; what is still undelivered then is given up. Default 24 h.
    pub horizon: Duration,
    /// The longest `Retry-After` that is believed; default 1 h.
    pub retry_after_cap: Duration,
    /// After these no further attempt is made; 410 belongs to them whether listed or not.
    pub final_statuses: StatusSet,
}

impl Default for Policy {
    fn default() -> Self {
        const ATTEMPTS_MAX: NonZeroU32 = NonZeroU32::new(30).unwrap();
        Self {
            // Half a second fits several times into the ten seconds that most senders wait; ten
            // minutes is what a restarted upstream keeps its backlog waiting at worst.
            schedule: Schedule::Exponential {
                base: Duration::from_millis(500),
                cap: Duration::from_mins(10),
            },
            attempts_max: ATTEMPTS_MAX,
            horizon: Duration::from_hours(24),
            retry_after_cap: Duration::from_hours(1),
            final_statuses: FINAL_STATUSES.into_iter().collect(),
        }
    }
}

impl Policy {
    /// Whether the upstream's `status` ends the delivery.
    #[must_use]
    pub fn is_final(&self, status: StatusCode) -> bool {
        status == StatusCode::GONE || self.final_statuses.contains(status)
    }

    /// Decides after attempt number `attempt` failed with something that is not final.
    ///
    /// `retry_after` is what the upstream asked for; it can only make the delay longer. `dice` is
    /// uniform in `0.0..1.0`; anything else is taken as the nearer end.
    #[must_use]
    pub fn after_failure(
        &self,
        attempt: NonZeroU32,
        since_arrival: Duration,
        retry_after: Option<Duration>,
        dice: f64,
    ) -> Next {
        if attempt >= self.attempts_max {
            return Next::GiveUp;
        }
        let dice = if dice.is_nan() {
            0.0
        } else {
            dice.clamp(0.0, 1.0)
        };
        let own = self.schedule.delay(attempt, dice);
        // Capped last: whoever reads the cap in the configuration waits no longer.
        let asked = retry_after.map(|asked| spread(asked, dice).min(self.retry_after_cap));
        let (delay, wait) = match asked {
            Some(asked) if asked > own => (asked, Wait::RetryAfter),
            _ => (own, Wait::Schedule),
        };
        if since_arrival.saturating_add(delay) > self.horizon {
            return Next::GiveUp;
        }
        Next::RetryIn(delay, wait)
    }
}

impl Schedule {
    fn delay(&self, attempt: NonZeroU32, dice: f64) -> Duration {
        match self {
            Self::Exponential { base, cap } => {
                // Beyond 2^31 any base above zero has long met its cap.
                let doublings = (attempt.get() - 1).min(31);
                base.saturating_mul(1 << doublings).min(*cap).mul_f64(dice)
            }
            Self::Steps(steps) => {
                let index = usize::try_from(attempt.get() - 1).unwrap_or(usize::MAX);
                let step = steps
                    .get(index)
                    .or(steps.last())
                    .copied()
                    .unwrap_or_default();
                spread(step, dice)
            }
        }
    }
}

fn spread(delay: Duration, dice: f64) -> Duration {
    delay.saturating_add(delay.mul_f64(SPREAD * dice))
}

/// Reads a `Retry-After` field: seconds or an HTTP date (RFC 9110 section 10.2.3).
///
/// `now` is the wall clock; a date in the past is zero. Whatever cannot be read counts as absent, so
/// that garbage neither hurries nor stalls anything.
#[must_use]
pub fn retry_after(value: &HeaderValue, now: SystemTime) -> Option<Duration> {
    /// 100 years: nobody means more, and sums with it do not overflow.
    const SECONDS_MAX: u64 = 100 * 366 * 24 * 60 * 60;
    let text = value.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are still "very long", not garbage: the policy's cap decides.
        let seconds = text.parse::<u64>().unwrap_or(SECONDS_MAX).min(SECONDS_MAX);
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(
        date.duration_since(now)
            .unwrap_or_default()
            .min(Duration::from_secs(SECONDS_MAX)),
    )
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn nth(attempt: u32) -> NonZeroU32 {
        NonZeroU32::new(attempt).unwrap()
    }

    fn policy() -> Policy {
        Policy {
            schedule: Schedule::Exponential {
                base: SECOND,
                cap: 60 * SECOND,
            },
            attempts_max: nth(5),
            horizon: 3600 * SECOND,
            retry_after_cap: 120 * SECOND,
            ..Policy::default()
        }
    }

    #[test]
    fn the_widest_delay_doubles_up_to_its_cap() {
        let policy = Policy {
            attempts_max: nth(u32::MAX),
            ..policy()
        };
        for (attempt, widest) in [
            (1, 1),
            (2, 2),
            (3, 4),
            (6, 32),
            (7, 60),
            (4_000_000_000, 60),
        ] {
            assert_eq!(
                policy.after_failure(nth(attempt), Duration::ZERO, None, 1.0),
                Next::RetryIn(widest * SECOND, Wait::Schedule),
                "attempt {attempt}"
            );
        }
    }

    #[test]
    fn jitter_is_full_and_broken_dice_do_no_harm() {
        for (dice, expected) in [
            (0.0, Duration::ZERO),
            (0.5, 2 * SECOND),
            (1.0, 4 * SECOND),
            (7.0, 4 * SECOND),
            (-1.0, Duration::ZERO),
            (f64::NAN, Duration::ZERO),
        ] {
            assert_eq!(
                policy().after_failure(nth(3), Duration::ZERO, None, dice),
                Next::RetryIn(expected, Wait::Schedule),
                "dice {dice}"
            );
        }
    }

    #[test]
    fn the_last_attempt_is_the_last() {
        assert_ne!(
            policy().after_failure(nth(4), SECOND, None, 0.5),
            Next::GiveUp
        );
        assert_eq!(
            policy().after_failure(nth(5), SECOND, None, 0.5),
            Next::GiveUp
        );
    }

    #[test]
    fn nothing_is_tried_beyond_the_horizon() {
        let almost = 3600 * SECOND - SECOND;
        assert_eq!(
            policy().after_failure(nth(1), almost, None, 1.0),
            Next::RetryIn(SECOND, Wait::Schedule)
        );
        let later = almost + Duration::from_nanos(1);
        assert_eq!(
            policy().after_failure(nth(1), later, None, 1.0),
            Next::GiveUp
        );
    }

    #[test]
    fn retry_after_makes_the_delay_longer_but_never_beyond_its_cap() {
        for (asked, dice, expected, wait) in [
            (Some(30 * SECOND), 0.0, 30 * SECOND, Wait::RetryAfter),
            (Some(30 * SECOND), 1.0, 33 * SECOND, Wait::RetryAfter),
            (Some(Duration::ZERO), 1.0, SECOND, Wait::Schedule),
            (Some(115 * SECOND), 1.0, 120 * SECOND, Wait::RetryAfter),
            (
                Some(99_999_999 * SECOND),
                0.0,
                120 * SECOND,
                Wait::RetryAfter,
            ),
            (
                Some(99_999_999 * SECOND),
                1.0,
                120 * SECOND,
                Wait::RetryAfter,
            ),
            (None, 1.0, SECOND, Wait::Schedule),
        ] {
            assert_eq!(
                policy().after_failure(nth(1), Duration::ZERO, asked, dice),
                Next::RetryIn(expected, wait),
                "{asked:?}"
            );
        }
    }

    #[test]
    fn steps_are_taken_in_order_and_the_last_repeats() {
        let policy = Policy {
            schedule: Schedule::Steps(vec![SECOND, 10 * SECOND]),
            ..policy()
        };
        for (attempt, expected) in [(1, 1), (2, 10), (3, 10), (4, 10)] {
            assert_eq!(
                policy.after_failure(nth(attempt), Duration::ZERO, None, 0.0),
                Next::RetryIn(expected * SECOND, Wait::Schedule)
            );
        }
        let empty = Policy {
            schedule: Schedule::Steps(Vec::new()),
            ..policy
        };
        assert_eq!(
            empty.after_failure(nth(1), Duration::ZERO, None, 1.0),
            Next::RetryIn(Duration::ZERO, Wait::Schedule)
        );
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_garbage_is_absent() {
        let now = UNIX_EPOCH + Duration::from_secs(784_111_777 - 30);
        for (text, expected) in [
            ("120", Some(120 * SECOND)),
            (" 7 ", Some(7 * SECOND)),
            ("0", Some(Duration::ZERO)),
            (
                "99999999999999999999999",
                Some(Duration::from_secs(3_162_240_000)),
            ),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30 * SECOND)),
            ("Sun, 06 Nov 1988 08:49:37 GMT", Some(Duration::ZERO)),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let value = HeaderValue::from_str(text).unwrap();
            assert_eq!(retry_after(&value, now), expected, "{text:?}");
        }
    }

    #[test]
    fn statuses_about_the_delivery_are_final_and_those_about_the_moment_are_not() {
        let policy = Policy::default();
        for status in [400, 401, 403, 404, 405, 410, 413, 415, 422] {
            assert!(
                policy.is_final(StatusCode::from_u16(status).unwrap()),
                "{status}"
            );
        }
        for status in [301, 302, 308, 408, 409, 425, 429, 500, 502, 503, 504] {
            assert!(
                !policy.is_final(StatusCode::from_u16(status).unwrap()),
                "{status}"
            );
        }
        let none = Policy {
            final_statuses: StatusSet::from_iter([]),
            ..policy
        };
        assert!(none.is_final(StatusCode::GONE));
        assert!(!none.is_final(StatusCode::NOT_FOUND));
    }
}
