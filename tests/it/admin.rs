//! What operators see.

use crate::support::{Call, Gate, Upstream, folder, hook};

/// Counters whose first value is news, as they must be before it.
const AT_REST: [&str; 16] = [
    "hookgate_webhooks_total{route=\"hook\",outcome=\"delivered\",class=\"2xx\"}",
    "hookgate_webhooks_total{route=\"hook\",outcome=\"rejected\",class=\"4xx\"}",
    "hookgate_webhooks_total{route=\"hook\",outcome=\"unavailable\",class=\"5xx\"}",
    "hookgate_webhook_duration_seconds_count{route=\"hook\"}",
    "hookgate_deliveries_given_up_total{route=\"hook\"}",
    "hookgate_plugin_verdicts_total{plugin=\"signature\",route=\"hook\",stage=\"verify\",verdict=\"reject\"}",
    "hookgate_plugin_duration_seconds_count{plugin=\"signature\",route=\"hook\",stage=\"verify\"}",
    "hookgate_plugin_failures_total{plugin=\"signature\",route=\"hook\",kind=\"time\"}",
    "hookgate_keys_matched_total{plugin=\"signature\",route=\"hook\",key=\"keys\",label=\"env:SECRET\"}",
    "hookgate_delivery_attempts_total{upstream=\"app\",outcome=\"unreachable\"}",
    "hookgate_attempt_duration_seconds_count{upstream=\"app\"}",
    "hookgate_deliveries_waiting",
    "hookgate_deliveries_lost_total",
    "hookgate_unrouted_total{status=\"404\"}",
    "hookgate_handshakes_failed_total",
    "hookgate_reloads_total{result=\"refused\"}",
];

fn signed(upstream: &Upstream) -> String {
    hook(upstream).replace("public = true", "ack = \"upstream\"")
        + "[[routes.hook.plugins]]\nuse = \"signature\"\n\
           with = { preset = \"github\", keys = [{ env = \"SECRET\" }] }\n"
}

async fn gate(toml: &str) -> Gate {
    Gate::start_in(
        folder(),
        toml,
        &[("SECRET", "s"), ("TOKEN", "a token of length")],
    )
    .await
}

#[tokio::test]
async fn every_series_is_there_at_zero_before_the_first_webhook() {
    let gate = gate(&signed(&Upstream::ok().await)).await;

    let page = gate.metrics().await;

    for series in AT_REST {
        assert!(
            page.contains(&format!("\n{series} 0\n")),
            "{series} in\n{page}"
        );
    }
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let upstream = Upstream::answers(&[500, 200]).await;
    let toml = signed(&upstream).replace("ack", "retry = { schedule = [\"5ms\"] }\nack");
    let gate = gate(&toml).await;
    let github = |secret| crate::support::github("/hook", "push", secret, "x");

    assert_eq!(github("s").send(gate.address).await.status, 200);
    assert_eq!(github("forged").send(gate.address).await.status, 401);
    assert_eq!(Call::get("/hook").send(gate.address).await.status, 405);
    assert_eq!(
        Call::post("/nowhere", "").send(gate.address).await.status,
        404
    );

    let step = "plugin=\"signature\",route=\"hook\"";
    for (series, count) in [
        (
            "hookgate_webhooks_total{route=\"hook\",outcome=\"delivered\",class=\"2xx\"}"
                .to_owned(),
            1.0,
        ),
        (
            "hookgate_webhooks_total{route=\"hook\",outcome=\"rejected\",class=\"4xx\"}".to_owned(),
            1.0,
        ),
        (
            "hookgate_webhook_duration_seconds_count{route=\"hook\"}".to_owned(),
            2.0,
        ),
        (
            format!("hookgate_plugin_verdicts_total{{{step},stage=\"verify\",verdict=\"accept\"}}"),
            1.0,
        ),
        (
            format!("hookgate_plugin_verdicts_total{{{step},stage=\"verify\",verdict=\"reject\"}}"),
            1.0,
        ),
        (
            format!("hookgate_keys_matched_total{{{step},key=\"keys\",label=\"env:SECRET\"}}"),
            1.0,
        ),
        (
            "hookgate_delivery_attempts_total{upstream=\"app\",outcome=\"delivered\"}".to_owned(),
            1.0,
        ),
        (
            "hookgate_delivery_attempts_total{upstream=\"app\",outcome=\"http_5xx\"}".to_owned(),
            1.0,
        ),
        ("hookgate_unrouted_total{status=\"404\"}".to_owned(), 1.0),
        ("hookgate_unrouted_total{status=\"405\"}".to_owned(), 1.0),
    ] {
        assert_eq!(gate.metric(&series).await, count, "{series}");
    }
}

