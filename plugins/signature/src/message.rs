//! What a signature covers: a template whose slots are parts of the webhook.

use hookgate_sdk::template::{self, Piece, Unbalanced};

/// The slots, as an operator reads them.
pub const KNOWN: [&str; 7] = [
    "{body}",
    "{timestamp}",
    "{method}",
    "{path}",
    "{url}",
    "{header:NAME}",
    "{query:NAME}",
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
    /// The value of a header.
    Header(&'a str),
    /// The value of a query parameter, decoded.
    Query(&'a str),
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

fn named(slot: &str) -> Option<Part<'_>> {
    Some(match slot {
        "body" => Part::Body,
        "timestamp" => Part::Timestamp,
        "method" => Part::Method,
        "path" => Part::Path,
        "url" => Part::Url,
        other => match other.split_once(':')? {
            ("header", name) if !name.is_empty() => Part::Header(name),
            ("query", name) if !name.is_empty() => Part::Query(name),
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
            assert!(parts(slot).all(|part| part.is_ok()), "{slot}");
        }
    }

    #[test]
    fn near_misses_are_unknown() {
        for slot in ["Body", " body", "header", "header:", "query:", "note:x", ""] {
            let template = format!("{{{slot}}}");
            let found: Vec<_> = parts(&template).collect();
            assert_eq!(found, [Err(Senseless::Slot(slot))]);
        }
    }
}
