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
/// The algorithm that is none: the sender shows the secret itself.
pub const TOKEN: &str = "token";
/// Names of the encodings, as configured.
pub const ENCODINGS: [&str; 3] = ["hex", "base64", "base64url"];
/// Names of the units of a timestamp.
pub const UNITS: [&str; 3] = ["s", "ms", "rfc3339"];
/// Names of the directions in which a timestamp is checked.
pub const DIRECTIONS: [&str; 2] = ["both", "past"];

/// How a sender signs.
#[derive(Debug)]
pub struct Scheme<'a> {
    /// Name of the key in the host.
    pub key: &'a str,
    /// How one message is checked, unless a variant says otherwise.
    pub how: How<'a>,
    /// How the signature is written.
    pub encoding: Encoding,
    /// Where the signatures are.
    pub signature: Source<'a>,
    /// Where the time of signing is and how old it may be.
    pub timestamp: Option<Timestamp<'a>>,
    /// Where the array is in the body whose elements are signed one by one.
    pub items: Option<&'a str>,
    /// A list of header names that the signature covers.
    pub listed: Option<Listed<'a>>,
    /// Characters whose escapes the sender undoes in the URL before it signs.
    pub url_decode: &'a str,
    /// Whether the sender may have put the port into the URL, or left it out.
    pub any_port: bool,
    /// What has to hold beside the signature.
    pub require: Conditions<'a>,
    /// Other ways of signing, by what the webhook looks like; the first that fits counts.
    pub variants: Vec<Variant<'a>>,
    /// What is answered here instead of going on.
    pub handshakes: Vec<Handshake<'a>>,
    /// What names the event for later plugins.
    pub event: Option<Place<'a>>,
    /// The operator's own values.
    values: &'a [(std::borrow::Cow<'a, str>, Json<'a>)],
}

/// What is computed over what.
#[derive(Debug, Clone, Copy)]
pub struct How<'a> {
    /// Name of the algorithm, as the contract has it, or [`TOKEN`].
    pub algorithm: &'a str,
    /// Template of the signed message.
    pub signed: &'a str,
}

/// Another way of signing.
#[derive(Debug)]
pub struct Variant<'a> {
    /// When it is meant.
    pub when: Conditions<'a>,
    /// What is computed then.
    pub how: How<'a>,
    /// What has to hold then.
    pub require: Conditions<'a>,
}

/// Where a text stands in a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A header.
    Header(&'a str),
    /// A query parameter.
    Query(&'a str),
    /// A value in the body.
    Pointer(&'a str),
    /// The method.
    Method,
}

/// Items of a header, or one text elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Where they are.
    pub place: Place<'a>,
    /// What stands between items; without it there is one.
    pub separator: Option<char>,
    /// What an item begins with; items that do not are not meant.
    pub prefix: &'a str,
    /// The header is one of several: `NAME-1`, `NAME-2`, ...
    pub numbered: bool,
}

/// A list of header names whose values are signed.
#[derive(Debug)]
pub struct Listed<'a> {
    /// Where the list is.
    pub source: Source<'a>,
    /// What stands between the names.
    pub split: char,
    /// What stands between the values in the message.
    pub join: &'a str,
    /// Whether each value has its name and a colon before it.
    pub named: bool,
}

/// The time of signing.
#[derive(Debug)]
pub struct Timestamp<'a> {
    /// Where it is.
    pub source: Source<'a>,
    /// How it is written.
    pub unit: Unit,
    /// Distance from the arrival that is still accepted, in seconds.
    pub tolerance_s: u64,
    /// Which side is checked.
    pub direction: Direction,
}

/// How a timestamp is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds since the Unix epoch.
    Seconds,
    /// Milliseconds since the Unix epoch.
    Milliseconds,
    /// As RFC 3339 says.
    Rfc3339,
}

/// Which timestamps can be out of tolerance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Old ones and those from the future.
    Both,
    /// Old ones only.
    Past,
}

/// All of them have to hold.
pub type Conditions<'a> = Vec<Condition<'a>>;

/// Something that is so or not.
#[derive(Debug)]
pub struct Condition<'a> {
    /// What is looked at.
    pub place: Place<'a>,
    /// What it has to be.
    pub test: Test<'a>,
}

