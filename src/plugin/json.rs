//! Reading the JSON of a body by pointer, without building it.
//!
//! A document is checked once for each webhook ([`check`]); reading then walks to the value and hands
//! out its text where it lies in the body.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

mod several;
pub(super) use several::{check_and_values, values};

/// Tokens in a pointer; a document cannot be deeper (`serde_json` stops at 128 levels).
const TOKENS_MAX: usize = 128;

/// The text of a body that is JSON throughout: UTF-8, right syntax, every number in range, at most
/// 127 levels deep, and no key twice in one object.
///
/// Two parsers may take different ones of two equal keys; what was verified must be what is delivered,
/// so such a document is not JSON to us (RFC 8259 section 4 leaves the choice).
pub(super) fn check(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let mut document = Deserializer::from_str(text);
    document.deserialize_any(Check).ok()?;
    document.end().ok()?;
    Some(text)
}

/// The text of the value at `pointer` (RFC 6901) in a checked document.
pub(super) fn read<'t>(text: &'t str, pointer: &str) -> Option<&'t str> {
    let mut found = None;
    let tokens = tokens(pointer)?;
    let walk = Walk {
        tokens: &tokens,
        found: &mut found,
    };
    // It stops with an error where the value was found: nothing after it need be read.
    drop(walk.deserialize(&mut Deserializer::from_str(text)));
    found.map(RawValue::get)
}

/// The string at `pointer`, unquoted.
pub(super) fn read_string(text: &str, pointer: &str) -> Option<String> {
    let value = read(text, pointer)?;
    value
        .starts_with('"')
        .then(|| serde_json::from_str(value).ok())
        .flatten()
}

/// Where in the body the elements of the array at `pointer` lie.
pub(super) fn slices(text: &str, pointer: &str) -> Option<Vec<Range<usize>>> {
    let array = read(text, pointer)?;
    let elements: Vec<&RawValue> = serde_json::from_str(array).ok()?;
    let base = text.as_ptr().addr();
    Some(
        elements
            .into_iter()
            .map(|element| {
                let start = element.get().as_ptr().addr() - base;
                start..start + element.get().len()
            })
            .collect(),
    )
}

/// The unescaped tokens of a pointer; none when it is not one.
fn tokens(pointer: &str) -> Option<Vec<Cow<'_, str>>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let tokens = pointer.strip_prefix('/')?.split('/').map(|token| {
        if token.contains('~') {
            Cow::Owned(token.replace("~1", "/").replace("~0", "~"))
        } else {
            Cow::Borrowed(token)
        }
    });
    let tokens: Vec<_> = tokens.take(TOKENS_MAX + 1).collect();
    (tokens.len() <= TOKENS_MAX).then_some(tokens)
}

/// Visits everything once.
struct Check;

impl<'de> DeserializeSeed<'de> for Check {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check {
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

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        while array.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let mut keys = Vec::new();
        while let Some(Key(key)) = object.next_key()? {
            keys.push(key);
            object.next_value_seed(Self)?;
        }
        each_once(keys)
    }
}

/// Passes when no key of an object is there twice. Sorting needs no hash, whose worst case a sender could
/// choose.
fn each_once<E: serde::de::Error>(mut keys: Vec<Cow<'_, str>>) -> Result<(), E> {
    keys.sort_unstable();
    match keys.array_windows().any(|[one, next]| one == next) {
        true => Err(E::custom("a key appears twice")),
        false => Ok(()),
    }
}

/// A key, borrowed from the body unless it has escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(key: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.into())))
            }
        }
        key.deserialize_str(Text)
    }
}

