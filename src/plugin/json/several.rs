//! Several values with one walk, which is the check of the document, too, when nobody has checked it yet.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as _, Deserializer as _};
use serde_json::Deserializer;
use serde_json::value::RawValue;

use super::{Check, Key, check, index, tokens};

/// The texts of the values at `pointers` in a body that nobody has checked yet; none of all when it is not
/// what [`check`] takes.
pub(in crate::plugin) fn check_and_values(
    body: &[u8],
    pointers: &[String],
) -> Option<Vec<Option<String>>> {
    let text = std::str::from_utf8(body).ok()?;
    let mut found = Found::new(pointers.len(), true);
    let sought = sought(pointers);
    let mut document = Deserializer::from_str(text);
    let walk =
        Several::new(&sought.iter().collect::<Vec<_>>(), &mut found).deserialize(&mut document);
    walk.ok()?;
    document.end().ok()?;
    if found.is_unchecked {
        check(body)?;
    }
    Some(found.texts())
}

/// The same in a checked document.
pub(in crate::plugin) fn values(text: &str, pointers: &[String]) -> Vec<Option<String>> {
    let mut found = Found::new(pointers.len(), false);
    let sought = sought(pointers);
    let sought: Vec<_> = sought.iter().collect();
    if !sought.is_empty() {
        // It stops with an error where all were found: nothing after that need be read.
        drop(Several::new(&sought, &mut found).deserialize(&mut Deserializer::from_str(text)));
    }
    found.texts()
}

/// A value that is looked for.
struct Sought<'p> {
    tokens: Vec<Cow<'p, str>>,
    /// Where it goes.
    place: usize,
}

fn sought(pointers: &[String]) -> Vec<Sought<'_>> {
    let all = pointers.iter().enumerate();
    all.filter_map(|(place, pointer)| {
        let tokens = tokens(pointer)?;
        Some(Sought { tokens, place })
    })
    .collect()
}

struct Found<'de> {
    values: Vec<Option<&'de RawValue>>,
    /// Whether the document is checked by the way.
    checks: bool,
    /// Whether an object or an array was taken whole: then the document is checked once more.
    is_unchecked: bool,
}

impl<'de> Found<'de> {
    fn new(count: usize, checks: bool) -> Self {
        Self {
            values: vec![None; count],
            checks,
            is_unchecked: false,
        }
    }

    /// False when it is not JSON after all: what is taken whole is skipped, and skipping looks for the
    /// end only, not into escapes, at the range of a number or for keys.
    fn put(&mut self, place: usize, value: &'de RawValue) -> bool {
        if let Some(slot) = self.values.get_mut(place) {
            *slot = Some(value);
        }
        let text = value.get();
        if !self.checks || (text.starts_with('"') && !text.contains('\\')) {
            return true;
        }
        // How deep it lies counts, too.
        self.is_unchecked |= text.starts_with(['{', '[']);
        self.is_unchecked || Deserializer::from_str(text).deserialize_any(Check).is_ok()
    }

    fn is_complete(&self) -> bool {
        !self.checks && self.values.iter().all(Option::is_some)
    }

    fn texts(self) -> Vec<Option<String>> {
        let values = self.values.into_iter();
        values.map(|value| Some(value?.get().to_owned())).collect()
    }
}

/// Walks down to the values below the one at hand.
struct Several<'s, 'f, 'de> {
    sought: &'s [&'s Sought<'s>],
    depth: usize,
    found: &'f mut Found<'de>,
}

impl<'s, 'f, 'de> Several<'s, 'f, 'de> {
    fn new(sought: &'s [&'s Sought<'s>], found: &'f mut Found<'de>) -> Self {
        Self {
            sought,
            depth: 0,
            found,
        }
    }

    /// Those of the sought that lie below a child of the value at hand.
    fn below(&self, is_child: impl Fn(&str) -> bool) -> Vec<&'s Sought<'s>> {
        let sought = self.sought.iter().copied();
        sought
            .filter(|one| {
                one.tokens
                    .get(self.depth)
                    .is_some_and(|token| is_child(token))
            })
            .collect()
    }

