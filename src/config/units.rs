//! Durations and sizes as people write them: `"30s"`, `"64 KiB"`. A bare number is refused, for its
//! unit would be a guess.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::fmt::friendly::SpanParser;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::delivery::Rate;

/// A span of time, written `"250ms"`, `"30s"` or `"1h 30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub Duration);

/// A number of bytes, written `"64 KiB"` or `"2 MiB"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(pub usize);

/// A number of attempts in a time, written `"100/s"`, `"600/m"` or `"1000/h"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace(pub Rate);

impl Pace {
    fn parse(text: &str) -> Option<Self> {
        let (attempts, unit) = text.split_once('/')?;
        let seconds = match unit.trim() {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return None,
        };
        Some(Self(Rate {
            attempts: attempts.trim().parse().ok()?,
            period: Duration::from_secs(seconds),
        }))
    }
}

impl Time {
    fn parse(text: &str) -> Option<Self> {
        let signed = SpanParser::new().parse_duration(text).ok()?;
        Duration::try_from(signed).ok().map(Self)
    }
}

impl Size {
    fn parse(text: &str) -> Option<Self> {
        // A number without a unit would be taken as bytes: more likely something was forgotten.
        if !text.contains(|c: char| c.is_ascii_alphabetic()) {
            return None;
        }
        usize::try_from(text.parse::<ByteSize>().ok()?.as_u64())
            .ok()
            .map(Self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    r#"a duration with its unit in quotes, such as "250ms", "30s" or "1h 30m""#,
                )
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
                Time::parse(text).ok_or_else(|| {
                    E::custom(format!(
                        r#"`{text}` is not a duration; write it like "250ms", "30s" or "1h 30m""#
                    ))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a size with its unit in quotes, such as "64 KiB" or "2 MiB""#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Size, E> {
                Size::parse(text).ok_or_else(|| {
                    E::custom(format!(
                        r#"`{text}` is not a size; write it like "64 KiB" or "2 MiB""#
                    ))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for Pace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Pace;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(r#"a number in a time in quotes, such as "100/s", "600/m" or "1000/h""#)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Pace, E> {
                Pace::parse(text).ok_or_else(|| {
                    E::custom(format!(
                        r#"`{text}` is not a rate; write it like "100/s", "600/m" or "1000/h""#
                    ))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Pace {
    fn schema_name() -> Cow<'static, str> {
        "Pace".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A number of attempts in a second, a minute or an hour.", "examples": ["100/s", "600/m", "1000/h"] })
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A duration with its unit.", "examples": ["250ms", "30s", "1h 30m"] })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A number of bytes with its unit.", "examples": ["64 KiB", "2 MiB"] })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.subsec_millis());
        match (seconds, millis) {
            (0, 1..) => write!(f, "{millis}ms"),
            (s @ 1.., 0) if s % 3600 == 0 => write!(f, "{}h", s / 3600),
            (s @ 1.., 0) if s % 60 == 0 => write!(f, "{}m", s / 60),
            (s, 0) => write!(f, "{s}s"),
            (s, ms) => write!(f, "{s}.{ms:03}s"),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes % (1 << 30) == 0 => write!(f, "{} GiB", bytes >> 30),
            bytes if bytes > 0 && bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes > 0 && bytes % (1 << 10) == 0 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} B"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pace, Size, Time};
    use std::time::Duration;

    #[test]
    fn a_rate_is_a_number_in_a_time() {
        for (text, meant) in [
            ("100/s", Some((100, 1))),
            ("600 / m", Some((600, 60))),
            ("1/h", Some((1, 3600))),
            ("0/s", None),
            ("-1/s", None),
            ("1.5/s", None),
            ("10/d", None),
            ("10", None),
            ("/s", None),
        ] {
            let rate = Pace::parse(text).map(|pace| pace.0);
            let rate = rate.map(|rate| (rate.attempts.get(), rate.period.as_secs()));
            assert_eq!(rate, meant, "{text}");
        }
    }

    #[test]
    fn a_duration_has_a_unit_and_no_sign() {
        for (text, meant) in [
            ("250ms", Some(Duration::from_millis(250))),
            ("1h 30m", Some(Duration::from_secs(5400))),
            ("0s", Some(Duration::ZERO)),
            ("30", None),
            ("-1s", None),
            ("30 parsecs", None),
            ("", None),
        ] {
            assert_eq!(Time::parse(text).map(|time| time.0), meant, "{text}");
        }
    }

    #[test]
    fn a_size_has_a_unit() {
        for (text, meant) in [
            ("1 MiB", Some(1 << 20)),
            ("64KiB", Some(64 << 10)),
            ("1 kB", Some(1000)),
            ("7 B", Some(7)),
            ("1024", None),
            ("2 potatoes", None),
        ] {
            assert_eq!(Size::parse(text).map(|size| size.0), meant, "{text}");
        }
    }
}
