//! A small JSON reader for a plugin's own configuration, which the host has already checked. It
//! borrows what it can and costs about a microsecond for a few hundred bytes: the configuration is
//! read for every webhook, and a general library would be most of a small component.

use std::borrow::Cow;

mod reader;
mod scan;
pub use reader::Malformed;
pub use scan::{find, find_text};

/// One JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number as it was written.
    Number(&'a str),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Self>),
    /// An object, its members in the order in which they were written.
    Table(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Json<'a> {
    /// Reads one document.
    ///
    /// # Errors
    /// When `text` is not one JSON document or is nested deeper than [`reader::MAX_DEPTH`].
    pub fn read(text: &'a str) -> Result<Self, Malformed> {
        reader::read(text)
    }

    /// The member of that name, when this is a table that has one.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members()
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The members of a table; none for anything else.
    #[must_use]
    pub fn members(&self) -> &[(Cow<'a, str>, Self)] {
        if let Self::Table(members) = self {
            members
        } else {
            &[]
        }
    }

    /// The elements of an array; none for anything else.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        if let Self::List(elements) = self {
            elements
        } else {
            &[]
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// A whole number that is not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        if let Self::Number(number) = self {
            number.parse().ok()
        } else {
            None
        }
    }

    /// A scalar as text: strings as they are, numbers, booleans and null as JSON.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match self {
            Self::Null => Some("null"),
            Self::Bool(true) => Some("true"),
            Self::Bool(false) => Some("false"),
            Self::Number(number) => Some(number),
            Self::Text(text) => Some(text),
            Self::List(_) | Self::Table(_) => None,
        }
    }
}

/// A value, written as JSON, as text: a string unquoted, all else as it is.
#[must_use]
pub fn unquoted(value: String) -> String {
    let inside = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    match inside {
        None => value,
        Some(inside) if !inside.contains('\\') => inside.to_owned(),
        Some(_) => match Json::read(&value) {
            Ok(Json::Text(text)) => text.into_owned(),
            _ => value,
        },
    }
}

/// Appends `text` as the inside of a JSON string: escaped, without the quotes.
pub fn escape_into(out: &mut String, text: &str) {
    const HEX: &str = "0123456789abcdef";
    let is_special = |byte| matches!(byte, b'"' | b'\\' | 0..0x20);
    let mut rest = text;
    while let Some(at) = rest.bytes().position(is_special) {
        let (plain, tail) = rest.split_at(at);
        let (special, after) = tail.split_at(1);
        let code = usize::from(special.bytes().next().unwrap_or_default());
        let digit = |digit| HEX.get(digit..=digit).unwrap_or_default();
        let escaped = match special {
            "\n" => ["\\n", "", ""],
            "\r" => ["\\r", "", ""],
            "\t" => ["\\t", "", ""],
            "\"" | "\\" => ["\\", special, ""],
            _ => ["\\u00", digit(code >> 4), digit(code & 15)],
        };
        out.push_str(plain);
        out.extend(escaped);
        rest = after;
    }
    out.push_str(rest);
}

/// A pointer made of `base` and one more step, escaped as RFC 6901, section 3 says.
#[must_use]
pub fn pointer(base: &str, step: &str) -> String {
    let mut out = [base, "/"].concat();
    let mut rest = step;
    while let Some(at) = rest.bytes().position(|byte| matches!(byte, b'~' | b'/')) {
        let (plain, tail) = rest.split_at(at);
        let (special, after) = tail.split_at(1);
        out.extend([plain, if special == "~" { "~0" } else { "~1" }]);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Whether `text` is a pointer of RFC 6901: empty or begun with `/`, and `~` only in `~0`, `~1`.
#[must_use]
pub fn is_pointer(text: &str) -> bool {
    (text.is_empty() || text.starts_with('/'))
        && text
            .split('~')
            .skip(1)
            .all(|after| after.starts_with(['0', '1']))
}

#[cfg(test)]
mod tests {
    use super::{Json, escape_into, is_pointer, pointer, unquoted};

    #[test]
    fn a_string_loses_its_quotes_and_nothing_else_does() {
        for (value, text) in [
            (r#""plain""#, "plain"),
            (r#""a\"b\u00e9\\""#, "a\"bé\\"),
            (r#""""#, ""),
            ("1.50", "1.50"),
            ("null", "null"),
            (r#"["a"]"#, r#"["a"]"#),
        ] {
            assert_eq!(unquoted(value.to_owned()), text, "{value}");
        }
    }

    #[test]
    fn escaping_and_reading_give_the_same_text_back() {
        let text = "a\"b\\c\n\r\t\u{1}\u{1f}é\u{1F600} /";
        let mut document = String::from("\"");
        escape_into(&mut document, text);
        document.push('"');
        assert!(document.contains("\\u0001") && document.contains("\\u001f"));
        assert_eq!(Json::read(&document).unwrap().as_text(), Some(text));
    }

    #[test]
    fn a_step_of_a_pointer_is_escaped() {
        assert_eq!(pointer("/json", "/a~b"), "/json/~1a~0b");
    }

    #[test]
    fn a_pointer_begins_with_a_slash_and_escapes_its_tildes() {
        assert!(is_pointer("") && is_pointer("/a/0/~0~1"));
        assert!(!is_pointer("a") && !is_pointer("/~2") && !is_pointer("/~"));
    }
}
