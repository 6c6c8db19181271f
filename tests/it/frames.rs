//! HTTP/2 by hand, frame by frame (RFC 9113): limits that a well-behaved client never meets.

use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

use crate::support::{Act, Authority, Connection, Gate, Upstream, folder, hook};

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const REFUSED_STREAM: u32 = 7;
/// `SETTINGS_INITIAL_WINDOW_SIZE` of 0: not a byte of a body is let out.
const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];

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
    connection.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
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

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `POST https://a/hook` in HPACK (RFC 7541): indexed where the static table has it, else literal.
fn head() -> Vec<u8> {
    [b"\x83\x87".as_slice(), b"\x04\x05/hook", b"\x01\x01a"].concat()
}

/// Stream and payload of the next frame of a kind.
async fn next<T>(connection: &mut Connection<T>, kind: u8) -> (u32, Vec<u8>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    let (_flags, stream, payload) = next_flagged(connection, kind).await;
    (stream, payload)
}

/// Flags, stream and payload of the next frame of a kind.
async fn next_flagged<T>(connection: &mut Connection<T>, kind: u8) -> (u8, u32, Vec<u8>)
where
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        let head = connection.read(9).await;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let payload = connection.read(usize::try_from(length).unwrap()).await;
        if head[3] == kind {
            return (
                head[4],
                u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
                payload,
            );
        }
    }
}
