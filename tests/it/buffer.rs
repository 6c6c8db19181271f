//! What waits: its bounds, its senders that go away, its repeats, and its many upstreams.

use std::collections::BTreeMap;

use crate::support::{Act, Call, Connection, Gate, Received, Upstream, folder, guest, hook};

const WAITING: &str = "hookgate_deliveries_waiting";
const EARLY: &str = "ack = \"early\"\nlossy = true\n";

#[tokio::test]
async fn a_full_buffer_refuses_instead_of_forgetting() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let toml = hook(&upstream) + EARLY + "buffer = { max_deliveries = 2 }\n";
    let gate = Gate::start(&toml).await;
    let call = |body: &str| Call::post("/hook", body);

    assert_eq!(call("one").send(gate.address).await.status, 202);
    assert_eq!(call("two").send(gate.address).await.status, 202);
    let full = call("three").send(gate.address).await;

    assert_eq!((full.status, full.field("retry-after")), (503, Some("5")));
    let series = "hookgate_webhooks_total{route=\"hook\",outcome=\"full\",class=\"5xx\"}";
    assert_eq!(gate.metric(series).await, 1.0);
    permits.add_permits(10);
    gate.wait_for_metric(WAITING, 0.0).await;
    assert_eq!(call("four").send(gate.address).await.status, 202);
    let mut received = [upstream.next().await, upstream.next().await].map(|webhook| webhook.text());
    received.sort_unstable();
    assert_eq!(received, ["one", "two"]);
    assert_eq!(upstream.next().await.text(), "four");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_buffer_is_bounded_in_bytes_too_and_a_sender_that_waits_needs_a_place_as_well() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let toml = hook(&upstream) + "buffer = { max_bytes = \"64 KiB\" }\n";
    let gate = Gate::start(&toml).await;
    let large = Call::post("/hook", vec![b'x'; 40 << 10]);

    let mut first = Connection::open(gate.address).await;
    first.write(large.bytes()).await;
    upstream.next().await;
    let second = large.send(gate.address).await;
    permits.add_permits(2);

    assert_eq!((first.answer().await.status, second.status), (200, 503));
    assert_eq!(large.send(gate.address).await.status, 200);
    gate.wait_for_metric("hookgate_buffer_bytes", 0.0).await;
}

#[tokio::test]
async fn the_deliveries_of_a_webhook_are_admitted_together_or_not_at_all() {
    let (mut app, mut audit) = (Upstream::ok().await, Upstream::ok().await);
    let route = |deliveries: usize| {
        hook(&app).replace("forward = \"app\"", "forward = [\"app\", \"audit\"]")
            + EARLY
            + &format!("buffer = {{ max_deliveries = {deliveries} }}\n")
            + &format!("[upstreams.audit]\nurl = \"{}\"\n", audit.url())
    };
    let (too_few, enough) = (Gate::start(&route(1)).await, Gate::start(&route(2)).await);

    assert_eq!(
        Call::post("/hook", "x").send(too_few.address).await.status,
        503
    );
    assert!(app.is_quiet() && audit.is_quiet());
    assert_eq!(
        Call::post("/hook", "y").send(enough.address).await.status,
        202
    );
    assert_eq!(
        (app.next().await.text(), audit.next().await.text()),
        ("y".into(), "y".into())
    );
}

#[tokio::test]
async fn each_upstream_of_a_fan_out_is_tried_again_on_its_own() {
    let mut app = Upstream::ok().await;
    let mut audit = Upstream::answers(&[503, 500, 200]).await;
    let toml = hook(&app).replace("forward = \"app\"", "forward = [\"app\", \"audit\"]")
        + "retry = { schedule = [\"5ms\"] }\n"
        + &format!("[upstreams.audit]\nurl = \"{}\"\n", audit.url());
    let gate = Gate::start(&toml).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
    app.next().await;
    for attempt in ["1", "2", "3"] {
        assert_eq!(audit.next().await.field("hookgate-attempt"), Some(attempt));
    }
    assert!(app.is_quiet() && audit.is_quiet());
}

#[tokio::test]
async fn a_fan_out_is_not_acknowledged_while_one_upstream_has_not_taken_it() {
    let (mut app, audit) = (Upstream::ok().await, Upstream::answers(&[500]).await);
    let toml = hook(&app).replace("forward = \"app\"", "forward = [\"app\", \"audit\"]")
        + "retry = { attempts = 1 }\n"
        + &format!("[upstreams.audit]\nurl = \"{}\"\n", audit.url());
    let gate = Gate::start(&toml).await;

    let answer = Call::post("/hook", "x").send(gate.address).await;

    assert_eq!(
        (answer.status, answer.field("retry-after").is_some()),
        (502, true)
    );
    app.next().await;
    assert!(app.is_quiet());
}

