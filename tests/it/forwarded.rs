//! What an upstream receives of a webhook, and a sender of an answer.

use std::sync::Arc;

use crate::support::{Act, Authority, Call, Gate, Upstream, folder, hook, hook_to};

#[tokio::test]
async fn what_concerns_one_hop_goes_one_hop() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let call = Call::post("/hook", "x")
        .field("connection", "keep-alive, X-Nominated")
        .field("x-nominated", "1")
        .field("keep-alive", "timeout=5")
        .field("te", "trailers")
        .field("trailer", "x-sum")
        .field("upgrade", "h2c")
        .field("proxy-authorization", "Basic eA==")
        .field("proxy-connection", "keep-alive")
        .field("x-kept", "1")
        .field("x-kept", "2")
        .field("authorization", "Bearer of-the-sender")
        .field("x-hub-signature-256", "sha256=00");

    assert_eq!(call.send(gate.address).await.status, 200);

    let received = upstream.next().await;
    for name in [
        "x-nominated",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "proxy-authorization",
        "proxy-connection",
    ] {
        assert_eq!(received.field(name), None, "{name}");
    }
    let kept: Vec<_> = received
        .fields
        .iter()
        .filter(|(name, _)| name == "x-kept")
        .collect();
    assert_eq!(kept.len(), 2);
    assert_eq!(
        received.field("authorization"),
        Some("Bearer of-the-sender")
    );
    assert_eq!(received.field("x-hub-signature-256"), Some("sha256=00"));
}

#[tokio::test]
async fn what_is_ours_is_ours_whatever_the_sender_claims() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let call = Call::post("/hook?a=b", "x")
        .field("host", "hooks.example.com:8443")
        .field("hookgate-id", "forged")
        .field("hookgate-route", "admin")
        .field("hookgate-attempt", "7")
        .field("hookgate-verified", "yes")
        .field("x-forwarded-for", "10.0.0.1")
        .field("x-forwarded-host", "internal")
        .field("x-forwarded-proto", "https")
        .field("x-forwarded-port", "443")
        .field("forwarded", "for=10.0.0.1")
        .field("via", "1.1 before");

    let answer = call.send(gate.address).await;

    let received = upstream.next().await;
    let told = upstream.url();
    for (name, value) in [
        ("host", told.strip_prefix("http://")),
        ("hookgate-id", answer.field("hookgate-id")),
        ("hookgate-route", Some("hook")),
        ("hookgate-attempt", Some("1")),
        ("hookgate-verified", None),
        ("x-forwarded-for", Some("127.0.0.1")),
        ("x-forwarded-host", Some("hooks.example.com:8443")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-port", None),
        ("forwarded", None),
    ] {
        assert_eq!(received.field(name), value, "{name}");
    }
    let via: Vec<_> = received
        .fields
        .iter()
        .filter(|(name, _)| name == "via")
        .map(|(_, v)| v.as_str())
        .collect();
    assert_eq!(via, ["1.1 before", "1.1 hookgate"]);
    let at: i64 = received
        .field("hookgate-received-at")
        .unwrap()
        .parse()
        .unwrap();
    assert!((jiff::Timestamp::now().as_millisecond() - at).abs() < 60_000);
    assert_eq!(received.target, "/hook?a=b");
}

#[tokio::test]
async fn a_name_that_cgi_would_take_for_another_is_not_passed_on() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let mut call = Call::post("/hook", "x").field("x-forwarded", "kept");
    let claimed = [
        "x_forwarded_for",
        "hookgate_id",
        "content_length",
        "proxy",
        "x-real-ip",
        "true-client-ip",
        "x-original-url",
        "x-rewrite-url",
    ];
    for name in claimed {
        call = call.field(name, "claimed");
    }

    assert_eq!(call.send(gate.address).await.status, 200);

    let received = upstream.next().await;
    for name in claimed {
        assert_eq!(received.field(name), None, "{name}");
    }
    assert_eq!(received.field("x-forwarded"), Some("kept"));
}

#[tokio::test]
async fn a_webhook_without_a_body_says_that_it_has_none() {
    let mut upstream = Upstream::ok().await;
    let gate =
        Gate::start(&hook(&upstream).replace("public", "methods = [\"POST\", \"GET\"]\npublic"))
            .await;

    assert_eq!(Call::post("/hook", "").send(gate.address).await.status, 200);
    assert_eq!(Call::get("/hook").send(gate.address).await.status, 200);

    assert_eq!(upstream.next().await.field("content-length"), Some("0"));
    assert_eq!(upstream.next().await.field("content-length"), None);
}

