//! What may stand between the braces of a template.

use hookgate_sdk::json::is_pointer;
use hookgate_sdk::template::{self, Piece, Unbalanced};

/// The slots, as an operator reads them.
pub const KNOWN: [&str; 4] = ["{/pointer}", "{header:NAME}", "{note:KEY}", "{query:NAME}"];

/// A part of the webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot<'a> {
    /// The value at a pointer of the JSON body.
    Pointer(&'a str),
    /// The first value of a header.
    Header(&'a str),
    /// A note of an earlier plugin.
    Note(&'a str),
    /// A query parameter, decoded.
    Query(&'a str),
}

/// A piece of a template, its slot understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Literal text.
    Text(&'a str),
    /// To be replaced; the second is how it was written.
    Slot(Slot<'a>, &'a str),
}

/// Why a template has no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Senseless<'a> {
    /// A brace without its partner.
    Brace(Unbalanced),
    /// A slot of that name is not known.
    Slot(&'a str),
}

/// The parts of a template, in order.
pub fn parts(template: &str) -> impl Iterator<Item = Result<Part<'_>, Senseless<'_>>> {
    template::pieces(template).map(|piece| match piece.map_err(Senseless::Brace)? {
        Piece::Text(text) => Ok(Part::Text(text)),
        Piece::Slot(written) => named(written)
            .map(|slot| Part::Slot(slot, written))
            .ok_or(Senseless::Slot(written)),
    })
}

/// The slot that is all of a template.
#[must_use]
pub fn only(template: &str) -> Option<(Slot<'_>, &str)> {
    let mut parts = parts(template);
    match (parts.next()?, parts.next()) {
        (Ok(Part::Slot(slot, written)), None) => Some((slot, written)),
        _ => None,
    }
}

fn named(written: &str) -> Option<Slot<'_>> {
    if written.starts_with('/') && is_pointer(written) {
        return Some(Slot::Pointer(written));
    }
    match written.split_once(':')? {
        (_, "") => None,
        ("header", name) => Some(Slot::Header(name)),
        ("note", key) => Some(Slot::Note(key)),
        ("query", name) => Some(Slot::Query(name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{KNOWN, Part, Senseless, Slot, only, parts};

    #[test]
    fn each_slot_that_is_listed_is_known() {
        for slot in KNOWN {
            assert!(only(slot).is_some(), "{slot}");
        }
    }

    #[test]
    fn near_misses_are_unknown() {
        for written in ["pointer", "/~2", "header:", "body", "", "Header:x"] {
            let template = format!("{{{written}}}");
            let found: Vec<_> = parts(&template).collect();
            assert_eq!(found, [Err(Senseless::Slot(written))]);
        }
    }

    #[test]
    fn a_slot_among_text_is_not_all_of_a_template() {
        assert_eq!(only("{/a}"), Some((Slot::Pointer("/a"), "/a")));
        for template in ["", "a", " {/a}", "{/a} ", "{/a}{/b}", "{{/a}}", "{/a"] {
            assert_eq!(only(template), None, "{template}");
        }
        let found: Vec<_> = parts("a{note:x}").collect();
        assert_eq!(
            found,
            [
                Ok(Part::Text("a")),
                Ok(Part::Slot(Slot::Note("x"), "note:x"))
            ]
        );
    }
}
