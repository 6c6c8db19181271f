//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::json::Json;
use hookgate_sdk::problem::Problems;

/// As many deliveries as the host takes of one webhook; the largest batch known (SendGrid, Event Grid)
/// has 1,000 elements.
pub const ELEMENTS_MAX: u64 = 1_000;
/// The host remembers no key for longer.
const SECONDS_MAX: u64 = 7 * 86_400;

const FIELDS: [&str; 4] = ["at", "max", "id", "dedupe"];
const ID: [&str; 2] = ["header", "pointer"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        match table.get("at") {
            None => {}
            Some(Json::Text(pointer)) => problems.json_pointer("/at", pointer),
            Some(_) => problems.add(
                "/at",
                "must be a JSON pointer to a list; `\"\"` is the whole body",
            ),
        }
        if let Some(max) = table.get("max")
            && !max
                .as_u64()
                .is_some_and(|max| (1..=ELEMENTS_MAX).contains(&max))
        {
            problems.add(
                "/max",
                format!("must be a whole number, 1 to {ELEMENTS_MAX}"),
            );
        }
        let id = problems.table("", table, "id", &ID);
        if let Some(id) = id {
            if id.members().is_empty() {
                problems.add("/id", "give `header`, `pointer` or both");
            }
            if let Some(name) = problems.text("/id", id, "header") {
                problems.header_name("/id/header", name);
            }
            if let Some(pointer) = problems.text("/id", id, "pointer") {
                problems.json_pointer("/id/pointer", pointer);
            }
            if id.get("header").is_none() && table.get("dedupe").is_none() {
                problems.add(
                    "/id",
                    "the id is used for nothing: add `header`, or `dedupe`",
                );
            }
        }
        problems.seconds("", table, "dedupe", 1..=SECONDS_MAX);
        if table.get("dedupe").is_some() && id.is_none_or(|id| id.get("pointer").is_none()) {
            problems.add(
                "/dedupe",
                "needs an id of the element itself: `id = { pointer = \"/…\" }`",
            );
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
    fn everything_has_a_default() {
        for config in [
            "{}",
            r#"{"at":"","max":1000}"#,
            r#"{"at":"/events","max":1,"id":{"header":"webhook-id"}}"#,
            r#"{"id":{"header":"webhook-id","pointer":"/id"},"dedupe":"1d"}"#,
            r#"{"id":{"pointer":"/id"},"dedupe":"7d"}"#,
        ] {
            assert_eq!(check(config), [], "{config}");
        }
    }

    #[test]
    fn every_problem_has_its_place() {
        for (config, place) in [
            (r#"{"at":"events"}"#, "/at"),
            (r#"{"at":0}"#, "/at"),
            (r#"{"max":0}"#, "/max"),
            (r#"{"max":1001}"#, "/max"),
            (r#"{"max":"10"}"#, "/max"),
            (r#"{"id":"/id"}"#, "/id"),
            (r#"{"id":{"pointer":"/id"}}"#, "/id"),
            (r#"{"id":{"header":"x y"}}"#, "/id/header"),
            (r#"{"id":{"header":"x","pointer":"id"}}"#, "/id/pointer"),
            (r#"{"id":{"header":"x","json":"id"}}"#, "/id/json"),
            (r#"{"dedupe":"1d"}"#, "/dedupe"),
            (r#"{"id":{"header":"x"},"dedupe":"1d"}"#, "/dedupe"),
            (
                r#"{"id":{"header":"x","pointer":"/id"},"dedupe":"8d"}"#,
                "/dedupe",
            ),
            (r#"{"each":"/events"}"#, "/each"),
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
