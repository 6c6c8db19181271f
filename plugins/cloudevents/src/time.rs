//! Moments as RFC 3339 writes them.

/// Milliseconds since the Unix epoch as `2026-11-21T14:06:41.123Z`.
#[must_use]
pub fn text(unix_ms: u64) -> String {
    let (days, ms) = (unix_ms / 86_400_000, unix_ms % 86_400_000);
    let (year, month, day) = date(days);
    let (hour, minute) = (ms / 3_600_000, ms / 60_000 % 60);
    let (second, ms) = (ms / 1_000 % 60, ms % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Year, month and day of a day since 1970-01-01, in years that begin in March: then the day that a leap
/// year adds is the last one of its year, and months have the lengths 31, 30, 31, 30, 31 again and again.
fn date(days: u64) -> (u64, u64, u64) {
    /// From 0000-03-01 to 1970-01-01.
    const EPOCH: u64 = 719_468;
    /// The Gregorian calendar repeats after 400 years.
    const ERA: u64 = 146_097;
    let days = days + EPOCH;
    let (era, day_of_era) = (days / ERA, days % ERA);
    let leaps = day_of_era / 1_460 + day_of_era / (ERA - 1) - day_of_era / 36_524;
    let year_of_era = (day_of_era - leaps) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// Whether a text has the form of an RFC 3339 timestamp; days of months are not counted.
#[must_use]
pub fn is_timestamp(text: &str) -> bool {
    const FORM: &[u8; 19] = b"dddd-dd-ddTdd:dd:dd";
    let Some((begin, rest)) = text.split_at_checked(FORM.len()) else {
        return false;
    };
    let fits = |(byte, form): (u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        b'T' => matches!(byte, b'T' | b't'),
        other => byte == *other,
    };
    let fraction = rest.strip_prefix('.').map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits, rest.get(digits..).unwrap_or_default())
    });
    let (digits, zone) = fraction.unwrap_or((1, rest));
    let offset = |zone: &str| {
        let form = b"sdd:dd";
        zone.len() == form.len()
            && zone.bytes().zip(form).all(|(byte, form)| match form {
                b's' => matches!(byte, b'+' | b'-'),
                b'd' => byte.is_ascii_digit(),
                other => byte == *other,
            })
    };
    begin.bytes().zip(FORM).all(fits) && digits > 0 && (matches!(zone, "Z" | "z") || offset(zone))
}

#[cfg(test)]
mod tests {
    use super::{is_timestamp, text};

    #[test]
    fn moments_are_written_as_people_read_them() {
        for (unix_ms, written) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_251_199_000, "2024-02-29T23:59:59.000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
            (1_735_689_600_000, "2025-01-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(text(unix_ms), written);
            assert!(is_timestamp(written));
        }
    }

    #[test]
    fn timestamps_have_a_date_a_time_and_a_zone() {
        for stamp in [
            "2018-04-05T17:31:00Z",
            "2018-04-05t17:31:00.5+02:00",
            "2018-04-05T17:31:00.123456-11:30",
        ] {
            assert!(is_timestamp(stamp), "{stamp}");
        }
        for other in [
            "",
            "2018-04-05",
            "2018-04-05 17:31:00Z",
            "2018-04-05T17:31:00",
            "2018-04-05T17:31:00.Z",
            "2018-04-05T17:31:00+0200",
            "1522949460",
            "2018-04-05T17:31:00ZZ",
            "2018-04-05T17:31:0éZ",
        ] {
            assert!(!is_timestamp(other), "{other}");
        }
    }
}
