//! An upstream's restraint: its breaker, its concurrency and its rate, and who waits for them.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::support::{Act, Call, Gate, Received, Upstream, hook};

const EARLY: &str = "ack = \"early\"\nlossy = true\n";

/// The route `hook` with these settings of its upstream.
pub fn restrained(upstream: &Upstream, settings: &str) -> String {
    hook(upstream).replace("[routes.hook]", &format!("{settings}\n[routes.hook]"))
}

async fn state(gate: &Gate) -> Value {
    gate.ask(&Call::get("/api/state")).await.json()
}

/// Asks until this many deliveries are held.
async fn held(gate: &Gate, deliveries: u64) {
    while state(gate).await["buffer"]["deliveries"] != deliveries {}
}

#[tokio::test]
async fn an_upstream_that_fails_in_a_row_is_left_alone_and_no_attempt_is_used_up() {
    let mut upstream = Upstream::answers(&[500, 503, 200]).await;
    let toml = restrained(&upstream, "breaker = { failures = 2, open = \"300ms\" }")
        + EARLY
        + "retry = { schedule = [\"1ms\"], attempts = 3 }\n";
    let mut gate = Gate::start(&toml).await;

    assert_eq!(
        Call::post("/hook", "x").send(gate.address).await.status,
        202
    );
    upstream.next().await;
    upstream.next().await;
    let failed = Instant::now();
    let opened = gate
        .wait_for_log(|line| line["msg"] == "breaker opened, deliveries wait")
        .await;
    assert_eq!(
        (&opened["upstream"], &opened["failures"], &opened["reason"]),
        (&"app".into(), &2.into(), &"answered 503".into())
    );

    let probe = upstream.next().await;

    assert!(failed.elapsed() >= Duration::from_millis(250));
    assert_eq!(probe.field("hookgate-attempt"), Some("3"));
    gate.wait_for_log(|line| line["msg"] == "breaker closed")
        .await;
    let openings = "hookgate_breaker_openings_total{upstream=\"app\"}";
    assert_eq!(gate.metric(openings).await, 1.0);
    assert_eq!(state(&gate).await["upstreams"][0]["breaker"], "closed");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_sender_that_cannot_be_served_in_time_is_told_when_to_come_back() {
    let mut upstream = Upstream::answers(&[500]).await;
    let toml = restrained(&upstream, "breaker = { failures = 1, open = \"1h\" }")
        + "retry = { attempts = 1 }\n";
    let gate = Gate::start(&toml).await;
    let call = Call::post("/hook", "x");
    assert_eq!(call.send(gate.address).await.status, 502);
    upstream.next().await;

    let refused = call.send(gate.address).await;

    assert_eq!(refused.status, 503);
    let wait: u64 = refused.field("retry-after").unwrap().parse().unwrap();
    assert!((3500..=3600).contains(&wait), "{wait}");
    assert!(upstream.is_quiet());
    assert_eq!(
        gate.metric("hookgate_breaker_open{upstream=\"app\"}").await,
        1.0
    );
    let state = state(&gate).await;
    assert_eq!(state["upstreams"][0]["breaker"], "open");
    assert_eq!(state["buffer"]["deliveries"], 0);
}

#[tokio::test]
async fn with_buffered_what_an_open_breaker_holds_up_is_held_and_survives_the_wait() {
    let mut upstream = Upstream::answers(&[500, 200]).await;
    let toml = restrained(&upstream, "breaker = { failures = 1, open = \"1s\" }")
        + "ack = \"buffered\"\ndeadline = \"300ms\"\nretry = { schedule = [\"1ms\"] }\n";
    let gate = Gate::start(&toml).await;

    for text in ["one", "two"] {
        assert_eq!(
            Call::post("/hook", text).send(gate.address).await.status,
            202
        );
    }

    assert_eq!(upstream.next().await.text(), "one");
    let mut delivered = Vec::new();
    while delivered.len() < 2 {
        delivered.push(upstream.next().await.text());
    }
    delivered.sort_unstable();
    assert_eq!(delivered, ["one", "two"]);
}

#[tokio::test]
async fn an_upstream_never_has_more_attempts_than_its_concurrency() {
    for (ack, status) in [(EARLY, 202), ("", 200)] {
        let (mut upstream, permits) = Upstream::awaiting().await;
        let gate = Gate::start(&(restrained(&upstream, "concurrency = 3") + ack)).await;
        let senders: Vec<_> = (0..20)
            .map(|number| {
                let address = gate.address;
                tokio::spawn(async move {
                    Call::post("/hook", number.to_string())
                        .send(address)
                        .await
                        .status
                })
            })
            .collect();
        held(&gate, 20).await;

        for _ in 0..3 {
            upstream.next().await;
        }
        assert!(upstream.is_quiet());
        assert_eq!(state(&gate).await["upstreams"][0]["in_flight"], 3);
        permits.add_permits(1);
        upstream.next().await;
        assert!(upstream.is_quiet());

        permits.add_permits(19);
        for sender in senders {
            assert_eq!(sender.await.unwrap(), status);
        }
        for _ in 0..16 {
            upstream.next().await;
        }
        held(&gate, 0).await;
        assert_eq!(state(&gate).await["upstreams"][0]["in_flight"], 0);
    }
}

#[tokio::test]
async fn a_sender_that_waits_for_a_place_until_its_deadline_keeps_its_webhook() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let toml = restrained(&upstream, "concurrency = 1")
        + "deadline = \"100ms\"\n[routes.patient]\npath = \"/patient\"\npublic = true\nforward = \"app\"\n";
    let gate = Gate::start(&toml).await;
    let address = gate.address;
    let first = tokio::spawn(async move { Call::post("/patient", "one").send(address).await });
    assert_eq!(upstream.next().await.text(), "one");

    let refused = Call::post("/hook", "two").send(gate.address).await;

    assert_eq!(
        (refused.status, refused.field("retry-after")),
        (503, Some("1"))
    );
    permits.add_permits(1);
    assert_eq!(first.await.unwrap().status, 200);
    assert!(upstream.is_quiet());
    held(&gate, 0).await;
}

