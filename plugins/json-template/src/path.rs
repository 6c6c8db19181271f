//! Values in a path: a sender's text must stay one segment.

/// Appends `value` with everything escaped but the unreserved characters of RFC 3986, section 2.3.
pub fn escape_into(out: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.extend(HEX.get(usize::from(digit)).map(|&digit| char::from(digit)));
            }
        }
    }
}

/// Whether a segment of the path is `.` or `..`. Servers resolve those, escaped or not, so a value
/// made of dots would leave the place that the operator chose.
#[must_use]
pub fn has_dot_segment(path: &str) -> bool {
    let before_query = path.split_once(['?', '#']).map_or(path, |(path, _)| path);
    before_query
        .split('/')
        .any(|segment| segment == "." || segment == "..")
}

#[cfg(test)]
mod tests {
    use super::{escape_into, has_dot_segment};

    #[test]
    fn a_value_stays_inside_its_segment() {
        let mut out = String::from("/x/");
        escape_into(&mut out, "a/../b?c=d#e%2e é\r\n-._~");
        assert_eq!(out, "/x/a%2F..%2Fb%3Fc%3Dd%23e%252e%20%C3%A9%0D%0A-._~");
    }

    #[test]
    fn segments_of_dots_are_found_and_dots_in_names_are_not() {
        for path in ["/..", "/a/./b", "/a/..?x", ".."] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["/a..b", "/...", "/a?../..", "/"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
