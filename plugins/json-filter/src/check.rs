//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::json::{Json, pointer};
use hookgate_sdk::problem::Problems;

const FIELDS: [&str; 3] = ["event", "json", "header"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if FIELDS.iter().all(|field| table.get(field).is_none()) {
            problems.add("", "no condition: give `event`, `json` or `header`");
        }
        if let Some(event) = table.get("event") {
            alternatives(problems, "/event", event);
        }
        each(problems, table, "json", Problems::json_pointer);
        each(problems, table, "header", Problems::header_name);
    })
}

/// A table of lists: its names are looked at by `name`.
fn each(
    problems: &mut Problems,
    table: &Json<'_>,
    field: &str,
    name: impl Fn(&mut Problems, &str, &str),
) {
    let at = pointer("", field);
    let Some(conditions) = table.get(field) else {
        return;
    };
    if !matches!(conditions, Json::Table(members) if !members.is_empty()) {
        return problems.add(
            at,
            "must be a table with a list of alternatives for each name",
        );
    }
    for (key, list) in conditions.members() {
        let place = pointer(&at, key);
        name(problems, &place, key);
        alternatives(problems, &place, list);
    }
}

fn alternatives(problems: &mut Problems, at: &str, list: &Json<'_>) {
    let Json::List(elements) = list else {
        return problems.add(at, "must be a list of alternatives: `[\"…\"]`");
    };
    if elements.is_empty() {
        problems.add(
            at,
            "an empty list matches nothing: every webhook would be dropped",
        );
    }
    for (index, element) in elements.iter().enumerate() {
        if element.scalar().is_none() {
            problems.add(
                format!("{at}/{index}"),
                "must be a string, a number or a boolean",
            );
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
    fn each_condition_alone_is_enough() {
        for config in [
            r#"{"event":["push"]}"#,
            r#"{"json":{"/ref":["refs/heads/*"],"/a~1b":[1,true]}}"#,
            r#"{"header":{"x-foo":["a","b*"]}}"#,
        ] {
            assert_eq!(check(config), [], "{config}");
        }
    }

    #[test]
    fn a_filter_without_a_condition_is_a_mistake() {
        assert_eq!(places("{}"), [""]);
        assert_eq!(places(r#"{"json":{}}"#), ["/json"]);
        assert_eq!(places(r#"{"event":[]}"#), ["/event"]);
        assert_eq!(places(r#"{"header":{"x":[]}}"#), ["/header/x"]);
    }

    #[test]
    fn every_problem_has_its_place() {
        let config =
            r#"{"events":["x"],"event":"push","json":{"ref":["a",[]]},"header":{"x y":"a"}}"#;
        assert_eq!(
            places(config),
            [
                "/events",
                "/event",
                "/json/ref",
                "/json/ref/1",
                "/header/x y",
                "/header/x y"
            ]
        );
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = hookgate_sdk::json::Json::read(include_str!("describe.json")).unwrap();
        let version = description.get("version").unwrap().as_text();
        assert_eq!(version, Some(env!("CARGO_PKG_VERSION")));
        let schema = description
            .get("config-schema")
            .unwrap()
            .get("properties")
            .unwrap();
        let fields: Vec<_> = schema
            .members()
            .iter()
            .map(|(name, _)| name.as_ref())
            .collect();
        assert_eq!(fields, super::FIELDS);
    }
}
