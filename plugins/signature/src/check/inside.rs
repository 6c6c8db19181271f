//! The lists inside of a configuration: conditions, variants, handshakes.

use hookgate_sdk::json::Json;
use hookgate_sdk::problem::Problems;

use super::{covers, section, template};
use crate::message::Part;
use crate::scheme::ENCODINGS;

const CONDITION: [&str; 6] = ["method", "header", "query", "pointer", "equals", "host"];
const VARIANT: [&str; 4] = ["when", "algorithm", "signed", "require"];
const HANDSHAKE: [&str; 9] = [
    "when",
    "signed",
    "require",
    "token",
    "mac",
    "log",
    "status",
    "content_type",
    "body",
];
const TOKEN: [&str; 4] = ["header", "query", "pointer", "key"];
const MAC: [&str; 2] = ["message", "encoding"];
/// Where a text may be.
const PLACES: [&str; 3] = ["header", "query", "pointer"];

/// A table says in one way where a text is.
#[inline(never)]
pub(super) fn place(problems: &mut Problems, at: &str, table: &Json<'_>) {
    if let Some(header) = problems.text(at, table, "header") {
        problems.header_name(&[at, "/header"].concat(), header);
    }
    if let Some(found) = problems.text(at, table, "pointer") {
        problems.json_pointer(&[at, "/pointer"].concat(), found);
    }
    problems.text(at, table, "query");
    let given = PLACES.iter().filter(|name| table.get(name).is_some());
    if given.count() != 1 {
        problems.add(at, "needs one of `header`, `query` and `pointer`");
    }
}

/// The elements of a list of tables, each with its place.
#[inline(never)]
fn each(
    problems: &mut Problems,
    at: &str,
    list: Option<&Json<'_>>,
    known: &[&str],
    check: &mut dyn FnMut(&mut Problems, &str, &Json<'_>),
) {
    match list {
        None => {}
        Some(Json::List(elements)) => {
            for (index, element) in elements.iter().enumerate() {
                let at = format!("{at}/{index}");
                section(problems, &at, element, known, &mut |problems| {
                    check(problems, &at, element);
                });
            }
        }
        Some(_) => problems.add(at, "must be a list of tables"),
    }
}

pub(super) fn conditions(
    problems: &mut Problems,
    at: &str,
    table: &Json<'_>,
    list: Option<&Json<'_>>,
) {
    each(
        problems,
        at,
        list,
        &CONDITION,
        &mut |problems, at, condition| {
            if problems.text(at, condition, "method").is_some() {
                if condition.members().len() > 1 {
                    problems.add(at, "`method` stands alone");
                }
                return;
            }
            place(problems, at, condition);
            problems.text(at, condition, "host");
            let place = [at, "/equals"].concat();
            match condition.get("equals") {
                None => {}
                Some(_) if condition.get("host").is_some() => {
                    problems.add(place, "either `equals` or `host`");
                }
                Some(equals) => match equals.scalar() {
                    Some(equals) => text(problems, &place, table, equals),
                    None => problems.add(place, "must be a string, a number or a boolean"),
                },
            }
        },
    );
}

/// A template that is no message: the body stays in the host.
fn text(problems: &mut Problems, at: &str, table: &Json<'_>, written: &str) {
    template(
        problems,
        at,
        table,
        written,
        &mut |problems, part| match part {
            Part::Body => problems.add(at, "`{body}` can be signed and not copied"),
            Part::Mac => problems.add(at, "`{mac}` needs `mac` beside it, in a handshake"),
            _ => {}
        },
    );
}

pub(super) fn variants(problems: &mut Problems, table: &Json<'_>, algorithms: &[&str]) {
    let list = table.get("variants");
    each(
        problems,
        "/variants",
        list,
        &VARIANT,
        &mut |problems, at, variant| {
            required(problems, at, table, variant);
            conditions(
                problems,
                &[at, "/require"].concat(),
                table,
                variant.get("require"),
            );
            if let Some(algorithm) = problems.text(at, variant, "algorithm") {
                problems.one_of(at, "algorithm", algorithm, algorithms);
            }
            if let Some(signed) = problems.text(at, variant, "signed") {
                // What is required to equal a digest of the body is as good as signed.
                let by_digest = variant
                    .get("require")
                    .map(Json::elements)
                    .unwrap_or_default()
                    .iter()
                    .any(|one| one.get("equals").and_then(Json::as_text) == Some("{sha256}"));
                if !by_digest {
                    covers(problems, &[at, "/signed"].concat(), table, signed);
                }
            }
        },
    );
}

/// The conditions under which something is done; there must be some.
fn required(problems: &mut Problems, at: &str, table: &Json<'_>, element: &Json<'_>) {
    match element.get("when") {
        Some(when) if !when.elements().is_empty() => {
            conditions(problems, &[at, "/when"].concat(), table, Some(when));
        }
        _ => problems.add(
            at,
            "`when` is missing: `[{ pointer = \"/…\", equals = \"…\" }]`",
        ),
    }
}

pub(super) fn handshakes(problems: &mut Problems, table: &Json<'_>) {
    let list = table.get("handshakes");
    each(
        problems,
        "/handshakes",
        list,
        &HANDSHAKE,
        &mut |problems, at, handshake| {
            required(problems, at, table, handshake);
            conditions(
                problems,
                &[at, "/require"].concat(),
                table,
                handshake.get("require"),
            );
            if let Some(token) = handshake.get("token") {
                let at = [at, "/token"].concat();
                section(problems, &at, token, &TOKEN, &mut |problems| {
                    place(problems, &at, token);
                    problems.required_text(&at, token, "key");
                });
            }
            if let Some(mac) = handshake.get("mac") {
                let at = [at, "/mac"].concat();
                section(problems, &at, mac, &MAC, &mut |problems| {
                    if let Some(message) = problems.required_text(&at, mac, "message") {
                        text(problems, &[&at, "/message"].concat(), table, message);
                    }
                    if let Some(encoding) = problems.required_text(&at, mac, "encoding") {
                        problems.one_of(&at, "encoding", encoding, &ENCODINGS);
                    }
                });
            }
            match handshake.get("status").map(Json::as_u64) {
                None | Some(Some(200..=299)) => {}
                Some(_) => {
                    problems.add([at, "/status"].concat(), "must be a status from 200 to 299");
                }
            }
            if let Some(log) = problems.text(at, handshake, "log") {
                text(problems, &[at, "/log"].concat(), table, log);
            }
            problems.text(at, handshake, "content_type");
            if let Some(body) = problems.text(at, handshake, "body") {
                let place = [at, "/body"].concat();
                if handshake.get("mac").is_some() {
                    template(problems, &place, table, body, &mut |_, _| {});
                } else {
                    text(problems, &place, table, body);
                }
            }
        },
    );
}
