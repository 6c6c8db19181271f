//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::json::{Json, pointer};
use hookgate_sdk::problem::{Problems, list};

use crate::message::{self, KNOWN, Part, Senseless};
use crate::scheme::{DEFAULT_SIGNED, DIRECTIONS, ENCODINGS, UNITS};

/// What the host can check, as the contract's `crypto.verify` names it.
const ALGORITHMS: [&str; 8] = [
    "hmac-sha1",
    "hmac-sha256",
    "hmac-sha384",
    "hmac-sha512",
    "ed25519",
    "ecdsa-p256-sha256",
    "rsa-v1_5-sha1",
    "rsa-v1_5-sha256",
];
const FIELDS: [&str; 8] = [
    "keys",
    "algorithm",
    "encoding",
    "signature",
    "timestamp",
    "signed",
    "handshake",
    "event",
];
const SOURCE: [&str; 3] = ["header", "separator", "prefix"];
const TIMESTAMP: [&str; 6] = [
    "header",
    "separator",
    "prefix",
    "unit",
    "tolerance_s",
    "direction",
];
const HANDSHAKE: [&str; 3] = ["pointer", "equals", "respond"];
const RESPOND: [&str; 2] = ["pointer", "content_type"];
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
        if let Some(algorithm) = problems.required_text("", table, "algorithm") {
            problems.one_of("", "algorithm", algorithm, &ALGORITHMS);
        }
        if let Some(encoding) = problems.required_text("", table, "encoding") {
            problems.one_of("", "encoding", encoding, &ENCODINGS);
        }
        match table.get("signature") {
            Some(source) => section(problems, "/signature", source, &SOURCE, |problems| {
                self::source(problems, "/signature", source);
            }),
            None => problems.add("", "`signature` is missing: `{ header = \"…\" }`"),
        }
        if let Some(found) = table.get("timestamp") {
            section(problems, "/timestamp", found, &TIMESTAMP, |problems| {
                timestamp(problems, found);
            });
        }
        signed(problems, table);
        if let Some(found) = table.get("handshake") {
            section(problems, "/handshake", found, &HANDSHAKE, |problems| {
                handshake(problems, found);
            });
        }
        if let Some(found) = table.get("event") {
            section(problems, "/event", found, &EVENT, |problems| {
                event(problems, found);
            });
        }
    })
}

/// A table inside: it must be one, with known fields; then `inside` looks at them.
fn section(
    problems: &mut Problems,
    at: &str,
    table: &Json<'_>,
    known: &[&str],
    inside: impl FnOnce(&mut Problems),
) {
    if !matches!(table, Json::Table(_)) {
        return problems.add(at, format!("must be a table of {}", list(known)));
    }
    problems.unknown_fields(at, table, known);
    inside(problems);
}

fn source(problems: &mut Problems, at: &str, table: &Json<'_>) {
    if let Some(header) = problems.required_text(at, table, "header") {
        problems.header_name(&pointer(at, "header"), header);
    }
    problems.text(at, table, "separator");
    problems.text(at, table, "prefix");
}

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

fn signed(problems: &mut Problems, table: &Json<'_>) {
    let place = "/signed";
    let signed = match table.get("signed") {
        None => DEFAULT_SIGNED,
        Some(_) => match problems.text("", table, "signed") {
            Some(signed) => signed,
            None => return,
        },
    };
    let time = table.get("timestamp");
    let time_header = time
        .and_then(|time| time.get("header"))
        .and_then(Json::as_text);
    let (mut body, mut timestamp) = (false, false);
    for part in message::parts(signed) {
        match part {
            Ok(Part::Body) => body = true,
            Ok(Part::Timestamp) if time.is_none() => {
                timestamp = true;
                problems.add(
                    place,
                    "`{timestamp}` is used and there is no `timestamp` table",
                );
            }
            Ok(Part::Timestamp) => timestamp = true,
            Ok(Part::Header(name)) => {
                problems.header_name(place, name);
                timestamp |= time_header.is_some_and(|header| header.eq_ignore_ascii_case(name));
            }
            Ok(Part::Text(_) | Part::Method | Part::Path | Part::Url | Part::Query(_)) => {}
            Err(Senseless::Brace(brace)) => return problems.add(place, brace.to_string()),
            Err(Senseless::Slot(slot)) => {
                problems.add(
                    place,
                    format!("unknown part `{{{slot}}}`; known are {}", list(&KNOWN)),
                );
            }
        }
    }
    if !body {
        problems.add(place, "the signature does not cover the body: add `{body}`");
    }
    if time.is_some() && !timestamp {
        problems.add(
            place,
            "the signature does not cover the timestamp: add `{timestamp}`",
        );
    }
}

fn handshake(problems: &mut Problems, table: &Json<'_>) {
    let at = "/handshake";
    if let Some(found) = problems.required_text(at, table, "pointer") {
        problems.json_pointer("/handshake/pointer", found);
    }
    match table.get("equals") {
        None => problems.add(at, "`equals` is missing"),
        Some(equals) if equals.scalar().is_none() => {
            problems.add(
                "/handshake/equals",
                "must be a string, a number or a boolean",
            );
        }
        Some(_) => {}
    }
    let at = "/handshake/respond";
    match table.get("respond") {
        None => problems.add("/handshake", "`respond` is missing: `{ pointer = \"/…\" }`"),
        Some(respond) => section(problems, at, respond, &RESPOND, |problems| {
            if let Some(found) = problems.required_text(at, respond, "pointer") {
                problems.json_pointer("/handshake/respond/pointer", found);
            }
            problems.text(at, respond, "content_type");
        }),
    }
}

fn event(problems: &mut Problems, table: &Json<'_>) {
    let at = "/event";
    if let Some(header) = problems.text(at, table, "header") {
        problems.header_name("/event/header", header);
    }
    if let Some(found) = problems.text(at, table, "pointer") {
        problems.json_pointer("/event/pointer", found);
    }
    if table.get("header").is_some() == table.get("pointer").is_some() {
        problems.add(at, "needs either `header` or `pointer`");
    }
}

#[cfg(test)]
mod tests;
