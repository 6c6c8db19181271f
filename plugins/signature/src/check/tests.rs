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
        "handshakes":[{"when":[{"pointer":"/type","equals":"url_verification"}],
                       "body":"{json:/challenge}"}]}"#;
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
        r#","handshakes":[{"when":[{"pointer":"type","equals":[]}],"mac":{},"token":{"query":"q"},
            "status":302,"body":"{mac}{boddy}"},{"body":"{mac}"},7]"#,
    ));
    let places: Vec<_> = found.iter().map(|(at, _)| at.as_str()).collect();
    assert_eq!(
        places,
        [
            "/handshakes/0/when/0/pointer",
            "/handshakes/0/when/0/equals",
            "/handshakes/0/token",
            "/handshakes/0/mac",
            "/handshakes/0/mac",
            "/handshakes/0/status",
            "/handshakes/0/body",
            "/handshakes/1",
            "/handshakes/1/body",
            "/handshakes/2"
        ]
    );
}

#[test]
fn what_is_not_signed_is_said() {
    let partial = r#","signed":"{json:/a}""#;
    assert!(problem(partial).1.contains("a part of the body only"));
    assert_eq!(
        check(&scheme(&[partial, r#","body_unsigned":true"#].concat())),
        []
    );
    for whole in ["{form}", "{crc32}", "{sha256}"] {
        assert_eq!(check(&scheme(&format!(r#","signed":"{whole}""#))), []);
    }
}

#[test]
fn a_slot_that_needs_something_says_what() {
    let value = problem(r#","signed":"{value:id}{body}""#);
    assert!(value.1.contains("values = { id = "), "{value:?}");
    assert_eq!(
        check(&scheme(
            r#","signed":"{value:id}{body}","values":{"id":"x"}"#
        )),
        []
    );
    assert!(
        problem(r#","signed":"{listed}{body}""#)
            .1
            .contains("`listed` table")
    );
    assert!(
        problem(r#","signed":"{mac}{body}""#)
            .1
            .contains("handshake")
    );
}

#[test]
fn a_token_needs_no_encoding_and_covers_nothing() {
    let token = r#"{"keys":"k","algorithm":"token","signature":{"pointer":"/clientState"}}"#;
    assert_eq!(check(token), []);
}

#[test]
fn a_variant_is_held_to_the_same_rules() {
    let with = |variant: &str| {
        check(&scheme(&format!(
            r#","variants":[{{"when":[{{"query":"q"}}]{variant}}}]"#
        )))
    };
    assert_eq!(with(""), []);
    assert_eq!(with(r#","signed":"{url}""#)[0].0, "/variants/0/signed");
    let digest = r#","signed":"{url}","require":[{"query":"q","equals":"{sha256}"}]"#;
    assert_eq!(with(digest), []);
    assert_eq!(
        with(r#","algorithm":"sha256""#)[0].0,
        "/variants/0/algorithm"
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
fn a_separator_is_one_character() {
    let separator = scheme("").replace(r#""x-sig""#, r#""x-sig","separator":", ""#);
    assert_eq!(check(&separator)[0].0, "/signature/separator");
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
