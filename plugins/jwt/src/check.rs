//! `lifecycle.check`: everything that is wrong with a configuration, at its place.

use hookgate_sdk::json::{Json, pointer};
use hookgate_sdk::key;
use hookgate_sdk::problem::Problems;

use crate::rules::{ALGORITHMS, DIGESTS, ENCODINGS};

const FIELDS: [&str; 10] = [
    "header",
    "prefix",
    "algorithm",
    "keys",
    "issuer",
    "audience",
    "max_age",
    "tolerance",
    "claims",
    "body",
];
const BODY: [&str; 3] = ["claim", "algorithm", "encoding"];
/// A token that is good for longer is no proof that the sender is here now.
const MAX_AGE_S: u64 = 24 * 3_600;
/// Clocks that differ by more should be set.
const TOLERANCE_S: u64 = 3_600;

/// The problems of `config`, none when it can be used.
#[must_use]
pub fn check(config: &str) -> Vec<(String, String)> {
    check_with(config, key::fits)
}

/// The same; `fits` says whether a key can be used with the host's algorithm of that name.
fn check_with(config: &str, fits: impl Fn(&str, &str) -> bool) -> Vec<(String, String)> {
    Problems::of(config, |table, problems| {
        problems.unknown_fields("", table, &FIELDS);
        if let Some(name) = problems.required_text("", table, "header") {
            problems.header_name("/header", name);
        }
        problems.text("", table, "prefix");
        let known = ALGORITHMS.map(|(name, _)| name);
        let algorithm = problems.required_text("", table, "algorithm");
        if let Some(algorithm) = algorithm {
            problems.one_of("", "algorithm", algorithm, &known);
        }
        let host = ALGORITHMS.iter().find(|(name, _)| Some(*name) == algorithm);
        for (at, name) in keys(problems, table) {
            if let Some((algorithm, host)) = host
                && !fits(name, host)
            {
                problems.add(
                    at,
                    format!("does not fit `{algorithm}`, which needs {}", needs(host)),
                );
            }
        }
        for name in ["issuer", "audience"] {
            texts(problems, table, name);
        }
        problems.seconds("", table, "max_age", 1..=MAX_AGE_S);
        problems.seconds("", table, "tolerance", 0..=TOLERANCE_S);
        claims(problems, table);
        if let Some(body) = problems.table("", table, "body", &BODY) {
            problems.required_text("/body", body, "claim");
            for (name, known) in [("algorithm", DIGESTS), ("encoding", ENCODINGS)] {
                if let Some(found) = problems.text("/body", body, name) {
                    problems.one_of("/body", name, found, &known);
                }
            }
        }
    })
}

/// The keys with their places: one name for all of them, or a table by the names that tokens give.
fn keys<'a>(problems: &mut Problems, table: &'a Json<'a>) -> Vec<(String, &'a str)> {
    let Some(named @ Json::Table(members)) = table.get("keys") else {
        let key = problems.key("", "", table, "keys");
        return key
            .map(|key| ("/keys".to_owned(), key))
            .into_iter()
            .collect();
    };
    if members.is_empty() {
        problems.add("/keys", "has no keys: `{ KID = { file = \"…\" } }`");
    }
    let mut found = Vec::new();
    for (kid, _) in members {
        if let Some(key) = problems.key("/keys", "keys", named, kid) {
            found.push((pointer("/keys", kid), key));
        }
    }
    found
}

fn needs(algorithm: &str) -> &'static str {
    match algorithm {
        "rsa-v1_5-sha256" => "an RSA public key of 2048 to 8192 bits as PEM or JWK",
        "ecdsa-p256-sha256" => "a P-256 public key as PEM or JWK",
        "ed25519" => "an Ed25519 public key as PEM or JWK",
        _ => "a shared secret, as text or JWK",
    }
}

fn texts(problems: &mut Problems, table: &Json<'_>, name: &str) {
    let fine = match table.get(name) {
        None => true,
        Some(Json::Text(text)) => !text.is_empty(),
        Some(list) => {
            let text = |element: &Json<'_>| element.as_text().is_some_and(|text| !text.is_empty());
            !list.elements().is_empty() && list.elements().iter().all(text)
        }
    };
    if !fine {
        problems.add(
            pointer("", name),
            "must be a text or a list of texts, none of them empty",
        );
    }
}

