//! One value of a document by its pointer, without building the rest: for pieces of a body, which may
//! be large, nested deeply and many.

use super::{Json, unquoted};

/// The text of the value at an RFC 6901 `pointer`; none when there is none. `text` must be JSON already
/// (a piece of a body that the host has read as such); of anything else it may find nonsense, and never
/// fails.
#[must_use]
pub fn find<'a>(text: &'a str, pointer: &str) -> Option<&'a str> {
    let mut value = trimmed(text);
    if pointer.is_empty() {
        return Some(value);
    }
    for step in pointer.strip_prefix('/')?.split('/') {
        let step = step.replace("~1", "/").replace("~0", "~");
        value = child(value, &step)?;
    }
    Some(value)
}

/// As [`find`], as text: strings unquoted, all else as JSON.
#[must_use]
pub fn find_text(text: &str, pointer: &str) -> Option<String> {
    find(text, pointer).map(|value| unquoted(value.to_owned()))
}

fn child<'a>(value: &'a str, step: &str) -> Option<&'a str> {
    let is_object = value.starts_with('{');
    let index = step
        .parse::<usize>()
        .ok()
        .filter(|index| index.to_string() == step);
    let mut rest = trimmed(value.strip_prefix(['{', '['])?);
    let mut position = 0;
    while !rest.starts_with(['}', ']']) && !rest.is_empty() {
        let mut wanted = !is_object && index == Some(position);
        if is_object {
            let (key, after) = split(rest)?;
            wanted = matches!(Json::read(key), Ok(Json::Text(key)) if key == step);
            rest = trimmed(trimmed(after).strip_prefix(':')?);
        }
        let (member, after) = split(rest)?;
        if wanted {
            return Some(member);
        }
        rest = trimmed(after);
        rest = trimmed(rest.strip_prefix(',').unwrap_or(rest));
        position += 1;
    }
    None
}

/// The first value of `text`, and what follows it.
fn split(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => continue,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' | b':' if depth == 0 => {
                return text
                    .split_at_checked(at)
                    .map(|(value, rest)| (value.trim_end(), rest));
            }
            b'}' | b']' => depth -= 1,
            _ => continue,
        }
        let closed = depth == 0 && !quoted && matches!(byte, b'"' | b'}' | b']');
        if closed {
            return text.split_at_checked(at + 1);
        }
    }
    Some((text.trim_end(), ""))
}

fn trimmed(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\n', '\r'])
}

#[cfg(test)]
mod tests {
    use super::{find, find_text};

    /// The document of RFC 6901, section 5.
    const RFC: &str = r#"{
      "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3,
      "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8
    }"#;

    #[test]
    fn pointers_find_what_rfc_6901_says() {
        for (pointer, value) in [
            ("/foo", r#"["bar", "baz"]"#),
            ("/foo/0", r#""bar""#),
            ("/foo/1", r#""baz""#),
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
            assert_eq!(find(RFC, pointer), Some(value), "{pointer}");
        }
    }

    #[test]
    fn what_is_not_there_is_none() {
        for pointer in [
            "/nothing", "/foo/2", "/foo/-", "/foo/00", "/foo/01", "/foo/+1", "/foo/0/x", "foo",
            "/a/b", "/foo/bar",
        ] {
            assert_eq!(find(RFC, pointer), None, "{pointer}");
        }
        assert_eq!(find("1", "/a"), None);
        assert_eq!(find("{}", "/a"), None);
        assert_eq!(find("[]", "/0"), None);
    }

    #[test]
    fn strings_hide_what_looks_like_structure() {
        let text = r#"{"a":"},]\"{","b":{"c":[{"d":"x,\\"},[[]],true ] } ,"e" : -1.5e3 }"#;
        for (pointer, value) in [
            ("/a", r#""},]\"{""#),
            ("/b/c/0/d", r#""x,\\""#),
            ("/b/c/1", "[[]]"),
            ("/b/c/2", "true"),
            ("/e", "-1.5e3"),
        ] {
            assert_eq!(find(text, pointer), Some(value), "{pointer}");
        }
        assert_eq!(find_text(text, "/a").as_deref(), Some("},]\"{"));
        assert_eq!(find_text(text, "/e").as_deref(), Some("-1.5e3"));
    }

    #[test]
    fn depth_is_no_matter() {
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert_eq!(find(&format!("[{deep},7]"), "/1"), Some("7"));
    }

    #[test]
    fn what_is_no_json_never_fails() {
        for text in [
            "", "{", "[", "{\"a", "{\"a\"", "{\"a\":", "}", "[,", "{:1}", "\"\\", "[[}",
        ] {
            for pointer in ["/a", "/0", "/0/0"] {
                let found = find(text, pointer).unwrap_or_default();
                assert!(text.contains(found), "{text:?} {pointer}");
            }
        }
    }
}
