//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::json::{Json, pointer};
use hookgate_sdk::problem::{Problems, list};

mod inside;

use crate::message::{self, KNOWN, Part, Senseless};
use crate::scheme::{DEFAULT_SIGNED, DIRECTIONS, ENCODINGS, TOKEN, UNITS};
use inside::{conditions, handshakes, place, variants};

/// What the host can check, as the contract's `crypto.verify` names it; and a plain comparison.
const ALGORITHMS: [&str; 9] = [
    "hmac-sha1",
    "hmac-sha256",
    "hmac-sha384",
    "hmac-sha512",
    "ed25519",
    "ecdsa-p256-sha256",
    "rsa-v1_5-sha1",
    "rsa-v1_5-sha256",
    TOKEN,
];
const FIELDS: [&str; 16] = [
    "keys",
    "algorithm",
    "encoding",
    "signature",
    "timestamp",
    "signed",
    "body_unsigned",
    "items",
    "listed",
    "url_decode",
    "any_port",
    "values",
    "require",
    "variants",
    "handshakes",
    "event",
];
const SOURCE: [&str; 6] = [
    "header",
    "query",
    "pointer",
    "separator",
    "prefix",
    "numbered",
];
const TIMESTAMP: [&str; 8] = [
    "header",
    "query",
    "pointer",
    "separator",
    "prefix",
    "unit",
    "tolerance_s",
    "direction",
];
const LISTED: [&str; 6] = ["header", "separator", "prefix", "split", "join", "named"];
const EVENT: [&str; 2] = ["header", "pointer"];

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if !matches!(table.get("keys"), Some(Json::List(_))) {
            problems.required_text("", table, "keys");
        } else {
            problems.add(
                "/keys",
                "`keys` must hold secrets: `{ env }`, `{ file }`, `{ credential }`",
            );
        }
        let algorithm = problems.required_text("", table, "algorithm");
        if let Some(algorithm) = algorithm {
            problems.one_of("", "algorithm", algorithm, &ALGORITHMS);
        }
        if algorithm != Some(TOKEN)
            && let Some(encoding) = problems.required_text("", table, "encoding")
        {
            problems.one_of("", "encoding", encoding, &ENCODINGS);
        }
        match table.get("signature") {
            Some(source) => section(problems, "/signature", source, &SOURCE, &mut |problems| {
                self::source(problems, "/signature", source);
            }),
            None => problems.add("", "`signature` is missing: `{ header = \"…\" }`"),
        }
        if let Some(found) = table.get("timestamp") {
            section(problems, "/timestamp", found, &TIMESTAMP, &mut |problems| {
                timestamp(problems, found);
            });
        }
        if let Some(found) = table.get("listed") {
            section(problems, "/listed", found, &LISTED, &mut |problems| {
                listed(problems, found);
            });
        }
        if let Some(items) = problems.text("", table, "items") {
            problems.json_pointer("/items", items);
        }
        values(problems, table);
        match algorithm {
            Some(TOKEN) => {}
            _ => signed(problems, table),
        }
        conditions(problems, "/require", table, table.get("require"));
        variants(problems, table, &ALGORITHMS);
        handshakes(problems, table);
        if let Some(found) = table.get("event") {
            section(problems, "/event", found, &EVENT, &mut |problems| {
                place(problems, "/event", found);
            });
        }
    })
}

/// A table inside: it must be one, with known fields; then `inside` looks at them.
#[inline(never)]
fn section(
    problems: &mut Problems,
    at: &str,
    table: &Json<'_>,
    known: &[&str],
    inside: &mut dyn FnMut(&mut Problems),
) {
    if !matches!(table, Json::Table(_)) {
        return problems.add(at, format!("must be a table of {}", list(known)));
    }
    problems.unknown_fields(at, table, known);
    inside(problems);
}

#[inline(never)]
fn source(problems: &mut Problems, at: &str, table: &Json<'_>) {
    place(problems, at, table);
    if let Some(separator) = problems.text(at, table, "separator") {
        one_character(problems, at, "separator", separator);
    }
    problems.text(at, table, "prefix");
}

/// Blanks around items are not part of them, so one character is enough to separate them.
fn one_character(problems: &mut Problems, at: &str, name: &str, text: &str) {
    if text.chars().nth(1).is_some() {
        problems.add(
            pointer(at, name),
            "must be one character: blanks around an item are no part of it",
        );
    }
}

