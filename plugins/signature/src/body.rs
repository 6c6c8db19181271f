//! What is read of the webhook. Of the body as JSON, all that a scheme looks at is read with one walk, when the
//! first of it is wanted; where the sender lists headers, each is read once.

use std::cell::{OnceCell, RefCell};

use hookgate_sdk::json::{Json, pointer, unquoted};
use hookgate_sdk::webhook;

use crate::message::{self, Part};
use crate::scheme::{Condition, Place, Scheme};

/// Bytes of a body that is read here where a scheme signs most of it. Of a longer one the host is asked for
/// each value: the tree of a document takes several times its memory.
const READ_HERE: u32 = 16 << 10;

/// What is known of the body of one webhook.
pub(crate) struct Body<'a> {
    scheme: &'a Scheme<'a>,
    /// Pointer to the element that is looked at; empty for all of it.
    base: String,
    /// What is read here, and what was read: none where that is nothing.
    document: &'a OnceCell<String>,
    tree: OnceCell<Option<Json<'a>>>,
    known: RefCell<Known>,
    /// Headers that are there once.
    headers: RefCell<Known>,
}

/// Pointers and the values there, as JSON; or names and what they stand for.
type Known = Vec<(String, Option<String>)>;

impl<'a> Body<'a> {
    pub(crate) fn new(scheme: &'a Scheme<'a>, document: &'a OnceCell<String>) -> Self {
        Self {
            scheme,
            base: String::new(),
            document,
            tree: OnceCell::new(),
            known: RefCell::default(),
            headers: RefCell::default(),
        }
    }

    /// How many elements the array at a pointer has, which is the scheme's.
    pub(crate) fn count(&self, items: &str) -> usize {
        match self.tree() {
            Some(tree) => tree.elements().len(),
            None => webhook::json_array_slices(items).map_or(0, |slices| slices.len()),
        }
    }

    /// Looks at the element at this pointer from now on.
    pub(crate) fn enter(&mut self, base: String) {
        self.base = base;
    }

