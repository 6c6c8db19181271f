//! What a signature covers: a template whose slots are parts of the webhook.

use hookgate_sdk::json::is_pointer;
use hookgate_sdk::template::{self, Piece, Unbalanced};

/// The slots of a signed message, as an operator reads them.
pub const KNOWN: [&str; 18] = [
    "{body}",
    "{timestamp}",
    "{method}",
    "{path}",
    "{url}",
    "{query}",
    "{escaped-query}",
    "{header:NAME}",
    "{query:NAME}",
    "{json:POINTER}",
    "{json?:POINTER}",
    "{value:NAME}",
    "{form}",
    "{lines:NAMES}",
    "{listed}",
    "{listed-names}",
    "{crc32}",
    "{sha256}",
];

/// One part of the signed message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Literal text of the template.
    Text(&'a str),
    /// The body as received; it stays in the host.
    Body,
    /// The timestamp as received.
    Timestamp,
    /// The method.
    Method,
    /// The path as received.
    Path,
    /// The URL under which the sender knows the route.
    Url,
    /// The query as received, with its `?`; nothing when there is none.
    RawQuery,
    /// The same, escaped as one component and then once more as part of a URI.
    EscapedQuery,
    /// The value of a header.
    Header(&'a str),
    /// The value of a query parameter, decoded.
    Query(&'a str),
    /// The value at a pointer: strings as they are, all else as JSON.
    Json(&'a str),
    /// The same, and nothing where there is no such value.
    Maybe(&'a str),
    /// A value that the operator configured.
    Value(&'a str),
    /// The pairs of a form, decoded, sorted, each once, name beside value.
    Form,
    /// Of these members of the body, in this order, those that are there: name and value, a line each.
    Lines(&'a str),
    /// The values of the headers that the sender lists.
    Listed,
    /// That list as received.
    ListedNames,
    /// CRC-32 of the body, in decimal.
    Crc32,
    /// SHA-256 of the body, in hex.
    Sha256,
    /// The MAC of a handshake's answer.
    Mac,
}

impl Part<'_> {
    /// Whether it stands for all of the body.
    #[must_use]
    pub fn covers_body(self) -> bool {
        matches!(self, Self::Body | Self::Form | Self::Crc32 | Self::Sha256)
    }

    /// Whether it stands for something in the body.
    #[must_use]
    pub fn covers_some(self) -> bool {
        self.covers_body() || matches!(self, Self::Json(_) | Self::Lines(_))
    }
}

/// Why a template has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Senseless<'a> {
    /// A brace without its partner.
    Brace(Unbalanced),
    /// A slot of that name is not known.
    Slot(&'a str),
}

/// The parts of the message, in order.
pub fn parts(signed: &str) -> impl Iterator<Item = Result<Part<'_>, Senseless<'_>>> {
    template::pieces(signed).map(|piece| match piece.map_err(Senseless::Brace)? {
        Piece::Text(text) => Ok(Part::Text(text)),
        Piece::Slot(slot) => named(slot).ok_or(Senseless::Slot(slot)),
    })
}

#[inline(never)]
fn named(slot: &str) -> Option<Part<'_>> {
    Some(match slot {
        "body" => Part::Body,
        "timestamp" => Part::Timestamp,
        "method" => Part::Method,
        "path" => Part::Path,
        "url" => Part::Url,
        "query" => Part::RawQuery,
        "escaped-query" => Part::EscapedQuery,
        "form" => Part::Form,
        "listed" => Part::Listed,
        "listed-names" => Part::ListedNames,
        "crc32" => Part::Crc32,
        "sha256" => Part::Sha256,
        "mac" => Part::Mac,
        other => match other.split_once(':')? {
            ("header", name) if !name.is_empty() => Part::Header(name),
            ("query", name) if !name.is_empty() => Part::Query(name),
            ("json", pointer) if is_pointer(pointer) => Part::Json(pointer),
            ("json?", pointer) if is_pointer(pointer) => Part::Maybe(pointer),
            ("value", name) if !name.is_empty() => Part::Value(name),
            ("lines", names) if !names.is_empty() => Part::Lines(names),
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Part, Senseless, parts};

    #[test]
    fn a_template_is_its_parts_in_order() {
        let all: Result<Vec<_>, _> =
            parts("v0:{timestamp}:{header:x-id}{query:a:b}{body}").collect();
        let expected = vec![
            Part::Text("v0:"),
            Part::Timestamp,
            Part::Text(":"),
            Part::Header("x-id"),
            Part::Query("a:b"),
            Part::Body,
        ];
        assert_eq!(all, Ok(expected));
    }

    #[test]
    fn each_slot_that_is_listed_is_known() {
        for slot in KNOWN {
            let slot = &slot.replace("POINTER", "/a");
            assert!(parts(slot).all(|part| part.is_ok()), "{slot}");
        }
    }

    #[test]
    fn near_misses_are_unknown() {
        for slot in [
            "Body", " body", "header", "header:", "query:", "note:x", "json:a", "",
        ] {
            let template = format!("{{{slot}}}");
            let found: Vec<_> = parts(&template).collect();
            assert_eq!(found, [Err(Senseless::Slot(slot))]);
        }
    }
}
