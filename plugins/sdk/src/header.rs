//! Header fields: the one value that is meant, and what may be written into one.

use std::fmt;

use crate::webhook;

/// Why a header has no value to believe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoValue {
    /// The field is not there.
    Absent,
    /// It is there more than once: two readers might take different ones.
    Repeated,
    /// It is not UTF-8.
    Unreadable,
}

impl fmt::Display for NoValue {
    /// The rest of a sentence that begins with the header.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "is absent",
            Self::Repeated => "is there more than once",
            Self::Unreadable => "is not text",
        })
    }
}

/// The only value of a header of the webhook.
///
/// # Errors
/// Why there is none.
pub fn only(name: &str) -> Result<String, NoValue> {
    only_of(webhook::header_values(name))
}

fn only_of(values: Vec<Vec<u8>>) -> Result<String, NoValue> {
    let mut values = values.into_iter();
    match (values.next(), values.next()) {
        (None, _) => Err(NoValue::Absent),
        (Some(_), Some(_)) => Err(NoValue::Repeated),
        (Some(value), None) => String::from_utf8(value).map_err(|_| NoValue::Unreadable),
    }
}

/// Whether `value` may be the value of a header: no control characters but tabs, so that it
/// cannot begin a header of its own (RFC 9110, section 5.5).
#[must_use]
pub fn fits(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

#[cfg(test)]
mod tests {
    use super::{NoValue, fits, only_of};

    #[test]
    fn a_header_value_holds_no_line_breaks() {
        assert!(fits("a\tb é") && fits(""));
        for injected in ["a\r\nx: y", "a\nb", "a\rb", "a\0b", "a\x7fb", "a\x1bb"] {
            assert!(!fits(injected), "{injected:?}");
        }
    }

    #[test]
    fn one_value_is_believed_and_two_are_not() {
        let of = |values: &[&[u8]]| only_of(values.iter().map(|value| value.to_vec()).collect());
        assert_eq!(of(&[b"a"]), Ok("a".to_owned()));
        assert_eq!(of(&[b""]), Ok(String::new()));
        assert_eq!(of(&[]), Err(NoValue::Absent));
        assert_eq!(of(&[b"a", b"a"]), Err(NoValue::Repeated));
        assert_eq!(of(&[b"\xff"]), Err(NoValue::Unreadable));
    }
}
