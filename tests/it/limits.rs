//! What a sender may use before it has sent a webhook.

use crate::support::{Call, Connection, Gate, Upstream, hook};

fn limits(limits: &str, upstream: &Upstream) -> String {
    format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\nlimits = {{ {limits} }}\n{}",
        hook(upstream)
    )
}

fn chunked(target: &str, chunks: &[&str]) -> Call {
    let chunk = |chunk: &&str| format!("{:x}\r\n{chunk}\r\n", chunk.len());
    let body = chunks.iter().map(chunk).collect::<String>() + "0\r\n\r\n";
    Call::post(target, body).field("transfer-encoding", "chunked")
}

#[tokio::test]
async fn a_body_at_the_bound_is_taken_and_a_byte_more_is_413() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&format!("{}max_body = \"10 B\"\n", hook(&upstream))).await;

    let declared = Call::post("/hook", "0123456789").send(gate.address).await;
    let chunks = chunked("/hook", &["01234", "56789"])
        .send(gate.address)
        .await;
    let declared_more = Call::post("/hook", "0123456789a").send(gate.address).await;
    let chunks_more = chunked("/hook", &["01234", "56789", "a"])
        .send(gate.address)
        .await;

    assert_eq!((declared.status, chunks.status), (200, 200));
    assert_eq!((declared_more.status, chunks_more.status), (413, 413));
    assert_eq!(upstream.next().await.text(), "0123456789");
    assert_eq!(upstream.next().await.text(), "0123456789");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_declared_length_is_refused_before_the_body_comes() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;

    let mut connection = Connection::open(gate.address).await;
    let call = Call::post("/hook", "").field("content-length", "1048577");
    let answer = connection.call(&call).await;

    assert_eq!(
        (answer.status, answer.field("connection")),
        (413, Some("close"))
    );
    assert_eq!(connection.rest().await, b"");
}

#[tokio::test]
async fn a_continue_is_said_only_when_the_body_is_wanted() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&hook(&upstream)).await;
    let asking = |target, length| {
        Call::post(target, "")
            .field("expect", "100-continue")
            .field("content-length", length)
    };

    let mut wanted = Connection::open(gate.address).await;
    wanted.write(asking("/hook", "4").bytes()).await;
    assert_eq!(wanted.read(25).await, b"HTTP/1.1 100 Continue\r\n\r\n");
    wanted.write("body").await;
    assert_eq!(wanted.answer().await.status, 200);
    assert_eq!(upstream.next().await.text(), "body");

    for (target, length, status) in [("/nowhere", "4", 404), ("/hook", "1048577", 413)] {
        let answer = asking(target, length).send(gate.address).await;
        assert_eq!(answer.status, status, "{target}");
    }
}

#[tokio::test]
async fn a_body_that_trickles_is_408() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&format!("{}body_time = \"200ms\"\n", hook(&upstream))).await;

    let mut connection = Connection::open(gate.address).await;
    let call = Call::post("/hook", "ab").field("content-length", "3");
    let answer = connection.call(&call).await;

    assert_eq!(
        (answer.status, answer.field("connection")),
        (408, Some("close"))
    );
    assert_eq!(connection.rest().await, b"");
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_body_that_breaks_off_reaches_nobody() {
    let mut upstream = Upstream::ok().await;
    let mut gate = Gate::start(&hook(&upstream)).await;

    let mut declared = Connection::open(gate.address).await;
    declared
        .write(
            Call::post("/hook", "ab")
                .field("content-length", "3")
                .bytes(),
        )
        .await;
    drop(declared);
    gate.wait_for_log(|line| line["reason"] == "the body broke off")
        .await;
    let mut chunks = Connection::open(gate.address).await;
    let call = Call::post("/hook", "2\r\nab\r\n").field("transfer-encoding", "chunked");
    chunks.write(call.bytes()).await;
    drop(chunks);

    gate.wait_for_metric("hookgate_unrouted_total{status=\"400\"}", 2.0)
        .await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_head_that_trickles_is_408() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&limits("header_time = \"300ms\"", &upstream)).await;

    let mut begun = Connection::open(gate.address).await;
    begun.write("POST /hook HTTP/1.1\r\nhost: a\r\n").await;
    let mut silent = Connection::open(gate.address).await;
    let mut second = Connection::open(gate.address).await;
    assert_eq!(second.call(&Call::post("/hook", "x")).await.status, 200);
    second.write("POST /hook HTTP/1.1\r\nhost: a\r\n").await;

    for connection in [&mut begun, &mut silent, &mut second] {
        let answer = connection.answer().await;
        assert_eq!(
            (answer.status, answer.field("connection")),
            (408, Some("close"))
        );
        assert_eq!(connection.rest().await, b"");
    }
}

