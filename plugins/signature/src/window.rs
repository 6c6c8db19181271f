//! Is a timestamp near enough to the arrival of the webhook? The edge is inside, and seconds are
//! compared with seconds, as the providers' own libraries do.

use std::fmt;

use crate::scheme::{Direction, Timestamp, Unit};

/// Why a timestamp is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Something else than digits, or a number beyond all calendars.
    NotDigits,
    /// Not a date and time of RFC 3339, or before 1970.
    NotRfc3339,
    /// Older than the tolerance, by its age in seconds.
    Stale(u64),
    /// Further ahead than the tolerance, by its distance in seconds.
    Future(u64),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDigits => f.write_str("the timestamp is not a number of digits"),
            Self::NotRfc3339 => f.write_str("the timestamp is not a time of RFC 3339"),
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
    if rule.unit == Unit::Rfc3339 {
        let signed_at = seconds(text).ok_or(Refusal::NotRfc3339)?;
        return near(signed_at, received_at_ms / 1000, rule, 1);
    }
    // `parse` alone would take a `+`.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::NotDigits);
    }
    let signed_at: u64 = text.parse().map_err(|_| Refusal::NotDigits)?;
    let (now, per_second) = match rule.unit {
        Unit::Milliseconds => (received_at_ms, 1000),
        Unit::Seconds | Unit::Rfc3339 => (received_at_ms / 1000, 1),
    };
    near(signed_at, now, rule, per_second)
}

fn near(signed_at: u64, now: u64, rule: &Timestamp<'_>, per_second: u64) -> Result<(), Refusal> {
    let tolerance = rule.tolerance_s.saturating_mul(per_second);
    if now.saturating_sub(signed_at) > tolerance {
        return Err(Refusal::Stale((now - signed_at) / per_second));
    }
    if rule.direction == Direction::Both && signed_at.saturating_sub(now) > tolerance {
        return Err(Refusal::Future((signed_at - now) / per_second));
    }
    Ok(())
}

/// Whole seconds since the Unix epoch of a time of RFC 3339 section 5.6. The fraction is digits and
/// nothing else, and is dropped; a leap second is the second after it.
fn seconds(text: &str) -> Option<u64> {
    let (moment, rest) = text.as_bytes().split_at_checked(SHAPE.len())?;
    let fits = moment.iter().zip(SHAPE).all(|(byte, shape)| match shape {
        b'0' => byte.is_ascii_digit(),
        shape => byte.eq_ignore_ascii_case(shape),
    });
    let [year, month, day] = [
        number(moment, 0, 4),
        number(moment, 5, 2),
        number(moment, 8, 2),
    ];
    let [hour, minute, second] = [
        number(moment, 11, 2),
        number(moment, 14, 2),
        number(moment, 17, 2),
    ];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let is_time = fits
        && (1..=12).contains(&month)
        && (1..=days_in_month).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    let zone = match rest {
        [b'.', digit, rest @ ..] if digit.is_ascii_digit() => {
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
            rest.get(digits.count()..)?
        }
        other => other,
    };
    let offset = match zone {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()) =>
        {
            let (hours, minutes) = (number(zone, 1, 2), number(zone, 4, 2));
            let minutes = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
            if *sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let seconds =
        days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset * 60;
    u64::try_from(seconds).ok().filter(|_| is_time)
}

/// What a time looks like up to its fraction; `0` stands for a digit.
const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";

/// The number of these digits.
fn number(text: &[u8], start: usize, length: usize) -> i64 {
    let digits = text.iter().skip(start).take(length);
    digits.fold(0, |number, digit| {
        number * 10 + i64::from(digit.wrapping_sub(b'0'))
    })
}

/// Days from 1970-01-01 to a date, counted in years that begin in March: the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + in_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::{Direction, Refusal, Timestamp, Unit, admit, seconds};
    use crate::scheme::{Place, Source};

    const NOW_MS: u64 = 1_700_000_000_999;

    fn rule(unit: Unit, direction: Direction) -> Timestamp<'static> {
        let source = Source {
            place: Place::Header("t"),
            separator: None,
            prefix: "",
            numbered: false,
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

    #[test]
    fn a_time_of_rfc_3339_is_its_seconds() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-11-14T22:13:20Z", 1_700_000_000),
            ("2023-11-14T22:13:20.123456789Z", 1_700_000_000),
            ("2023-11-15T00:13:20+02:00", 1_700_000_000),
            ("2023-11-14t20:13:20-02:00", 1_700_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800),
            ("2000-03-01T00:00:00Z", 951_868_800),
            ("2016-12-31T23:59:60Z", 1_483_228_800),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_nearly_rfc_3339_is_refused() {
        for text in [
            "",
            "2023-11-14",
            "2023-11-14T22:13:20",
            "2023-11-14 22:13:20Z",
            "2023-11-14T22:13Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20,5Z",
            "2023-11-14T22:13:20Zx",
            "2023-11-14T22:13:20+0200",
            "2023-11-14T22:13:20+24:00",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-11-14T24:00:00Z",
            "-2023-11-14T22:13:20Z",
            "23-11-14T22:13:20Z",
            "1969-12-31T23:59:59Z",
            "1700000000",
            "2023-11-14T22:13:20٣Z",
        ] {
            let rule = rule(Unit::Rfc3339, Direction::Past);
            assert_eq!(
                admit(text, &rule, NOW_MS),
                Err(Refusal::NotRfc3339),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_date_is_compared_with_the_same_edge() {
        let both = rule(Unit::Rfc3339, Direction::Both);
        assert_eq!(admit("2023-11-14T22:08:20Z", &both, NOW_MS), Ok(()));
        assert_eq!(
            admit("2023-11-14T22:08:19Z", &both, NOW_MS),
            Err(Refusal::Stale(301))
        );
        assert_eq!(
            admit("2023-11-14T22:18:21.999Z", &both, NOW_MS),
            Err(Refusal::Future(301))
        );
    }
}