    /// The value of a header that is there once.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        if self.scheme.listed.is_none() {
            return webhook::only_header(name);
        }
        let mut headers = self.headers.borrow_mut();
        if let Some(value) = add(&mut headers, name) {
            return value.clone();
        }
        let (_, slot) = headers.last_mut()?;
        slot.clone_from(&webhook::only_header(name));
        slot.clone()
    }

    /// The text at a pointer into the element: a string unquoted, all else as JSON.
    #[inline(never)]
    pub(crate) fn text(&self, pointer: &str) -> Option<String> {
        let (text, _) = self.found([&self.base, pointer].concat())?;
        Some(text)
    }

    /// Name and value of each of these members of the element that is a string, a line each.
    pub(crate) fn lines(&self, names: &str) -> String {
        let mut out = String::new();
        for name in names.split(' ') {
            // A `null` is not there, as the libraries of AWS have it.
            if let Some((value, true)) = self.found(pointer(&self.base, name)) {
                out.extend([name, "\n", &value, "\n"]);
            }
        }
        out
    }

    /// The text of the value at a pointer, and whether that is a string.
    #[inline(never)]
    fn found(&self, wanted: String) -> Option<(String, bool)> {
        let root = self.scheme.items.unwrap_or_default();
        if !wanted.contains('~')
            && let (Some(tree), Some(pointer)) = (self.tree(), wanted.strip_prefix(root))
        {
            match below(tree, pointer)? {
                Json::Text(text) => return Some((text.as_ref().to_owned(), true)),
                // The text of what is large is not kept.
                Json::List(_) | Json::Table(_) => {}
                scalar => return scalar.scalar().map(|text| (text.to_owned(), false)),
            }
        }
        let value = self.asked(wanted)?;
        let is_string = value.starts_with('"');
        Some((unquoted(value), is_string))
    }

    /// What is read here: all of the body, or the array whose elements are signed.
    fn tree(&self) -> Option<&Json<'a>> {
        let read = || {
            let scheme = self.scheme;
            let is_line = |part| matches!(part, Ok(Part::Lines(_)));
            let signs_most =
                scheme.items.is_some() || message::parts(scheme.how.signed).any(is_line);
            if !signs_most || webhook::info().body_length > READ_HERE {
                return None;
            }
            let root = scheme.items.unwrap_or_default();
            let text = webhook::json_values(&[root]).pop().flatten()?;
            Json::read(self.document.get_or_init(|| text)).ok()
        };
        self.tree.get_or_init(read).as_ref()
    }

    /// What the host finds at a pointer, who is asked for all others as well when it is asked for one.
    fn asked(&self, wanted: String) -> Option<String> {
        let mut known = self.known.borrow_mut();
        let begin = known.len();
        if let Some(value) = add(&mut known, &wanted) {
            return value.clone();
        }
        if self.scheme.items.is_none() {
            self.gather(&mut |pointer| {
                add(&mut known, pointer);
            });
        }
        let new = known.get_mut(begin..).unwrap_or_default();
        let pointers: Vec<&str> = new.iter().map(|(pointer, _)| pointer.as_str()).collect();
        let values = webhook::json_values(&pointers);
        for ((_, slot), value) in new.iter_mut().zip(values) {
            *slot = value;
        }
        new.first().and_then(|(_, value)| value.clone())
    }

    /// Every pointer that the scheme looks at before there is something to answer.
    fn gather(&self, add: &mut dyn FnMut(&str)) {
        let scheme = self.scheme;
        let time = scheme.timestamp.as_ref().map(|time| time.source.place);
        for place in [Some(scheme.signature.place), time, scheme.event] {
            if let Some(Place::Pointer(pointer)) = place {
                add(pointer);
            }
        }
        for part in message::parts(scheme.how.signed) {
            if let Ok(Part::Json(pointer) | Part::Maybe(pointer)) = part {
                add(pointer);
            }
        }
        places(&scheme.require, add);
        for variant in &scheme.variants {
            places(&variant.when, add);
            places(&variant.require, add);
        }
        for handshake in &scheme.handshakes {
            places(&handshake.when, add);
        }
    }
}

/// The value at a pointer that has no escapes.
fn below<'j, 't>(tree: &'j Json<'t>, pointer: &str) -> Option<&'j Json<'t>> {
    let mut value = tree;
    for step in pointer.split('/').skip(1) {
        value = match value {
            Json::List(elements) => {
                let is_index = step == "0" || matches!(step.bytes().next(), Some(b'1'..=b'9'));
                elements.get(step.parse::<usize>().ok().filter(|_| is_index)?)?
            }
            other => other.get(step)?,
        };
    }
    Some(value)
}

fn places(conditions: &[Condition<'_>], add: &mut dyn FnMut(&str)) {
    for condition in conditions {
        if let Place::Pointer(pointer) = condition.place {
            add(pointer);
        }
    }
}

/// What is known at a pointer; when that is nothing, it is to be asked for.
#[inline(never)]
fn add<'k>(known: &'k mut Known, pointer: &str) -> Option<&'k Option<String>> {
    if let Some(at) = known.iter().position(|(known, _)| known == pointer) {
        return known.get(at).map(|(_, value)| value);
    }
    known.push((pointer.to_owned(), None));
    None
}

#[cfg(test)]
mod tests {
    use hookgate_sdk::json::{Json, find};

    use super::below;

    #[test]
    fn a_pointer_finds_in_a_tree_what_it_finds_in_the_text() {
        let text = r#"{"a":[["x"],{"":0,"b c":1}],"0":"y","+1":{"01":2}}"#;
        let tree = Json::read(text).unwrap();
        for pointer in [
            "", "/a", "/a/0", "/a/0/0", "/a/1/", "/a/1/b c", "/0", "/+1/01", "/a/2", "/a/-",
            "/a/00", "/a/01", "/a/+1", "/a/", "/a/0/0/0", "/b", "/",
        ] {
            let found = find(text, pointer).map(|value| Json::read(value).unwrap());
            assert_eq!(below(&tree, pointer), found.as_ref(), "{pointer}");
        }
    }
}