fn claims(problems: &mut Problems, table: &Json<'_>) {
    let Some(claims) = table.get("claims") else {
        return;
    };
    if !matches!(claims, Json::Table(members) if !members.is_empty()) {
        return problems.add(
            "/claims",
            "must be a table with a list of values for each claim",
        );
    }
    for (name, list) in claims.members() {
        let at = pointer("/claims", name);
        match name.as_ref() {
            "iss" => problems.add(at, "has a field of its own: `issuer`"),
            "aud" => problems.add(at, "has a field of its own: `audience`"),
            "exp" | "nbf" | "iat" => {
                problems.add(at, "is always looked at; see `max_age` and `tolerance`");
            }
            _ if list.elements().is_empty()
                || list.elements().iter().any(|v| v.scalar().is_none()) =>
            {
                problems.add(
                    at,
                    "must be a list of strings, numbers or booleans: `[\"…\"]`",
                );
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check_with;

    fn places(config: &str) -> Vec<String> {
        check_with(config, |_, _| true)
            .into_iter()
            .map(|(at, _)| at)
            .collect()
    }

    #[test]
    fn the_senders_that_are_known_can_be_written() {
        for config in [
            r#"{"header":"Plaid-Verification","algorithm":"ES256","keys":{"a-1":"keys.a-1"},
                "max_age":"5m","body":{"claim":"request_body_sha256"}}"#,
            r#"{"header":"X-Webhook-Signature","algorithm":"HS256","keys":"keys","issuer":"netlify",
                "body":{"claim":"sha256","algorithm":"sha256","encoding":"hex"}}"#,
            r#"{"header":"Authorization","prefix":"Bearer ","algorithm":"RS256","keys":"keys",
                "issuer":["https://accounts.google.com"],"audience":"https://us.example/pubsub",
                "claims":{"email":["a@b.iam.gserviceaccount.com"],"email_verified":[true]},"tolerance":"0s"}"#,
        ] {
            assert_eq!(places(config), [""; 0], "{config}");
        }
    }

    #[test]
    fn every_problem_has_its_place() {
        let base = r#""header":"x","algorithm":"ES256","keys":"keys""#;
        for (config, place) in [
            (r#""algorithm":"ES256","keys":"keys""#.to_owned(), ""),
            (r#""header":"x","keys":"keys""#.to_owned(), ""),
            (r#""header":"x","algorithm":"ES256""#.to_owned(), ""),
            (
                r#""header":"x","algorithm":"none","keys":"keys""#.to_owned(),
                "/algorithm",
            ),
            (
                r#""header":"x y","algorithm":"ES256","keys":"keys""#.to_owned(),
                "/header",
            ),
            (
                r#""header":"x","algorithm":"ES256","keys":"pem""#.to_owned(),
                "/keys",
            ),
            (
                r#""header":"x","algorithm":"ES256","keys":{}"#.to_owned(),
                "/keys",
            ),
            (
                r#""header":"x","algorithm":"ES256","keys":{"a":"pem"}"#.to_owned(),
                "/keys/a",
            ),
            (format!(r#"{base},"issuer":[]"#), "/issuer"),
            (format!(r#"{base},"audience":["a",1]"#), "/audience"),
            (format!(r#"{base},"max_age":"2d""#), "/max_age"),
            (format!(r#"{base},"tolerance":60"#), "/tolerance"),
            (format!(r#"{base},"claims":{{"sub":"a"}}"#), "/claims/sub"),
            (format!(r#"{base},"claims":{{"exp":[1]}}"#), "/claims/exp"),
            (format!(r#"{base},"body":{{}}"#), "/body"),
            (
                format!(r#"{base},"body":{{"claim":"h","algorithm":"md5"}}"#),
                "/body/algorithm",
            ),
            (
                format!(r#"{base},"body":{{"claim":"h","encoding":"hexx"}}"#),
                "/body/encoding",
            ),
            (format!(r#"{base},"jwks":"https://x""#), "/jwks"),
        ] {
            assert_eq!(places(&format!("{{{config}}}")), [place], "{config}");
        }
    }

    #[test]
    fn a_key_that_does_not_fit_is_told_at_its_place() {
        let config = r#"{"header":"x","algorithm":"ES256","keys":{"a":"keys.a","b":"keys.b"}}"#;
        let found = check_with(config, |key, algorithm| {
            assert_eq!(algorithm, "ecdsa-p256-sha256");
            key == "keys.a"
        });
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "/keys/b");
    }

    #[test]
    fn the_description_is_json_and_names_this_version() {
        let description = include_str!("describe.json");
        hookgate_sdk::assert_described(description, env!("CARGO_PKG_VERSION"), &super::FIELDS);
    }
}
