//! What a sender is told, and when: the three contracts, and upstreams that fail in every way.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::support::{Absent, Act, Call, Gate, Received, Upstream, hook, hook_to};

/// Tried again after 5 ms, always.
const SOON: &str = "retry = { schedule = [\"5ms\"] }\n";

fn early(toml: String) -> String {
    toml + "ack = \"early\"\nlossy = true\n"
}

/// The line of this webhook's next failed attempt.
async fn failed_attempt(gate: &mut Gate) -> Value {
    gate.wait_for_log(|line| line["msg"] == "attempt failed")
        .await
}

async fn dead_letters(gate: &Gate) -> Vec<Value> {
    let answer = gate.ask(&Call::get("/api/dead-letters")).await;
    answer.json()["dead_letters"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_sender_waits_while_its_webhook_is_tried_again() {
    let mut upstream = Upstream::answers(&[503, 500, 429, 408, 302, 200]).await;
    let gate = Gate::start(&(hook(&upstream) + SOON)).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(answer.status, 200);
    for attempt in 1..=6 {
        let received = upstream.next().await;
        assert_eq!(
            received.field("hookgate-attempt").unwrap(),
            attempt.to_string()
        );
        assert_eq!(received.field("hookgate-id"), answer.field("hookgate-id"));
        assert_eq!(received.text(), "x");
    }
    assert!(upstream.is_quiet());
    let attempts = |outcome| {
        format!("hookgate_delivery_attempts_total{{upstream=\"app\",outcome=\"{outcome}\"}}")
    };
    for (outcome, count) in [
        ("delivered", 1.0),
        ("http_3xx", 1.0),
        ("http_4xx", 2.0),
        ("http_5xx", 2.0),
    ] {
        assert_eq!(gate.metric(&attempts(outcome)).await, count, "{outcome}");
    }
}

#[tokio::test]
async fn a_sender_waits_until_the_upstream_is_back() {
    let absent = Absent::new();
    let mut gate = Gate::start(&(hook_to(&absent.url()) + SOON)).await;
    let address = gate.address;
    let sender = tokio::spawn(async move { Call::post("/hook", "x").send(address).await });

    assert_eq!(failed_attempt(&mut gate).await["outcome"], "unreachable");
    assert!(!sender.is_finished());
    let mut upstream = absent.comes_back();

    assert_eq!(sender.await.unwrap().status, 200);
    assert_eq!(upstream.next().await.text(), "x");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn an_upstream_that_stays_away_is_502_and_the_sender_keeps_its_webhook() {
    let absent = Absent::new();
    let toml = hook_to(&absent.url()) + SOON + "deadline = \"200ms\"\n";
    let mut gate = Gate::start(&toml).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(
        (answer.status, answer.field("retry-after")),
        (502, Some("1"))
    );
    let id = answer.field("hookgate-id").unwrap().to_owned();
    assert_eq!(
        answer.json(),
        serde_json::json!({ "title": "Bad Gateway", "status": 502, "id": id })
    );
    let line = gate
        .wait_for_log(|line| line["msg"] == "webhook unavailable")
        .await;
    assert_eq!(
        (&line["id"], &line["reason"]),
        (&id.as_str().into(), &"unreachable".into())
    );
    assert_eq!(dead_letters(&gate).await, [] as [Value; 0]);
    assert_eq!(gate.metric("hookgate_deliveries_waiting").await, 0.0);
}

#[tokio::test]
async fn an_upstream_that_says_nothing_is_504() {
    let mut upstream = Upstream::start(|_| Act::Hang).await;
    let gate = Gate::start(&(hook(&upstream) + "deadline = \"200ms\"\n")).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(
        (answer.status, answer.field("retry-after").is_some()),
        (504, true)
    );
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn half_an_answer_and_nonsense_are_502() {
    for raw in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"",
    ] {
        let upstream = Upstream::start(|_| Act::Raw(raw)).await;
        let gate = Gate::start(&(hook(&upstream) + "retry = { attempts = 1 }\n")).await;

        let answer = Call::post("/hook", "x").send(gate.address).await;

        assert_eq!(answer.status, 502, "{}", String::from_utf8_lossy(raw));
        assert!(answer.field("retry-after").is_some());
    }
}

#[tokio::test]
async fn a_refusal_for_good_is_passed_through_and_not_tried_again() {
    let act = |_: &Received| {
        let fields = vec![("content-type", "text/plain".to_owned())];
        Act::Answer(422, fields, "no such order".to_owned())
    };
    let mut upstream = Upstream::start(act).await;
    let gate = Gate::start(&(hook(&upstream) + SOON + "ack = \"buffered\"\n")).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(
        (answer.status, answer.text().as_str()),
        (422, "no such order")
    );
    upstream.next().await;
    assert!(upstream.is_quiet());
    assert_eq!(dead_letters(&gate).await, [] as [Value; 0]);
}

#[tokio::test]
async fn which_refusals_are_for_good_is_the_routes_to_say() {
    let mut upstream = Upstream::answers(&[422, 200, 409]).await;
    let retry = "retry = { schedule = [\"5ms\"], final = [409] }\n";
    let gate = Gate::start(&(hook(&upstream) + retry)).await;

    assert_eq!(
        Call::post("/hook", "x").send(gate.address).await.status,
        200
    );
    assert_eq!(
        Call::post("/hook", "x").send(gate.address).await.status,
        409
    );
    for _ in 0..3 {
        upstream.next().await;
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_never_followed() {
    let mut elsewhere = Upstream::ok().await;
    let location = format!("{}/stolen", elsewhere.url());
    let upstream = Upstream::start(move |_| {
        Act::Answer(307, vec![("location", location.clone())], String::new())
    });
    let gate = Gate::start(&(hook(&upstream.await) + "retry = { attempts = 1 }\n")).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!((answer.status, answer.field("location")), (502, None));
    assert!(elsewhere.is_quiet());
}

#[tokio::test]
async fn the_wait_that_an_upstream_asks_for_is_passed_on_and_kept() {
    let busy = |request: &Received| match request.number {
        0 | 2 => Act::Answer(503, vec![("retry-after", "1".to_owned())], String::new()),
        _ => Act::status(200),
    };
    let mut upstream = Upstream::start(busy).await;
    let gate = Gate::start(&(hook(&upstream) + SOON)).await;

    let sent = Instant::now();
    assert_eq!(
        Call::post("/hook", "x").send(gate.address).await.status,
        200
    );
    assert!(sent.elapsed().as_millis() >= 1_000);
    upstream.next().await;
    upstream.next().await;

    let toml = hook(&upstream) + SOON + "deadline = \"500ms\"\n";
    let hasty = Gate::start(&toml).await;
    let answer = Call::post("/hook", "x").send(hasty.address).await;
    assert_eq!(
        (answer.status, answer.field("retry-after")),
        (503, Some("1"))
    );
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn buffered_is_the_upstreams_answer_in_time_and_202_after_it() {
    let slow = |request: &Received| match request.number {
        0 => Act::status(204),
        1 => Act::Close,
        _ => Act::status(200),
    };
    let mut upstream = Upstream::start(slow).await;
    let toml = hook(&upstream)
        + "ack = \"buffered\"\ndeadline = \"300ms\"\nretry = { schedule = [\"400ms\"] }\n";
    let gate = Gate::start(&toml).await;

    let in_time = Call::post("/hook", "first").send(gate.address).await;
    let held = Call::post("/hook", "second").send(gate.address).await;

    assert_eq!((in_time.status, held.status), (204, 202));
    let id = held.field("hookgate-id").unwrap();
    assert_eq!(
        held.json(),
        serde_json::json!({ "id": id, "outcome": "held" })
    );
    assert_eq!(upstream.next().await.text(), "first");
    for attempt in ["1", "2"] {
        let received = upstream.next().await;
        assert_eq!(
            (received.text().as_str(), received.field("hookgate-id")),
            ("second", Some(id))
        );
        assert_eq!(received.field("hookgate-attempt"), Some(attempt));
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn buffered_does_not_cut_off_an_upstream_that_is_only_slow() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let toml = hook(&upstream) + SOON + "ack = \"buffered\"\ndeadline = \"200ms\"\n";
    let mut gate = Gate::start(&toml).await;

    let held = Call::post("/hook", "x").send(gate.address).await;
    assert_eq!(held.status, 202);
    permits.add_permits(1);
    let line = gate
        .wait_for_log(|line| line["msg"] == "attempt delivered")
        .await;

    assert_eq!(line["id"], held.field("hookgate-id").unwrap());
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn early_is_202_before_the_upstream_has_answered() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let gate = Gate::start(&early(hook(&upstream))).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(answer.status, 202);
    assert_eq!(
        upstream.next().await.field("hookgate-id"),
        answer.field("hookgate-id")
    );
    permits.add_permits(1);
}

#[tokio::test]
async fn what_was_acknowledged_and_given_up_is_a_dead_letter() {
    let act = |request: &Received| match request.target.as_str() {
        "/hook?gone" => Act::status(410),
        "/hook?failing" => Act::status(500),
        _ => Act::status(200),
    };
    let mut upstream = Upstream::start(act).await;
    let toml = early(hook(&upstream)) + "retry = { schedule = [\"5ms\"], attempts = 3 }\n";
    let mut gate = Gate::start(&toml).await;

    let mut ids = Vec::new();
    for target in ["/hook", "/hook?gone", "/hook?failing"] {
        let answer = Call::post(target, "x").send(gate.address).await;
        assert_eq!(answer.status, 202);
        ids.push(answer.field("hookgate-id").unwrap().to_owned());
    }
    gate.wait_for_metric("hookgate_dead_letters", 2.0).await;
    for id in &ids[1..] {
        gate.wait_for_log(|line| line["msg"] == "delivery given up" && line["id"] == id.as_str())
            .await;
    }

    let letters = dead_letters(&gate).await;
    let mut told: Vec<_> = letters
        .iter()
        .map(|letter| {
            (
                letter["id"].as_str().unwrap(),
                &letter["attempts"],
                letter["reason"].as_str().unwrap(),
            )
        })
        .collect();
    told.sort_unstable_by_key(|(_, attempts, _)| attempts.as_u64());
    assert_eq!(
        told,
        [
            (&*ids[1], &1.into(), "answered 410, which is final"),
            (
                &*ids[2],
                &3.into(),
                "answered 500; that was the last of 3 attempts"
            )
        ]
    );
    assert_eq!(
        (&letters[0]["route"], &letters[0]["upstream"]),
        (&"hook".into(), &"app".into())
    );
    assert_eq!(
        gate.metric("hookgate_deliveries_given_up_total{route=\"hook\"}")
            .await,
        2.0
    );
    for _ in 0..5 {
        upstream.next().await;
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_storm_of_interim_answers_is_no_answer() {
    let storm = Upstream::start(|_| Act::Flood(b"HTTP/1.1 100 Continue\r\n\r\n")).await;
    let route = hook(&storm).replace("public", "deadline = \"1s\"\npublic");
    let gate = Gate::start(&route).await;

    // The deadline is the claim; five times that leaves room for a busy machine.
    let call = Call::post("/hook", "x");
    let answer = tokio::time::timeout(Duration::from_secs(5), call.send(gate.address)).await;

    assert_eq!(answer.unwrap().status, 502);
}
