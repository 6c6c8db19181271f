//! The errors of toml and serde in our words, with the name that was probably meant.

use std::ops::Range;

use super::problem::Problem;
use super::shapes::{SECRET_CURE, SECRET_IN_THE_OPEN};
use super::twice::twice;

/// Words that people bring from other programs, and ours. Spelling distance does not find these.
const ALIASES: &[(&str, &[&str])] = &[
    ("accepted", &["buffered"]),
    ("address", &["listen", "url"]),
    ("allowlist", &["allow"]),
    ("async", &["early"]),
    ("backend", &["forward", "upstreams"]),
    ("bind", &["listen"]),
    ("body_limit", &["max_body"]),
    ("certificate", &["cert"]),
    ("checksum", &["sha256"]),
    ("config", &["with"]),
    ("destination", &["forward"]),
    ("digest", &["sha256"]),
    ("endpoint", &["url", "path"]),
    ("endpoints", &["routes"]),
    ("grace", &["drain"]),
    ("grants", &["grant"]),
    ("handlers", &["plugins"]),
    ("hash", &["sha256"]),
    ("hostname", &["host"]),
    ("logging", &["log"]),
    ("max_attempts", &["attempts"]),
    ("max_body_size", &["max_body"]),
    ("max_size", &["max_bytes", "max_body"]),
    ("method", &["methods"]),
    ("middleware", &["plugins"]),
    ("none", &["off"]),
    ("options", &["with"]),
    ("path", &["file"]),
    ("permissions", &["grant"]),
    ("port", &["listen"]),
    ("pretty", &["text"]),
    ("private_key", &["key"]),
    ("queue", &["buffer"]),
    ("queued", &["buffered"]),
    ("secret", &["keys"]),
    ("secrets", &["keys"]),
    ("settings", &["with"]),
    ("shutdown_grace", &["drain"]),
    ("steps", &["plugins"]),
    ("sync", &["upstream"]),
    ("target", &["forward", "url"]),
    ("targets", &["upstreams"]),
    ("threads", &["workers"]),
    ("to", &["forward"]),
    ("try-first", &["buffered"]),
    ("uri", &["url"]),
    ("uses", &["use"]),
    ("verbose", &["debug"]),
    ("warning", &["warn"]),
    ("wasm", &["file"]),
    ("whitelist", &["allow"]),
];

/// The one of `known` that was probably meant by `word`.
#[must_use]
pub fn meant<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let known: Vec<&str> = known.into_iter().collect();
    let plain = word.to_lowercase().replace('-', "_");
    let distance_max = match word.chars().count() {
        0..=3 => 1,
        _ => 2,
    };
    let near = known
        .iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&plain, &name.to_lowercase().replace('-', "_")),
                *name,
            )
        })
        .filter(|(distance, _)| *distance <= distance_max)
        .min();
    if let Some((_, name)) = near {
        return Some(name);
    }
    let (_, ours) = ALIASES
        .iter()
        .find(|(theirs, _)| theirs.replace('-', "_") == plain)?;
    ours.iter()
        .find_map(|name| known.iter().find(|known| *known == name))
        .copied()
}

/// `did you mean ...?`, or what there is to choose from.
pub(super) fn cure<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str> + Clone,
    kind: &str,
) -> String {
    if let Some(name) = meant(word, known.clone()) {
        return format!("did you mean `{name}`?");
    }
    let mut names: Vec<&str> = known.into_iter().collect();
    names.sort_unstable();
    match names.as_slice() {
        [] => format!("there are no {kind}"),
        _ => format!("the {kind} are: {}", listed(&names)),
    }
}

/// `` `a`, `b` and `c` ``
pub(super) fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// A syntax error of the TOML parser; nothing where it only follows from another one.
pub(super) fn syntax(error: &toml::de::Error, text: &str) -> Option<Problem> {
    let span = error.span().unwrap_or(text.len()..text.len());
    match error.message().contains("duplicate key") {
        true => twice(text, span),
        false => Some(Problem::error(span, error.message().to_owned())),
    }
}

/// The key that was probably meant by the unknown `key` of serde's `message`.
pub(super) fn meant_key<'m>(message: &'m str, key: &str) -> Option<&'m str> {
    match message.starts_with("unknown field") {
        true => meant(key, quoted_after(message, "`, expected")),
        false => None,
    }
}

/// Whether serde's `message` is about a key of a table that says where a secret is.
pub(super) fn is_about_secret(message: &str) -> bool {
    message.starts_with("unknown field")
        && quoted_after(message, "`, expected").contains(&"credential")
}

/// An error of serde's derived code.
pub(super) fn meaning(
    message: &str,
    key: &str,
    place: &str,
    parent: &str,
    span: Range<usize>,
) -> Problem {
    if message.starts_with("unknown field") {
        let known = quoted_after(message, "`, expected");
        let title = match parent {
            "" => format!("`{key}` is not a key of this file"),
            _ => format!("`{key}` is not a key of `{parent}`"),
        };
        return Problem::error(span, title).help(cure(key, known, "keys here"));
    }
    if message.starts_with("unknown variant") {
        let word = message.split('`').nth(1).unwrap_or_default();
        let known = quoted_after(message, "`, expected");
        let label = format!("in `{place}`");
        return Problem::error(span, format!("`{word}` is not a choice of `{key}`"))
            .label(label)
            .help(cure(word, known, "choices"));
    }
    if let Some((_, expected)) = message.rsplit_once("expected ")
        && message.starts_with("invalid")
    {
        let title = format!("`{place}` must be {}", plainly(expected));
        return match found(message) {
            Some(found) if message.starts_with("invalid type") => {
                Problem::error(span, title).label(format!("this is {found}"))
            }
            _ => Problem::error(span, title),
        };
    }
    let problem = Problem::error(span, message.to_owned());
    match message {
        SECRET_IN_THE_OPEN => problem.help(SECRET_CURE),
        _ => problem.label(format!("in `{place}`")),
    }
}

/// The backquoted words behind `mark`.
fn quoted_after<'m>(message: &'m str, mark: &str) -> Vec<&'m str> {
    message.split_once(mark).map_or(Vec::new(), |(_, list)| {
        list.split('`').skip(1).step_by(2).collect()
    })
}

/// What serde expected, in the words of someone who writes TOML.
fn plainly(expected: &str) -> &str {
    match expected {
        "a string" => "text in quotes",
        "a sequence" => "a list, as in [\"...\"]; of tables, [[...]] begins each",
        "a boolean" => "true or false",
        "a map" => "a table",
        "u16" => "a whole number, 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "a nonzero u32" | "a nonzero usize" => "a whole number, 1 or more",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
}

/// What serde found, without the value: it may be a secret at the wrong place.
fn found(message: &str) -> Option<&'static str> {
    let (_, rest) = message.split_once(": ")?;
    let found = match rest.split([' ', ',']).next()? {
        "string" => "text",
        "integer" => "a number",
        "floating" => "a number with a fraction",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a table",
        _ => return None,
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_slip_or_a_word_of_another_program_finds_ours() {
        let known = ["listen", "max_body", "forward", "with", "buffered"];

        for (word, ours) in [
            ("liste", Some("listen")),
            ("max-body", Some("max_body")),
            ("maxbody", Some("max_body")),
            ("forwrad", Some("forward")),
            ("backend", Some("forward")),
            ("accepted", Some("buffered")),
            ("colour", None),
            ("thw", None),
        ] {
            assert_eq!(meant(word, known), ours, "{word}");
        }
    }
}
