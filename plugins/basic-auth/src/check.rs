//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::json::{Json, pointer};
use hookgate_sdk::problem::Problems;

const FIELDS: [&str; 1] = ["users"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        let users = match table.get("users") {
            Some(users @ Json::Table(members)) if !members.is_empty() => users,
            Some(_) => {
                return problems.add(
                    "/users",
                    "must be a table from names to passwords, at least one",
                );
            }
            None => {
                return problems.add("", "`users` is missing: `{ NAME = [{ env = \"…\" }] }`");
            }
        };
        for (name, _) in users.members() {
            if name.is_empty() || name.contains(':') || name.contains(char::is_control) {
                // RFC 7617, section 2.
                problems.add(
                    pointer("/users", name),
                    "a name is not empty and holds no `:` and no control characters",
                );
            }
            problems.key("/users", "users", users, name);
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
    fn several_users_may_have_passwords() {
        assert_eq!(check(r#"{"users":{"a.b":"users.a.b","ü":"users.ü"}}"#), []);
    }

    #[test]
    fn every_problem_has_its_place() {
        for (config, place) in [
            ("{}", ""),
            (r#"{"users":{}}"#, "/users"),
            (r#"{"users":"a"}"#, "/users"),
            (r#"{"users":{"a:b":"users.a:b"}}"#, "/users/a:b"),
            (r#"{"users":{"":"users."}}"#, "/users/"),
            (r#"{"users":{"a":"hunter2"}}"#, "/users/a"),
            (r#"{"users":{"a":"users.a"},"realm":"x"}"#, "/realm"),
        ] {
            assert_eq!(places(config), [place], "{config}");
        }
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = include_str!("describe.json");
        hookgate_sdk::assert_described(description, env!("CARGO_PKG_VERSION"), &super::FIELDS);
    }
}
