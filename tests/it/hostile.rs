//! Upstreams that are wrong, mad or malicious: bounded, classified, counted, and nobody else's trouble.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Act, Call, Gate, Received, Upstream, hook, hook_to};

/// What such an upstream does with a connection.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Reads as far as the end of the head.
    Head,
    /// Reads the head and a short body.
    Request,
    Say(&'static str),
    /// Says this again and again, up to so many bytes, and stops where nobody listens.
    Repeat(&'static str, usize),
    /// Ends the connection without a word of farewell.
    Reset,
    /// Keeps the connection, and says nothing more.
    Hang,
}

const HUNDRED_MB: usize = 100_000_000;
const LINE: &str = "x-header: and another one, and another one, and another one\r\n";
const CHUNK: &str = "20\r\n................................\r\n";
const BEGUN: &str = "HTTP/1.1 200 OK\r\n";
const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn follow(stream: &mut TcpStream, steps: &[Step]) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for step in steps {
        match *step {
            Step::Head | Step::Request => {
                let end = if matches!(step, Step::Head) {
                    "\r\n\r\n"
                } else {
                    "\r\n\r\nx"
                };
                while memchr::memmem::find(&bytes, end.as_bytes()).is_none() {
                    stream.read_buf(&mut bytes).await?;
                }
            }
            Step::Say(words) => stream.write_all(words.as_bytes()).await?,
            Step::Repeat(words, most) => {
                let wave = words.repeat(1_000);
                for _ in 0..most.div_ceil(wave.len()) {
                    stream.write_all(wave.as_bytes()).await?;
                }
            }
            Step::Reset => socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))?,
            Step::Hang => std::future::pending().await,
        }
    }
    Ok(())
}

/// One that does the same with every connection.
async fn upstream(steps: &'static [Step]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // What the gate makes of it is what the test looks at.
            tokio::spawn(async move { follow(&mut stream, steps).await });
        }
    });
    address
}

/// Beside a route to a hostile upstream, one to another upstream that is well.
fn routes(hostile: SocketAddr, well: &Upstream) -> String {
    format!(
        "[upstreams.well]\nurl = \"{}\"\n[routes.well]\npath = \"/well\"\npublic = true\nforward = \"well\"\n{}",
        well.url(),
        hook_to(&format!("http://{hostile}"))
    ) + "max_body = \"16 MiB\"\nretry = { attempts = 1 }\n"
}

fn attempts(outcome: &str) -> String {
    format!("hookgate_delivery_attempts_total{{upstream=\"app\",outcome=\"{outcome}\"}}")
}

/// More than the sockets between the two hold.
const LARGE: usize = 12 << 20;

/// What an upstream does, to a webhook of how many bytes; what its sender hears, and how it is counted.
const CASES: &[(&[Step], usize, u16, &str)] = {
    use Step::{Hang, Head, Repeat, Request, Reset, Say};

    const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </>\r\n\r\n";
    const DECLARED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf";
    const PERHAPS_ALL: &str = "HTTP/1.1 200 OK\r\n\r\nperhaps all";
    const TOO_BIG: &str = "HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n";
    &[
        (
            &[Request, Say(BEGUN), Repeat(LINE, HUNDRED_MB), Hang],
            1,
            502,
            "too_large",
        ),
        (
            &[Request, Repeat(HINTS, HUNDRED_MB), Hang],
            1,
            502,
            "protocol",
        ),
        (
            &[Request, Say(DECLARED), Repeat("x", HUNDRED_MB)],
            1,
            502,
            "too_large",
        ),
        (
            &[Request, Say(CHUNKED), Repeat(CHUNK, HUNDRED_MB)],
            1,
            502,
            "too_large",
        ),
        (
            &[Request, Say(BEGUN), Say("\r\n"), Repeat("x", HUNDRED_MB)],
            1,
            502,
            "too_large",
        ),
        (&[Request, Say(HALF), Reset], 1, 502, "reset"),
        (&[Request, Say(PERHAPS_ALL), Reset], 1, 502, "reset"),
        (&[Head, Reset], 1, 502, "reset"),
        (&[Head, Say(OK), Hang], LARGE, 502, "protocol"),
        (&[Head, Say(TOO_BIG), Reset], LARGE, 413, "final"),
    ]
};

