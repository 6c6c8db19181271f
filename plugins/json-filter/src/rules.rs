//! One condition: a list of alternatives, any of which will do.

use hookgate_sdk::json::Json;

/// Characters of a value that a drop reason shows; it is the sender's text in the operator's log.
const SHOWN: usize = 64;

/// Whether `value` is one of the alternatives. Scalars are compared as text: strings as they are,
/// numbers and booleans as JSON writes them. A trailing `*` stands for any rest.
#[must_use]
pub fn is_one_of(value: &str, alternatives: &Json<'_>) -> bool {
    alternatives
        .elements()
        .iter()
        .filter_map(Json::scalar)
        .any(|wanted| match wanted.strip_suffix('*') {
            Some(prefix) => value.starts_with(prefix),
            None => value == wanted,
        })
}

/// Why a webhook whose `what` is `value` is dropped.
#[must_use]
pub fn unwanted(what: &str, value: &str) -> String {
    format!("{what} is `{}`, which is not wanted", shown(value))
}

/// As much of a value as a reason shows, in one line.
#[must_use]
pub fn shown(value: &str) -> String {
    let mut shown: String = value
        .chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if value.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{Json, is_one_of, unwanted};

    #[test]
    fn any_alternative_will_do_and_a_star_is_any_rest() {
        let refs = Json::read(r#"["refs/heads/main","refs/heads/release/*"]"#).unwrap();
        for wanted in [
            "refs/heads/main",
            "refs/heads/release/",
            "refs/heads/release/1.0",
        ] {
            assert!(is_one_of(wanted, &refs), "{wanted}");
        }
        for other in [
            "refs/heads/main2",
            "refs/heads/release",
            "REFS/heads/main",
            "",
        ] {
            assert!(!is_one_of(other, &refs), "{other}");
        }
    }

    #[test]
    fn numbers_and_booleans_are_compared_as_json_writes_them() {
        let all = Json::read(r#"[42, true, "7"]"#).unwrap();
        for wanted in ["42", "true", "7"] {
            assert!(is_one_of(wanted, &all), "{wanted}");
        }
        for other in ["42.0", "4", "True", "false"] {
            assert!(!is_one_of(other, &all), "{other}");
        }
    }

    #[test]
    fn a_star_counts_at_the_end_only() {
        let stars = Json::read(r#"["a*b"]"#).unwrap();
        assert!(is_one_of("a*b", &stars));
        assert!(!is_one_of("axb", &stars));
    }

    #[test]
    fn a_reason_is_one_bounded_line() {
        assert_eq!(
            unwanted("`/ref`", "x\n"),
            "`/ref` is `x\\n`, which is not wanted"
        );
        let long = unwanted("`/ref`", &"é".repeat(65));
        assert!(long.contains("é…`") && long.len() < 200, "{long}");
    }
}
