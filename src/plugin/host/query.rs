//! Query parameters, as forms encode them.

use std::borrow::Cow;

/// The decoded first value of `name` (WHATWG URL, `application/x-www-form-urlencoded` parsing).
pub(super) fn first(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .find(|(key, _)| decode(key) == name.as_bytes())
        .map(|(_, value)| String::from_utf8_lossy(&decode(value)).into_owned())
}

/// `+` is a space, `%41` is `A`; what is not an escape stands for itself.
fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(['+', '%']) {
        return Cow::Borrowed(text.as_bytes());
    }
    let digit = |byte: Option<&u8>| {
        byte.and_then(|byte| char::from(*byte).to_digit(16))
            .and_then(|n| u8::try_from(n).ok())
    };
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        match (byte, digit(after.first()), digit(after.get(1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high << 4 | low);
                rest = after.get(2..).unwrap_or_default();
            }
            (b'+', _, _) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::first;

    #[test]
    fn the_first_value_is_decoded() {
        let query = "a=1&b=x%20y+z&%61b=%C3%A4&a=2&flag&e=&bad=%zz%4";

        for (name, value) in [
            ("a", Some("1")),
            ("b", Some("x y z")),
            ("ab", Some("ä")),
            ("flag", Some("")),
            ("e", Some("")),
            ("bad", Some("%zz%4")),
            ("c", None),
        ] {
            assert_eq!(first(query, name).as_deref(), value, "{name}");
        }
        assert_eq!(first("", "a"), None);
    }
}
