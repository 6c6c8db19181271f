//! A plugin's own table, from TOML to the JSON that the guest reads. A secret in it becomes the name of
//! a key; the key itself stays in the host.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Map, Number, Value};
use toml::de::{DeInteger, DeValue};

use super::document::{Document, Place};
use super::problem::{Problem, Problems};
use super::secrets::{Found, Lookup};
use super::shapes::SecretRef;
use crate::fetch;
use crate::preset::KeyFormat;

/// A key that was found for a name, and where it was asked for.
#[derive(Debug)]
pub(super) struct KeyFound {
    pub found: Origin,
    pub span: Range<usize>,
}

/// Where a key comes from.
#[derive(Debug)]
pub(super) enum Origin {
    /// It is here.
    Here(Found),
    /// It is to be fetched.
    Published(fetch::Settings),
}

impl Origin {
    /// What names it in logs.
    pub(super) fn label(&self) -> String {
        match self {
            Self::Here(found) => found.label.clone(),
            Self::Published(settings) => settings.label(),
        }
    }
}

/// The keys of one plugin on one route: name to all active ones.
pub(super) type Keys = BTreeMap<String, Vec<KeyFound>>;

/// Turns the table at `place` into JSON. The name of a key is its dotted path in the table; `format` is
/// how its text stands for bytes unless it says so itself.
pub(super) fn to_json(
    document: &mut Document<'_>,
    place: &Place,
    format: &KeyFormat,
    lookup: Lookup<'_>,
    problems: &mut Problems,
) -> (Value, Keys) {
    let mut reader = Reader {
        document,
        format,
        lookup,
        problems,
        keys: Keys::new(),
    };
    let json = reader.value(place, "");
    (json, reader.keys)
}

struct Reader<'r, 't> {
    document: &'r mut Document<'t>,
    format: &'r KeyFormat,
    lookup: Lookup<'r>,
    problems: &'r mut Problems,
    keys: Keys,
}

/// What a value is, detached from the document, so that the reader may go on with it.
enum Shape {
    Scalar(Value),
    Secret,
    Secrets(usize),
    List(usize),
    Table(Vec<String>),
    Unspeakable(&'static str),
}

impl Reader<'_, '_> {
    fn value(&mut self, place: &Place, path: &str) -> Value {
        let Some(shape) = self.document.get(place).map(|value| shape(value.get_ref())) else {
            return Value::Null;
        };
        match shape {
            Shape::Scalar(value) => value,
            Shape::Secret => self.secrets(path, std::slice::from_ref(place)),
            Shape::Secrets(length) => {
                let places: Vec<Place> = (0..length).map(|index| place.index(index)).collect();
                self.secrets(path, &places)
            }
            Shape::List(length) => (0..length)
                .map(|index| self.value(&place.index(index), &format!("{path}[{index}]")))
                .collect(),
            Shape::Table(names) => {
                let mut table = Map::new();
                for name in names {
                    let below = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    let value = self.value(&place.key(&name), &below);
                    table.insert(name, value);
                }
                Value::Object(table)
            }
            Shape::Unspeakable(why) => {
                self.problems
                    .push(Problem::error(self.document.value(place), why));
                Value::Null
            }
        }
    }

