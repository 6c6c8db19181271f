//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::json::{Json, pointer};
use hookgate_sdk::problem::Problems;

use crate::attributes::{NAME_CHARS_MAX, OPTIONAL, REQUIRED};

const FIELDS: [&str; 8] = [
    "mode",
    "source",
    "type",
    "id",
    "subject",
    "time",
    "dataschema",
    "extensions",
];
const MODES: [&str; 2] = ["binary", "structured"];
/// Names that mean something else.
const TAKEN: [&str; 4] = ["specversion", "datacontenttype", "data", "data_base64"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if let Some(mode) = problems.text("", table, "mode") {
            problems.one_of("", "mode", mode, &MODES);
        }
        for name in REQUIRED {
            if let Some(template) = problems.required_text("", table, name) {
                self::template(problems, &pointer("", name), template);
            }
        }
        for name in OPTIONAL {
            if let Some(template) = problems.text("", table, name) {
                self::template(problems, &pointer("", name), template);
            }
        }
        extensions(problems, table);
    })
}

fn extensions(problems: &mut Problems, table: &Json<'_>) {
    let Some(extensions) = table.get("extensions") else {
        return;
    };
    if !matches!(extensions, Json::Table(_)) {
        return problems.add("/extensions", "must be a table of templates");
    }
    for (name, value) in extensions.members() {
        let at = pointer("/extensions", name);
        let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(letter) {
            problems.add(
                &at,
                format!("an attribute's name has 1 to {NAME_CHARS_MAX} characters of a-z and 0-9"),
            );
        }
        if FIELDS.contains(&name.as_ref()) || TAKEN.contains(&name.as_ref()) {
            problems.add(&at, "is an attribute of every event and no extension");
        }
        match value.as_text() {
            Some(text) => template(problems, &at, text),
            None => problems.add(at, "must be a string"),
        }
    }
}

fn template(problems: &mut Problems, at: &str, text: &str) {
    problems.template(at, text);
    if text.contains(char::is_control) {
        problems.add(at, "must hold no control characters");
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    fn places(config: &str) -> Vec<String> {
        check(config).into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn source_and_type_are_enough() {
        for config in [
            r#"{"source":"https://github.com/{/repository/full_name}","type":"com.github.{note:event}"}"#,
            r#"{"mode":"structured","source":"/x","type":"t","id":"{header:x-id}","subject":"{/a}",
                "time":"{/at}","dataschema":"https://x/y","extensions":{"partitionkey":"{/id}"}}"#,
        ] {
            assert_eq!(check(config), [], "{config}");
        }
    }

    #[test]
    fn every_problem_has_its_place() {
        let base = r#""source":"s","type":"t""#;
        for (config, place) in [
            (r#""source":"s""#.to_owned(), ""),
            (r#""source":"","type":"t""#.to_owned(), "/source"),
            (format!(r#"{base},"mode":"batched""#), "/mode"),
            (format!(r#"{base},"id":"{{id}}""#), "/id"),
            (format!(r#"{base},"subject":"a\nb""#), "/subject"),
            (format!(r#"{base},"extensions":["a"]"#), "/extensions"),
            (
                format!(r#"{base},"extensions":{{"myKey":"a"}}"#),
                "/extensions/myKey",
            ),
            (
                format!(r#"{base},"extensions":{{"subject":"a"}}"#),
                "/extensions/subject",
            ),
            (format!(r#"{base},"extensions":{{"a":1}}"#), "/extensions/a"),
            (format!(r#"{base},"specversion":"1.0""#), "/specversion"),
        ] {
            assert_eq!(places(&format!("{{{config}}}")), [place], "{config}");
        }
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = include_str!("describe.json");
        hookgate_sdk::assert_described(description, env!("CARGO_PKG_VERSION"), &super::FIELDS);
    }
}
