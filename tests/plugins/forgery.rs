//! A verifier that lets a forgery of its own golden webhook through is found before it serves.

use std::sync::Arc;

use bytes::Bytes;
use hookgate::plugin::{Covers, Golden, Key, Keyring, Place};
use hookgate::secret::Secret;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method};

use super::world::{BODY, MAC, SECRET, World, text};

const REJECT: &str = "(return (global.get $reject)))) ;; ";
const ACCEPT: &str = "(return (global.get $accept)))) ;; ";

/// What the self-test says of the verifier with this in place of that.
fn said(from: &str, to: &str) -> Result<usize, String> {
    let right = text("verifier");
    assert!(right.contains(from), "{from}");
    let guest = World::new().guest_of("mine", &right.replace(from, to));
    let refused = guest.refuses_forgeries("{}", &[]);
    refused.map_err(|error| error.to_string())
}

/// The same with a mistake in the marked line.
fn mistaken(line: &str) -> String {
    said(&format!("{REJECT}{line}"), &format!("{ACCEPT}{line}")).unwrap_err()
}

#[test]
fn a_verifier_that_refuses_every_forgery_is_loaded() {
    assert_eq!(said("", ""), Ok(11));
}

#[test]
fn a_verifier_that_accepts_on_an_error_is_found() {
    assert_eq!(
        mistaken("an error"),
        "`mine` lets forgeries through: it accepts its golden webhook `hello` with a signature of nonsense; a verifier rejects what it cannot check"
    );
}

#[test]
fn a_verifier_that_accepts_what_has_no_signature_is_found() {
    let said = mistaken("no header");

    assert!(
        said.contains("`hello` without its signature's header; "),
        "{said}"
    );
}

#[test]
fn a_verifier_that_does_not_look_at_the_answer_is_found() {
    let said = mistaken("a no");

    assert!(
        said.contains("`hello` with a bit of its body flipped; "),
        "{said}"
    );
}

#[test]
fn a_verifier_that_signs_nothing_of_the_body_is_found() {
    // Its golden webhook is then that of an empty message.
    let mac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let mac: String = aws_lc_rs::hmac::sign(&mac, b"")
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let careless = text("verifier")
        .replace(
            "(i32.const 112) (i32.const 1) ;; the message",
            "(i32.const 112) (i32.const 0)",
        )
        .replace(MAC, &mac);
    let guest = World::new().guest_of("mine", &careless);

    let said = guest.refuses_forgeries("{}", &[]).unwrap_err().to_string();

    assert!(
        said.contains("`hello` with a bit of its body flipped; "),
        "{said}"
    );
}

#[test]
fn a_verifier_that_says_its_scheme_signs_the_time_must_look_at_it() {
    let said = said(r#",\22covers\22:[\22body\22]}"#, &format!("{:19}", "}")).unwrap_err();

    assert!(
        said.contains("`hello` ten years after it was signed; "),
        "{said}"
    );
}

#[test]
fn a_golden_webhook_that_is_not_accepted_shows_nothing() {
    let error = said("Hello, World!", "Hello, World?").unwrap_err();

    assert_eq!(
        error,
        "`mine` does not accept its golden webhook `hello`: it rejects it with 401: forged; until it does, nothing shows that it refuses forgeries"
    );
}

#[test]
fn golden_webhooks_that_cannot_be_read_are_told() {
    let error = said(r#"\22received_at_ms\22"#, r#"\22received_at-ms\22"#).unwrap_err();

    assert!(
        error.starts_with("`mine` failed in lifecycle: its golden webhooks cannot be read: unknown field `received_at-ms`"),
        "{error}"
    );
}

/// GitHub's example, for the bundled plugin.
fn github() -> Golden {
    let key = Key::new("golden", Secret::new(SECRET.into()));
    let value = format!("sha256={MAC}");
    Golden {
        name: "github".into(),
        method: Method::POST,
        target: PathAndQuery::from_static("/"),
        fields: vec![(
            HeaderName::from_static("x-hub-signature-256"),
            HeaderValue::from_str(&value).unwrap(),
        )],
        body: Bytes::from_static(BODY.as_bytes()),
        received_at_ms: 1_700_000_000_000,
        public_url: None,
        keys: Keyring::from([("main".into(), vec![Arc::new(key)])]),
        place: Place::Header(HeaderName::from_static("x-hub-signature-256")),
        signature: MAC.into(),
        covers: Covers {
            past: false,
            future: false,
            ..Covers::ALL
        },
    }
}

#[test]
fn the_bundled_verifier_refuses_forgeries_of_what_others_vouch_for() {
    let world = World::new();
    let config = r#"{"keys": "main", "algorithm": "hmac-sha256", "encoding": "hex",
        "signature": {"header": "x-hub-signature-256", "prefix": "sha256="}, "signed": "{body}"}"#;

    let signature = world.bundled("signature");

    assert_eq!(
        signature.refuses_forgeries(config, &[github()]).unwrap(),
        11
    );
    // And the test can fail: this guest accepts everything, and nobody asks it unless there is a golden.
    let accept = world.guest("accept");
    assert_eq!(accept.refuses_forgeries("{}", &[]).unwrap(), 0);
    assert!(accept.refuses_forgeries("{}", &[github()]).is_err());
    // What does not verify is not asked.
    assert_eq!(
        world
            .guest("drop")
            .refuses_forgeries("{}", &[github()])
            .unwrap(),
        0
    );
}