#[inline(never)]
fn timestamp(problems: &mut Problems, table: &Json<'_>) {
    let at = "/timestamp";
    source(problems, at, table);
    if let Some(unit) = problems.text(at, table, "unit") {
        problems.one_of(at, "unit", unit, &UNITS);
    }
    if let Some(direction) = problems.text(at, table, "direction") {
        problems.one_of(at, "direction", direction, &DIRECTIONS);
    }
    let place = "/timestamp/tolerance_s";
    match table.get("tolerance_s").map(Json::as_u64) {
        None | Some(Some(1..)) => {}
        Some(Some(0)) => problems.add(
            place,
            "a tolerance of 0 refuses nearly every webhook; leave out `timestamp` to check no time",
        ),
        Some(None) => problems.add(place, "must be a whole number of seconds"),
    }
}

#[inline(never)]
fn listed(problems: &mut Problems, table: &Json<'_>) {
    source(problems, "/listed", table);
    if let Some(split) = problems.required_text("/listed", table, "split") {
        one_character(problems, "/listed", "split", split);
    }
    problems.required_text("/listed", table, "join");
}

#[inline(never)]
fn values(problems: &mut Problems, table: &Json<'_>) {
    for (name, value) in table.get("values").map(Json::members).unwrap_or_default() {
        if value.as_text().is_none_or(str::is_empty) {
            problems.add(pointer("/values", name), "must be text");
        }
    }
}

/// The slots of a template that are known, each shown to `each`; the others are reported.
#[inline(never)]
fn template<'t>(
    problems: &mut Problems,
    at: &str,
    table: &Json<'_>,
    template: &'t str,
    each: &mut dyn FnMut(&mut Problems, Part<'t>),
) {
    for part in message::parts(template) {
        match part {
            Ok(Part::Header(name)) => {
                problems.header_name(at, name);
                each(problems, Part::Header(name));
            }
            Ok(Part::Value(name)) => {
                let known = table.get("values").and_then(|values| values.get(name));
                if known.is_none() {
                    problems.add(
                        at,
                        format!(
                            "`{{value:{name}}}` is not known: add values = {{ {name} = \"…\" }}"
                        ),
                    );
                }
            }
            Ok(Part::Listed | Part::ListedNames) if table.get("listed").is_none() => {
                problems.add(at, "`{listed}` is used and there is no `listed` table");
            }
            Ok(Part::Timestamp) if table.get("timestamp").is_none() => {
                each(problems, Part::Timestamp);
                problems.add(
                    at,
                    "`{timestamp}` is used and there is no `timestamp` table",
                );
            }
            Ok(part) => each(problems, part),
            Err(Senseless::Brace(brace)) => return problems.add(at, brace.to_string()),
            Err(Senseless::Slot(slot)) => problems.add(
                at,
                format!("unknown part `{{{slot}}}`; known are {}", list(&KNOWN)),
            ),
        }
    }
}

fn signed(problems: &mut Problems, table: &Json<'_>) {
    let at = "/signed";
    let signed = match table.get("signed") {
        None => DEFAULT_SIGNED,
        Some(_) => match problems.text("", table, "signed") {
            Some(signed) => signed,
            None => return,
        },
    };
    covers(problems, at, table, signed);
}

/// What a signature must cover: the body, unless it is said that it does not, and the time.
fn covers(problems: &mut Problems, at: &str, table: &Json<'_>, signed: &str) {
    let time = table.get("timestamp");
    let of_time = |name| time.and_then(|time| time.get(name)).and_then(Json::as_text);
    let (time_header, time_pointer) = (of_time("header"), of_time("pointer"));
    let (mut body, mut some, mut timestamp) = (false, false, false);
    let before = problems.count();
    template(problems, at, table, signed, &mut |problems, part| {
        body |= part.covers_body();
        some |= part.covers_some();
        timestamp |= match part {
            Part::Timestamp => true,
            Part::Header(name) => time_header.is_some_and(|it| it.eq_ignore_ascii_case(name)),
            Part::Json(pointer) => time_pointer == Some(pointer),
            _ => false,
        };
        if part == Part::Mac {
            problems.add(at, "`{mac}` belongs to the answer of a handshake");
        }
    });
    let is_broken = problems.count() > before
        && message::parts(signed).any(|part| matches!(part, Err(Senseless::Brace(_))));
    if is_broken {
        return;
    }
    // What is in the body is covered with it; what the sender lists, it has to list.
    timestamp |= body && time_pointer.is_some();
    timestamp |= table.get("listed").is_some();
    if !body && !matches!(table.get("body_unsigned"), Some(Json::Bool(true))) {
        problems.add(
            at,
            if some {
                "the signature covers a part of the body only: add `{body}`, or say body_unsigned = true"
            } else {
                "the signature does not cover the body: add `{body}`, or say body_unsigned = true"
            },
        );
    }
    if time.is_some() && !timestamp {
        problems.add(
            at,
            "the signature does not cover the timestamp: add `{timestamp}`",
        );
    }
}

#[cfg(test)]
mod tests;
