//! What an operator reads who got a scheme wrong.

use super::check;

/// The parts that every scheme needs, and `rest`.
fn scheme(rest: &str) -> String {
    format!(
        r#"{{"keys":"k","algorithm":"hmac-sha256","encoding":"hex","signature":{{"header":"x-sig"}}{rest}}}"#
    )
}

/// The only problem of a scheme with `rest`.
fn problem(rest: &str) -> (String, String) {
    let mut found = check(&scheme(rest));
    assert_eq!(found.len(), 1, "{rest}: {found:?}");
    found.remove(0)
}

#[test]
fn whole_schemes_have_no_problem() {
    let stripe = r#"{"keys":"keys","algorithm":"hmac-sha256","encoding":"hex",
        "signature":{"header":"stripe-signature","separator":",","prefix":"v1="},
        "timestamp":{"header":"stripe-signature","separator":",","prefix":"t=","unit":"s",
                     "tolerance_s":300,"direction":"past"},
        "signed":"{timestamp}.{body}","event":{"pointer":"/type"}}"#;
    let slack = r#"{"keys":"keys","algorithm":"hmac-sha256","encoding":"hex",
        "signature":{"header":"x-slack-signature","prefix":"v0="},
        "timestamp":{"header":"x-slack-request-timestamp"},
        "signed":"v0:{timestamp}:{body}",
        "handshake":{"pointer":"/type","equals":"url_verification",
                     "respond":{"pointer":"/challenge","content_type":"text/plain"}}}"#;
    let standard = r#"{"keys":"keys","algorithm":"hmac-sha256","encoding":"base64",
        "signature":{"header":"webhook-signature","separator":" ","prefix":"v1,"},
        "timestamp":{"header":"webhook-timestamp"},
        "signed":"{header:webhook-id}.{header:Webhook-Timestamp}.{body}"}"#;
    for config in [stripe, slack, standard, &scheme("")] {
        assert_eq!(check(config), [], "{config}");
    }
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let found = check("{}");
    for name in ["keys", "algorithm", "encoding", "signature"] {
        assert!(
            found
                .iter()
                .any(|(at, what)| at.is_empty() && what.contains(name)),
            "{name}"
        );
    }
}

#[test]
fn unknown_fields_and_names_are_reported_with_the_known_ones() {
    assert_eq!(problem(r#","sigend":"{body}""#).0, "/sigend");
    assert_eq!(
        problem(r#","event":{"header":"x","heder":"y"}"#).0,
        "/event/heder"
    );
    let (at, what) = problem(r#","signed":"{bodi}{body}""#);
    assert_eq!(at, "/signed");
    assert!(
        what.contains("`{bodi}`") && what.contains("`{header:NAME}`"),
        "{what}"
    );
    let wrong = scheme("")
        .replace("hmac-sha256", "sha256")
        .replace("hex", "Hex");
    let found = check(&wrong);
    assert_eq!(found[0].0, "/algorithm");
    assert!(found[1].0 == "/encoding" && found[1].1.contains("`base64url`"));
}

#[test]
fn an_unbalanced_brace_is_told_with_its_cure() {
    let (at, what) = problem(r#","signed":"{body""#);
    assert!(at == "/signed" && what.contains("`{{`"), "{what}");
    assert!(problem(r#","signed":"{body}}""#).1.contains("`}}`"));
}

#[test]
fn a_signature_has_to_cover_body_and_timestamp() {
    assert!(
        problem(r#","signed":"{path}""#)
            .1
            .contains("does not cover the body")
    );
    assert!(
        problem(r#","signed":"{{body}}""#)
            .1
            .contains("does not cover the body")
    );
    let uncovered = problem(r#","timestamp":{"header":"t"}"#);
    assert!(uncovered.1.contains("does not cover the timestamp"));
    assert!(
        problem(r#","signed":"{timestamp}{body}""#)
            .1
            .contains("no `timestamp` table")
    );
}

#[test]
fn a_tolerance_of_nothing_is_a_mistake() {
    let with = |tolerance: &str| {
        check(&scheme(&format!(
            r#","timestamp":{{"header":"t","tolerance_s":{tolerance}}},"signed":"{{timestamp}}{{body}}""#
        )))
    };
    assert_eq!(with("1"), []);
    for wrong in ["0", "-1", "1.5", "\"300\"", "null"] {
        assert_eq!(with(wrong)[0].0, "/timestamp/tolerance_s", "{wrong}");
    }
}

#[test]
fn a_handshake_is_complete_or_refused() {
    let found = check(&scheme(
        r#","handshake":{"pointer":"type","equals":[],"respond":{}}"#,
    ));
    let places: Vec<_> = found.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(
        places,
        [
            "/handshake/pointer",
            "/handshake/equals",
            "/handshake/respond"
        ]
    );
}

#[test]
fn an_event_has_one_source() {
    assert_eq!(problem(r#","event":{}"#).0, "/event");
    assert_eq!(
        problem(r#","event":{"header":"a","pointer":"/b"}"#).0,
        "/event"
    );
    assert_eq!(problem(r#","event":"x-github-event""#).0, "/event");
}

#[test]
fn a_header_that_cannot_exist_is_refused() {
    assert_eq!(
        check(&scheme("").replace("x-sig", "x sig"))[0].0,
        "/signature/header"
    );
    assert_eq!(problem(r#","signed":"{header:a b}{body}""#).0, "/signed");
}

#[test]
fn the_description_is_json_and_names_this_version() {
    let text = include_str!("../describe.json");
    let description = hookgate_sdk::json::Json::read(text).unwrap();
    let version = description.get("version").unwrap().as_text();
    assert_eq!(version, Some(env!("CARGO_PKG_VERSION")));
    let schema = description
        .get("config-schema")
        .unwrap()
        .get("properties")
        .unwrap();
    let fields: Vec<_> = schema
        .members()
        .iter()
        .map(|(name, _)| name.as_ref())
        .collect();
    assert_eq!(fields, super::FIELDS);
}
