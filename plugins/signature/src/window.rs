//! Is a timestamp near enough to the arrival of the webhook? The edge is inside, and seconds are
//! compared with seconds, as the providers' own libraries do.

use std::fmt;

use crate::scheme::{Direction, Timestamp, Unit};

/// Why a timestamp is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Something else than digits, or a number beyond all calendars.
    NotDigits,
    /// Older than the tolerance, by its age in seconds.
    Stale(u64),
    /// Further ahead than the tolerance, by its distance in seconds.
    Future(u64),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDigits => f.write_str("the timestamp is not a number of digits"),
            Self::Stale(age) => write!(f, "the timestamp is {age} s old"),
            Self::Future(distance) => write!(f, "the timestamp is {distance} s in the future"),
        }
    }
}

/// Compares the timestamp as received with the arrival in milliseconds since the Unix epoch.
///
/// # Errors
/// When it is no number or out of tolerance.
pub fn admit(text: &str, rule: &Timestamp<'_>, received_at_ms: u64) -> Result<(), Refusal> {
    // `parse` alone would take a `+`.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::NotDigits);
    }
    let signed_at: u64 = text.parse().map_err(|_| Refusal::NotDigits)?;
    let (now, per_second) = match rule.unit {
        Unit::Seconds => (received_at_ms / 1000, 1),
        Unit::Milliseconds => (received_at_ms, 1000),
    };
    let tolerance = rule.tolerance_s.saturating_mul(per_second);
    if now.saturating_sub(signed_at) > tolerance {
        return Err(Refusal::Stale((now - signed_at) / per_second));
    }
    if rule.direction == Direction::Both && signed_at.saturating_sub(now) > tolerance {
        return Err(Refusal::Future((signed_at - now) / per_second));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Direction, Refusal, Timestamp, Unit, admit};
    use crate::scheme::Source;

    const NOW_MS: u64 = 1_700_000_000_999;

    fn rule(unit: Unit, direction: Direction) -> Timestamp<'static> {
        let source = Source {
            header: "t",
            separator: None,
            prefix: "",
        };
        Timestamp {
            source,
            unit,
            tolerance_s: 300,
            direction,
        }
    }

    fn at(offset_s: i64) -> String {
        1_700_000_000_u64
            .checked_add_signed(offset_s)
            .unwrap()
            .to_string()
    }

    #[test]
    fn the_edge_is_inside_and_one_second_more_is_not() {
        let both = rule(Unit::Seconds, Direction::Both);
        assert_eq!(admit(&at(-300), &both, NOW_MS), Ok(()));
        assert_eq!(admit(&at(-301), &both, NOW_MS), Err(Refusal::Stale(301)));
        assert_eq!(admit(&at(300), &both, NOW_MS), Ok(()));
        assert_eq!(admit(&at(301), &both, NOW_MS), Err(Refusal::Future(301)));
    }

    #[test]
    fn a_scheme_that_checks_the_past_lets_the_future_pass() {
        let past = rule(Unit::Seconds, Direction::Past);
        assert_eq!(admit(&at(100_000), &past, NOW_MS), Ok(()));
        assert_eq!(admit(&at(-301), &past, NOW_MS), Err(Refusal::Stale(301)));
    }

    #[test]
    fn milliseconds_are_compared_with_milliseconds() {
        let both = rule(Unit::Milliseconds, Direction::Both);
        assert_eq!(admit("1699999700999", &both, NOW_MS), Ok(()));
        assert_eq!(
            admit("1699999700998", &both, NOW_MS),
            Err(Refusal::Stale(300))
        );
        assert_eq!(admit("1700000300999", &both, NOW_MS), Ok(()));
        assert_eq!(
            admit("1700000301000", &both, NOW_MS),
            Err(Refusal::Future(300))
        );
    }

    #[test]
    fn seconds_where_milliseconds_are_meant_are_stale() {
        let milliseconds = rule(Unit::Milliseconds, Direction::Both);
        assert!(matches!(
            admit(&at(0), &milliseconds, NOW_MS),
            Err(Refusal::Stale(_))
        ));
        let seconds = rule(Unit::Seconds, Direction::Both);
        assert!(matches!(
            admit("1700000000999", &seconds, NOW_MS),
            Err(Refusal::Future(_))
        ));
    }

    #[test]
    fn only_digits_are_a_timestamp() {
        let both = rule(Unit::Seconds, Direction::Past);
        for text in [
            "",
            "-1",
            "+1700000000",
            " 1700000000",
            "1700000000.0",
            "Infinity",
            "NaN",
            "hello",
            "0x65500000",
            "1_700_000_000",
            "99999999999999999999999",
            "١٧",
            "1e9",
        ] {
            assert_eq!(
                admit(text, &both, NOW_MS),
                Err(Refusal::NotDigits),
                "{text:?}"
            );
        }
    }
}
