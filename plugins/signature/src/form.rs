//! Forms and URLs, as those senders write them who sign their parts.

use std::collections::BinaryHeap;

/// The pairs of a form, decoded, each once, sorted by name and then by value, without anything
/// between them; none when a decoded text is not UTF-8 (Twilio signs text).
#[must_use]
pub fn canonical(form: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(form.len());
    // Where names and values end.
    let mut ends = Vec::with_capacity(32);
    for pair in form.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        for text in [name, value] {
            decode(text, &mut bytes);
            ends.push(bytes.len());
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let mut pairs = Vec::with_capacity(ends.len() / 2);
    let mut start = 0;
    let (ends, _) = ends.as_chunks::<2>();
    for &[name, value] in ends {
        pairs.push((text.get(start..name)?, text.get(name..value)?));
        start = value;
    }
    // A heap is the smallest code that sorts, and has no worst case for a sender to choose.
    let mut pairs = BinaryHeap::from(pairs).into_sorted_vec();
    pairs.dedup();
    let mut out = String::with_capacity(text.len());
    for (name, value) in pairs {
        out.push_str(name);
        out.push_str(value);
    }
    Some(out)
}

/// `+` is a space, `%41` is `A`; what is not an escape stands for itself (WHATWG URL, forms).
fn decode(text: &str, bytes: &mut Vec<u8>) {
    let is_plain = |byte| !matches!(byte, b'%' | b'+');
    if text.bytes().all(is_plain) {
        bytes.extend_from_slice(text.as_bytes());
        return;
    }
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (byte == b'%').then(|| escape(after)).flatten();
        bytes.push(match (byte, escaped) {
            (_, Some(value)) => {
                rest = after.get(2..).unwrap_or_default();
                value
            }
            (b'+', _) => b' ',
            _ => byte,
        });
    }
}

/// Undoes the escapes of the characters in `plain`, which are ASCII, and of no others.
#[must_use]
pub fn undo_escapes(url: &str, plain: &str) -> String {
    let mut out = Vec::with_capacity(url.len());
    let mut rest = url.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = (byte == b'%').then(|| escape(after)).flatten();
        match escaped {
            Some(value) if plain.as_bytes().contains(&value) => {
                out.push(value);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

/// What two hex digits stand for.
fn escape(digits: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16)?).ok();
    Some(digit(digits.first()?)? << 4 | digit(digits.get(1)?)?)
}

/// Escapes everything but what ECMAScript's `encodeURIComponent` leaves, and each `%` that this
/// makes once more: a query that was encoded whole, as part of a URI that was encoded again.
#[must_use]
pub fn escape_twice(query: &str) -> String {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = String::with_capacity(query.len() * 2);
    for byte in query.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
            continue;
        }
        out.push_str("%25");
        for digit in [byte >> 4, byte & 15] {
            out.extend(
                DIGITS
                    .get(usize::from(digit))
                    .map(|&digit| char::from(digit)),
            );
        }
    }
    out
}

/// A URL as it may have been signed: with a port or without one.
#[must_use]
pub fn url(url: &str, has_port: bool) -> String {
    let (scheme, rest) = url.split_once(':').unwrap_or(("https", url));
    let rest = rest.trim_start_matches('/');
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host_starts = authority.rfind('@').map_or(0, |at| at + 1);
    let port = authority
        .rfind(':')
        .filter(|at| *at >= host_starts && !authority.ends_with(']'));
    let (host, port) = match port {
        Some(at) => authority.split_at(at),
        None if scheme == "http" => (authority, ":80"),
        None => (authority, ":443"),
    };
    [scheme, "://", host, if has_port { port } else { "" }, path].concat()
}

#[cfg(test)]
mod tests {
    use super::{canonical, escape_twice, undo_escapes};

    #[test]
    fn pairs_are_decoded_sorted_and_each_is_taken_once() {
        // The pairs of twilio-python's own test of duplicates.
        let form = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
        assert_eq!(
            canonical(form).as_deref(),
            Some("Digits1234Digits5678SidCA123SidAccountAC123")
        );
        assert_eq!(
            canonical("b=%2B1+2&a&&c=%zz").as_deref(),
            Some("ab+1 2c%zz")
        );
        assert_eq!(canonical("a=%ff"), None);
        // Two halves of one letter are no letter.
        assert_eq!(canonical("%c3=%a4"), None);
        assert_eq!(canonical("b=%c3%a4&%C3%a4").as_deref(), Some("bää"));
        assert_eq!(canonical("").as_deref(), Some(""));
    }

    #[test]
    fn only_the_named_characters_lose_their_escape() {
        let plain = ":/?@!$'()*,;";
        assert_eq!(
            undo_escapes("/a%3Ab%2fc%26d%20e%4", plain),
            "/a:b/c%26d%20e%4"
        );
        assert_eq!(undo_escapes("%", plain), "%");
        assert_eq!(undo_escapes("%%3A", plain), "%:");
        assert_eq!(undo_escapes("a%é", plain), "a%é");
    }

    #[test]
    fn a_query_is_escaped_whole_and_again() {
        assert_eq!(escape_twice("q=1&w=a b"), "q%253D1%2526w%253Da%2520b");
    }

    #[test]
    fn a_port_is_taken_away_or_added() {
        for (given, without, with) in [
            ("https://a.b/x?y", "https://a.b/x?y", "https://a.b:443/x?y"),
            ("http://a.b", "http://a.b", "http://a.b:80"),
            ("https://a.b:1234/x", "https://a.b/x", "https://a.b:1234/x"),
            (
                "https://u:p@a.b/x",
                "https://u:p@a.b/x",
                "https://u:p@a.b:443/x",
            ),
            ("https://[::1]/x", "https://[::1]/x", "https://[::1]:443/x"),
            ("https://[::1]:8/x", "https://[::1]/x", "https://[::1]:8/x"),
        ] {
            assert_eq!(super::url(given, false), without, "{given}");
            assert_eq!(super::url(given, true), with, "{given}");
        }
    }
}
