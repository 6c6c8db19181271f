//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::header;
use hookgate_sdk::json::{Json, pointer};
use hookgate_sdk::problem::Problems;

use crate::path::has_dot_segment;

const FIELDS: [&str; 4] = ["body", "headers", "path", "missing"];
const MISSING: [&str; 2] = ["empty", "refuse"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if ["body", "headers", "path"]
            .iter()
            .all(|field| table.get(field).is_none())
        {
            problems.add("", "nothing to make: give `body`, `headers` or `path`");
        }
        if let Some(template) = table.get("body") {
            body(problems, "/body", template);
        }
        headers(problems, table);
        if let Some(template) = problems.text("", table, "path") {
            problems.template("/path", template);
            if !template.starts_with('/') {
                problems.add("/path", "must begin with `/`");
            }
            if has_dot_segment(template) {
                problems.add("/path", "must not hold the segments `.` and `..`");
            }
            if !header::fits(template) || template.contains([' ', '\t', '#']) {
                problems.add(
                    "/path",
                    "must hold no blanks, no `#` and no control characters",
                );
            }
        }
        if let Some(missing) = problems.text("", table, "missing") {
            problems.one_of("", "missing", missing, &MISSING);
        }
    })
}

/// Every string of the body, at its own place.
fn body(problems: &mut Problems, at: &str, template: &Json<'_>) {
    if let Json::Text(text) = template {
        problems.template(at, text);
    }
    for (key, value) in template.members() {
        body(problems, &pointer(at, key), value);
    }
    for (index, element) in template.elements().iter().enumerate() {
        body(problems, &format!("{at}/{index}"), element);
    }
}

fn headers(problems: &mut Problems, table: &Json<'_>) {
    let Some(headers) = table.get("headers") else {
        return;
    };
    if !matches!(headers, Json::Table(_)) {
        return problems.add("/headers", "must be a table of templates");
    }
    for (name, value) in headers.members() {
        let at = pointer("/headers", name);
        problems.header_name(&at, name);
        match value.as_text() {
            None => problems.add(at, "must be a string"),
            Some(text) if !header::fits(text) => {
                problems.add(at, "must hold no line breaks and other control characters");
            }
            Some(text) => problems.template(&at, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    fn places(config: &str) -> Vec<String> {
        check(config).into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn a_whole_template_has_no_problem() {
        let config = r#"{
            "body": {"text": "{/user/name} pushed {{{/count}}}", "raw": ["{/a~1b}", 1, null]},
            "headers": {"x-id": "{header:x-github-delivery}"},
            "path": "/hooks/{note:event}?q={query:q}",
            "missing": "refuse"
        }"#;
        assert_eq!(check(config), []);
        assert_eq!(check(r#"{"body":"{/a}"}"#), []);
        assert_eq!(check(r#"{"body":null}"#), []);
    }

    #[test]
    fn every_template_error_has_its_place() {
        let config = r#"{
            "body": {"a": [1, "{b}"], "c/d": "{"},
            "headers": {"x y": "", "x-a": 1, "x-b": "a\nb", "x-c": "}"},
            "path": "hooks/{/a",
            "missing": "null",
            "boddy": 1
        }"#;
        let expected = [
            "/boddy",
            "/body/a/1",
            "/body/c~1d",
            "/headers/x y",
            "/headers/x-a",
            "/headers/x-b",
            "/headers/x-c",
            "/path",
            "/path",
            "/missing",
        ];
        assert_eq!(places(config), expected);
    }

    #[test]
    fn a_template_that_makes_nothing_is_a_mistake() {
        assert_eq!(places("{}"), [""]);
        assert_eq!(places(r#"{"missing":"empty"}"#), [""]);
    }

    #[test]
    fn a_path_stays_where_it_is_put() {
        for path in ["/a/../b", "/a b", "/a#b", "/a\\r\\nx: y"] {
            assert_eq!(
                places(&format!(r#"{{"path":"{path}"}}"#)),
                ["/path"],
                "{path}"
            );
        }
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = include_str!("describe.json");
        hookgate_sdk::assert_described(description, env!("CARGO_PKG_VERSION"), &super::FIELDS);
    }
}
