//! What strangers write, made harmless for terminals and log readers.

use std::fmt::{self, Write};

/// What else than control characters is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// Nothing: a sentence.
    Sentence,
    /// `"` and `\`: between quotes, in text and in JSON alike.
    Quotes,
}

/// Escapes all that is written through it, as JSON does: `\n`, `\t`, `\u001b`.
pub(super) struct Escaping<'w, W> {
    pub(super) out: &'w mut W,
    pub(super) within: Within,
}

impl<W: Write> Write for Escaping<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        match c {
            '"' | '\\' if self.within == Within::Quotes => {
                self.out.write_char('\\')?;
                self.out.write_char(c)
            }
            '\n' => self.out.write_str("\\n"),
            '\r' => self.out.write_str("\\r"),
            '\t' => self.out.write_str("\\t"),
            c if is_deceptive(c) => write!(self.out, "\\u{:04x}", u32::from(c)),
            c => self.out.write_char(c),
        }
    }
}

/// Control characters (C1 too: U+009B starts an escape sequence), line separators, and the marks that
/// reorder what a person reads (the trick of CVE-2021-42574).
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::{Escaping, Within, Write};

    fn escaped(text: &str, within: Within) -> String {
        let mut out = String::new();
        Escaping {
            out: &mut out,
            within,
        }
        .write_str(text)
        .unwrap();
        out
    }

    #[test]
    fn a_terminal_sees_no_escape_sequence_and_no_second_line() {
        assert_eq!(
            escaped("\x1b[31mred\r\nnew\u{9b}0m\u{202e}", Within::Sentence),
            r"\u001b[31mred\r\nnew\u009b0m\u202e"
        );
    }

    #[test]
    fn quotes_are_escaped_between_quotes_only() {
        assert_eq!(escaped(r#"a "b" \c ü"#, Within::Sentence), r#"a "b" \c ü"#);
        assert_eq!(escaped(r#"a "b" \c ü"#, Within::Quotes), r#"a \"b\" \\c ü"#);
    }

    #[test]
    fn what_is_escaped_between_quotes_is_json() {
        let text: String = (0..=0x2070_u32).filter_map(char::from_u32).collect();

        let json = format!("\"{}\"", escaped(&text, Within::Quotes));

        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