/// What a text has to be.
#[derive(Debug, Clone, Copy)]
pub enum Test<'a> {
    /// There.
    Present,
    /// What this template makes.
    Equals(&'a str),
    /// An `https` URL of this host, in which one label may be `*`.
    Host(&'a str),
}

/// A webhook that asks for an answer.
#[derive(Debug)]
pub struct Handshake<'a> {
    /// When it is one.
    pub when: Conditions<'a>,
    /// Whether it is answered only with a right signature.
    pub signed: bool,
    /// What has to hold before it is answered.
    pub require: Conditions<'a>,
    /// Where the token is that must be the secret of this name.
    pub token: Option<(Place<'a>, &'a str)>,
    /// What `{mac}` in the answer is made over, and how it is written.
    pub mac: Option<(&'a str, Encoding)>,
    /// What the operator is told.
    pub log: Option<&'a str>,
    /// Status of the answer.
    pub status: u16,
    /// Type of the answer.
    pub content_type: &'a str,
    /// Template of the answer.
    pub body: &'a str,
}

impl<'a> Scheme<'a> {
    /// Reads the plugin's table.
    ///
    /// # Errors
    /// What is missing, as a sentence for the operator.
    pub fn read(table: &'a Json<'_>) -> Result<Self, &'static str> {
        let algorithm =
            text(table, "algorithm").ok_or("`algorithm` is missing in the configuration")?;
        let how = How {
            algorithm,
            signed: text(table, "signed").unwrap_or(DEFAULT_SIGNED),
        };
        Ok(Self {
            key: text(table, "keys").ok_or("`keys` is missing in the configuration")?,
            how,
            encoding: match text(table, "encoding") {
                None if algorithm == TOKEN => Encoding::Hex,
                Some(name) => encoding(name).ok_or("`encoding` is unknown in the configuration")?,
                None => return Err("`encoding` is missing in the configuration"),
            },
            signature: table
                .get("signature")
                .and_then(Source::read)
                .ok_or("`signature` does not say where it is in the configuration")?,
            timestamp: optional(
                table.get("timestamp"),
                Timestamp::read,
                "`timestamp` is incomplete in the configuration",
            )?,
            items: text(table, "items"),
            listed: optional(
                table.get("listed"),
                Listed::read,
                "`listed` is incomplete in the configuration",
            )?,
            url_decode: text(table, "url_decode").unwrap_or_default(),
            any_port: is_true(table, "any_port"),
            require: conditions(table, "require")
                .ok_or("`require` is incomplete in the configuration")?,
            variants: each(table, "variants", |variant| Variant::read(variant, how))
                .ok_or("`variants` is incomplete in the configuration")?,
            handshakes: each(table, "handshakes", Handshake::read)
                .ok_or("`handshakes` is incomplete in the configuration")?,
            event: optional(
                table.get("event"),
                Place::read,
                "`event` is incomplete in the configuration",
            )?,
            values: table.get("values").map(Json::members).unwrap_or_default(),
        })
    }

    /// The operator's value of that name.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.values.iter().find(|(key, _)| key == name)?;
        value.as_text()
    }
}

impl<'a> Place<'a> {
    #[inline(never)]
    pub(crate) fn read(table: &'a Json<'_>) -> Option<Self> {
        text(table, "header")
            .map(Self::Header)
            .or_else(|| text(table, "pointer").map(Self::Pointer))
            .or_else(|| text(table, "query").map(Self::Query))
    }
}

impl<'a> Source<'a> {
    /// One text, whatever it begins with.
    #[must_use]
    pub fn whole(place: Place<'a>) -> Self {
        Self {
            place,
            separator: None,
            prefix: "",
            numbered: false,
        }
    }

    #[inline(never)]
    fn read(table: &'a Json<'_>) -> Option<Self> {
        Some(Self {
            place: Place::read(table)?,
            separator: match table.get("separator") {
                None => None,
                Some(_) => Some(character(table, "separator")?),
            },
            prefix: text(table, "prefix").unwrap_or_default(),
            numbered: is_true(table, "numbered"),
        })
    }
}