/// Walks down to one value and leaves it in `found`.
struct Walk<'w, 'de> {
    tokens: &'w [Cow<'w, str>],
    found: &'w mut Option<&'de RawValue>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, document: D) -> Result<(), D::Error> {
        if self.tokens.is_empty() {
            *self.found = Some(serde::Deserialize::deserialize(document)?);
            Ok(())
        } else {
            document.deserialize_any(self)
        }
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let Some((token, tokens)) = self.tokens.split_first() else {
            return Ok(());
        };
        while let Some(Key(key)) = object.next_key()? {
            if key == *token {
                object.next_value_seed(Walk {
                    tokens,
                    found: self.found,
                })?;
                break;
            }
            object.next_value::<IgnoredAny>()?;
        }
        Err(A::Error::custom("enough"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        let Some((token, tokens)) = self.tokens.split_first() else {
            return Ok(());
        };
        let Some(index) = index(token) else {
            return Err(A::Error::custom("not an index"));
        };
        for _ in 0..index {
            if array.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        array.next_element_seed(Walk {
            tokens,
            found: self.found,
        })?;
        Err(A::Error::custom("enough"))
    }
}

/// RFC 6901 section 4: digits without a leading zero.
fn index(token: &str) -> Option<usize> {
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = token.len() > 1 && token.starts_with('0');
    (digits && !leading_zero)
        .then(|| token.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document of RFC 6901 section 5.
    const RFC: &str = r#"{
      "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3,
      "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8
    }"#;

    #[test]
    fn pointers_read_what_rfc_6901_says() {
        for (pointer, value) in [
            ("/foo", r#"["bar", "baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
            ("", RFC),
        ] {
            assert_eq!(read(RFC, pointer), Some(value), "{pointer}");
        }
    }

    #[test]
    fn what_is_not_there_is_none() {
        for pointer in [
            "/nothing", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/+1", "/foo/0/x", "foo",
            "/a/b",
        ] {
            assert_eq!(read(RFC, pointer), None, "{pointer}");
        }
        assert_eq!(read("1", "/a"), None);
    }

    #[test]
    fn an_escaped_key_is_found_by_its_meaning() {
        assert_eq!(read(r#"{"\u0061": {"b": 1}}"#, "/a/b"), Some("1"));
    }

    #[test]
    fn strings_come_unquoted_and_others_not_at_all() {
        let text = r#"{"s": "a\nb", "n": 1, "e": ""}"#;

        assert_eq!(read_string(text, "/s").as_deref(), Some("a\nb"));
        assert_eq!(read_string(text, "/e").as_deref(), Some(""));
        assert_eq!(read_string(text, "/n"), None);
    }

    #[test]
    fn slices_cut_the_body_at_its_elements() {
        let text = r#" {"all": [ {"a": 1} , "b,]", [] ], "none": [], "no": 1}"#;

        let cut: Vec<&str> = slices(text, "/all")
            .unwrap()
            .into_iter()
            .map(|range| text.get(range).unwrap())
            .collect();

        assert_eq!(cut, [r#"{"a": 1}"#, r#""b,]""#, "[]"]);
        assert_eq!(slices(text, "/none"), Some(vec![]));
        assert_eq!(slices(text, "/no"), None);
    }

    #[test]
    fn a_key_twice_is_no_json_at_any_depth() {
        assert!(check(br#"{"a": {"b": 1, "c": 2}, "d": {"b": 1}}"#).is_some());
        assert!(check(br#"{"a": {"b": 1, "c": 2, "b": 3}}"#).is_none());
        assert!(check(br#"[{"a": 1, "\u0061": 2}]"#).is_none());
    }

    #[test]
    fn only_whole_and_right_documents_are_json() {
        assert!(check(b" [1, 2.5, -3, true, null, \"\xc3\xa4\"] ").is_some());
        let deep = |levels| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(check(&deep(127)).is_some());

        for wrong in [
            &b""[..],
            b"{} {}",
            b"[1,]",
            b"{a:1}",
            b"\"\xff\"",
            b"\"\\ud800\"",
            b"1e999",
            b"\xef\xbb\xbf{}",
        ] {
            assert!(check(wrong).is_none(), "{wrong:?}");
        }
        assert!(check(&deep(128)).is_none());
    }
}
