//! How often an upstream is called at most: a token bucket that is one word (GCRA).
//!
//! The word is the time at which the bucket would be full again. No clock, no lock: all workers share it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// At most this many attempts in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Attempts.
    pub attempts: NonZeroU32,
    /// In which they may be made.
    pub period: Duration,
}

impl Rate {
    /// The part of a period's attempts that may be made at once: a tenth, so that no period sees more
    /// than a tenth above its number.
    const BURST_PART: u32 = 10;

    /// Nanoseconds between two attempts.
    fn interval(self) -> u64 {
        let ns = self.period.as_nanos() / u128::from(self.attempts.get());
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// How much earlier than at even intervals an attempt may be made.
    fn tolerance(self) -> u64 {
        let burst = u64::from((self.attempts.get() / Self::BURST_PART).max(1));
        self.interval().saturating_mul(burst - 1)
    }
}

/// The bucket of a [`Rate`]; times are counted from a moment that its owner knows.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

impl Bucket {
    /// When there is a token: in the past where there is one.
    pub(super) fn due(&self, rate: Rate) -> Duration {
        let full_at = self.0.load(Ordering::Relaxed);
        Duration::from_nanos(full_at.saturating_sub(rate.tolerance()))
    }

    /// Takes a token at `now`, or says when there will be one.
    pub(super) fn take(&self, rate: Rate, now: Duration) -> Result<(), Duration> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let (interval, tolerance) = (rate.interval(), rate.tolerance());
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                let due = full_at.saturating_sub(tolerance);
                (due <= now).then(|| full_at.max(now).saturating_add(interval))
            })
            .map(drop)
            .map_err(|full_at| Duration::from_nanos(full_at.saturating_sub(tolerance)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(attempts: u32) -> Rate {
        Rate {
            attempts: NonZeroU32::new(attempts).unwrap(),
            period: Duration::from_secs(1),
        }
    }

    #[test]
    fn a_slow_rate_is_evenly_spaced() {
        let (bucket, rate) = (Bucket::default(), rate(5));
        let start = Duration::from_secs(7);

        assert_eq!(bucket.take(rate, start), Ok(()));
        let next = start + Duration::from_millis(200);
        assert_eq!(bucket.take(rate, start), Err(next));
        assert_eq!(bucket.take(rate, next - Duration::from_nanos(1)), Err(next));
        assert_eq!(bucket.take(rate, next), Ok(()));
    }

    #[test]
    fn a_tenth_may_go_at_once_and_no_second_sees_more_than_a_tenth_too_many() {
        let (bucket, rate) = (Bucket::default(), rate(100));
        let took = |from: u64, to: u64| {
            (from..to)
                .filter(|ms| bucket.take(rate, Duration::from_millis(*ms)).is_ok())
                .count()
        };
        let at_once = (0..100)
            .filter(|_| bucket.take(rate, Duration::from_secs(1)).is_ok())
            .count();
        assert_eq!(at_once, 10);

        let first = took(1_000, 2_000);

        assert!((90..=100).contains(&first), "{first}");
        assert_eq!(took(2_000, 3_000), 100);
    }

    #[test]
    fn time_that_passed_unused_is_not_saved_up() {
        let (bucket, rate) = (Bucket::default(), rate(1));
        assert_eq!(bucket.take(rate, Duration::from_secs(1)), Ok(()));
        assert_eq!(bucket.take(rate, Duration::from_secs(100)), Ok(()));
        assert_eq!(
            bucket.take(rate, Duration::from_secs(100)),
            Err(Duration::from_secs(101))
        );
    }
}
