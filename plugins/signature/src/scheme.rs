//! The configuration as meant. `check` has refused at load what is wrong with it, so reading it
//! again for a webhook reports the first problem only.

use hookgate_sdk::crypto::Encoding;
use hookgate_sdk::json::Json;

/// Seconds of tolerance when none are given: what most providers' own libraries use.
pub const DEFAULT_TOLERANCE_S: u64 = 300;
/// What is signed when nothing is said.
pub const DEFAULT_SIGNED: &str = "{body}";
/// Type of a handshake's answer when none is given.
pub const DEFAULT_CONTENT_TYPE: &str = "text/plain";
/// Names of the encodings, as configured.
pub const ENCODINGS: [&str; 3] = ["hex", "base64", "base64url"];
/// Names of the units of a timestamp.
pub const UNITS: [&str; 2] = ["s", "ms"];
/// Names of the directions in which a timestamp is checked.
pub const DIRECTIONS: [&str; 2] = ["both", "past"];

/// How a sender signs.
#[derive(Debug)]
pub struct Scheme<'a> {
    /// Name of the key in the host.
    pub key: &'a str,
    /// Name of the algorithm, as the contract has it.
    pub algorithm: &'a str,
    /// How the signature is written.
    pub encoding: Encoding,
    /// Where the signatures are.
    pub signature: Source<'a>,
    /// Where the time of signing is and how old it may be.
    pub timestamp: Option<Timestamp<'a>>,
    /// Template of the signed message.
    pub signed: &'a str,
    /// What is answered here instead of going on.
    pub handshake: Option<Handshake<'a>>,
    /// What names the event for later plugins.
    pub event: Option<Event<'a>>,
}

/// Items of a header.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Name of the header.
    pub header: &'a str,
    /// What stands between items; without it the header has one.
    pub separator: Option<&'a str>,
    /// What an item begins with; items that do not are not meant.
    pub prefix: &'a str,
}

/// The time of signing.
#[derive(Debug)]
pub struct Timestamp<'a> {
    /// Where it is.
    pub source: Source<'a>,
    /// What it counts.
    pub unit: Unit,
    /// Distance from the arrival that is still accepted, in seconds.
    pub tolerance_s: u64,
    /// Which side is checked.
    pub direction: Direction,
}

/// What a timestamp counts since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
}

/// Which timestamps can be out of tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Old ones and those from the future.
    Both,
    /// Old ones only.
    Past,
}

/// A webhook that asks for an answer.
#[derive(Debug)]
pub struct Handshake<'a> {
    /// Where the body tells.
    pub pointer: &'a str,
    /// What stands there, as text.
    pub equals: &'a str,
    /// Where the answer is in the body.
    pub respond: &'a str,
    /// Type of the answer.
    pub content_type: &'a str,
}

/// What names the event.
#[derive(Debug)]
pub enum Event<'a> {
    /// A header.
    Header(&'a str),
    /// A string in the body.
    Pointer(&'a str),
}

impl<'a> Scheme<'a> {
    /// Reads the plugin's table.
    ///
    /// # Errors
    /// What is missing, as a sentence for the operator.
    pub fn read(table: &'a Json<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            key: text(table, "keys").ok_or("`keys` is missing in the configuration")?,
            algorithm: text(table, "algorithm")
                .ok_or("`algorithm` is missing in the configuration")?,
            encoding: match text(table, "encoding") {
                Some("hex") => Encoding::Hex,
                Some("base64") => Encoding::Base64,
                Some("base64url") => Encoding::Base64url,
                _ => return Err("`encoding` is missing or unknown in the configuration"),
            },
            signature: table
                .get("signature")
                .and_then(Source::read)
                .ok_or("`signature.header` is missing in the configuration")?,
            timestamp: optional(
                table.get("timestamp"),
                Timestamp::read,
                "`timestamp` is incomplete in the configuration",
            )?,
            signed: text(table, "signed").unwrap_or(DEFAULT_SIGNED),
            handshake: optional(
                table.get("handshake"),
                Handshake::read,
                "`handshake` is incomplete in the configuration",
            )?,
            event: optional(
                table.get("event"),
                Event::read,
                "`event` is incomplete in the configuration",
            )?,
        })
    }
}

