//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::known::BY;
use hookgate_sdk::problem::Problems;

const FIELDS: [&str; 3] = ["header", "pointer", "missing"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if let Some(kind) = problems.exactly_one("", table, &BY)
            && let Some(text) = problems.text("", table, kind)
        {
            problems.known_by(kind, text);
        }
        problems.missing_key(table);
    })
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn each_source_alone_is_enough() {
        for config in [
            r#"{"header":"X-Shop-Id"}"#,
            r#"{"pointer":"/data/object/id","missing":"deliver"}"#,
        ] {
            assert_eq!(check(config), [], "{config}");
        }
    }

    #[test]
    fn every_problem_has_its_place() {
        for (config, place) in [
            ("{}", ""),
            (r#"{"header":"x","pointer":"/id"}"#, ""),
            (r#"{"header":"x y"}"#, "/header"),
            (r#"{"pointer":"id"}"#, "/pointer"),
            (r#"{"header":"x","missing":"drop"}"#, "/missing"),
            (r#"{"header":"x","digest":"{body}"}"#, "/digest"),
        ] {
            let places: Vec<_> = check(config).into_iter().map(|(at, _)| at).collect();
            assert_eq!(places, [place], "{config}");
        }
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = include_str!("describe.json");
        hookgate_sdk::assert_described(description, env!("CARGO_PKG_VERSION"), &super::FIELDS);
    }
}
