//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::json::{Json, pointer};
use hookgate_sdk::problem::{Problems, list};

use crate::condition::{COMBINED, EXISTS, SUBJECTS, TESTS};
use crate::number::is_number;

const FIELDS: [&str; 4] = ["event", "json", "header", "when"];
/// Each may read the body once; the host reads 32 bodies for a plugin and no more.
const CONDITIONS_MAX: usize = 32;

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if FIELDS.iter().all(|field| table.get(field).is_none()) {
            problems.add("", "no condition: give `event`, `json`, `header` or `when`");
        }
        if let Some(event) = table.get("event") {
            alternatives(problems, "/event", event);
        }
        each(problems, table, "json", Problems::json_pointer);
        each(problems, table, "header", Problems::header_name);
        if let Some(tree) = table.get("when") {
            let short = table.get("json").map_or(0, |json| json.members().len());
            let count = short + condition(problems, "/when", tree);
            if count > CONDITIONS_MAX {
                problems.add(
                    "/when",
                    format!(
                        "{count} conditions; {CONDITIONS_MAX} are the most, with those of `json`"
                    ),
                );
            }
        }
    })
}

/// One condition of `when`, and how many values it looks at.
fn condition(problems: &mut Problems, at: &str, tree: &Json<'_>) -> usize {
    let kinds = || COMBINED.iter().chain(&SUBJECTS);
    let mut given = kinds().filter(|kind| tree.get(kind).is_some());
    let (Some(kind), None) = (given.next(), given.next()) else {
        problems.add(
            at,
            format!(
                "a condition is a table with one of {}, or one of {} with what is asked about it",
                list(&COMBINED),
                list(&SUBJECTS)
            ),
        );
        return 0;
    };
    if COMBINED.contains(kind) {
        problems.unknown_fields(at, tree, &[kind]);
        let inside = pointer(at, kind);
        return match tree.get(kind) {
            Some(one) if *kind == "not" => condition(problems, &inside, one),
            Some(Json::List(several)) if !several.is_empty() => several
                .iter()
                .enumerate()
                .map(|(index, one)| condition(problems, &format!("{inside}/{index}"), one))
                .sum(),
            _ => {
                problems.add(inside, "must be a list of conditions, at least one");
                0
            }
        };
    }
    value(problems, at, tree, kind);
    1
}

/// A condition on a single value.
fn value(problems: &mut Problems, at: &str, table: &Json<'_>, kind: &str) {
    let mut known = vec![kind];
    known.extend(TESTS);
    known.push(EXISTS);
    problems.unknown_fields(at, table, &known);
    if let Some(name) = problems.text(at, table, kind) {
        match kind {
            "json" => problems.json_pointer(&pointer(at, kind), name),
            "header" => problems.header_name(&pointer(at, kind), name),
            _ => {}
        }
    }
    let asked = |name: &&&str| table.get(name).is_some();
    match table.get(EXISTS) {
        None if TESTS.iter().any(|test| asked(&test)) => {}
        None => problems.add(
            at,
            format!("nothing is asked: give one of {}, `{EXISTS}`", list(&TESTS)),
        ),
        Some(Json::Bool(false)) if TESTS.iter().any(|test| asked(&test)) => problems.add(
            pointer(at, EXISTS),
            "what is not there passes no other test: take one of them away",
        ),
        Some(Json::Bool(_)) => {}
        Some(_) => problems.add(pointer(at, EXISTS), "must be `true` or `false`"),
    }
    for test in TESTS.iter().filter(asked) {
        let place = pointer(at, test);
        let Some(wanted) = table.get(test) else {
            continue;
        };
        match (*test, wanted.scalar()) {
            ("in", _) => alternatives(problems, &place, wanted),
            (_, None) => problems.add(place, "must be a string, a number or a boolean"),
            ("lt" | "le" | "gt" | "ge", Some(number)) if !is_number(number) => {
                problems.add(place, "must be a number");
            }
            ("prefix" | "suffix" | "contains", Some("")) => {
                problems.add(place, "is empty: everything passes this test");
            }
            _ => {}
        }
    }
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
            r#"{"when":{"json":"/a","exists":false}}"#,
            r#"{"when":{"all":[{"any":[{"header":"h","prefix":"a","suffix":"b"}]},{"not":{"query":"q","ge":1.5}}]}}"#,
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
    fn a_condition_says_what_it_looks_at_and_what_it_asks() {
        for (condition, place) in [
            (r#"{}"#, "/when"),
            (r#"[]"#, "/when"),
            (r#"{"json":"/a","header":"h","eq":1}"#, "/when"),
            (r#"{"json":"/a"}"#, "/when"),
            (r#"{"json":"a","eq":1}"#, "/when/json"),
            (r#"{"header":"x y","eq":1}"#, "/when/header"),
            (r#"{"query":"","eq":1}"#, "/when/query"),
            (r#"{"json":"/a","eq":[1]}"#, "/when/eq"),
            (r#"{"json":"/a","in":"x"}"#, "/when/in"),
            (r#"{"json":"/a","lt":"x"}"#, "/when/lt"),
            (r#"{"json":"/a","prefix":""}"#, "/when/prefix"),
            (r#"{"json":"/a","exists":1}"#, "/when/exists"),
            (r#"{"json":"/a","exists":false,"eq":1}"#, "/when/exists"),
            (r#"{"json":"/a","equals":1,"eq":1}"#, "/when/equals"),
            (r#"{"all":[]}"#, "/when/all"),
            (r#"{"any":{"json":"/a","eq":1}}"#, "/when/any"),
            (
                r#"{"not":{"all":[{"json":"/a","eq":1},{}]}}"#,
                "/when/not/all/1",
            ),
        ] {
            assert_eq!(
                places(&format!(r#"{{"when":{condition}}}"#)),
                [place],
                "{condition}"
            );
        }
    }

    #[test]
    fn the_host_can_read_the_body_for_every_condition() {
        let when = |count: usize| {
            let all = vec![r#"{"json":"/a","eq":1}"#; count].join(",");
            places(&format!(
                r#"{{"json":{{"/b":[1]}},"when":{{"all":[{all}]}}}}"#
            ))
        };
        assert!(when(31).is_empty());
        assert_eq!(when(32), ["/when"]);
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = include_str!("describe.json");
        hookgate_sdk::assert_described(description, env!("CARGO_PKG_VERSION"), &super::FIELDS);
    }
}