    fn secrets(&mut self, name: &str, places: &[Place]) -> Value {
        for place in places {
            let span = self.document.value(place);
            let found = self
                .document
                .read::<SecretRef>(place, self.problems)
                .and_then(|secret| {
                    self.lookup
                        .key(&secret, (self.format, None), &span, self.problems)
                });
            if let Some(found) = found {
                self.keys
                    .entry(name.to_owned())
                    .or_default()
                    .push(KeyFound { found, span });
            }
        }
        Value::String(name.to_owned())
    }
}

fn shape(value: &DeValue<'_>) -> Shape {
    match value {
        DeValue::String(text) => Shape::Scalar(Value::String(text.to_string())),
        DeValue::Boolean(flag) => Shape::Scalar(Value::Bool(*flag)),
        DeValue::Integer(number) => match integer(number) {
            Some(number) => Shape::Scalar(Value::Number(number)),
            None => Shape::Unspeakable("the number is too large"),
        },
        DeValue::Float(number) => match number
            .as_str()
            .replace('_', "")
            .parse()
            .ok()
            .and_then(Number::from_f64)
        {
            Some(number) => Shape::Scalar(Value::Number(number)),
            None => Shape::Unspeakable("a plugin reads JSON, which has no such number"),
        },
        DeValue::Datetime(_) => {
            Shape::Unspeakable("a plugin reads JSON, which has no dates: put it in quotes")
        }
        DeValue::Array(list)
            if !list.is_empty() && list.iter().all(|value| is_secret(value.get_ref())) =>
        {
            Shape::Secrets(list.len())
        }
        DeValue::Array(list) => Shape::List(list.len()),
        table @ DeValue::Table(_) if is_secret(table) => Shape::Secret,
        DeValue::Table(table) => {
            Shape::Table(table.keys().map(|key| key.get_ref().to_string()).collect())
        }
    }
}

/// Whether a table says where a secret is: nothing else looks like it.
fn is_secret(value: &DeValue<'_>) -> bool {
    let DeValue::Table(table) = value else {
        return false;
    };
    let names = || table.keys().map(|key| key.get_ref().as_ref());
    let is_set = |name| matches!(name, "jwks" | "certificates" | "refresh" | "ca" | "private");
    let is_text = |name| matches!(name, "env" | "file" | "credential" | "encoding" | "prefix");
    (names().any(|name| matches!(name, "env" | "file" | "credential")) && names().all(is_text))
        || (names().any(|name| matches!(name, "jwks" | "certificates"))
            && names().all(|name| is_set(name) || is_text(name)))
}

fn integer(number: &DeInteger<'_>) -> Option<Number> {
    i64::from_str_radix(number.as_str(), number.radix())
        .ok()
        .map(Number::from)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Lookup, Origin, to_json};
    use crate::config::document::{Document, Place};
    use crate::config::problem::Problems;
    use crate::config::secrets::TEXT;

    #[test]
    fn a_secret_becomes_the_name_of_a_key() {
        let text = r#"
            channel = "ops"
            ratio = 0.5
            token = { env = "TOKEN" }
            nested = { old_and_new = [{ env = "TOKEN" }, { env = "HEX", encoding = "hex" }] }
            plain = { file = "not a secret", mode = 7 }
        "#;
        let mut problems = Problems::default();
        let mut document = Document::parse(text, &mut problems).unwrap();
        let environment =
            |name: &str| Some(if name == "HEX" { "6869" } else { "t0ken" }.to_owned());
        let lookup = Lookup {
            base: Path::new(""),
            environment: &environment,
        };

        let (json, keys) = to_json(&mut document, &Place::root(), &TEXT, lookup, &mut problems);

        assert_eq!(problems.errors(), 0);
        assert_eq!(
            json,
            serde_json::json!({
                "channel": "ops", "ratio": 0.5, "token": "token",
                "nested": { "old_and_new": "nested.old_and_new" },
                "plain": { "file": "not a secret", "mode": 7 },
            })
        );
        let found = |name: &str| -> Vec<(&str, &[u8])> {
            keys[name]
                .iter()
                .map(|key| match &key.found {
                    Origin::Here(found) => (found.label.as_str(), found.secret.expose()),
                    Origin::Published(_) => panic!("nothing is published"),
                })
                .collect()
        };
        assert_eq!(found("token"), [("env:TOKEN", b"t0ken".as_slice())]);
        assert_eq!(
            found("nested.old_and_new"),
            [
                ("env:TOKEN", b"t0ken".as_slice()),
                ("env:HEX", b"hi".as_slice())
            ]
        );
    }
}
