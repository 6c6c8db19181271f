//! Numbers compared by their value, as they are written in JSON and in headers.

use std::cmp::Ordering;

/// How two numbers compare; none when one of them is not a number of RFC 8259, section 6. Whole
/// numbers are compared exactly, others as the nearest double.
#[must_use]
pub fn compare(one: &str, other: &str) -> Option<Ordering> {
    if !is_number(one) || !is_number(other) {
        return None;
    }
    match (one.parse::<i64>(), other.parse::<i64>()) {
        (Ok(one), Ok(other)) => Some(one.cmp(&other)),
        _ => one.parse::<f64>().ok()?.partial_cmp(&other.parse().ok()?),
    }
}

/// Whether `text` is a number as JSON writes it: no `+`, no `inf`, no blanks.
#[must_use]
pub fn is_number(text: &str) -> bool {
    matches!(
        hookgate_sdk::json::Json::read(text),
        Ok(hookgate_sdk::json::Json::Number(number)) if number == text
    )
}

#[cfg(test)]
mod tests {
    use super::{compare, is_number};
    use std::cmp::Ordering::{Equal, Greater, Less};

    #[test]
    fn numbers_compare_by_value_and_not_as_text() {
        for (one, other, order) in [
            ("9", "10", Less),
            ("-2", "-10", Greater),
            ("1.0", "1", Equal),
            ("1e3", "999.5", Greater),
            ("0.1", "0.10", Equal),
            // 2^53 and the next one, which are one double.
            ("9007199254740993", "9007199254740992", Greater),
        ] {
            assert_eq!(compare(one, other), Some(order), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_number_does_not_compare() {
        for text in [
            "", "x", "+1", " 1", "0x1", "inf", "NaN", "01", "\"1\"", "true", "[1]",
        ] {
            assert!(!is_number(text), "{text:?}");
            assert_eq!(compare(text, "1"), None, "{text:?}");
        }
    }
}
