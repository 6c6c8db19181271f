//! Upstreams that speak HTTP/2 (RFC 9113), frame by frame: what counts as an answer, and what as never
//! sent.

use serde_json::Value;

use crate::support::frames::{
    CONTENT_LENGTH, DATA, END_HEADERS, GOAWAY, HEADERS, INTERNAL_ERROR, NO_ERROR, NO_WINDOW,
    REFUSED_STREAM, RST_STREAM, WINDOW_UPDATE, literal,
};
use crate::support::{Answer, Call, Gate, Streams};

/// How an upstream ends the stream of a webhook: the kind, stream and payload of a frame.
type Ending = fn(u32) -> (u8, u32, Vec<u8>);

/// Each webhook is tried once, so that one failure is the answer.
async fn gate(upstream: &Streams) -> Gate {
    let toml = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 1\n\
         [upstreams.app]\nurl = \"{}\"\nhttp2 = true\ntimeout = \"500ms\"\n\
         breaker = {{ failures = 1000 }}\n\
         [routes.hook]\npath = \"/hook\"\npublic = true\nforward = \"app\"\n\
         retry = {{ attempts = 1 }}\n",
        upstream.url()
    );
    Gate::start(&toml).await
}

async fn call(gate: &Gate) -> Answer {
    Call::post("/hook", "webhook").send(gate.address).await
}

/// What the gate says of its last attempt.
async fn attempted(gate: &mut Gate, outcome: &str) -> String {
    let attempted = gate.wait_for_log(|line| line["outcome"] == outcome).await;
    attempted["reason"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none_whatever_the_reason_given() {
    for code in [NO_ERROR, INTERNAL_ERROR] {
        for kind in [RST_STREAM, GOAWAY] {
            for declared in [b"".to_vec(), literal(CONTENT_LENGTH, b"9")] {
                let upstream = Streams::new().await;
                let mut gate = gate(&upstream).await;
                let half = async {
                    let mut line = upstream.accept().await;
                    let stream = line.webhook().await;
                    let head = [b"\x88".to_vec(), declared].concat();
                    line.say(HEADERS, END_HEADERS, stream, &head).await;
                    line.say(DATA, 0, stream, b"half").await;
                    let code = code.to_be_bytes();
                    let (on, payload) = match kind {
                        RST_STREAM => (stream, code.to_vec()),
                        _ => (0, [stream.to_be_bytes(), code].concat()),
                    };
                    line.say(kind, 0, on, &payload).await;
                };

                let (answer, ()) = tokio::join!(call(&gate), half);

                assert_eq!(answer.status, 502, "{}", gate.log().join("\n"));
                attempted(&mut gate, "reset").await;
            }
        }
    }
}

#[tokio::test]
async fn an_upstream_that_answers_before_the_webhook_was_sent_has_not_taken_it() {
    let upstream = Streams::new().await;
    let mut gate = gate(&upstream).await;
    let (_, mut line) = tokio::join!(call(&gate), upstream.accept_and_answer());
    line.set(&NO_WINDOW).await;

    let patient = async {
        let stream = line.head().await;
        line.say(WINDOW_UPDATE, 0, stream, &100_u32.to_be_bytes())
            .await;
        line.answer().await;
    };
    let (taken, ()) = tokio::join!(call(&gate), patient);
    let hasty = async {
        let stream = line.head().await;
        line.ok(stream).await;
    };
    let (refused, ()) = tokio::join!(call(&gate), hasty);
    // The stream that never ends takes up no place in a connection that is used.
    let (next, _line) = tokio::join!(call(&gate), upstream.accept_and_answer());

    let answered = [taken.status, refused.status, next.status];
    assert_eq!(answered, [200, 502, 200]);
    let reason = attempted(&mut gate, "protocol").await;
    assert_eq!(reason, "answered before the webhook was sent");
    // And it keeps no drain waiting.
    gate.signal("TERM");
    let (status, log) = gate.ended().await;
    assert!(status.success(), "{}", log.join("\n"));
}

#[tokio::test]
async fn a_connection_on_which_no_call_is_answered_any_more_is_given_up_by_the_first_late_one() {
    let upstream = Streams::new().await;
    let gate = gate(&upstream).await;

    let (first, mut silent) = tokio::join!(call(&gate), upstream.accept_and_answer());
    let (late, _) = tokio::join!(call(&gate), silent.webhook());
    let (third, _line) = tokio::join!(call(&gate), upstream.accept_and_answer());

    let answered = [first.status, late.status, third.status];
    assert_eq!(answered, [200, 504, 200]);
}

#[tokio::test]
async fn a_connection_on_which_others_are_answered_is_kept_when_one_is_late() {
    let upstream = Streams::new().await;
    let gate = gate(&upstream).await;
    let (_, mut line) = tokio::join!(call(&gate), upstream.accept_and_answer());

    let one_of_two = async {
        line.webhook().await;
        line.answer().await;
    };
    let (one, other, ()) = tokio::join!(call(&gate), call(&gate), one_of_two);
    let (next, ()) = tokio::join!(call(&gate), line.answer());

    let mut answered = [one.status, other.status];
    answered.sort_unstable();
    assert_eq!((answered, next.status), ([200, 504], 200));
}

#[tokio::test]
async fn a_webhook_that_an_upstream_refused_unread_goes_over_a_fresh_connection_at_once() {
    let refused = |stream: u32| (RST_STREAM, stream, REFUSED_STREAM.to_be_bytes().to_vec());
    let beyond_the_last = |_| (GOAWAY, 0, vec![0; 8]);
    let ways: [Ending; 2] = [refused, beyond_the_last];
    for refusal in ways {
        let upstream = Streams::new().await;
        let mut gate = gate(&upstream).await;
        let twice = async {
            let mut line = upstream.accept().await;
            let (kind, stream, payload) = refusal(line.webhook().await);
            line.say(kind, 0, stream, &payload).await;
            (line, upstream.accept_and_answer().await)
        };

        let (answer, _lines) = tokio::join!(call(&gate), twice);

        assert_eq!(answer.status, 200);
        let attempt = |line: &Value| line["msg"] == "attempt delivered";
        assert_eq!(gate.wait_for_log(attempt).await["attempt"], 1);
    }
}

#[tokio::test]
async fn a_webhook_that_an_upstream_may_have_begun_with_is_not_sent_twice() {
    // An error that refuses nothing, and a goodbye that takes this stream in.
    let failed = |stream: u32| (RST_STREAM, stream, INTERNAL_ERROR.to_be_bytes().to_vec());
    let last = |stream: u32| (GOAWAY, 0, [stream.to_be_bytes(), [0; 4]].concat());
    let ways: [Ending; 2] = [failed, last];
    for ending in ways {
        let upstream = Streams::new().await;
        let mut gate = gate(&upstream).await;
        let once = async {
            let mut line = upstream.accept().await;
            let (kind, stream, payload) = ending(line.webhook().await);
            line.say(kind, 0, stream, &payload).await;
        };

        let (answer, ()) = tokio::join!(call(&gate), once);

        assert_eq!(answer.status, 502);
        attempted(&mut gate, "reset").await;
    }
}