#[tokio::test]
async fn the_state_names_routes_upstreams_and_the_buffer_and_no_secret() {
    let upstream = Upstream::ok().await;
    let toml =
        signed(&upstream).replace(&upstream.url(), &format!("{}/s3cr3t/path", upstream.url()));
    let gate = gate(&toml).await;

    let (live, ready) = (
        gate.ask(&Call::get("/live")).await,
        gate.ask(&Call::get("/ready")).await,
    );
    let (state, page) = (
        gate.ask(&Call::get("/api/state")).await,
        gate.ask(&Call::get("/")).await,
    );

    assert_eq!(
        (live.status, ready.status, state.status, page.status),
        (200, 200, 200, 200)
    );
    let told = state.json();
    assert_eq!(told["phase"], "ready");
    let route = serde_json::json!({
        "name": "hook", "host": null, "path": "/hook", "ack": "upstream",
        "upstreams": ["app"], "plugins": ["signature"],
    });
    assert_eq!(told["routes"], serde_json::json!([route]));
    assert_eq!(
        told["upstreams"],
        serde_json::json!([{
            "name": "app", "url": upstream.url(),
            "in_flight": 0, "concurrency": 256, "breaker": "closed",
        }])
    );
    assert_eq!(told["buffer"]["deliveries"], 0);
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("/hook"));
    for answer in [&state, &page] {
        assert!(!answer.text().contains("s3cr3t"), "{}", answer.text());
    }
    assert_eq!(gate.ask(&Call::get("/nowhere")).await.status, 404);
    assert_eq!(gate.ask(&Call::post("/metrics", "")).await.status, 405);
}

#[tokio::test]
async fn without_a_token_the_admin_answers_to_this_machines_names_only() {
    let gate = gate(&signed(&Upstream::ok().await)).await;
    let called = |host| Call::get("/api/state").field("host", host);

    assert_eq!(called("localhost:9119").send(gate.admin).await.status, 200);
    assert_eq!(called("127.0.0.1").send(gate.admin).await.status, 200);
    // A page whose name was made to point at this machine.
    assert_eq!(called("rebound.example").send(gate.admin).await.status, 403);
}

#[tokio::test]
async fn with_a_token_only_the_probes_answer_everybody() {
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken = { env = \"TOKEN\" }\n";
    let gate = gate(&(admin.to_owned() + &signed(&Upstream::ok().await))).await;
    let with = |path: &str, token: &str| Call::get(path).field("authorization", token);

    for path in ["/live", "/ready"] {
        assert_eq!(gate.ask(&Call::get(path)).await.status, 200, "{path}");
    }
    for path in [
        "/",
        "/metrics",
        "/api/state",
        "/api/dead-letters",
        "/api/waiting",
        "/api/webhooks?id=wh_00000000000000000000000000000000",
        "/api/shadows",
    ] {
        let stranger = gate.ask(&Call::get(path)).await;
        assert_eq!(stranger.status, 401, "{path}");
        assert!(stranger.field("www-authenticate").is_some());
        assert_eq!(
            gate.ask(&with(path, "Bearer a token of lengtH"))
                .await
                .status,
            401,
            "{path}"
        );
        assert_eq!(
            gate.ask(&with(path, "Bearer a token of length"))
                .await
                .status,
            200,
            "{path}"
        );
    }
    assert!(!gate.log().join("\n").contains("a token of"));
}
