//! What a guest may ask of its host, beyond its own time and memory.
//!
//! A guest's clock stands still for the length of a host call, and what it hands over is no longer in
//! its own memory. So both are bounded here, for each webhook and plugin.

use std::borrow::Cow;

use thiserror::Error;

/// 16 MiB of bodies, header fields and notes: sixteen times the usual bound of a webhook's body.
pub(super) const OUTPUT_BYTES_MAX: usize = 16 << 20;
/// The largest batch known (SendGrid, Event Grid) has 1,000 elements.
pub(super) const DELIVERIES_MAX: usize = 1_000;
/// Changes of header fields of one delivery; senders send about twenty.
pub(super) const CHANGES_MAX: usize = 64;
/// The usual limit of upstream servers for one field.
pub(super) const FIELD_BYTES_MAX: usize = 8 << 10;
/// Ordering and dedupe keys: the longest natural ones are URLs.
pub(super) const KEY_BYTES_MAX: usize = 1 << 10;
/// Notes of one webhook; they end up in logs and traces.
pub(super) const NOTES_MAX: usize = 32;
/// Key and value of one note together.
pub(super) const NOTE_BYTES_MAX: usize = 1 << 10;
/// Lines of one stage; what is more is dropped and said so.
pub(super) const LOG_LINES_MAX: u32 = 64;
/// Bytes of the lines of one stage.
pub(super) const LOG_BYTES_MAX: usize = 16 << 10;
/// Parsing, hashing and copying in the host: 16 MiB (about 10 ms) and 32 times the body.
const WORK_BYTES_MIN: usize = 16 << 20;
const WORK_BODIES: usize = 32;

/// A guest asked for more than a bound allows, or for nonsense. The text goes on from "it".
#[derive(Debug, Error)]
#[error("{0}")]
pub(super) struct Breach(Cow<'static, str>);

impl Breach {
    pub(super) fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }
}

/// What is left for the webhook at hand.
#[derive(Debug)]
pub(super) struct Budget {
    output: usize,
    work: usize,
    deliveries: usize,
    log_lines: u32,
    log_bytes: usize,
}

/// Whether a line of a guest's log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Kept,
    /// The first one past the bound.
    FirstDropped,
    Dropped,
}

impl Budget {
    pub(super) fn new(body: usize) -> Self {
        Self {
            output: OUTPUT_BYTES_MAX,
            work: WORK_BYTES_MIN.saturating_add(body.saturating_mul(WORK_BODIES)),
            deliveries: DELIVERIES_MAX,
            log_lines: LOG_LINES_MAX,
            log_bytes: LOG_BYTES_MAX,
        }
    }

    /// A new stage begins: it has lines of its own.
    pub(super) fn stage_begins(&mut self) {
        self.log_lines = LOG_LINES_MAX;
        self.log_bytes = LOG_BYTES_MAX;
    }

    /// The guest handed over `bytes` that the host keeps.
    pub(super) fn output(&mut self, bytes: usize) -> Result<(), Breach> {
        self.output = self.output.checked_sub(bytes).ok_or_else(|| {
            Breach::new(format!(
                "handed over more than {} MiB",
                OUTPUT_BYTES_MAX >> 20
            ))
        })?;
        Ok(())
    }

    /// The host is about to read `bytes` on the guest's behalf.
    pub(super) fn work(&mut self, bytes: usize) -> Result<(), Breach> {
        self.work = self.work.checked_sub(bytes).ok_or_else(|| {
            Breach::new(format!(
                "made the host read more than {} MiB and {WORK_BODIES} times the body",
                WORK_BYTES_MIN >> 20
            ))
        })?;
        Ok(())
    }

    /// One more delivery was begun.
    pub(super) fn delivery(&mut self) -> Result<(), Breach> {
        self.deliveries = self.deliveries.checked_sub(1).ok_or_else(|| {
            Breach::new(format!(
                "made more than {DELIVERIES_MAX} deliveries of one webhook"
            ))
        })?;
        Ok(())
    }

    /// One more line of `bytes` was said. Dropped and not refused: no line is worth a webhook.
    pub(super) fn line(&mut self, bytes: usize) -> Line {
        let Some(lines) = self.log_lines.checked_sub(1) else {
            return Line::Dropped;
        };
        if let Some(left) = self.log_bytes.checked_sub(bytes)
            && lines > 0
        {
            self.log_lines = lines;
            self.log_bytes = left;
            return Line::Kept;
        }
        self.log_lines = 0;
        Line::FirstDropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chatty_stage_loses_its_last_lines_and_the_next_has_its_own() {
        let mut budget = Budget::new(0);

        let said: Vec<Line> = (0..LOG_LINES_MAX + 1).map(|_| budget.line(1)).collect();

        assert_eq!(said.iter().filter(|line| **line == Line::Kept).count(), 63);
        assert_eq!(said[63..], [Line::FirstDropped, Line::Dropped]);
        budget.stage_begins();
        assert_eq!(budget.line(LOG_BYTES_MAX), Line::Kept);
        assert_eq!(budget.line(1), Line::FirstDropped);
        assert_eq!(budget.line(0), Line::Dropped);
    }

    #[test]
    fn the_last_byte_is_given_and_the_next_is_not() {
        let mut budget = Budget::new(1);

        assert!(budget.output(OUTPUT_BYTES_MAX).is_ok());
        assert_eq!(
            budget.output(1).unwrap_err().to_string(),
            "handed over more than 16 MiB"
        );
        assert!(budget.work(WORK_BYTES_MIN + WORK_BODIES).is_ok());
        assert_eq!(
            budget.work(1).unwrap_err().to_string(),
            "made the host read more than 16 MiB and 32 times the body"
        );
    }
}
