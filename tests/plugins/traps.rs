//! What others got wrong about signatures, each a test of its own, over the real plugin.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use bytes::Bytes;
use hookgate::plugin::{Chain, Key, Keyring, Verdict};
use hookgate::preset;
use hookgate::secret::Secret;
use hookgate::telemetry::Telemetry;
use hookgate::webhook::Webhook;
use serde_json::json;

use super::world::{World, step, webhook};

pub(crate) const OLD: &[u8] = b"the secret of before";
pub(crate) const NEW: &[u8] = b"the secret of now";
pub(crate) const BODY: &[u8] = b"{\"type\":\"x\"}";

/// A route of a preset's, with these keys.
pub(crate) struct Route {
    chain: Chain,
    telemetry: Telemetry,
}

impl Route {
    pub(crate) fn new(preset: &str, keys: &[&[u8]]) -> Self {
        let preset = preset::find(preset).unwrap();
        let mut config = serde_json::to_value(&preset.scheme).unwrap();
        config["keys"] = json!("keys");
        let mut step = step(&World::new().bundled("signature"));
        step.config = config.to_string().into();
        let active = keys
            .iter()
            .map(|key| Arc::new(Key::new("env:KEY", Secret::new(key.to_vec()))));
        step.keys = Keyring::from([("keys".into(), active.collect())]);
        Self {
            chain: Chain::new(vec![step]),
            telemetry: Telemetry::new(),
        }
    }

    /// Why it is refused; none when it is believed.
    pub(crate) async fn refusal(&self, fields: &[(&str, &str)], body: &[u8]) -> Option<String> {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        self.refusal_of(&fields.collect::<Vec<_>>(), body).await
    }

    async fn refusal_of(&self, fields: &[(&str, &[u8])], body: &[u8]) -> Option<String> {
        self.refusal_of_webhook(Webhook {
            fields: fields.iter().copied().collect(),
            body: Bytes::copy_from_slice(body),
            ..Arc::into_inner(webhook()).unwrap()
        })
        .await
    }

