//! What differs from sender to sender where it looks the same, each a test of its own, over the real plugin.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookgate::webhook::Webhook;

use super::traps::{BODY, NEW, OLD, Route, hex, mac, now, now_ms};
use super::world::webhook;

/// Shopify sends its names with `X-` and, for some time, without it as well.
#[tokio::test]
async fn the_name_with_x_decides_and_the_one_without_it_is_not_read() {
    let route = Route::new("shopify", &[NEW]);
    let (right, wrong) = (
        STANDARD.encode(mac(NEW, &[BODY])),
        STANDARD.encode(mac(OLD, &[BODY])),
    );
    let send = async |with_x: Option<&str>, without: &str| {
        let mut fields = vec![("shopify-hmac-sha256", without)];
        fields.extend(with_x.map(|value| ("x-shopify-hmac-sha256", value)));
        route.refusal(&fields, BODY).await
    };

    assert_eq!(send(Some(&right), &right).await, None);
    assert_eq!(send(Some(&right), &wrong).await, None);
    assert!(send(Some(&wrong), &right).await.is_some());
    assert!(send(None, &right).await.is_some());
}

/// Two `t=` of senders that write one signature: nobody can say which of them was signed.
#[tokio::test]
async fn a_signature_with_its_time_is_refused_when_the_header_is_repeated_with_another_time() {
    for (preset, name, time) in [
        ("calendly", "calendly-webhook-signature", now()),
        ("workos", "workos-signature", now_ms()),
    ] {
        let route = Route::new(preset, &[NEW]);
        let value = |time: i128| {
            let time = time.to_string();
            let signature = hex(&mac(NEW, &[time.as_bytes(), b".", BODY]));
            format!("t={time},v1={signature}")
        };
        let (one, other) = (value(time), value(time - 1));

        assert_eq!(route.refusal(&[(name, &one)], BODY).await, None, "{preset}");
        assert_eq!(
            route.refusal(&[(name, &other)], BODY).await,
            None,
            "{preset}"
        );
        let both = [(name, one.as_str()), (name, other.as_str())];
        assert!(route.refusal(&both, BODY).await.is_some(), "{preset}");
        let folded = format!("{one},{other}");
        assert!(route.refusal(&[(name, &folded)], BODY).await.is_some());
    }
}

/// Three minutes, where others have five; and into the future as well, where others look back only.
#[tokio::test]
async fn each_sender_has_its_own_window() {
    for (preset, name, ages, refused) in [
        (
            "calendly",
            "calendly-webhook-signature",
            [178, -178],
            [182, -182],
        ),
        // Stripe's libraries let any future pass.
        ("stripe", "stripe-signature", [298, -9_999], [302, 9_999]),
    ] {
        let route = Route::new(preset, &[NEW]);
        let send = async |age: i128| {
            let time = (now() - age).to_string();
            let signature = hex(&mac(NEW, &[time.as_bytes(), b".", BODY]));
            let value = format!("t={time},v1={signature}");
            route.refusal(&[(name, &value)], BODY).await
        };
        for age in ages {
            assert_eq!(send(age).await, None, "{preset}: {age} s old");
        }
        for age in refused {
            assert!(send(age).await.is_some(), "{preset}: {age} s old");
        }
    }
}

/// Behind a proxy `Host` is what the proxy says, and in front of one it is what anybody says.
#[tokio::test]
async fn a_signed_url_is_the_one_that_is_configured_and_never_the_one_of_host() {
    let route = Route::new("square", &[NEW]);
    let send = async |signed: &str| {
        let signature = STANDARD.encode(mac(NEW, &[signed.as_bytes(), BODY]));
        route
            .refusal_of_webhook(Webhook {
                fields: [
                    ("host", "inside.example"),
                    ("x-forwarded-host", "forwarded.example"),
                    ("x-square-hmacsha256-signature", &signature),
                ]
                .into_iter()
                .collect(),
                body: Bytes::from_static(BODY),
                authority: Some("inside.example".into()),
                public_url: Some("https://hooks.example.com/square".into()),
                ..Arc::into_inner(webhook()).unwrap()
            })
            .await
    };

    assert_eq!(send("https://hooks.example.com/square").await, None);
    for url in [
        "https://inside.example/square",
        "https://inside.example/github?a=b",
        "https://forwarded.example/square",
    ] {
        assert!(send(url).await.is_some(), "{url}");
    }
}

/// Its first call brings the key itself, unsigned: whoever could send it would choose the key.
#[tokio::test]
async fn notions_first_call_is_refused_for_it_is_not_signed() {
    let route = Route::new("notion", &[NEW]);
    let body = b"{\"verification_token\":\"secret_of_somebody_else\"}";

    assert!(route.refusal(&[], body).await.is_some());
    let signature = format!("sha256={}", hex(&mac(NEW, &[body])));
    let signed = [("x-notion-signature", signature.as_str())];
    assert_eq!(route.refusal(&signed, body).await, None);
}

/// HubSpot's libraries sign text; that it is JSON is nobody's promise.
#[tokio::test]
async fn hubspots_body_may_be_anything() {
    let route = Route::new("hubspot", &[NEW]);
    let send = async |signed: &[u8], sent: &[u8]| {
        let time = now_ms().to_string();
        let url = "https://hooks.example.com/hubspot";
        let parts = [b"POST", url.as_bytes(), signed, time.as_bytes()];
        let signature = STANDARD.encode(mac(NEW, &parts));
        route
            .refusal_of_webhook(Webhook {
                target: "/hubspot".parse().unwrap(),
                fields: [
                    ("x-hubspot-request-timestamp", &time),
                    ("x-hubspot-signature-v3", &signature),
                ]
                .into_iter()
                .collect(),
                body: Bytes::copy_from_slice(sent),
                public_url: Some(url.into()),
                ..Arc::into_inner(webhook()).unwrap()
            })
            .await
    };

    for body in [&b""[..], b"not json: {", b"\xff\x00", b"{\"a\":1,\"a\":2}"] {
        assert_eq!(send(body, body).await, None, "{body:?}");
    }
    assert!(send(b"{}", b"").await.is_some());
    assert!(send(b"not json: {}", b"not json: {").await.is_some());
}

/// Who stands before the host is a part of the URL that Twilio signs; its port is there or not.
#[tokio::test]
async fn twilios_url_keeps_who_stands_before_the_host() {
    let route = Route::new("twilio", &[NEW]);
    let send = async |signed: &str, configured: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, NEW);
        let signature = STANDARD.encode(hmac::sign(&key, format!("{signed}a1").as_bytes()));
        route
            .refusal_of_webhook(Webhook {
                target: "/sms".parse().unwrap(),
                fields: [("x-twilio-signature", &signature)].into_iter().collect(),
                body: Bytes::from_static(b"a=1"),
                public_url: Some(configured.into()),
                ..Arc::into_inner(webhook()).unwrap()
            })
            .await
    };
    let configured = "https://user:pass@hooks.example.com/sms";

    for signed in [configured, "https://user:pass@hooks.example.com:443/sms"] {
        assert_eq!(send(signed, configured).await, None, "{signed}");
    }
    for signed in [
        "https://hooks.example.com/sms",
        "https://user@hooks.example.com/sms",
        "https://user:other@hooks.example.com/sms",
        "https://user:443@hooks.example.com/sms",
    ] {
        assert!(send(signed, configured).await.is_some(), "{signed}");
    }
}
