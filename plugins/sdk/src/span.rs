//! Spans of time in a plugin's configuration, written as in the rest of the file: `"90s"`, `"1h 30m"`.

/// The units, with their seconds.
const UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

/// The whole seconds of a text such as `90s`, `5m`, `1h 30m` or `7d`; none for anything else, a bare
/// number included: its unit would be a guess.
#[must_use]
pub fn seconds(text: &str) -> Option<u64> {
    let mut total: Option<u64> = None;
    for word in text.split(' ') {
        let unit = word.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = word.split_at_checked(unit)?;
        let (_, seconds) = UNITS.iter().find(|(known, _)| *known == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(*seconds)?;
        total = Some(total.unwrap_or(0).checked_add(part)?);
    }
    total
}

/// As short as possible: `5m`, `7d`, `90s`.
#[must_use]
pub fn text(seconds: u64) -> String {
    let whole = |(_, unit): &&(&str, u64)| seconds >= *unit && seconds.is_multiple_of(*unit);
    match UNITS.iter().rev().find(whole) {
        Some((name, unit)) => format!("{}{name}", seconds / unit),
        None => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::{seconds, text};

    #[test]
    fn a_text_is_read_back_as_what_it_was() {
        for (short, meant) in [
            ("0s", 0),
            ("90s", 90),
            ("5m", 300),
            ("7d", 604_800),
            ("25h", 90_000),
        ] {
            assert_eq!(text(meant), short);
            assert_eq!(seconds(short), Some(meant));
        }
    }

    #[test]
    fn a_span_is_numbers_with_their_units() {
        for (text, meant) in [
            ("0s", 0),
            ("90s", 90),
            ("5m", 300),
            ("1h 30m", 5_400),
            ("7d", 604_800),
        ] {
            assert_eq!(seconds(text), Some(meant), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "90",
            "s",
            "-1s",
            "1.5h",
            "1h30",
            "5 m",
            "5M",
            " 5m",
            "5m ",
            "1w",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(seconds(text), None, "{text:?}");
        }
    }
}
