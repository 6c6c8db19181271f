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

/// Appends `text` as the inside of a JSON string: escaped, without the quotes.
pub fn escape_into(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some(at) = rest.find(|c| matches!(c, '"' | '\\' | '\0'..='\x1f')) {
        let (plain, tail) = rest.split_at(at);
        out.push_str(plain);
        let mut characters = tail.chars();
        match characters.next() {
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control @ '\0'..='\x1f') => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                let code = control as usize;
                out.push_str("\\u00");
                for digit in [code >> 4, code & 15] {
                    out.extend(HEX.get(digit).map(|&digit| char::from(digit)));
                }
            }
            Some(quoted) => {
                out.push('\\');
                out.push(quoted);
            }
            None => {}
        }
        rest = characters.as_str();
    }
    out.push_str(rest);
}

/// A pointer made of `base` and one more step, escaped as RFC 6901, section 3 says.
#[must_use]
pub fn pointer(base: &str, step: &str) -> String {
    let mut out = String::with_capacity(base.len() + step.len() + 1);
    out.push_str(base);
    out.push('/');
    for character in step.chars() {
        match character {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            other => out.push(other),
        }
    }
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
    use super::{Json, escape_into, is_pointer, pointer};

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