    pub(crate) async fn refusal_of_webhook(&self, webhook: Webhook) -> Option<String> {
        let webhook = Arc::new(webhook);
        match self.chain.judge(&webhook, &[], &self.telemetry).await {
            Ok(Verdict::Accepted(_)) => None,
            Ok(Verdict::Rejected { status, reason, .. }) => {
                assert_eq!(status, 401);
                Some(reason)
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn mac(key: &[u8], message: &[&[u8]]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, &message.concat()).as_ref().to_vec()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn now_ms() -> i128 {
    i128::from(webhook().arrival.unix_ms())
}

pub(crate) fn now() -> i128 {
    now_ms() / 1_000
}

/// GitHub's form, which has nothing but a prefix.
async fn github(route: &Route, signature: &str, body: &[u8]) -> Option<String> {
    route
        .refusal(&[("x-hub-signature-256", signature)], body)
        .await
}

/// Slack's form, which signs the text of its time.
async fn slack(route: &Route, time: &str) -> Option<String> {
    let signature = hex(&mac(NEW, &[b"v0:", time.as_bytes(), b":", BODY]));
    let fields = [
        ("x-slack-request-timestamp", time),
        ("x-slack-signature", &format!("v0={signature}")),
    ];
    route.refusal(&fields, BODY).await
}

#[tokio::test]
async fn bytes_are_signed_whatever_they_are() {
    let route = Route::new("github", &[NEW]);
    for body in [
        &b""[..],
        b"{}",
        b"not json",
        b"{\"a\":1,\"a\":2}",
        b"line\r\nline\r\n",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe\x00",
        b"payload=%7B%7D",
        "{\"a\":\"\\u001B[34m ♥\"}".as_bytes(),
    ] {
        let right = format!("sha256={}", hex(&mac(NEW, &[body])));
        assert_eq!(github(&route, &right, body).await, None, "{body:?}");
    }
}

#[tokio::test]
async fn an_empty_body_is_not_an_empty_document() {
    let route = Route::new("github", &[NEW]);
    let of_document = format!("sha256={}", hex(&mac(NEW, &[b"{}"])));
    let of_nothing = format!("sha256={}", hex(&mac(NEW, &[])));

    assert!(github(&route, &of_document, b"").await.is_some());
    assert!(github(&route, &of_nothing, b"{}").await.is_some());
    assert_eq!(github(&route, &of_nothing, b"").await, None);
}

#[tokio::test]
async fn line_ends_and_marks_are_not_mended() {
    let route = Route::new("github", &[NEW]);
    let signed = |body: &[u8]| format!("sha256={}", hex(&mac(NEW, &[body])));
    for (signed_body, sent) in [
        (&b"a\r\nb"[..], &b"a\nb"[..]),
        (b"a\nb", b"a\r\nb"),
        (b"a", b"a\n"),
        (b"{}", b"\xef\xbb\xbf{}"),
        (b"\xef\xbb\xbf{}", b"{}"),
        ("ä".as_bytes(), b"\xe4"),
        ("\u{fffd}".as_bytes(), b"\xff"),
    ] {
        assert!(
            github(&route, &signed(signed_body), sent).await.is_some(),
            "{sent:?}"
        );
    }
}

#[tokio::test]
async fn hex_is_read_in_either_case_and_nothing_else_is_hex() {
    let route = Route::new("github", &[NEW]);
    let right = hex(&mac(NEW, &[BODY]));
    let upper = right.to_uppercase();
    assert_eq!(github(&route, &format!("sha256={right}"), BODY).await, None);
    assert_eq!(github(&route, &format!("sha256={upper}"), BODY).await, None);
    for wrong in [
        format!("SHA256={right}"),
        format!("sha256:{right}"),
        format!("sha256=0x{right}"),
        format!("sha256={right}00"),
        format!("sha256={}", &right[..62]),
        format!("sha256={}", &right[..63]),
        format!("sha256= {right}"),
        format!("sha256={}", right.replace(&right[..1], "g")),
        format!("sha256={}", STANDARD.encode(mac(NEW, &[BODY]))),
        right,
    ] {
        assert!(github(&route, &wrong, BODY).await.is_some(), "{wrong}");
    }
}

#[tokio::test]
async fn base64_is_read_with_or_without_padding() {
    let route = Route::new("shopify", &[NEW]);
    let digest = mac(NEW, &[BODY]);
    let send = async |text: &str| {
        route
            .refusal(&[("x-shopify-hmac-sha256", text)], BODY)
            .await
    };
    let right = STANDARD.encode(&digest);

    assert_eq!(send(&right).await, None);
    assert_eq!(send(&STANDARD_NO_PAD.encode(&digest)).await, None);
    for wrong in [
        hex(&digest),
        format!("{right}="),
        format!("{right}{right}"),
        format!("{}\u{e9}", &right[..43]),
        // 44 characters that are 33 bytes.
        "A".repeat(44),
        right[..40].to_owned(),
    ] {
        assert!(send(&wrong).await.is_some(), "{wrong}");
    }
    // The other alphabet is another text, wherever the two differ.
    let digest = (0..=255).map(|n| mac(NEW, &[&[n]]));
    let (n, other) = (0_u8..)
        .zip(digest)
        .find(|(_, digest)| STANDARD.encode(digest).contains('/'))
        .unwrap();
    let field = URL_SAFE.encode(other);
    assert!(
        route
            .refusal(&[("x-shopify-hmac-sha256", &field)], &[n])
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_time_is_digits_and_nothing_else() {
    let route = Route::new("slack", &[NEW]);
    assert_eq!(slack(&route, &now().to_string()).await, None);
    for time in [
        format!("-{}", now()),
        format!("+{}", now()),
        format!("{}.5", now()),
        format!("{}.0", now()),
        format!("0x{:x}", now()),
        format!("{}e0", now()),
        format!("{} {}", now(), now()),
        "-1".to_owned(),
        "Infinity".to_owned(),
        "NaN".to_owned(),
        "hello".to_owned(),
        String::new(),
        "9".repeat(400),
    ] {
        assert!(slack(&route, &time).await.is_some(), "{time}");
    }
}

#[tokio::test]
async fn a_time_far_away_is_refused_on_both_sides() {
    let route = Route::new("slack", &[NEW]);
    for (offset, is_near) in [(-290, true), (290, true), (-310, false), (310, false)] {
        let refusal = slack(&route, &(now() + offset).to_string()).await;
        assert_eq!(refusal.is_none(), is_near, "{offset}: {refusal:?}");
    }
    for time in ["0", "18446744073709551615", "18446744073709551616"] {
        assert!(slack(&route, time).await.is_some(), "{time}");
    }
}

#[tokio::test]
async fn milliseconds_are_not_seconds() {
    let route = Route::new("slack", &[NEW]);
    assert!(slack(&route, &now_ms().to_string()).await.is_some());

    let route = Route::new("workos", &[NEW]);
    let send = async |time: i128| {
        let signature = hex(&mac(NEW, &[time.to_string().as_bytes(), b".", BODY]));
        let value = format!("t={time}, v1={signature}");
        route.refusal(&[("workos-signature", &value)], BODY).await
    };
    assert_eq!(send(now_ms()).await, None);
    assert_eq!(send(now_ms() - 170_000).await, None);
    assert!(send(now_ms() - 190_000).await.is_some());
    assert!(send(now()).await.is_some());
}

#[tokio::test]
async fn a_window_of_five_seconds_is_five_seconds() {
    let route = Route::new("paddle", &[NEW]);
    let send = async |offset: i128| {
        let time = (now() + offset).to_string();
        let signature = hex(&mac(NEW, &[time.as_bytes(), b":", BODY]));
        let value = format!("ts={time};h1={signature}");
        route.refusal(&[("paddle-signature", &value)], BODY).await
    };
    assert_eq!(send(-3).await, None);
    assert!(send(-8).await.is_some());
    // Paddle looks at the past only.
    assert_eq!(send(60).await, None);
}

#[tokio::test]
async fn a_time_in_the_body_is_held_to_its_window() {
    let route = Route::new("linear", &[NEW]);
    let send = async |time: &str| {
        let body = format!("{{\"webhookTimestamp\":{time}}}");
        let signature = hex(&mac(NEW, &[body.as_bytes()]));
        route
            .refusal(&[("linear-signature", &signature)], body.as_bytes())
            .await
    };
    assert_eq!(send(&now_ms().to_string()).await, None);
    for time in [
        (now_ms() - 70_000).to_string(),
        (now_ms() + 70_000).to_string(),
        now().to_string(),
        format!("{}.5", now_ms()),
        "null".to_owned(),
        "-1".to_owned(),
    ] {
        assert!(send(&time).await.is_some(), "{time}");
    }
}

#[tokio::test]
async fn a_date_is_a_time_too() {
    let route = Route::new("zendesk", &[NEW]);
    let send = async |time: &str| {
        let signature = STANDARD.encode(mac(NEW, &[time.as_bytes(), BODY]));
        let fields = [
            ("x-zendesk-webhook-signature-timestamp", time),
            ("x-zendesk-webhook-signature", &signature),
        ];
        route.refusal(&fields, BODY).await
    };
    let at = |offset: i64| {
        let seconds = i64::try_from(now()).unwrap() + offset;
        jiff::Timestamp::from_second(seconds).unwrap().to_string()
    };
    assert_eq!(send(&at(0)).await, None);
    for time in [
        at(-310),
        at(310),
        now().to_string(),
        at(0).replace('T', " "),
    ] {
        assert!(send(&time).await.is_some(), "{time}");
    }
}

#[tokio::test]
async fn the_time_that_is_judged_is_the_one_that_is_signed() {
    let route = Route::new("stripe", &[NEW]);
    let old = (now() - 400).to_string();
    let fresh = now().to_string();
    let signature = hex(&mac(NEW, &[old.as_bytes(), b".", BODY]));
    for value in [
        format!("t={fresh},v1={signature}"),
        format!("t={fresh},t={old},v1={signature}"),
        format!("t={old},t={fresh},v1={signature}"),
    ] {
        assert!(
            route
                .refusal(&[("stripe-signature", &value)], BODY)
                .await
                .is_some(),
            "{value}"
        );
    }
    // Two lines of the header are one list, and two times in it are no time.
    let lines = [
        ("stripe-signature", &*format!("t={old},v1={signature}")),
        ("stripe-signature", &*format!("t={fresh}")),
    ];
    assert!(route.refusal(&lines, BODY).await.is_some());
}

#[tokio::test]
async fn any_of_several_signatures_is_enough_in_every_shape() {
    let time = now().to_string();
    let part = [time.as_bytes(), b".", BODY];
    let (right, wrong) = (hex(&mac(NEW, &part)), hex(&mac(OLD, &part)));
    let stripe = Route::new("stripe", &[NEW]);
    for value in [
        format!("t={time},v1={wrong},v1={right}"),
        format!("t={time},v1={right},v1={wrong}"),
        format!("v1={right},t={time}"),
        format!("t={time} , v1={right}"),
        format!("t={time},v9={wrong},v1={right},x"),
    ] {
        assert_eq!(
            stripe.refusal(&[("stripe-signature", &value)], BODY).await,
            None,
            "{value}"
        );
    }

    let (right, wrong) = (
        STANDARD.encode(mac(NEW, &[BODY])),
        STANDARD.encode(mac(OLD, &[BODY])),
    );
    let docusign = Route::new("docusign", &[NEW]);
    for (one, two, is_right) in [
        (&wrong, &right, true),
        (&right, &wrong, true),
        (&wrong, &wrong, false),
    ] {
        let fields = [
            ("x-docusign-signature-1", one.as_str()),
            ("x-docusign-signature-2", two.as_str()),
        ];
        assert_eq!(docusign.refusal(&fields, BODY).await.is_none(), is_right);
    }
    // The same number twice says nothing.
    let twice = [
        ("x-docusign-signature-1", &*right),
        ("x-docusign-signature-1", &*right),
    ];
    assert!(docusign.refusal(&twice, BODY).await.is_some());
}

#[tokio::test]
async fn any_of_our_own_keys_is_enough() {
    let route = Route::new("github", &[NEW, OLD]);
    for (key, is_right) in [(OLD, true), (NEW, true), (b"neither", false)] {
        let signature = format!("sha256={}", hex(&mac(key, &[BODY])));
        assert_eq!(github(&route, &signature, BODY).await.is_none(), is_right);
    }
}

#[tokio::test]
async fn too_many_signatures_are_not_tried() {
    let route = Route::new("pagerduty", &[NEW]);
    let right = format!("v1={}", hex(&mac(NEW, &[BODY])));
    let wrong = format!("v1={},", hex(&mac(OLD, &[BODY])));
    let send = async |count| {
        let value = wrong.repeat(count) + &right;
        route
            .refusal(&[("x-pagerduty-signature", &value)], BODY)
            .await
    };
    assert_eq!(send(15).await, None);
    assert!(send(16).await.is_some());
}

#[tokio::test]
async fn a_header_with_one_value_is_refused_when_it_is_repeated_or_folded() {
    let route = Route::new("github", &[NEW]);
    let right = format!("sha256={}", hex(&mac(NEW, &[BODY])));
    let name = "x-hub-signature-256";
    assert!(
        route
            .refusal(&[(name, &right), (name, &right)], BODY)
            .await
            .is_some()
    );
    assert!(
        route
            .refusal(&[(name, "sha256=00"), (name, &right)], BODY)
            .await
            .is_some()
    );
    assert!(
        github(&route, &format!("{right},{right}"), BODY)
            .await
            .is_some()
    );
    assert!(
        github(&route, &format!("{right}, {right}"), BODY)
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_header_that_is_no_text_is_refused() {
    let route = Route::new("github", &[NEW]);
    for value in [&b"sha256=\xff"[..], b"\xff\xfe", b"sha256=\xc3\xa4"] {
        let refusal = route
            .refusal_of(&[("x-hub-signature-256", value)], BODY)
            .await;
        assert!(refusal.is_some(), "{value:?}");
    }
}

#[tokio::test]
async fn a_key_that_is_text_is_not_decoded_and_one_that_is_not_is() {
    let text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let key = |preset: &str| {
        let format = &preset::find(preset).unwrap().key;
        format.decode(text.as_bytes()).unwrap().expose().to_vec()
    };
    assert_eq!(key("stripe"), text.as_bytes());
    assert_eq!(key("zendesk"), text.as_bytes());
    assert_eq!(
        key("standard-webhooks"),
        STANDARD.decode(&text[6..]).unwrap()
    );
    assert_eq!(key("svix"), key("standard-webhooks"));
}
