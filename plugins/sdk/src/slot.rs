//! What may stand between the braces of a template: parts of the webhook, by the same names in every
//! plugin that has templates.

use crate::json::{escape_into, is_pointer};
use crate::problem::{Problems, list};
use crate::template::{self, Piece, Unbalanced};
use crate::{body_is_json, json_text, webhook};

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

/// The form in which a value is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As JSON, ready to stand in a document.
    Json,
    /// As text: strings unquoted, all else as JSON.
    Text,
}

/// The value of a slot in the webhook; none when there is none.
///
/// # Errors
/// When a value of the body is asked for and the body is not JSON: nobody can say that it is absent.
pub fn find(slot: Slot<'_>, form: Form) -> Result<Option<String>, String> {
    let text = match slot {
        Slot::Pointer(pointer) => {
            let value = match form {
                Form::Json => webhook::json(pointer),
                Form::Text => json_text(pointer),
            };
            if value.is_none() && !body_is_json() {
                return Err(format!(
                    "the body is not JSON, so nothing is at `{pointer}`"
                ));
            }
            return Ok(value);
        }
        Slot::Header(name) => webhook::header(name),
        Slot::Note(key) => webhook::note(key),
        Slot::Query(name) => webhook::query_param(name),
    };
    Ok(text.map(|text| match form {
        Form::Text => text,
        Form::Json => {
            let mut quoted = String::from("\"");
            escape_into(&mut quoted, &text);
            quoted.push('"');
            quoted
        }
    }))
}

impl Problems {
    /// Reports what has no meaning in a template.
    pub fn template(&mut self, at: &str, text: &str) {
        for part in parts(text) {
            match part {
                Ok(Part::Slot(Slot::Header(name), _)) => self.header_name(at, name),
                Ok(_) => {}
                Err(Senseless::Brace(brace)) => self.add(at, brace.to_string()),
                Err(Senseless::Slot(slot)) => {
                    self.add(
                        at,
                        format!("unknown part `{{{slot}}}`; known are {}", list(&KNOWN)),
                    );
                }
            }
        }
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
