//! A plan in the making: the document, what is wrong with it so far, and where secrets are.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::document::{Document, Place};
use super::problem::{Problem, Problems};
use super::secrets::Lookup;
use super::units::{Size, Time};

/// A name is a metric's label, a key in logs and an argument on the command line.
const NAME_CHARS_MAX: usize = 64;

/// What every part of the room works on.
pub(super) struct Draft<'a> {
    pub document: Document<'a>,
    pub problems: Problems,
    pub lookup: Lookup<'a>,
}

impl Draft<'_> {
    /// Notes what is wrong with the value at `place`.
    pub(super) fn refuse(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.document.value(place);
        self.problems.push(Problem::error(span, message).help(help));
    }

    /// Notes what is wrong with the key at `place`, or with the table that it heads.
    pub(super) fn refuse_key(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.document.key(place);
        self.problems.push(Problem::error(span, message).help(help));
    }

    /// Notes what is legal at `place`, but likely to hurt.
    pub(super) fn warn(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let span = self.document.value(place);
        self.problems
            .push(Problem::warning(span, message).help(help));
    }

    /// Notes that `key` is missing in the table at `place`, unless it is there and wrong.
    pub(super) fn missing(
        &mut self,
        place: &Place,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if !self.document.is_broken(&place.key(key)) {
            self.refuse(place, message, help);
        }
    }

    /// Whether the key of the table entry at `place` can be a name.
    pub(super) fn name(&mut self, place: &Place, name: &str, kind: &str) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_plain) {
            let message = format!("`{}` is not a name for {kind}", name.escape_default());
            let help = format!(
                "names have 1 to {NAME_CHARS_MAX} letters, digits, `-` and `_`: they are labels of metrics"
            );
            self.refuse_key(place, message, help);
        }
    }

    /// The duration at `place`; the default when there is none, or one that is out of bounds, which is noted.
    pub(super) fn time(
        &mut self,
        place: &Place,
        given: Option<Time>,
        default: Duration,
        bounds: (Time, Time),
    ) -> Duration {
        let Some(time) = given else { return default };
        let (least, most) = bounds;
        if time < least || time > most {
            let what = if time < least { "short" } else { "long" };
            self.refuse(
                place,
                format!("{time} is too {what} for `{place}`"),
                format!("{least} to {most} is possible"),
            );
            return default;
        }
        time.0
    }

    /// The size at `place`; the default when there is none, or one that is out of bounds, which is noted.
    pub(super) fn size(
        &mut self,
        place: &Place,
        given: Option<Size>,
        default: usize,
        bounds: (Size, Size),
    ) -> usize {
        let Some(size) = given else { return default };
        let (least, most) = bounds;
        if size < least || size > most {
            let what = if size < least { "small" } else { "large" };
            self.refuse(
                place,
                format!("{size} is too {what} for `{place}`"),
                format!("{least} to {most} is possible"),
            );
            return default;
        }
        size.0
    }

    /// The networks listed at `place`; an address is a network of one.
    pub(super) fn networks(&mut self, place: &Place, written: &[String]) -> Vec<IpNet> {
        let mut networks = Vec::new();
        for (index, text) in written.iter().enumerate() {
            match text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
            {
                Ok(network) if network.trunc() != network => {
                    let help = format!(
                        "did you mean `{}`, or the one address `{}`?",
                        network.trunc(),
                        network.addr()
                    );
                    self.refuse(
                        &place.index(index),
                        format!("`{text}` is not the start of a network"),
                        help,
                    );
                }
                Ok(network) => networks.push(network),
                Err(_) => self.refuse(
                    &place.index(index),
                    format!("`{}` is not a network", text.escape_default()),
                    "write it like `10.0.0.0/8`, `2001:db8::/32` or `192.0.2.7`",
                ),
            }
        }
        networks
    }
}

/// From here on nobody waits.
pub(super) const MILLISECOND: Time = Time(Duration::from_millis(1));
/// One second.
pub(super) const SECOND: Time = Time(Duration::from_secs(1));
/// No sender and no connection waits longer.
pub(super) const HOUR: Time = Time(Duration::from_secs(3600));
/// No provider retries longer than some days; a month covers a long outage.
pub(super) const MONTH: Time = Time(Duration::from_secs(30 * 24 * 3600));
/// One byte.
pub(super) const BYTE: Size = Size(1);
/// A body is held in memory: a gibibyte is beyond any webhook.
pub(super) const GIB: Size = Size(1 << 30);
