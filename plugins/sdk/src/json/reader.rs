//! The reading itself: recursive descent over the text, bounded in depth.

use std::borrow::Cow;
use std::fmt;

use super::Json;

/// Nesting that fits the small stack of a plugin; a configuration needs five or so.
pub const MAX_DEPTH: u32 = 32;

/// The text is not one JSON document, or it is nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// Offset in bytes at which reading stopped.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not JSON at byte {}", self.at)
    }
}

pub(super) fn read(text: &str) -> Result<Json<'_>, Malformed> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(MAX_DEPTH)?;
    reader.blank();
    if reader.at == text.len() {
        Ok(value)
    } else {
        Err(reader.malformed())
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn malformed(&self) -> Malformed {
        Malformed { at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `byte` after blanks when it comes next.
    fn takes(&mut self, byte: u8) -> bool {
        self.blank();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.takes(byte) {
            Ok(())
        } else {
            Err(self.malformed())
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, Malformed> {
        if self.rest().starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.malformed())
        }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn value(&mut self, depth: u32) -> Result<Json<'a>, Malformed> {
        let inner = depth.checked_sub(1).ok_or_else(|| self.malformed())?;
        self.blank();
        match self.peek() {
            Some(b'"') => self.text().map(Json::Text),
            Some(b'{') => self.table(inner),
            Some(b'[') => self.list(inner),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn table(&mut self, depth: u32) -> Result<Json<'a>, Malformed> {
        self.at += 1;
        let mut members = Vec::new();
        if self.takes(b'}') {
            return Ok(Json::Table(members));
        }
        loop {
            self.blank();
            let key = self.text()?;
            self.expect(b':')?;
            members.push((key, self.value(depth)?));
            if !self.takes(b',') {
                self.expect(b'}')?;
                return Ok(Json::Table(members));
            }
        }
    }

    fn list(&mut self, depth: u32) -> Result<Json<'a>, Malformed> {
        self.at += 1;
        let mut elements = Vec::new();
        if self.takes(b']') {
            return Ok(Json::List(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            if !self.takes(b',') {
                self.expect(b']')?;
                return Ok(Json::List(elements));
            }
        }
    }

    /// A number of RFC 8259, section 6.
    fn number(&mut self) -> Result<Json<'a>, Malformed> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits()?;
        if leading_zero && whole > 1 {
            return Err(self.malformed());
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        Ok(Json::Number(
            self.text.get(start..self.at).unwrap_or_default(),
        ))
    }

    fn digits(&mut self) -> Result<usize, Malformed> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            Err(self.malformed())
        } else {
            Ok(self.at - start)
        }
    }

    /// A string; borrowed unless it holds an escape.
    fn text(&mut self) -> Result<Cow<'a, str>, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed());
        }
        self.at += 1;
        let mut unescaped = String::new();
        loop {
            let start = self.at;
            let rest = self.rest().as_bytes();
            let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            self.at += rest.iter().position(ends).unwrap_or(rest.len());
            let plain = self.text.get(start..self.at).unwrap_or_default();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    if unescaped.is_empty() {
                        return Ok(Cow::Borrowed(plain));
                    }
                    unescaped.push_str(plain);
                    return Ok(Cow::Owned(unescaped));
                }
                Some(b'\\') => {
                    self.at += 1;
                    unescaped.push_str(plain);
                    unescaped.push(self.escape()?);
                }
                _ => return Err(self.malformed()),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Malformed> {
        let kind = self.peek().ok_or_else(|| self.malformed())?;
        self.at += 1;
        Ok(match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.code_unit()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    if !self.rest().starts_with("\\u") {
                        return Err(self.malformed());
                    }
                    self.at += 2;
                    let second = self.code_unit()?;
                    if !(0xdc00..0xe000).contains(&second) {
                        return Err(self.malformed());
                    }
                    0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
                } else {
                    first
                };
                char::from_u32(code).ok_or_else(|| self.malformed())?
            }
            _ => return Err(self.malformed()),
        })
    }

    fn code_unit(&mut self) -> Result<u32, Malformed> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .ok_or_else(|| self.malformed())?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(self.malformed());
        }
        let unit = u32::from_str_radix(digits, 16).map_err(|_| self.malformed())?;
        self.at += 4;
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Json;

    #[test]
    fn a_document_is_read_as_written() {
        let json =
            Json::read(r#" {"a": ["x", -1.5e3, true, null], "b": {"c": "\u00e9\ud83d\ude00"}} "#)
                .unwrap();
        let a = json.get("a").unwrap().elements();
        assert_eq!(a[0].as_text(), Some("x"));
        assert_eq!(a[1], Json::Number("-1.5e3"));
        assert_eq!((&a[2], &a[3]), (&Json::Bool(true), &Json::Null));
        assert_eq!(
            json.get("b").unwrap().get("c").unwrap().as_text(),
            Some("é\u{1F600}")
        );
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "1.",
            "-",
            "+1",
            "nul",
            "\"\n\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "\"\\ud800\\u0041\"",
            "\"\\u00g0\"",
            "\"\\u+123\"",
            "1 2",
            "\"a",
            "\u{feff}{}",
        ] {
            assert!(Json::read(text).is_err(), "{text:?} was read");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::read(&nested(32)).is_ok());
        assert!(Json::read(&nested(33)).is_err());
    }
}