#[tokio::test]
async fn a_head_that_trickles_behind_a_call_is_408() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&limits("header_time = \"300ms\"", &upstream)).await;
    let mut pipelined = Connection::open(gate.address).await;
    let mut both = Call::post("/hook", "x").bytes();
    both.extend(b"POST /hook HTTP/1.1\r\nhost: a\r\nx: ");

    pipelined.write(both).await;
    let answered = pipelined.answer().await.status;
    let late = pipelined.answer().await;

    assert_eq!((answered, late.status), (200, 408));
    assert_eq!(pipelined.rest().await, b"");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_431() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&limits("header_bytes = \"2 KiB\"", &upstream)).await;
    let with = |bytes| Call::post("/hook", "x").field("x-long", &"a".repeat(bytes));

    assert_eq!(with(1_900).send(gate.address).await.status, 200);
    assert_eq!(with(2_100).send(gate.address).await.status, 431);
}

#[tokio::test]
async fn a_head_of_too_many_fields_is_431() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&limits("headers = 10", &upstream)).await;
    // `Host` and `Content-Length` are fields too.
    let with =
        |count| (0..count - 2).fold(Call::post("/hook", "x"), |call, _| call.field("a", "b"));

    assert_eq!(with(10).send(gate.address).await.status, 200);
    assert_eq!(with(11).send(gate.address).await.status, 431);
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    // Nothing else ends within the test.
    let toml = limits("idle = \"1s\", header_time = \"1h\"", &upstream) + "deadline = \"1h\"\n";
    let gate = Gate::start(&toml).await;
    let mut busy = Connection::open(gate.address).await;
    busy.write(Call::post("/hook", "busy").bytes()).await;
    upstream.next().await;
    let mut idle = Connection::open(gate.address).await;
    assert_eq!(idle.call(&Call::post("/elsewhere", "")).await.status, 404);

    assert_eq!(idle.rest().await, b"");
    assert!(busy.is_quiet());
    permits.add_permits(1);
    assert_eq!(busy.answer().await.status, 200);
}

#[tokio::test]
async fn a_full_house_lets_nobody_in_until_somebody_leaves() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&limits("connections = 2", &upstream)).await;
    let call = Call::post("/hook", "x");
    let (mut first, mut second) = (
        Connection::open(gate.address).await,
        Connection::open(gate.address).await,
    );
    assert_eq!(first.call(&call).await.status, 200);
    assert_eq!(second.call(&call).await.status, 200);

    let mut third = Connection::open(gate.address).await;
    third.write(call.bytes()).await;
    for _ in 0..10 {
        assert_eq!(first.call(&call).await.status, 200);
    }

    assert!(third.is_quiet());
    drop(second);
    assert_eq!(third.answer().await.status, 200);
}

#[tokio::test]
async fn a_full_house_still_answers_its_operators() {
    let upstream = Upstream::ok().await;
    let gate = Gate::start(&limits("connections = 1", &upstream)).await;
    let mut only = Connection::open(gate.address).await;
    assert_eq!(only.call(&Call::post("/hook", "x")).await.status, 200);

    assert_eq!(gate.ask(&Call::get("/ready")).await.status, 200);
}
