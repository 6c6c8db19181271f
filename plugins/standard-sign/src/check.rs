//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::key;
use hookgate_sdk::problem::Problems;
use hookgate_sdk::slot::{self, Part};

/// As the host names it.
pub const SCHEME: &str = "standard-webhooks";

const FIELDS: [&str; 2] = ["keys", "id"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    check_with(config, |key| key::fits(key, "hmac-sha256"))
}

/// The same; `fits` says whether a key can sign.
fn check_with(config: &str, fits: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if let Some(name) = problems.key("", "", table, "keys")
            && !fits(name)
        {
            problems.add("/keys", "does not sign: it must be a shared secret");
        }
        if let Some(template) = problems.text("", table, "id") {
            problems.template("/id", template);
            if !slot::parts(template).any(|part| matches!(part, Ok(Part::Slot(..)) | Err(_))) {
                problems.add(
                    "/id",
                    "is the same for every webhook: all but the first would be repeats",
                );
            }
        }
    })
}

/// Whether the host takes it as it is: a `.` would stand between the parts of the signed message.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    // The host takes 256 and appends a place.
    (1..=200).contains(&text.len()) && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::{check_with, is_id};

    fn places(config: &str) -> Vec<String> {
        check_with(config, |_| true)
            .into_iter()
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn keys_are_enough() {
        assert_eq!(places(r#"{"keys":"keys"}"#), [""; 0]);
        assert_eq!(
            places(r#"{"keys":"keys","id":"gh_{header:X-GitHub-Delivery}"}"#),
            [""; 0]
        );
    }

    #[test]
    fn every_problem_has_its_place() {
        for (config, place) in [
            ("{}", ""),
            (r#"{"keys":"whsec_x"}"#, "/keys"),
            (r#"{"keys":"keys","id":"always"}"#, "/id"),
            (r#"{"keys":"keys","id":"{id}"}"#, "/id"),
            (r#"{"keys":"keys","header":"x"}"#, "/header"),
        ] {
            assert_eq!(places(config), [place], "{config}");
        }
        assert_eq!(check_with(r#"{"keys":"keys"}"#, |_| false)[0].0, "/keys");
    }

    #[test]
    fn an_id_has_no_dots() {
        assert!(is_id("wh_1-2") && is_id(&"x".repeat(200)));
        for text in ["", "a.b", "a b", "é", &"x".repeat(201)] {
            assert!(!is_id(text), "{text}");
        }
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = include_str!("describe.json");
        hookgate_sdk::assert_described(description, env!("CARGO_PKG_VERSION"), &super::FIELDS);
    }
}
