//! Where the key of a webhook comes from.

use hookgate_sdk::template::{self, Piece, Unbalanced};

/// The slots of `digest`, as an operator reads them.
pub const KNOWN: [&str; 2] = ["{body}", "{header:NAME}"];
/// How long a key is remembered unless the configuration says: most senders try again within a day.
pub const DEFAULT_SECONDS: u64 = 86_400;
/// The host remembers no key for longer.
pub const SECONDS_MAX: u64 = 7 * 86_400;

/// One part of what is digested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Literal text.
    Text(&'a str),
    /// The body as received; it stays in the host.
    Body,
    /// The value of a header.
    Header(&'a str),
}

/// Why a template has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Senseless<'a> {
    /// A brace without its partner.
    Brace(Unbalanced),
    /// A slot of that name is not known.
    Slot(&'a str),
}

/// The parts of what is digested, in order.
pub fn parts(digest: &str) -> impl Iterator<Item = Result<Part<'_>, Senseless<'_>>> {
    template::pieces(digest).map(|piece| match piece.map_err(Senseless::Brace)? {
        Piece::Text(text) => Ok(Part::Text(text)),
        Piece::Slot("body") => Ok(Part::Body),
        Piece::Slot(slot) => match slot.split_once(':') {
            Some(("header", name)) if !name.is_empty() => Ok(Part::Header(name)),
            _ => Err(Senseless::Slot(slot)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Part, Senseless, parts};

    #[test]
    fn a_digest_is_of_its_parts_in_order() {
        let all: Result<Vec<_>, _> = parts("{header:x-a}.{body}").collect();
        assert_eq!(
            all,
            Ok(vec![Part::Header("x-a"), Part::Text("."), Part::Body])
        );
        for slot in KNOWN {
            assert!(parts(slot).all(|part| part.is_ok()), "{slot}");
        }
    }

    #[test]
    fn near_misses_are_unknown() {
        for slot in ["Body", "header", "header:", "/id", ""] {
            let template = format!("{{{slot}}}");
            let found: Vec<_> = parts(&template).collect();
            assert_eq!(found, [Err(Senseless::Slot(slot))]);
        }
    }
}