impl<'a> Listed<'a> {
    fn read(table: &'a Json<'_>) -> Option<Self> {
        Some(Self {
            source: Source::read(table)?,
            split: character(table, "split")?,
            join: text(table, "join")?,
            named: is_true(table, "named"),
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
                Some("rfc3339") => Unit::Rfc3339,
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

impl<'a> Variant<'a> {
    fn read(table: &'a Json<'_>, base: How<'a>) -> Option<Self> {
        Some(Self {
            when: conditions(table, "when").filter(|when| !when.is_empty())?,
            how: How {
                algorithm: text(table, "algorithm").unwrap_or(base.algorithm),
                signed: text(table, "signed").unwrap_or(base.signed),
            },
            require: conditions(table, "require")?,
        })
    }
}

impl<'a> Condition<'a> {
    fn read(table: &'a Json<'_>) -> Option<Self> {
        if let Some(method) = text(table, "method") {
            return Some(Self {
                place: Place::Method,
                test: Test::Equals(method),
            });
        }
        let test = match (table.get("equals"), text(table, "host")) {
            (Some(equals), None) => Test::Equals(equals.scalar()?),
            (None, Some(host)) => Test::Host(host),
            (None, None) => Test::Present,
            (Some(_), Some(_)) => return None,
        };
        let place = Place::read(table)?;
        Some(Self { place, test })
    }
}

impl<'a> Handshake<'a> {
    fn read(table: &'a Json<'_>) -> Option<Self> {
        let place = |name| -> Option<Option<(Place<'a>, &'a Json<'_>)>> {
            match table.get(name) {
                None => Some(None),
                Some(found) => Some(Some((Place::read(found)?, found))),
            }
        };
        Some(Self {
            when: conditions(table, "when").filter(|when| !when.is_empty())?,
            signed: !matches!(table.get("signed"), Some(Json::Bool(false))),
            require: conditions(table, "require")?,
            token: match place("token")? {
                None => None,
                Some((place, token)) => Some((place, text(token, "key")?)),
            },
            mac: match table.get("mac") {
                None => None,
                Some(mac) => Some((text(mac, "message")?, encoding(text(mac, "encoding")?)?)),
            },
            log: text(table, "log"),
            status: match table.get("status") {
                None => 200,
                Some(status) => status.as_u64()?.try_into().ok()?,
            },
            content_type: text(table, "content_type").unwrap_or(DEFAULT_CONTENT_TYPE),
            body: text(table, "body").unwrap_or_default(),
        })
    }
}

fn encoding(name: &str) -> Option<Encoding> {
    Some(match name {
        "hex" => Encoding::Hex,
        "base64" => Encoding::Base64,
        "base64url" => Encoding::Base64url,
        _ => return None,
    })
}

#[inline(never)]
fn text<'a>(table: &'a Json<'_>, name: &str) -> Option<&'a str> {
    table.get(name)?.as_text()
}

/// The one character of a text.
#[inline(never)]
fn character(table: &Json<'_>, name: &str) -> Option<char> {
    let mut characters = text(table, name)?.chars();
    characters.next().filter(|_| characters.as_str().is_empty())
}

fn is_true(table: &Json<'_>, name: &str) -> bool {
    matches!(table.get(name), Some(Json::Bool(true)))
}

/// The conditions in member `name`; none given is none; no vector when one cannot be read.
fn conditions<'a>(table: &'a Json<'_>, name: &str) -> Option<Conditions<'a>> {
    each(table, name, Condition::read)
}

fn each<'a, 'j, T>(
    table: &'a Json<'j>,
    name: &str,
    read: impl Fn(&'a Json<'j>) -> Option<T>,
) -> Option<Vec<T>> {
    match table.get(name) {
        None => Some(Vec::new()),
        Some(Json::List(elements)) => elements.iter().map(read).collect(),
        Some(_) => None,
    }
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
    use super::{Direction, Json, Place, Scheme, Unit};

    #[test]
    fn what_is_not_said_has_a_default() {
        let table = Json::read(
            r#"{"keys":"k","algorithm":"hmac-sha256","encoding":"hex",
                "signature":{"header":"s"},"timestamp":{"header":"t"},"event":{"pointer":"/type"}}"#,
        )
        .unwrap();
        let scheme = Scheme::read(&table).unwrap();
        assert_eq!(
            (scheme.how.signed, scheme.signature.separator),
            ("{body}", None)
        );
        let timestamp = scheme.timestamp.unwrap();
        assert_eq!(
            (timestamp.unit, timestamp.tolerance_s, timestamp.direction),
            (Unit::Seconds, 300, Direction::Both)
        );
        assert_eq!(scheme.event, Some(Place::Pointer("/type")));
    }

    #[test]
    fn a_variant_differs_in_what_it_says_only() {
        let table = Json::read(
            r#"{"keys":"k","algorithm":"rsa-v1_5-sha1","encoding":"base64","signature":{"pointer":"/s"},
                "signed":"{json:/a}",
                "variants":[{"when":[{"pointer":"/v","equals":"2"}],"algorithm":"rsa-v1_5-sha256"}]}"#,
        )
        .unwrap();
        let scheme = Scheme::read(&table).unwrap();
        assert_eq!(scheme.variants[0].how.algorithm, "rsa-v1_5-sha256");
        assert_eq!(scheme.variants[0].how.signed, "{json:/a}");
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
            r#""handshakes":{"when":[]}"#,
            r#""handshakes":[{"body":"x"}]"#,
            r#""handshakes":[{"when":[{"pointer":"/a"}],"token":{"query":"q"}}]"#,
            r#""require":[{"equals":"x"}]"#,
            r#""require":[{"pointer":"/a","equals":"x","host":"y"}]"#,
            r#""variants":[7]"#,
            r#""listed":{"header":"h"}"#,
            r#""event":{}"#,
        ] {
            let text = format!("{base},{part}}}");
            let table = Json::read(&text).unwrap();
            assert!(Scheme::read(&table).is_err(), "{part} was accepted");
        }
    }
}