#[tokio::test]
async fn an_upstream_is_called_no_faster_than_its_rate() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&(restrained(&upstream, "rate = \"20/s\"") + EARLY)).await;
    for number in 0..12 {
        let call = Call::post("/hook", number.to_string());
        assert_eq!(call.send(gate.address).await.status, 202);
    }

    let first = upstream.next().await;
    let begun = Instant::now();
    assert_eq!(first.field("hookgate-attempt"), Some("1"));
    for _ in 1..12 {
        upstream.next().await;
    }

    // Two may go at once, and each other one 50 ms after the one before; the first was seen late, at worst.
    assert!(
        begun.elapsed() >= Duration::from_millis(400),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn an_upstream_that_fails_leaves_the_others_alone() {
    let act = |_: &Received| Act::Close;
    let (broken, mut well) = (Upstream::start(act).await, Upstream::ok().await);
    let toml = restrained(&broken, "breaker = { failures = 1, open = \"1h\" }")
        + EARLY
        + "retry = { schedule = [\"1ms\"] }\n"
        + &format!(
            "[upstreams.well]\nurl = \"{}\"\n[routes.well]\npath = \"/well\"\npublic = true\n\
             forward = \"well\"\n{EARLY}",
            well.url()
        );
    let mut gate = Gate::start(&toml).await;
    for _ in 0..50 {
        assert_eq!(
            Call::post("/hook", "x").send(gate.address).await.status,
            202
        );
    }
    gate.wait_for_log(|line| line["msg"] == "breaker opened, deliveries wait")
        .await;

    assert_eq!(
        Call::post("/well", "y").send(gate.address).await.status,
        202
    );

    assert_eq!(well.next().await.text(), "y");
    held(&gate, 50).await;
}
