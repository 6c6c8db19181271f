//! Senders that speak HTTP/2 by hand, frame by frame (RFC 9113): what a well-behaved client never does.

use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::support::frames::{
    CONTENT_LENGTH, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, NO_ERROR, NO_WINDOW, PING,
    PREFACE, REFUSED_STREAM, RST_STREAM, SETTINGS, frame, literal, next, next_flagged,
};
use crate::support::{Act, Authority, Connection, Gate, Upstream, folder, hook};

async fn gate(limits: &str, upstream: &Upstream) -> (Gate, Connection<TlsStream<TcpStream>>) {
    let authority = Authority::new();
    let folder = folder();
    authority.issue_into(folder.path(), "a", &["hooks.example.com"]);
    let tls = "[[server.tls]]\ncert = \"a.crt\"\nkey = \"a.key\"\n";
    let toml = format!("{tls}[server.limits]\n{limits}\n{}", hook(upstream));
    let gate = Gate::start_in(folder, &toml, &[]).await;
    let stream = authority
        .connect(gate.address, "hooks.example.com", &[b"h2"])
        .await
        .unwrap();
    let mut connection = Connection::over(stream);
    connection.write(PREFACE).await;
    connection.write(frame(SETTINGS, 0, 0, &[])).await;
    (gate, connection)
}

#[tokio::test]
async fn a_stream_beyond_the_limit_of_its_connection_is_refused_alone() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let (_gate, mut connection) = gate("h2_streams = 2", &upstream).await;

    for id in [1, 3, 5] {
        connection
            .write(frame(HEADERS, END_STREAM | END_HEADERS, id, &head()))
            .await;
    }
    let refused = next(&mut connection, RST_STREAM).await;
    upstream.next().await;
    upstream.next().await;
    permits.add_permits(2);
    let mut answered = [0, 0];
    for stream in &mut answered {
        (*stream, _) = next(&mut connection, HEADERS).await;
    }

    answered.sort_unstable();
    assert_eq!(refused, (5, REFUSED_STREAM.to_be_bytes().to_vec()));
    assert_eq!(answered, [1, 3]);
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_ping_between_two_calls_is_no_head_that_takes_too_long() {
    let upstream = Upstream::ok().await;
    let (_gate, mut connection) = gate("header_time = \"200ms\"\nidle = \"1s\"", &upstream).await;

    connection
        .write(frame(HEADERS, END_STREAM | END_HEADERS, 1, &head()))
        .await;
    next(&mut connection, HEADERS).await;
    let answered = Instant::now();
    connection.write(frame(PING, 0, 0, &[7; 8])).await;
    next(&mut connection, GOAWAY).await;

    assert!(
        answered.elapsed().as_millis() > 800,
        "{:?}",
        answered.elapsed()
    );
}

#[tokio::test]
async fn a_connection_on_which_no_call_comes_has_the_time_of_a_head() {
    let upstream = Upstream::ok().await;
    let (_gate, mut connection) = gate("header_time = \"200ms\"\nidle = \"1h\"", &upstream).await;

    next(&mut connection, GOAWAY).await;
}

#[tokio::test]
async fn answers_that_nobody_takes_are_held_up_to_a_bound_and_lose_their_bodies_above_it() {
    let megabyte = "a".repeat(1_000_000);
    let upstream = Upstream::start(move |_| Act::Answer(200, Vec::new(), megabyte.clone())).await;
    let (_gate, mut connection) = gate("h2_streams = 100", &upstream).await;
    connection.write(frame(SETTINGS, 0, 0, &NO_WINDOW)).await;

    let mut without_body = 0;
    for id in (1..160).step_by(2) {
        connection
            .write(frame(HEADERS, END_STREAM | END_HEADERS, id, &head()))
            .await;
        let (flags, _, head) = next_flagged(&mut connection, HEADERS).await;
        // `:status: 200` (RFC 7541, appendix A).
        assert!(head.contains(&0x88), "{head:x?}");
        without_body += u32::from(flags & END_STREAM != 0);
    }

    // 67 megabytes fit in 64 MiB.
    assert_eq!(without_body, 80 - 67);
}

#[tokio::test]
async fn a_body_that_is_reset_before_its_end_reaches_nobody_whatever_the_reset_says() {
    let mut upstream = Upstream::ok().await;
    let (gate, mut connection) = gate("", &upstream).await;
    let declared = [head(), literal(CONTENT_LENGTH, b"10")].concat();

    for (id, head) in [(1, head()), (3, declared)] {
        connection
            .write(frame(HEADERS, END_HEADERS, id, &head))
            .await;
        connection.write(frame(DATA, 0, id, b"half ")).await;
        let reset = frame(RST_STREAM, 0, id, &NO_ERROR.to_be_bytes());
        connection.write(reset).await;
    }

    gate.wait_for_metric("hookgate_unrouted_total{status=\"400\"}", 2.0)
        .await;
    assert!(upstream.is_quiet());
    // Its neighbour: the same body with its end, and a reset behind it.
    connection
        .write(frame(HEADERS, END_HEADERS, 5, &head()))
        .await;
    connection.write(frame(DATA, END_STREAM, 5, b"half ")).await;
    assert_eq!(upstream.next().await.text(), "half ");
}

#[tokio::test]
async fn a_declared_length_costs_no_memory_until_its_bytes_come() {
    let upstream = Upstream::ok().await;
    let (gate, mut connection) = gate("h2_streams = 100", &upstream).await;
    let declared = [head(), literal(CONTENT_LENGTH, b"1000000")].concat();
    let before = gate.memory();

    for id in (1..200).step_by(2) {
        connection
            .write(frame(HEADERS, END_HEADERS, id, &declared))
            .await;
    }
    // A whole call behind them: all that came before it has been read.
    connection
        .write(frame(RST_STREAM, 0, 1, &NO_ERROR.to_be_bytes()))
        .await;
    connection
        .write(frame(HEADERS, END_STREAM | END_HEADERS, 201, &head()))
        .await;
    next(&mut connection, HEADERS).await;

    let grown = gate.memory().saturating_sub(before);
    assert!(
        grown < 20 << 20,
        "{grown} bytes for bodies of which nothing came"
    );
}

/// `POST https://a/hook` in HPACK (RFC 7541): indexed where the static table has it, else literal.
fn head() -> Vec<u8> {
    [b"\x83\x87".as_slice(), b"\x04\x05/hook", b"\x01\x01a"].concat()
}
