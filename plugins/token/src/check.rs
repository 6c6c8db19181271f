//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::header;
use hookgate_sdk::problem::Problems;

const FIELDS: [&str; 4] = ["keys", "header", "prefix", "query"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        problems.key("", "", table, "keys");
        match problems.exactly_one("", table, &["header", "query"]) {
            Some("header") => {
                if let Some(name) = problems.text("", table, "header") {
                    problems.header_name("/header", name);
                }
            }
            Some(_) => {
                problems.text("", table, "query");
            }
            None => {}
        }
        if let Some(prefix) = problems.text("", table, "prefix") {
            if table.get("header").is_none() {
                problems.add("/prefix", "belongs to a `header`");
            }
            if !header::fits(prefix) {
                problems.add("/prefix", "must hold no control characters");
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::check;

    fn places(config: &str) -> Vec<String> {
        check(config).into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn a_header_or_a_parameter_is_enough() {
        for config in [
            r#"{"keys":"keys","header":"X-Gitlab-Token"}"#,
            r#"{"keys":"keys","header":"Authorization","prefix":"Bearer "}"#,
            r#"{"keys":"keys","query":"token"}"#,
        ] {
            assert_eq!(check(config), [], "{config}");
        }
    }

    #[test]
    fn every_problem_has_its_place() {
        for (config, place) in [
            (r#"{"header":"x"}"#, ""),
            (r#"{"keys":"keys"}"#, ""),
            (r#"{"keys":"keys","header":"x","query":"y"}"#, ""),
            (r#"{"keys":"keys","header":"x y"}"#, "/header"),
            (r#"{"keys":"keys","query":""}"#, "/query"),
            (
                r#"{"keys":"keys","query":"t","prefix":"Bearer "}"#,
                "/prefix",
            ),
            (r#"{"keys":"keys","header":"x","prefix":"a\n"}"#, "/prefix"),
            (r#"{"keys":"keys","header":"x","cookie":"y"}"#, "/cookie"),
        ] {
            assert_eq!(places(config), [place], "{config}");
        }
    }

    #[test]
    fn a_secret_in_the_open_is_refused_and_not_shown() {
        let found = check(r#"{"keys":"hunter2","header":"x"}"#);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "/keys");
        assert!(!found[0].1.contains("hunter2"), "{}", found[0].1);
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = include_str!("describe.json");
        hookgate_sdk::assert_described(description, env!("CARGO_PKG_VERSION"), &super::FIELDS);
    }
}