    fn child<'c>(&'c mut self, sought: &'c [&'c Sought<'c>]) -> Several<'c, 'c, 'de> {
        Several {
            sought,
            depth: self.depth + 1,
            found: self.found,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Several<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        let sought = self.sought.iter().copied();
        let (here, below): (Vec<&Sought<'_>>, Vec<&Sought<'_>>) =
            sought.partition(|one| one.tokens.len() == self.depth);
        if here.is_empty() {
            return document.deserialize_any(self);
        }
        let value = <&RawValue>::deserialize(document)?;
        for one in here {
            if !self.found.put(one.place, value) {
                return Err(D::Error::custom("not JSON"));
            }
        }
        if below.is_empty() {
            return Ok(());
        }
        let walk = Several {
            sought: &below,
            ..self
        };
        let mut inside = Deserializer::from_str(value.get());
        inside.deserialize_any(walk).map_err(D::Error::custom)
    }
}

impl<'de> Visitor<'de> for Several<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut array: A) -> Result<(), A::Error> {
        for position in 0.. {
            let below = self.below(|token| index(token) == Some(position));
            let more = match below.as_slice() {
                [] if self.found.checks => array.next_element_seed(Check)?,
                [] => array.next_element()?.map(|IgnoredAny| ()),
                below => array.next_element_seed(self.child(below))?,
            };
            if more.is_none() {
                break;
            }
            if self.found.is_complete() {
                return Err(A::Error::custom("enough"));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut object: A) -> Result<(), A::Error> {
        let mut keys = Vec::new();
        while let Some(Key(key)) = object.next_key()? {
            let below = self.below(|token| token == key);
            match below.as_slice() {
                [] if self.found.checks => object.next_value_seed(Check)?,
                [] => {
                    object.next_value::<IgnoredAny>()?;
                }
                below => object.next_value_seed(self.child(below))?,
            }
            if self.found.checks {
                keys.push(key);
            } else if self.found.is_complete() {
                return Err(A::Error::custom("enough"));
            }
        }
        super::each_once(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::{check, check_and_values, values};

    fn owned(pointers: &[&str]) -> Vec<String> {
        pointers.iter().map(|&pointer| pointer.to_owned()).collect()
    }

    /// What the walk for one value finds.
    fn one_by_one(text: &str, pointers: &[String]) -> Vec<Option<String>> {
        let pointers = pointers.iter();
        pointers
            .map(|pointer| Some(read(text, pointer)?.to_owned()))
            .collect()
    }

    #[test]
    fn several_walks_and_one_find_the_same() {
        let documents = [
            r#" {"a":{"b":"x","c":[1,{"d":"y\n\u00e4"}],"":0},"e":-1.50e3,"f":[],"g":null} "#,
            r#"[[["deep"]],"\"",true,{"a/b":{"m~n":"s"}}]"#,
            r#""alone""#,
            "{}",
        ];
        let pointers = owned(&[
            "",
            "/a",
            "/a/b",
            "/a/b",
            "/a/c/1/d",
            "/a/c/1",
            "/a/c/2",
            "/a/c/01",
            "/a/",
            "/e",
            "/f/0",
            "/g",
            "/0/0/0",
            "/1",
            "/2",
            "/3/a~1b/m~0n",
            "/nothing",
            "a",
            "/e/x",
        ]);
        for document in documents {
            let expected = one_by_one(document, &pointers);

            assert_eq!(values(document, &pointers), expected, "{document}");
            let checked = check_and_values(document.as_bytes(), &pointers);
            assert_eq!(checked, Some(expected), "{document}");
        }
    }

    #[test]
    fn what_is_not_json_is_not_read_wherever_the_fault_is() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(127), "]".repeat(127));
        for wrong in [
            r#"{"a":"x","b":1,"b":2}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":"x","a":"y"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e999}"#,
            r#"{"a":"x"} {}"#,
            r#"{"a":"x""#,
            r#"{"a":"x","b":[{"c":1,"c":1}]}"#,
            "{\"a\":\"x\ny\"}",
            "\u{feff}{\"a\":\"x\"}",
            &deep,
        ] {
            assert!(check(wrong.as_bytes()).is_none(), "{wrong}");
            for pointers in [
                owned(&["/a"]),
                owned(&["/b", "/a/b"]),
                owned(&["", "/a"]),
                vec![],
            ] {
                let found = check_and_values(wrong.as_bytes(), &pointers);
                assert_eq!(found, None, "{wrong} {pointers:?}");
            }
        }
        assert_eq!(check_and_values(b"{\"a\":\"\xff\"}", &owned(&["/a"])), None);
    }
}
