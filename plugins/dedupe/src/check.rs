//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::problem::{Problems, list};

use crate::key::{self, KNOWN, Part, SECONDS_MAX, Senseless};

const FIELDS: [&str; 5] = ["header", "pointer", "digest", "for", "missing"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if let Some(kind) = problems.exactly_one("", table, &["header", "pointer", "digest"])
            && let Some(text) = problems.text("", table, kind)
        {
            match kind {
                "digest" => digest(problems, text),
                _ => problems.known_by(kind, text),
            }
        }
        problems.seconds("", table, "for", 1..=SECONDS_MAX);
        problems.missing_key(table);
    })
}

fn digest(problems: &mut Problems, template: &str) {
    let at = "/digest";
    let mut differs = false;
    for part in key::parts(template) {
        match part {
            Ok(Part::Text(_)) => {}
            Ok(Part::Body) => differs = true,
            Ok(Part::Header(name)) => {
                differs = true;
                problems.header_name(at, name);
            }
            Err(Senseless::Brace(brace)) => return problems.add(at, brace.to_string()),
            Err(Senseless::Slot(slot)) => {
                return problems.add(
                    at,
                    format!("unknown part `{{{slot}}}`; known are {}", list(&KNOWN)),
                );
            }
        }
    }
    if !differs {
        problems.add(
            at,
            "is the same for every webhook: all but the first would be dropped",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    fn places(config: &str) -> Vec<String> {
        check(config).into_iter().map(|(at, _)| at).collect()
    }

    #[test]
    fn each_source_alone_is_enough() {
        for config in [
            r#"{"header":"X-GitHub-Delivery"}"#,
            r#"{"pointer":"/id","for":"7d","missing":"deliver"}"#,
            r#"{"digest":"{header:Stripe-Signature}"}"#,
            r#"{"digest":"{header:x}.{body}","for":"1s"}"#,
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
            (r#"{"digest":"{id}"}"#, "/digest"),
            (r#"{"digest":"{body"}"#, "/digest"),
            (r#"{"digest":"always"}"#, "/digest"),
            (r#"{"digest":"{header:x y}"}"#, "/digest"),
            (r#"{"header":"x","for":"0s"}"#, "/for"),
            (r#"{"header":"x","for":"8d"}"#, "/for"),
            (r#"{"header":"x","for":60}"#, "/for"),
            (r#"{"header":"x","missing":"drop"}"#, "/missing"),
            (r#"{"header":"x","ttl":"1h"}"#, "/ttl"),
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
