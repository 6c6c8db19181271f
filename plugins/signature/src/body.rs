//! The body as JSON: what a scheme looks at is read with one walk through it, when the first of it is
//! wanted.

use std::cell::RefCell;

use hookgate_sdk::json::{pointer, unquoted};
use hookgate_sdk::webhook;

use crate::message::{self, Part};
use crate::scheme::{Condition, How, Place, Scheme};

/// What is known of the body of one webhook.
pub(crate) struct Body<'a> {
    scheme: &'a Scheme<'a>,
    /// Pointer to the element that is looked at; empty for all of it.
    base: String,
    known: RefCell<Known>,
}

/// Pointers and the values there, as JSON.
type Known = Vec<(String, Option<String>)>;

impl<'a> Body<'a> {
    pub(crate) fn new(scheme: &'a Scheme<'a>) -> Self {
        Self {
            scheme,
            base: String::new(),
            known: RefCell::new(Vec::with_capacity(16)),
        }
    }

    /// Looks at the element at this pointer from now on.
    pub(crate) fn enter(&mut self, base: String) {
        self.base = base;
    }

    /// The text at a pointer into the element: a string unquoted, all else as JSON.
    #[inline(never)]
    pub(crate) fn text(&self, pointer: &str) -> Option<String> {
        self.value([&self.base, pointer].concat()).map(unquoted)
    }

    /// Name and value of each of these members of the element that is a string, a line each.
    pub(crate) fn lines(&self, names: &str) -> String {
        let mut out = String::new();
        for name in names.split(' ') {
            // A `null` is not there, as the libraries of AWS have it.
            let value = self.value(pointer(&self.base, name));
            if let Some(value) = value.filter(|value| value.starts_with('"')) {
                for text in [name, "\n", &unquoted(value), "\n"] {
                    out.push_str(text);
                }
            }
        }
        out
    }

    fn value(&self, wanted: String) -> Option<String> {
        let mut known = self.known.borrow_mut();
        let begin = known.len();
        if let Some(value) = add(&mut known, wanted) {
            return value.clone();
        }
        self.gather(&mut |pointer| {
            add(&mut known, pointer);
        });
        let new = known.get_mut(begin..).unwrap_or_default();
        let pointers: Vec<&str> = new.iter().map(|(pointer, _)| pointer.as_str()).collect();
        let values = webhook::json_values(&pointers);
        for ((_, slot), value) in new.iter_mut().zip(values) {
            *slot = value;
        }
        new.first().and_then(|(_, value)| value.clone())
    }

    /// Every pointer that the scheme looks at before there is something to answer.
    fn gather(&self, add: &mut dyn FnMut(String)) {
        let scheme = self.scheme;
        let time = scheme.timestamp.as_ref().map(|time| time.source.place);
        for place in [Some(scheme.signature.place), time].into_iter().flatten() {
            if let Place::Pointer(pointer) = place {
                add([&self.base, pointer].concat());
            }
        }
        self.signed(scheme.how, add);
        places(&scheme.require, add);
        for variant in &scheme.variants {
            places(&variant.when, add);
            places(&variant.require, add);
            if variant.how.signed != scheme.how.signed {
                self.signed(variant.how, add);
            }
        }
        for handshake in &scheme.handshakes {
            places(&handshake.when, add);
        }
        if let Some(Place::Pointer(pointer)) = scheme.event {
            add(pointer.to_owned());
        }
    }

    fn signed(&self, how: How<'_>, add: &mut dyn FnMut(String)) {
        for part in message::parts(how.signed) {
            match part {
                Ok(Part::Json(pointer) | Part::Maybe(pointer)) => {
                    add([&self.base, pointer].concat());
                }
                Ok(Part::Lines(names)) => {
                    for name in names.split(' ') {
                        add(pointer(&self.base, name));
                    }
                }
                _ => {}
            }
        }
    }
}

/// What is known at a pointer; when that is nothing, it is to be read.
#[inline(never)]
fn add(known: &mut Known, pointer: String) -> Option<&Option<String>> {
    if let Some(at) = known.iter().position(|(known, _)| *known == pointer) {
        return known.get(at).map(|(_, value)| value);
    }
    known.push((pointer, None));
    None
}

fn places(conditions: &[Condition<'_>], add: &mut dyn FnMut(String)) {
    for condition in conditions {
        if let Place::Pointer(pointer) = condition.place {
            add(pointer.to_owned());
        }
    }
}
