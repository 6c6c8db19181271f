//! The orderly end: refuse, finish, flush, and name what is left.

use crate::support::{
    Absent, Act, Authority, Call, Connection, Gate, H2, Received, Upstream, folder, hook, hook_to,
};

const EARLY: &str = "ack = \"early\"\nlossy = true\n";

fn server(drain: &str) -> String {
    format!("[server]\nlisten = [\"127.0.0.1:0\"]\ndrain = \"{drain}\"\n")
}

async fn draining(gate: &mut Gate) {
    gate.wait_for_log(|line| line["msg"] == "draining").await;
}

#[tokio::test]
async fn nothing_to_do_is_done_at_once() {
    let upstream = Upstream::ok().await;
    for signal in ["TERM", "INT", "QUIT"] {
        let gate = Gate::start(&(server("30s") + &hook(&upstream))).await;
        let mut idle = Connection::open(gate.address).await;
        assert_eq!(idle.call(&Call::post("/hook", "x")).await.status, 200);

        gate.signal(signal);

        assert_eq!(idle.rest().await, b"", "{signal}");
        let (status, log) = gate.ended().await;
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(log.last().unwrap().contains("\"drained\""), "{log:?}");
    }
}

#[tokio::test]
async fn a_webhook_in_flight_is_answered_while_the_balancer_is_told_and_nobody_new_comes_in() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let mut gate = Gate::start(&(server("20s") + &hook(&upstream))).await;
    let mut sender = Connection::open(gate.address).await;
    sender.write(Call::post("/hook", "x").bytes()).await;
    upstream.next().await;
    assert_eq!(gate.ask(&Call::get("/ready")).await.status, 200);

    gate.signal("TERM");
    draining(&mut gate).await;

    let ready = gate.ask(&Call::get("/ready")).await;
    assert_eq!(
        (ready.status, ready.json()["reasons"][0].as_str()),
        (503, Some("draining"))
    );
    assert_eq!(gate.ask(&Call::get("/live")).await.status, 200);
    permits.add_permits(1);
    assert_eq!(sender.answer().await.status, 200);
    assert_eq!(sender.rest().await, b"");
    let address = gate.address;
    let (status, _) = gate.ended().await;
    assert_eq!(status.code(), Some(0));
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_webhook_whose_head_comes_during_the_drain_is_the_last_of_its_connection() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let mut gate = Gate::start(&(server("20s") + "workers = 1\n" + &hook(&upstream))).await;
    let mut first = Connection::open(gate.address).await;
    first.write(Call::post("/hook", "x").bytes()).await;
    upstream.next().await;
    let bytes = Call::post("/hook", "late").bytes();
    let mut late = Connection::open(gate.address).await;
    assert_eq!(late.call(&Call::post("/nowhere", "")).await.status, 404);
    late.write(&bytes[..20]).await;
    // The only worker has read the beginning by the time that it answers a later connection.
    assert_eq!(
        Call::post("/nowhere", "").send(gate.address).await.status,
        404
    );

    gate.signal("TERM");
    draining(&mut gate).await;
    late.write(&bytes[20..]).await;
    permits.add_permits(2);
    let answer = late.answer().await;

    assert_eq!(answer.status, 200);
    assert_eq!(answer.field("connection"), Some("close"));
    assert_eq!(late.rest().await, b"");
    assert_eq!(first.answer().await.status, 200);
    assert_eq!(gate.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_sender_that_has_just_connected_is_heard_and_one_that_says_nothing_holds_up_nobody() {
    let upstream = Upstream::ok().await;
    let mut gate = Gate::start(&(server("20s") + &hook(&upstream))).await;
    let mut silent = Connection::open(gate.address).await;
    let mut fresh = Connection::open(gate.address).await;

    gate.signal("TERM");
    draining(&mut gate).await;
    let answer = fresh.call(&Call::post("/hook", "x")).await;

    assert_eq!(answer.status, 200);
    assert_eq!(silent.rest().await, b"");
    assert_eq!(gate.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn a_call_over_http_2_is_answered_and_the_connection_ends() {
    let authority = Authority::new();
    let folder = folder();
    authority.issue_into(folder.path(), "a", &["hooks.example.com"]);
    let (mut upstream, permits) = Upstream::awaiting().await;
    let tls = "[[server.tls]]\ncert = \"a.crt\"\nkey = \"a.key\"\n";
    let toml = server("20s") + tls + &hook(&upstream);
    let mut gate = Gate::start_in(folder, &toml, &[]).await;
    let mut sender = H2::connect(gate.address, "hooks.example.com", &authority).await;
    let call = tokio::spawn(async move { sender.send(&Call::post("/hook", "x")).await });
    upstream.next().await;

    gate.signal("TERM");
    draining(&mut gate).await;
    permits.add_permits(1);

    assert_eq!(call.await.unwrap().status, 200);
    assert_eq!(gate.ended().await.0.code(), Some(0));
}

#[tokio::test]
async fn what_waits_is_flushed_before_it_is_due() {
    let act = |request: &Received| Act::status(if request.number < 3 { 503 } else { 200 });
    let mut upstream = Upstream::start(act).await;
    let toml = server("20s") + &hook(&upstream) + EARLY + "retry = { schedule = [\"1h\"] }\n";
    let mut gate = Gate::start(&toml).await;
    let mut ids = Vec::new();
    for body in ["one", "two", "three"] {
        let answer = Call::post("/hook", body).send(gate.address).await;
        let id = answer.field("hookgate-id").unwrap().to_owned();
        gate.wait_for_log(|line| line["msg"] == "delivery waits" && line["id"] == id.as_str())
            .await;
        upstream.next().await;
        ids.push(id);
    }

    gate.signal("TERM");
    let (status, log) = gate.ended().await;

    assert_eq!(status.code(), Some(0), "{log:?}");
    for _ in &ids {
        let received = upstream.next().await;
        assert!(
            ids.iter()
                .any(|id| received.field("hookgate-id") == Some(id))
        );
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_sender_that_waits_for_a_retry_gets_it() {
    let mut upstream = Upstream::answers(&[503, 200]).await;
    let toml = server("20s") + &hook(&upstream) + "retry = { schedule = [\"300ms\"] }\n";
    let mut gate = Gate::start(&toml).await;
    let mut sender = Connection::open(gate.address).await;
    sender.write(Call::post("/hook", "x").bytes()).await;
    gate.wait_for_log(|line| line["msg"] == "delivery waits")
        .await;

    gate.signal("TERM");

    assert_eq!(sender.answer().await.status, 200);
    assert_eq!(gate.ended().await.0.code(), Some(0));
    upstream.next().await;
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_sender_that_would_wait_beyond_the_grace_is_told_to_come_back() {
    let mut upstream = Upstream::answers(&[503]).await;
    let patient = "deadline = \"1h\"\nretry = { schedule = [\"30m\"] }\n";
    let mut gate = Gate::start(&(server("2s") + &hook(&upstream) + patient)).await;
    let mut sender = Connection::open(gate.address).await;
    sender.write(Call::post("/hook", "x").bytes()).await;
    gate.wait_for_log(|line| line["msg"] == "delivery waits")
        .await;

    gate.signal("TERM");

    // Tried once more, and then the sender has it again: nothing was acknowledged.
    let answer = sender.answer().await;
    assert_eq!(
        (answer.status, answer.field("retry-after")),
        (503, Some("5"))
    );
    assert_eq!(gate.ended().await.0.code(), Some(0));
    assert_eq!(upstream.next().await.field("hookgate-attempt"), Some("1"));
    assert_eq!(upstream.next().await.field("hookgate-attempt"), Some("2"));
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn what_cannot_be_delivered_is_named_once_and_the_exit_says_so() {
    let absent = Absent::new();
    let toml =
        server("1s") + &hook_to(&absent.url()) + EARLY + "retry = { schedule = [\"200ms\"] }\n";
    let mut gate = Gate::start(&toml).await;
    let answer = Call::post("/hook", "x").send(gate.address).await;
    let id = answer.field("hookgate-id").unwrap().to_owned();
    gate.wait_for_log(|line| line["msg"] == "delivery waits")
        .await;

    gate.signal("TERM");
    let (status, log) = gate.ended().await;

    assert_eq!(status.code(), Some(75));
    let lost: Vec<serde_json::Value> = log
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["msg"] == "acknowledged delivery lost")
        .collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(
        (&lost[0]["id"], &lost[0]["route"]),
        (&id.into(), &"hook".into())
    );
    assert_eq!(lost[0]["upstream"], "app");
    assert!(
        log.last()
            .unwrap()
            .contains("drained, deliveries were lost"),
        "{log:?}"
    );
}

#[tokio::test]
async fn dead_letters_that_nobody_keeps_are_named_too_and_what_was_discarded_is_not() {
    let mut upstream = Upstream::answers(&[410, 410, 410]).await;
    let mut gate = Gate::start(&(server("20s") + &hook(&upstream) + EARLY)).await;
    let mut ids = Vec::new();
    for body in ["one", "two", "three"] {
        let answer = Call::post("/hook", body).send(gate.address).await;
        let id = answer.field("hookgate-id").unwrap().to_owned();
        gate.wait_for_log(|line| line["msg"] == "delivery given up" && line["id"] == id.as_str())
            .await;
        upstream.next().await;
        ids.push(id);
    }
    let discard = format!("/api/dead-letters/discard?id={}", ids[1]);
    assert_eq!(gate.ask(&Call::post(&discard, "")).await.status, 200);

    gate.signal("TERM");
    let (status, log) = gate.ended().await;

    assert_eq!(status.code(), Some(75), "{log:?}");
    let log: Vec<serde_json::Value> = log
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let lost = log.iter().filter(|line| line["msg"] == "dead letter lost");
    let lost: Vec<_> = lost.map(|line| line["id"].as_str().unwrap()).collect();
    assert_eq!(lost, [&*ids[0], &*ids[2]]);
    let last = log.last().unwrap();
    assert_eq!(last["msg"], "drained, deliveries were lost");
    assert_eq!(
        (&last["left"], &last["dead_letters"]),
        (&0.into(), &2.into())
    );
}

#[tokio::test]
async fn what_an_upstream_never_answers_is_named_once_too() {
    let mut upstream = Upstream::start(|_| Act::Hang).await;
    let gate = Gate::start(&(server("1s") + &hook(&upstream) + EARLY)).await;
    let answer = Call::post("/hook", "x").send(gate.address).await;
    upstream.next().await;

    gate.signal("TERM");
    let (status, log) = gate.ended().await;

    let id = answer.field("hookgate-id").unwrap();
    let lost: Vec<_> = log
        .iter()
        .filter(|line| line.contains("acknowledged delivery lost"))
        .collect();
    assert_eq!((status.code(), lost.len()), (Some(75), 1), "{log:?}");
    assert!(lost[0].contains(id), "{lost:?}");
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut upstream = Upstream::start(|_| Act::Hang).await;
    let mut gate = Gate::start(&(server("1h") + &hook(&upstream))).await;
    let mut sender = Connection::open(gate.address).await;
    sender.write(Call::post("/hook", "x").bytes()).await;
    upstream.next().await;

    gate.signal("TERM");
    draining(&mut gate).await;
    gate.signal("HUP"); // a reload is too late, and no second request to stop
    assert_eq!(gate.ask(&Call::get("/live")).await.status, 200);
    gate.signal("TERM");

    assert_eq!(gate.ended().await.0.code(), Some(3));
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_what_is_held() {
    let upstream = Upstream::answers(&[503]).await;
    let route = hook(&upstream).replace(
        "public = true",
        "public = true\nack = \"early\"\nlossy = true",
    );
    let mut gate = Gate::start(&(server("1h") + &route)).await;
    let held = Call::post("/hook", "x").send(gate.address).await;
    assert_eq!(held.status, 202);

    gate.signal("TERM");
    draining(&mut gate).await;
    gate.signal("TERM");

    assert_eq!(gate.ended().await.0.code(), Some(3));
}
