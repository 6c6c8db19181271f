//! What an upstream gets to see, and what not.

use std::net::{IpAddr, Ipv4Addr};

use http::Method;

use super::*;
use crate::webhook::{Arrival, Scheme, WebhookId};

fn webhook(fields: &[(&'static str, &'static str)]) -> Webhook {
    let arrival = Arrival::now();
    Webhook {
        id: WebhookId::new(arrival),
        route: "github".into(),
        method: Method::POST,
        target: PathAndQuery::from_static("/github?a=1"),
        authority: Some("hooks.example.com".into()),
        scheme: Scheme::Https,
        fields: fields.iter().copied().collect(),
        body: Bytes::from_static(b"{}"),
        arrival,
        sender: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7)),
        public_url: None,
    }
}

fn values(fields: &HeaderMap, name: &str) -> Vec<String> {
    fields
        .get_all(name)
        .iter()
        .map(|v| v.to_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_signed_webhook_keeps_its_fields_and_gets_ours() {
    let webhook = webhook(&[
        ("x-hub-signature-256", "sha256=00"),
        ("user-agent", "GitHub-Hookshot/1"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("via", "1.1 edge"),
    ]);

    let fields = fields(&webhook, &Overlay::default(), 3);

    for (name, expected) in [
        ("x-hub-signature-256", "sha256=00"),
        ("user-agent", "GitHub-Hookshot/1"),
        ("content-type", "application/json"),
        ("content-encoding", "gzip"),
        ("hookgate-id", webhook.id.to_string().as_str()),
        ("hookgate-route", "github"),
        ("hookgate-attempt", "3"),
        (
            "hookgate-received-at",
            webhook.arrival.unix_ms().to_string().as_str(),
        ),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "hooks.example.com"),
    ] {
        assert_eq!(values(&fields, name), [expected], "{name}");
    }
    assert_eq!(values(&fields, "via"), ["1.1 edge", "1.1 hookgate"]);
    assert_eq!(values(&fields, "traceparent").len(), 1);
}

#[test]
fn nothing_of_the_hop_and_nothing_forged_goes_on() {
    let webhook = webhook(&[
        ("connection", "keep-alive, X-Private"),
        ("connection", "close, x-second"),
        ("x-private", "1"),
        ("x-second", "1"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"),
        ("proxy-authorization", "Basic eA=="),
        ("te", "trailers"),
        ("trailer", "x-sum"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "h2c"),
        ("http2-settings", "AAMAAABk"),
        ("expect", "100-continue"),
        ("content-length", "999"),
        ("host", "evil.example"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-port", "1"),
        ("forwarded", "for=10.0.0.1"),
        ("hookgate-id", "wh_forged"),
        ("hookgate-verified", "yes"),
        ("x-forward", "neighbour"),
        ("hookgates", "neighbour"),
        ("proxying", "neighbour"),
    ]);

    let fields = fields(&webhook, &Overlay::default(), 1);

    let mut names: Vec<_> = fields.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "hookgate-attempt",
            "hookgate-id",
            "hookgate-received-at",
            "hookgate-route",
            "hookgates",
            "proxying",
            "traceparent",
            "via",
            "x-forward",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
        ]
    );
    assert_eq!(values(&fields, "x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(values(&fields, "x-forwarded-host"), ["hooks.example.com"]);
    assert_ne!(values(&fields, "hookgate-id"), ["wh_forged"]);
}

#[test]
fn a_new_body_loses_the_old_bodys_digests_and_may_bring_its_own() {
    let webhook = webhook(&[
        ("content-md5", "x"),
        ("digest", "x"),
        ("content-digest", "x"),
        ("repr-digest", "x"),
        ("signature", "x"),
        ("signature-input", "x"),
        ("content-encoding", "gzip"),
        ("stripe-signature", "t=1"),
    ]);
    let overlay = Overlay {
        body: Some(Bytes::from_static(b"[]")),
        changes: vec![Change::Set(
            HeaderName::from_static("content-digest"),
            HeaderValue::from_static("sha-256=:new:"),
        )],
        ..Overlay::default()
    };

    let fields = fields(&webhook, &overlay, 1);

    assert_eq!(values(&fields, "content-digest"), ["sha-256=:new:"]);
    assert_eq!(values(&fields, "stripe-signature"), ["t=1"]);
    for gone in [
        "content-md5",
        "digest",
        "repr-digest",
        "signature",
        "content-encoding",
    ] {
        assert!(values(&fields, gone).is_empty(), "{gone}");
    }
}

#[test]
fn changes_set_add_and_remove_but_not_what_is_ours() {
    let name = HeaderName::from_static;
    let value = HeaderValue::from_static;
    let overlay = Overlay {
        changes: vec![
            Change::Set(name("content-type"), value("text/plain")),
            Change::Add(name("x-tag"), value("b")),
            Change::Remove(name("user-agent")),
            Change::Set(name("host"), value("evil.example")),
            Change::Set(name("content-length"), value("0")),
            Change::Add(name("transfer-encoding"), value("chunked")),
            Change::Set(name("hookgate-id"), value("wh_forged")),
            Change::Set(name("x-forwarded-for"), value("10.0.0.1")),
            Change::Remove(name("via")),
        ],
        ..Overlay::default()
    };
    let webhook = webhook(&[("content-type", "a/b"), ("x-tag", "a"), ("user-agent", "u")]);

    let fields = fields(&webhook, &overlay, 1);

    assert_eq!(values(&fields, "content-type"), ["text/plain"]);
    assert_eq!(values(&fields, "x-tag"), ["a", "b"]);
    assert_eq!(values(&fields, "x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(values(&fields, "via"), ["1.1 hookgate"]);
    for gone in ["user-agent", "host", "content-length", "transfer-encoding"] {
        assert!(values(&fields, gone).is_empty(), "{gone}");
    }
    assert_ne!(values(&fields, "hookgate-id"), ["wh_forged"]);
}

#[test]
fn tracestate_goes_on_with_a_valid_trace_only() {
    let valid = (
        "traceparent",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    );
    for (parents, kept) in [
        (vec![valid], vec!["a=1"]),
        (vec![("traceparent", "garbage")], vec![]),
        (vec![valid, valid], vec![]),
        (vec![], vec![]),
    ] {
        let mut sent = parents.clone();
        sent.push(("tracestate", "a=1"));

        let fields = fields(&webhook(&sent), &Overlay::default(), 1);

        assert_eq!(values(&fields, "tracestate"), kept, "{parents:?}");
        assert_eq!(
            values(&fields, "traceparent")[0].contains("4bf92f3577b34da6a3ce929d0e0e4736"),
            !kept.is_empty()
        );
    }
}

#[test]
fn the_target_is_the_webhooks_unless_the_upstream_names_a_path() {
    for (base, overlay, expected) in [
        (None, None, "/github?a=1"),
        (None, Some("/x?y=2"), "/x?y=2"),
        (Some("/hooks"), None, "/hooks?a=1"),
        (Some("/hooks/"), None, "/hooks/?a=1"),
        (Some("/hooks?token=t"), None, "/hooks?token=t"),
        (Some("/hooks"), Some("/x?y=2"), "/hooks/x?y=2"),
        (Some("/hooks/"), Some("/x"), "/hooks/x"),
    ] {
        let base = base.map(PathAndQuery::from_static);
        let overlay = Overlay {
            target: overlay.map(PathAndQuery::from_static),
            ..Overlay::default()
        };

        let webhook = webhook(&[]);
        let target = target(base.as_ref(), &webhook, &overlay);

        assert_eq!(target.as_str(), expected, "{base:?} {overlay:?}");
    }
}

#[test]
fn an_answer_loses_its_hop_and_keeps_repeated_fields() {
    let mut fields: Fields = [
        ("connection", "x-private"),
        ("x-private", "1"),
        ("keep-alive", "timeout=5"),
        ("transfer-encoding", "chunked"),
        ("content-length", "2"),
        ("proxy-authenticate", "Basic"),
        ("alt-svc", "h3=\":443\""),
        ("hookgate-id", "forged"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-type", "text/plain"),
    ]
    .into_iter()
    .collect();

    keep_for_the_sender(&mut fields);

    let kept = [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("content-type", "text/plain"),
    ];
    assert_eq!(fields, kept.into_iter().collect());
}
