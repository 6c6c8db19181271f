//! The value of `Authorization`, taken apart.

use hookgate_sdk::base64;

/// Name and password of a value such as `Basic YTpi`; none for what RFC 7617, section 2 does not allow.
#[must_use]
pub fn read(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(base64::decode(encoded.trim_matches(' '))?).ok()?;
    if text.contains(char::is_control) {
        return None;
    }
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::read;

    fn of(value: &str) -> Option<(String, String)> {
        read(value)
    }

    #[test]
    fn the_examples_of_the_rfc_are_read() {
        let pair = |name: &str, password: &str| Some((name.to_owned(), password.to_owned()));
        // RFC 7617, sections 2 and 2.1.
        assert_eq!(
            of("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            pair("Aladdin", "open sesame")
        );
        assert_eq!(of("Basic dGVzdDoxMjPCow=="), pair("test", "123£"));
        assert_eq!(of("basic  YTpiOmM="), pair("a", "b:c"));
        assert_eq!(of("Basic Og=="), pair("", ""));
    }

    #[test]
    fn what_is_nearly_right_is_not() {
        for value in [
            "",
            "Basic",
            "Basic ",
            "Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "BasicQWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "Basic QWxhZGRpbg==", // no colon
            "Basic YTpi*",        // not base64
            "Basic Yf86Yg==",     // not UTF-8
            "Basic YQo6Yg==",     // a line break in the name
        ] {
            assert_eq!(of(value), None, "{value:?}");
        }
    }
}
