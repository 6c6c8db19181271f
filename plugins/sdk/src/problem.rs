//! What `lifecycle.check` returns: places in the configuration and what is wrong there.

use crate::json::{self, Json};
use crate::span;

/// Problems found so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Problems(Vec<(String, String)>);

impl Problems {
    /// Reads `config` and lets `check` look at it; the table itself must be one.
    #[must_use]
    pub fn of(config: &str, check: impl FnOnce(&Json<'_>, &mut Self)) -> Vec<(String, String)> {
        let mut problems = Self::default();
        match Json::read(config) {
            Ok(table @ Json::Table(_)) => check(&table, &mut problems),
            Ok(_) => problems.add("", "must be a table"),
            Err(malformed) => problems.add("", malformed.to_string()),
        }
        problems.0
    }

    /// How many were found so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Adds a problem at an RFC 6901 pointer.
    pub fn add(&mut self, pointer: impl Into<String>, sentence: impl Into<String>) {
        self.push(pointer.into(), sentence.into());
    }

    #[inline(never)] // It is called from everywhere, and a component is to be small.
    fn push(&mut self, pointer: String, sentence: String) {
        self.0.push((pointer, sentence));
    }

    /// Reports each member of the table at `at` that is not one of `known`.
    #[inline(never)]
    pub fn unknown_fields(&mut self, at: &str, table: &Json<'_>, known: &[&str]) {
        for (name, _) in table.members() {
            if !known.contains(&name.as_ref()) {
                self.add(
                    json::pointer(at, name),
                    format!("unknown field `{name}`; known are {}", list(known)),
                );
            }
        }
    }

    /// The text of a required, non-empty string member; reports what is wrong otherwise.
    #[inline(never)]
    pub fn required_text<'a>(
        &mut self,
        at: &str,
        table: &'a Json<'_>,
        name: &str,
    ) -> Option<&'a str> {
        if table.get(name).is_none() {
            self.add(at, format!("`{name}` is missing"));
            return None;
        }
        self.text(at, table, name)
    }

    /// The text of an optional string member, which must not be empty when it is there.
    #[inline(never)]
    pub fn text<'a>(&mut self, at: &str, table: &'a Json<'_>, name: &str) -> Option<&'a str> {
        match table.get(name)? {
            Json::Text(text) if !text.is_empty() => Some(text),
            Json::Text(_) => {
                self.add(json::pointer(at, name), format!("`{name}` is empty"));
                None
            }
            _ => {
                self.add(
                    json::pointer(at, name),
                    format!("`{name}` must be a string"),
                );
                None
            }
        }
    }

    /// Reports `found` at member `name` unless it is one of `known`.
    #[inline(never)]
    pub fn one_of(&mut self, at: &str, name: &str, found: &str, known: &[&str]) {
        if !known.contains(&found) {
            self.add(
                json::pointer(at, name),
                format!("unknown {name} `{found}`; known are {}", list(known)),
            );
        }
    }

    /// The whole seconds of an optional span of time such as `"5m"`, which must be in `bounds`.
    pub fn seconds(
        &mut self,
        at: &str,
        table: &Json<'_>,
        name: &str,
        bounds: std::ops::RangeInclusive<u64>,
    ) -> Option<u64> {
        let found = table.get(name)?;
        let seconds = found.as_text().and_then(span::seconds);
        match seconds {
            Some(seconds) if bounds.contains(&seconds) => return Some(seconds),
            Some(_) => self.add(
                json::pointer(at, name),
                format!(
                    "must be {} to {}",
                    span::text(*bounds.start()),
                    span::text(*bounds.end())
                ),
            ),
            None => self.add(
                json::pointer(at, name),
                "must be a time with its unit: `\"90s\"`, `\"5m\"`, `\"1h 30m\"` or `\"7d\"`",
            ),
        }
        None
    }

    /// Reports a table inside that is none, and each of its members that is not one of `known`; the table
    /// when it is one.
    pub fn table<'a>(
        &mut self,
        at: &str,
        table: &'a Json<'a>,
        name: &str,
        known: &[&str],
    ) -> Option<&'a Json<'a>> {
        let inside = table.get(name)?;
        let place = json::pointer(at, name);
        if !matches!(inside, Json::Table(_)) {
            self.add(place, format!("must be a table of {}", list(known)));
            return None;
        }
        self.unknown_fields(&place, inside, known);
        Some(inside)
    }

    /// Which one of `choices` is given; reports none and several.
    pub fn exactly_one<'a>(
        &mut self,
        at: &str,
        table: &Json<'_>,
        choices: &[&'a str],
    ) -> Option<&'a str> {
        let mut given = choices.iter().filter(|name| table.get(name).is_some());
        let (Some(name), None) = (given.next(), given.next()) else {
            self.add(at, format!("needs exactly one of {}", list(choices)));
            return None;
        };
        Some(name)
    }

    /// Reports a header name that is not a token of RFC 9110, section 5.6.2.
    #[inline(never)]
    pub fn header_name(&mut self, pointer: &str, name: &str) {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            self.add(pointer, format!("`{name}` is not the name of a header"));
        }
    }

    /// Reports a pointer that RFC 6901 does not allow.
    #[inline(never)]
    pub fn json_pointer(&mut self, at: &str, found: &str) {
        if !json::is_pointer(found) {
            self.add(
                at,
                format!("`{found}` is not a JSON pointer; it begins with `/`, as in `/a/0`"),
            );
        }
    }
}

/// `` `a`, `b`, `c` ``
#[must_use]
pub fn list(names: &[&str]) -> String {
    let mut out = String::new();
    for name in names {
        if !out.is_empty() {
            out.push_str(", ");
        }
        out.push('`');
        out.push_str(name);
        out.push('`');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::Problems;

    #[test]
    fn each_unknown_field_is_reported_at_its_place() {
        let found = Problems::of(r#"{"a":1,"b/c":2}"#, |table, problems| {
            problems.unknown_fields("", table, &["a"]);
        });
        assert_eq!(
            found,
            [(
                "/b~1c".to_owned(),
                "unknown field `b/c`; known are `a`".to_owned()
            )]
        );
    }

    #[test]
    fn a_configuration_that_is_no_table_is_one_problem() {
        assert_eq!(
            Problems::of("[]", |_, _| ()),
            [(String::new(), "must be a table".to_owned())]
        );
        assert_eq!(Problems::of("{", |_, _| ()).len(), 1);
    }
}
