//! A call before it is signed: a sample of its provider's, or the least that a scheme looks at.

use serde_json::{Map, Value};

use super::samples;
use super::scheme::{Condition, Scheme};
use super::{Preset, find};

/// What stands where a scheme looks for something and does not care what it is.
const ANYTHING: &str = "golden";
/// Elements of an array that are made up to reach one of them.
const ELEMENTS_MAX: usize = 16;

/// A call before it is signed. `{event}`, `{uuid}`, `{timestamp}`, `{rfc3339}` and `{value:NAME}` in
/// its values and its body, and `{signature}` in its body, are replaced when it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// `POST`, unless a scheme asks for another one.
    pub method: String,
    /// Names and values.
    pub query: Vec<(String, String)>,
    /// Of the body.
    pub content_type: String,
    /// Beside the content type.
    pub headers: Vec<(String, String)>,
    /// What happened.
    pub event: String,
    /// What is told of it.
    pub body: String,
}

impl Call {
    /// An event as the provider tells it; none when there is no sample of it.
    #[must_use]
    pub fn sample(preset: &Preset, event: &str) -> Option<Self> {
        let body = samples::find(preset.name, event)?;
        Some(Self {
            content_type: preset.send.content_type.clone(),
            headers: preset.send.headers.clone(),
            event: event.to_owned(),
            body: body.to_owned(),
            ..Self::bare()
        })
    }

    /// Of nobody in particular.
    #[must_use]
    pub fn bare() -> Self {
        Self {
            method: "POST".to_owned(),
            query: Vec::new(),
            content_type: "application/json".to_owned(),
            headers: Vec::new(),
            event: ANYTHING.to_owned(),
            body: r#"{"golden":true}"#.to_owned(),
        }
    }

    /// The first sample of the provider, or a bare call.
    #[must_use]
    pub fn of(preset: Option<&str>) -> Self {
        let preset = preset.and_then(find);
        let sample = preset.and_then(|preset| {
            let event = samples::events(preset.name).next()?;
            Self::sample(preset, event)
        });
        sample.unwrap_or_else(Self::bare)
    }

    /// Adds what the scheme looks at and the call does not have. What is there stays.
    pub fn complete(&mut self, scheme: &Scheme) {
        let base = (scheme.items.as_ref()).map_or_else(String::new, |items| format!("{items}/0"));
        for slot in slots(&scheme.signed) {
            match slot.split_once(':') {
                Some(("header", name)) => self.header(name, None),
                Some(("query", name)) => self.query(name, None),
                Some(("json", pointer)) => self.member(&format!("{base}{pointer}"), None),
                _ => {}
            }
        }
        let prefixed = |prefix: &Option<String>, slot| prefix.clone().unwrap_or_default() + slot;
        if let Some(at) = &scheme.timestamp
            && let Some(pointer) = &at.pointer
        {
            let text = prefixed(&at.prefix, "{timestamp}");
            self.member(&format!("{base}{pointer}"), Some(&text));
        }
        if let Some(pointer) = &scheme.signature.pointer {
            let text = prefixed(&scheme.signature.prefix, "{signature}");
            self.member(&format!("{base}{pointer}"), Some(&text));
        }
        if let Some(listed) = &scheme.listed {
            if self.headers.is_empty() {
                self.header("x-golden", None);
            }
            let mut names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
            let time = scheme.timestamp.as_ref().and_then(|at| at.header.as_ref());
            names.extend(time.map(String::as_str));
            let text = prefixed(&listed.prefix, &names.join(&listed.split));
            if scheme.signature.header.as_ref() != Some(&listed.header) {
                let is_there = self.headers.iter().any(|(name, _)| *name == listed.header);
                self.header(&listed.header, Some(text.as_str()).filter(|_| !is_there));
            }
        }
        self.satisfy(&scheme.require);
    }

    /// Makes the conditions hold, where a text can: one that names more of the webhook than its digest
    /// is not followed.
    pub fn satisfy(&mut self, conditions: &[Condition]) {
        for condition in conditions {
            let of_host = |pattern: &String| format!("https://{}/", pattern.replace('*', "x"));
            let wanted = match &condition.equals {
                Some(template) => Some(template.clone()),
                None => condition.host.as_ref().map(of_host),
            };
            if let Some(method) = &condition.method {
                self.method.clone_from(method);
            } else if let Some(name) = &condition.header {
                self.header(name, wanted.as_deref());
            } else if let Some(name) = &condition.query {
                self.query(name, wanted.as_deref());
            } else if let Some(pointer) = &condition.pointer {
                self.member(pointer, wanted.as_deref());
            }
        }
    }

    fn header(&mut self, name: &str, wanted: Option<&str>) {
        put(&mut self.headers, name, wanted);
    }

    fn query(&mut self, name: &str, wanted: Option<&str>) {
        put(&mut self.query, name, wanted);
    }

    /// The text at a pointer into the body. A body that is no JSON has none.
    fn member(&mut self, pointer: &str, wanted: Option<&str>) {
        // A time is a number in some samples.
        let read = serde_json::from_str::<Value>(&self.body)
            .or_else(|_| serde_json::from_str(&self.body.replace("{timestamp}", "0")));
        let Ok(mut body) = read else { return };
        let is_right = body.pointer(pointer).is_some_and(|found| match wanted {
            None => !found.is_null(),
            Some(wanted) => match found {
                Value::String(text) => text == wanted,
                scalar => format!("{scalar}") == wanted,
            },
        });
        // What is right stays as it was written.
        if !is_right {
            place(&mut body, pointer, wanted.unwrap_or(ANYTHING));
            self.body = body.to_string();
        }
    }
}

fn put(pairs: &mut Vec<(String, String)>, name: &str, wanted: Option<&str>) {
    let found = pairs
        .iter_mut()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    match (found, wanted) {
        (Some((_, value)), Some(wanted)) => wanted.clone_into(value),
        (Some(_), None) => {}
        (None, wanted) => pairs.push((name.to_owned(), wanted.unwrap_or(ANYTHING).to_owned())),
    }
}

/// Puts a text at a pointer (RFC 6901), and tables and arrays on the way to it.
fn place(mut at: &mut Value, pointer: &str, text: &str) {
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        let index = token.parse().ok().filter(|index| *index < ELEMENTS_MAX);
        if let (Some(_), Value::Null) = (index, &at) {
            *at = Value::Array(Vec::new());
        }
        let leads_on = at.is_object() || (at.is_array() && index.is_some());
        if !leads_on {
            *at = Value::Object(Map::new());
        }
        at = match (at, index) {
            (Value::Array(list), Some(index)) => {
                while list.len() <= index {
                    list.push(Value::Null);
                }
                match list.get_mut(index) {
                    Some(element) => element,
                    None => return,
                }
            }
            (Value::Object(table), _) => table.entry(token).or_insert(Value::Null),
            _ => return,
        };
    }
    *at = Value::String(text.to_owned());
}

/// The slots of a template.
fn slots(template: &str) -> impl Iterator<Item = &str> {
    let pieces = template.split('{').skip(1);
    pieces.filter_map(|piece| piece.split_once('}').map(|(slot, _)| slot))
}

/// A name or value of a query (RFC 3986, section 2.3: what needs no escape).
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}