#[tokio::test]
async fn whatever_an_upstream_answers_is_bounded_and_classified_and_no_other_upstream_feels_it() {
    let mut well = Upstream::ok().await;
    for &(steps, size, status, outcome) in CASES {
        let gate = Gate::start(&routes(upstream(steps).await, &well)).await;
        assert_eq!(
            Call::post("/well", "x").send(gate.address).await.status,
            200
        );
        let before = gate.metric("process_resident_memory_bytes").await;

        let answer = Call::post("/hook", "x".repeat(size))
            .send(gate.address)
            .await;

        assert_eq!(answer.status, status, "{steps:?}");
        assert_eq!(gate.metric(&attempts(outcome)).await, 1.0, "{steps:?}");
        let grown = gate.metric("process_resident_memory_bytes").await - before;
        assert!(grown < f64::from(48 << 20), "{steps:?}: {grown} bytes");
        assert_eq!(
            Call::post("/well", "x").send(gate.address).await.status,
            200
        );
        well.next().await;
        well.next().await;
    }
}

#[tokio::test]
async fn a_flood_of_answers_slows_down_no_other_upstream() {
    const FLOOD: &[Step] = &[
        Step::Request,
        Step::Say(BEGUN),
        Step::Repeat(LINE, HUNDRED_MB),
    ];
    let well = Upstream::ok().await;
    let toml = routes(upstream(FLOOD).await, &well)
        .replace("attempts = 1", "schedule = [\"1ms\"], attempts = 1000")
        + "ack = \"early\"\nlossy = true\n";
    let gate = Gate::start(&toml).await;
    for _ in 0..100 {
        assert_eq!(
            Call::post("/hook", "x").send(gate.address).await.status,
            202
        );
    }

    for _ in 0..50 {
        let call = Call::post("/well", "x");
        let answer = tokio::time::timeout(Duration::from_secs(5), call.send(gate.address));
        assert_eq!(answer.await.unwrap().status, 200);
    }

    assert!(gate.metric(&attempts("too_large")).await > 1.0);
}

#[tokio::test]
async fn a_connection_that_is_reset_behind_its_answer_has_delivered_once() {
    const STEPS: &[Step] = &[Step::Request, Step::Say(OK), Step::Reset];
    let well = Upstream::ok().await;
    let gate = Gate::start(&routes(upstream(STEPS).await, &well)).await;

    for count in [1.0, 2.0, 3.0] {
        assert_eq!(
            Call::post("/hook", "x").send(gate.address).await.status,
            200
        );
        assert_eq!(gate.metric(&attempts("delivered")).await, count);
    }

    assert_eq!(gate.metric(&attempts("reset")).await, 0.0);
}

#[tokio::test]
async fn a_wait_that_nobody_can_mean_is_bounded_or_passed_over() {
    for (asked, told) in [
        ("99999999", "3600"),
        ("99999999999999999999999999", "3600"),
        ("Fri, 31 Dec 9999 23:59:59 GMT", "3600"),
        ("-5", "1"),
        ("soon", "1"),
        ("1e9", "1"),
        ("", "1"),
    ] {
        let act = move |request: &Received| match request.number {
            0 => Act::Answer(503, vec![("retry-after", asked.to_owned())], String::new()),
            _ => Act::status(200),
        };
        let upstream = Upstream::start(act).await;
        let toml = hook(&upstream) + "deadline = \"500ms\"\nretry = { schedule = [\"1h\"] }\n";
        let gate = Gate::start(&toml.replace("1h", if told == "1" { "1ms" } else { "1h" })).await;

        let answer = Call::post("/hook", "x").send(gate.address).await;

        match told {
            // As if it had said nothing: tried again by the route's own schedule.
            "1" => assert_eq!(answer.status, 200, "{asked}"),
            told => assert_eq!(
                (answer.status, answer.field("retry-after")),
                (503, Some(told)),
                "{asked}"
            ),
        }
    }
}
