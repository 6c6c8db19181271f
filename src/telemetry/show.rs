//! How values look in a line of the log.

use std::fmt;
use std::time::Duration;

/// What a guest said besides the sentence: `key=value key=value`.
pub(super) struct Pairs<'a>(pub(super) &'a [(String, String)]);

impl fmt::Display for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .enumerate()
            .try_for_each(|(place, (key, value))| {
                let space = if place == 0 { "" } else { " " };
                write!(f, "{space}{key}={value:?}")
            })
    }
}

/// Milliseconds to the microsecond: more digits are noise.
pub(super) fn ms(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact below 285 years")]
    let micros = time.as_micros() as f64;
    micros / 1_000.0
}
