//! Base64 of RFC 4648, for what has to be read or written in the guest itself: credentials of basic
//! authentication, the parts of a token, binary data in an envelope. Signatures stay text for the host.

/// The letters of section 4 and, for the last two, of section 5.
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The bytes of a text in the standard alphabet, with its padding or without.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let padding = text.len() - text.trim_end_matches('=').len();
    if padding > 2 || (padding > 0 && !text.len().is_multiple_of(4)) {
        return None;
    }
    read(text.get(..text.len() - padding)?, STANDARD)
}

/// The bytes of a text in the URL-safe alphabet without padding, as RFC 7515, section 2 wants it.
#[must_use]
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    read(text, URL)
}

/// In the standard alphabet with padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let group = at(0) << 16 | at(1) << 8 | at(2);
        for position in 0..4 {
            out.push(if position <= chunk.len() {
                letter(group >> (18 - 6 * position))
            } else {
                '='
            });
        }
    }
    out
}

fn letter(bits: u32) -> char {
    let index = usize::try_from(bits & 63).unwrap_or_default();
    STANDARD
        .get(index)
        .map_or('=', |letter| char::from(*letter))
}

/// Without padding; bits that are left over must be 0, so that one value has one text.
fn read(text: &str, alphabet: &[u8; 64]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.as_bytes().chunks(4) {
        let mut group = 0_u32;
        for letter in chunk {
            let value = alphabet.iter().position(|known| known == letter)?;
            group = group << 6 | u32::try_from(value).ok()?;
        }
        let missing = 4 - chunk.len();
        let whole = group << (6 * missing);
        let [_, first, second, third] = whole.to_be_bytes();
        let (bytes, rest) = match missing {
            0 => (&[first, second, third][..], 0),
            1 => (&[first, second][..], third),
            2 => (&[first][..], second),
            _ => return None,
        };
        if rest != 0 {
            return None;
        }
        out.extend_from_slice(bytes);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_url, encode};

    /// RFC 4648, section 10.
    const VECTORS: [(&str, &str); 7] = [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ];

    #[test]
    fn the_vectors_of_the_rfc_go_both_ways() {
        for (plain, text) in VECTORS {
            assert_eq!(encode(plain.as_bytes()), text);
            let bytes = Some(plain.as_bytes().to_vec());
            assert_eq!(decode(text), bytes, "{text}");
            assert_eq!(decode(text.trim_end_matches('=')), bytes, "{text}");
        }
        assert_eq!(decode_url("-_-_"), Some(vec![0xfb, 0xff, 0xbf]));
        assert_eq!(encode(&[0xfb, 0xff, 0xbf]), "+/+/");
    }

    #[test]
    fn one_value_has_one_text() {
        for text in [
            "Zh==", "Zm9=", "Z", "Zm9vY", "Zg=", "Zg===", "Z=g=", "=", "Zm 9v", "-_-_", "Zm9v\n",
        ] {
            assert_eq!(decode(text), None, "{text:?}");
        }
        for text in ["Zg==", "+/+/", "Zh", "é"] {
            assert_eq!(decode_url(text), None, "{text:?}");
        }
    }
}
