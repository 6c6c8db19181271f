//! The trace that a webhook belongs to: W3C Trace Context, `traceparent` version 00.
//!
//! Hookgate records no spans of its own; it hands on the sender's trace with a new span for each
//! attempt, so that attempts can be told apart, or starts a trace when there is no valid one.

use crate::webhook::Webhook;

/// Trace id, flags, and whether they are the sender's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trace {
    id: u128,
    flags: u8,
    continued: bool,
}

/// Of a `traceparent`: version, trace, parent and flags.
const TEXT_BYTES: usize = 55;

/// One span of a trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    trace: Trace,
    id: u64,
}

impl Trace {
    /// The sender's trace, when it sent exactly one valid `traceparent`; else a new one.
    pub(super) fn of(webhook: &Webhook) -> Self {
        let mut values = webhook.fields.all("traceparent");
        let only = values.next().filter(|_| values.next().is_none());
        only.and_then(Self::parse).unwrap_or_else(Self::start)
    }

    /// Whether the sender began it.
    pub(super) fn is_continued(self) -> bool {
        self.continued
    }

    /// A span that nobody has used.
    pub(super) fn next_span(self) -> Span {
        Span {
            trace: self,
            id: fastrand::u64(1..),
        }
    }

    fn start() -> Self {
        // Flags 0: whether to sample is for those to decide who record.
        Self {
            id: fastrand::u128(1..),
            flags: 0,
            continued: false,
        }
    }

    /// Section 3.2: a later version may append fields after the four we know; version 00 may not.
    fn parse(value: &[u8]) -> Option<Self> {
        let (known, rest) = value.split_at_checked(TEXT_BYTES)?;
        let version = hex(known.get(0..2)?)?;
        let extended = matches!(rest, [b'-', ..]) && version != 0;
        let dashes = [2, 35, 52].iter().all(|&at| known.get(at) == Some(&b'-'));
        let id = hex(known.get(3..35)?)?;
        let parent = hex(known.get(36..52)?)?;
        let flags = hex(known.get(53..55)?)?;
        let valid = version != 0xff && dashes && id != 0 && parent != 0;
        (valid && (rest.is_empty() || extended)).then_some(Self {
            id,
            flags: u8::try_from(flags).ok()?,
            continued: true,
        })
    }
}

impl Span {
    /// The value of `traceparent`.
    pub(super) fn text(self) -> [u8; TEXT_BYTES] {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        let Trace { id, flags, .. } = self.trace;
        for (places, bytes) in [
            (3..35, id.to_be_bytes().as_slice()),
            (36..52, &self.id.to_be_bytes()),
            (53..55, &[flags]),
        ] {
            let places = text.get_mut(places).unwrap_or_default();
            for (place, byte) in places.chunks_exact_mut(2).zip(bytes) {
                place.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
        }
        text
    }
}

fn digit(value: u8) -> u8 {
    match value {
        0..=9 => b'0' + value,
        _ => b'a' + value - 10,
    }
}

/// Lower case only, as the standard says.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let value = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_trace_goes_on_under_a_new_span() {
        let trace = Trace::parse(VALID.as_bytes()).unwrap();

        let next = trace.next_span().text();
        let next = std::str::from_utf8(&next).unwrap();

        assert!(next.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
        assert!(next.ends_with("-01"));
        assert_ne!(next, VALID);
        assert_eq!(next.len(), VALID.len());
    }

    #[test]
    fn a_later_version_may_append_and_this_one_may_not() {
        let later = VALID.replacen("00-", "cc-", 1) + "-what";
        assert!(Trace::parse(later.as_bytes()).is_some());
        assert!(Trace::parse(format!("{VALID}-what").as_bytes()).is_none());
        assert!(Trace::parse(later.replace("-what", ".what").as_bytes()).is_none());
    }

    #[test]
    fn what_is_not_a_trace_is_none() {
        for broken in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        ] {
            assert_eq!(Trace::parse(broken.as_bytes()), None, "{broken}");
        }
    }
}