#[tokio::test]
async fn a_trace_is_continued_and_a_broken_one_begun_anew() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let good = format!("00-{trace}-00f067aa0ba902b7-01");
    let with = |parent: &str| {
        Call::post("/hook", "x")
            .field("traceparent", parent)
            .field("tracestate", "a=1")
    };

    with(&good).send(gate.address).await;
    let received = upstream.next().await;
    let parent = received.field("traceparent").unwrap();
    assert!(
        parent.starts_with(&format!("00-{trace}-")) && parent.ends_with("-01"),
        "{parent}"
    );
    assert!(!parent.contains("00f067aa0ba902b7"), "{parent}");
    assert_eq!(received.field("tracestate"), Some("a=1"));

    for broken in [
        "",
        "00-xyz",
        &good.replace(trace, &"0".repeat(32)),
        &good.replace("00-4", "ff-4"),
    ] {
        with(broken).send(gate.address).await;
        let received = upstream.next().await;
        let parent = received.field("traceparent").unwrap();
        assert_eq!(
            (parent.len(), parent.contains(trace)),
            (55, false),
            "{broken}"
        );
        assert_eq!(received.field("tracestate"), None, "{broken}");
    }
}

#[tokio::test]
async fn a_body_goes_on_byte_for_byte() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let body: Vec<u8> = (0..300_000_u32)
        .map(|n| u8::try_from(n % 251).unwrap())
        .collect();
    let call = Call::post("/hook", body.clone())
        .field("content-encoding", "gzip")
        .field("content-type", "application/octet-stream");

    assert_eq!(call.send(gate.address).await.status, 200);

    let received = upstream.next().await;
    assert!(received.body == body);
    assert_eq!(received.field("content-length"), Some("300000"));
    assert_eq!(received.field("content-encoding"), Some("gzip"));
}

#[tokio::test]
async fn an_answer_is_passed_through_without_what_concerns_one_hop() {
    let upstream = Upstream::start(|_| {
        let fields = [
            ("content-type", "text/plain"),
            ("connection", "close, x-hop"),
            ("x-hop", "1"),
            ("hookgate-id", "forged"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ];
        let fields = fields
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec();
        Act::Answer(201, fields, "made".to_owned())
    });
    let upstream = upstream.await;
    let gate = Gate::start(&hook(&upstream)).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!((answer.status, answer.text().as_str()), (201, "made"));
    assert_eq!(answer.field("content-type"), Some("text/plain"));
    assert_eq!(
        (answer.field("x-hop"), answer.field("connection")),
        (None, None)
    );
    let cookies: Vec<_> = answer
        .fields
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .collect();
    assert_eq!(cookies.len(), 2);
    let ids: Vec<_> = answer
        .fields
        .iter()
        .filter(|(name, _)| name == "hookgate-id")
        .collect();
    assert!(ids.len() == 1 && ids[0].1 != "forged", "{ids:?}");
}

#[tokio::test]
async fn an_upstreams_connection_serves_one_webhook_after_the_other() {
    let mut upstream = Upstream::ok().await;
    let toml = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n{}",
        hook(&upstream)
    );
    let gate = Gate::start(&toml).await;

    for number in 0..5 {
        assert_eq!(
            Call::post("/hook", "x").send(gate.address).await.status,
            200
        );
        let received = upstream.next().await;
        assert_eq!((received.number, received.connection), (number, 0));
    }
}

#[tokio::test]
async fn a_url_with_a_path_is_used_as_it_is_and_the_query_goes_with_it() {
    let mut upstream = Upstream::ok().await;
    let toml = hook(&upstream)
        .replace(&upstream.url(), &format!("{}/in/github", upstream.url()))
        .replace("[routes", "preserve_host = true\n[routes");
    let gate = Gate::start(&toml).await;

    Call::post("/hook?a=b", "x").send(gate.address).await;

    let received = upstream.next().await;
    assert_eq!(received.target, "/in/github?a=b");
    assert_eq!(received.field("host"), Some("hooks.example.com"));
}

#[tokio::test]
async fn an_upstream_over_tls_is_trusted_by_its_authority_only() {
    let (ours, other) = (Authority::new(), Authority::new());
    let mut upstream = Upstream::tls(&ours).await;
    let url = upstream.url().replace("http:", "https:");
    let folder = folder();
    std::fs::write(folder.path().join("ours.crt"), ours.pem()).unwrap();
    std::fs::write(folder.path().join("other.crt"), other.pem()).unwrap();
    let with = |ca: &str| {
        hook_to(&url).replace("[routes", &format!("ca = \"{ca}.crt\"\n[routes"))
            + "retry = { attempts = 1 }\n"
    };
    let trusting = Gate::start_in(Arc::clone(&folder), &with("ours"), &[]).await;
    let mut doubting = Gate::start_in(folder, &with("other"), &[]).await;
    let call = Call::post("/hook", "secret of the sender");

    assert_eq!(call.send(trusting.address).await.status, 200);
    assert_eq!(upstream.next().await.text(), "secret of the sender");
    assert_eq!(call.send(doubting.address).await.status, 502);
    let line = doubting
        .wait_for_log(|line| line["msg"] == "attempt failed")
        .await;
    assert_eq!(line["outcome"], "tls");
    assert!(upstream.is_quiet());
}
