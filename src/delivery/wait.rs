//! What a delivery that waits is waiting for, as operators are told.

use std::time::Duration;

/// What a delivery that waits is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Wait {
    /// Its time, by its route's schedule.
    #[default]
    Schedule,
    /// Its time, which its upstream has named with `Retry-After`.
    RetryAfter,
    /// Its upstream is left alone: the breaker is open.
    Breaker,
    /// What a probe of its upstream finds: the breaker is half-open.
    Probe,
    /// Its upstream's rate.
    Rate,
    /// A place at its upstream: as many attempts are under way as may be.
    Places,
    /// Another one with the same ordering key, which came before it.
    Order,
    /// Nothing but its turn among those that are due.
    Turn,
}

impl Wait {
    const ALL: [Self; 8] = [
        Self::Schedule,
        Self::RetryAfter,
        Self::Breaker,
        Self::Probe,
        Self::Rate,
        Self::Places,
        Self::Order,
        Self::Turn,
    ];

    /// The word in the admin's answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::RetryAfter => "retry-after",
            Self::Breaker => "breaker",
            Self::Probe => "probe",
            Self::Rate => "rate",
            Self::Places => "places",
            Self::Order => "order",
            Self::Turn => "turn",
        }
    }

    /// As a spool keeps it.
    pub(super) fn to_byte(self) -> u8 {
        self as u8
    }

    /// Whatever is not known is the schedule's.
    pub(super) fn from_byte(byte: u8) -> Self {
        Self::ALL
            .get(usize::from(byte))
            .copied()
            .unwrap_or_default()
    }
}

/// Why an attempt failed whose upstream named a time, and how much of that time is obeyed.
pub(super) fn asked(reason: &str, retry_after: Duration, cap: Duration) -> String {
    let (asked, cap_s) = (retry_after.as_secs(), cap.as_secs_f64());
    match retry_after > cap {
        true => format!("{reason} with Retry-After of {asked} s, capped at {cap_s} s"),
        false => format!("{reason} with Retry-After of {asked} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_waited_for_survives_its_byte() {
        for wait in Wait::ALL {
            assert_eq!(Wait::from_byte(wait.to_byte()), wait);
        }
        assert_eq!(Wait::from_byte(u8::MAX), Wait::Schedule);
    }

    #[test]
    fn an_upstreams_wish_is_told_with_its_cap_where_that_cuts_it() {
        let told = |asked_s| {
            asked(
                "answered 429",
                Duration::from_secs(asked_s),
                Duration::from_secs(60),
            )
        };
        assert_eq!(told(60), "answered 429 with Retry-After of 60 s");
        assert_eq!(
            told(61),
            "answered 429 with Retry-After of 61 s, capped at 60 s"
        );
    }
}