impl<'a> Source<'a> {
    fn read(table: &'a Json<'_>) -> Option<Self> {
        Some(Self {
            header: text(table, "header")?,
            separator: text(table, "separator"),
            prefix: text(table, "prefix").unwrap_or_default(),
        })
    }
}

impl<'a> Timestamp<'a> {
    fn read(table: &'a Json<'_>) -> Option<Self> {
        Some(Self {
            source: Source::read(table)?,
            unit: match text(table, "unit") {
                None | Some("s") => Unit::Seconds,
                Some("ms") => Unit::Milliseconds,
                Some(_) => return None,
            },
            tolerance_s: match table.get("tolerance_s") {
                None => DEFAULT_TOLERANCE_S,
                Some(tolerance) => tolerance.as_u64()?,
            },
            direction: match text(table, "direction") {
                None | Some("both") => Direction::Both,
                Some("past") => Direction::Past,
                Some(_) => return None,
            },
        })
    }
}

impl<'a> Handshake<'a> {
    fn read(table: &'a Json<'_>) -> Option<Self> {
        let respond = table.get("respond")?;
        Some(Self {
            pointer: text(table, "pointer")?,
            equals: table.get("equals")?.scalar()?,
            respond: text(respond, "pointer")?,
            content_type: text(respond, "content_type").unwrap_or(DEFAULT_CONTENT_TYPE),
        })
    }
}

impl<'a> Event<'a> {
    fn read(table: &'a Json<'_>) -> Option<Self> {
        let header = text(table, "header").map(Self::Header);
        header.or_else(|| text(table, "pointer").map(Self::Pointer))
    }
}

fn text<'a>(table: &'a Json<'_>, name: &str) -> Option<&'a str> {
    table.get(name)?.as_text()
}

/// None when there is no table; the problem when there is one that cannot be read.
fn optional<'a, 'j, T>(
    table: Option<&'a Json<'j>>,
    read: impl FnOnce(&'a Json<'j>) -> Option<T>,
    problem: &'static str,
) -> Result<Option<T>, &'static str> {
    table.map(|table| read(table).ok_or(problem)).transpose()
}

#[cfg(test)]
mod tests {
    use super::{Direction, Event, Json, Scheme, Unit};

    #[test]
    fn what_is_not_said_has_a_default() {
        let table = Json::read(
            r#"{"keys":"k","algorithm":"hmac-sha256","encoding":"hex",
                "signature":{"header":"s"},"timestamp":{"header":"t"},"event":{"pointer":"/type"}}"#,
        )
        .unwrap();
        let scheme = Scheme::read(&table).unwrap();
        assert_eq!(
            (scheme.signed, scheme.signature.separator),
            ("{body}", None)
        );
        let timestamp = scheme.timestamp.unwrap();
        assert_eq!(
            (timestamp.unit, timestamp.tolerance_s, timestamp.direction),
            (Unit::Seconds, 300, Direction::Both)
        );
        assert!(matches!(scheme.event, Some(Event::Pointer("/type"))));
    }

    #[test]
    fn an_unreadable_part_is_an_error_and_not_as_if_it_were_absent() {
        let base =
            r#"{"keys":"k","algorithm":"hmac-sha256","encoding":"hex","signature":{"header":"s"}"#;
        for part in [
            r#""timestamp":{"header":"t","tolerance_s":"300"}"#,
            r#""timestamp":{"header":"t","unit":"us"}"#,
            r#""timestamp":{"header":"t","direction":"future"}"#,
            r#""timestamp":{}"#,
            r#""handshake":{"pointer":"/type"}"#,
            r#""event":{}"#,
        ] {
            let text = format!("{base},{part}}}");
            let table = Json::read(&text).unwrap();
            assert!(Scheme::read(&table).is_err(), "{part} was accepted");
        }
    }
}