#[tokio::test]
async fn a_sender_that_hangs_up_cancels_nothing() {
    let act = |request: &Received| Act::status(if request.number == 0 { 503 } else { 200 });
    for ack in ["buffered", "upstream"] {
        let mut upstream = Upstream::start(act).await;
        let toml =
            hook(&upstream) + &format!("ack = \"{ack}\"\nretry = {{ schedule = [\"100ms\"] }}\n");
        let mut gate = Gate::start(&toml).await;

        let mut sender = Connection::open(gate.address).await;
        sender.write(Call::post("/hook", "x").bytes()).await;
        gate.wait_for_log(|line| line["msg"] == "delivery waits")
            .await;
        drop(sender);

        let ids = [upstream.next().await, upstream.next().await]
            .map(|received| received.field("hookgate-id").unwrap().to_owned());
        assert_eq!(ids[0], ids[1], "{ack}");
        gate.wait_for_log(|line| line["msg"] == "attempt delivered")
            .await;
        assert!(upstream.is_quiet());
    }
}

#[tokio::test]
async fn an_exchange_goes_on_when_its_sender_hangs_up() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let mut gate = Gate::start(&(hook(&upstream) + "ack = \"buffered\"\n")).await;

    let mut sender = Connection::open(gate.address).await;
    sender.write(Call::post("/hook", "x").bytes()).await;
    upstream.next().await;
    drop(sender);
    // Another webhook of the same worker or of another one: the hang-up has been seen by then.
    assert_eq!(
        Call::post("/nowhere", "").send(gate.address).await.status,
        404
    );
    permits.add_permits(1);

    gate.wait_for_log(|line| line["msg"] == "attempt delivered")
        .await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_repeat_is_answered_200_and_delivered_once() {
    // Every webhook has the same key, for a minute.
    let module = r#"(module
        (import "hookgate:plugin/deliveries@0.1.0" "[constructor]delivery" (func $new (result i32)))
        (import "hookgate:plugin/deliveries@0.1.0" "[method]delivery.set-dedupe-key"
            (func $key (param i32 i32 i32 i32)))
        (memory (export "memory") 1)
        (data (i32.const 4) "\10\00\00\00\01\00\00\00")
        (data (i32.const 64) "same")
        (func (export "hookgate:plugin/transform@0.1.0#transform") (result i32)
            (i32.store (i32.const 16) (call $new))
            (call $key (i32.load (i32.const 16)) (i32.const 64) (i32.const 4) (i32.const 60))
            (i32.const 0)))"#;
    let folder = folder();
    let component = guest("hookgate:plugin/transform-plugin", module);
    std::fs::write(folder.path().join("key.wasm"), component).unwrap();
    let mut upstream = Upstream::answers(&[500, 200]).await;
    let toml = hook(&upstream)
        + "retry = { attempts = 1 }\n[[routes.hook.plugins]]\nuse = \"key\"\n\
           [plugins.key]\nfile = \"key.wasm\"\n";
    let gate = Gate::start_in(folder, &toml, &[]).await;
    let call = Call::post("/hook", "x");

    // A key counts from its acceptance on: what failed is no repeat.
    assert_eq!(call.send(gate.address).await.status, 502);
    assert_eq!(call.send(gate.address).await.status, 200);
    let repeat = call.send(gate.address).await;

    assert_eq!(
        (repeat.status, &repeat.json()["outcome"]),
        (200, &"duplicate".into())
    );
    upstream.next().await;
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_to_an_upstream_that_fails_half_the_time() {
    let act = |request: &Received| match request.number % 4 {
        0 => Act::status(500),
        1 => Act::Close,
        _ => Act::status(200),
    };
    let mut upstream = Upstream::start(act).await;
    let toml = hook(&upstream) + EARLY + "retry = { schedule = [\"5ms\"], attempts = 1000 }\n";
    let mut gate = Gate::start(&toml).await;

    let mut acknowledged = BTreeMap::new();
    let mut connection = Connection::open(gate.address).await;
    for number in 0..200 {
        let answer = connection
            .call(&Call::post("/hook", number.to_string()))
            .await;
        assert_eq!(answer.status, 202);
        acknowledged.insert(
            answer.field("hookgate-id").unwrap().to_owned(),
            number.to_string(),
        );
    }
    for id in acknowledged.keys() {
        gate.wait_for_log(|line| line["msg"] == "attempt delivered" && line["id"] == id.as_str())
            .await;
    }

    let mut delivered = 0;
    while delivered < 200 {
        let received = upstream.next().await;
        assert_eq!(
            acknowledged[received.field("hookgate-id").unwrap()],
            received.text()
        );
        delivered += usize::from(received.number % 4 > 1);
    }
    gate.wait_for_metric(WAITING, 0.0).await;
}
