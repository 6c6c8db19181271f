//! What upstreams answer, and what does not count as an answer.

use super::*;

async fn told(answer: &str) -> Acknowledgement {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = once(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));
    let (told, _) = tokio::join!(house.hand_over(&contract), peer.answer(answer));
    assert_eq!(house.buffer.fill(), (0, 0));
    told
}

#[tokio::test]
async fn a_truncated_answer_is_a_failure_whatever_its_status() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "",
    ] {
        assert_eq!(cause(&told(answer).await), Some(Cause::Broken), "{answer}");
    }
}

#[tokio::test]
async fn what_is_not_an_answer_is_a_failure() {
    for answer in [
        "SSH-2.0-OpenSSH_9.6\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok",
    ] {
        assert_eq!(cause(&told(answer).await), Some(Cause::Broken), "{answer}");
    }
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let answer = format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n{OK}");

    assert_eq!(status(&told(&answer).await), Some(200));
}

#[tokio::test]
async fn an_answer_at_the_bound_passes_and_one_byte_more_is_a_failure() {
    let mebibyte = "x".repeat(1 << 20);
    let head = "HTTP/1.1 200 OK\r\n";

    let fits = format!("{head}content-length: 1048576\r\n\r\n{mebibyte}");
    assert_eq!(status(&told(&fits).await), Some(200));

    let declared = format!("{head}content-length: 1048577\r\n\r\n");
    assert_eq!(cause(&told(&declared).await), Some(Cause::Broken));
    let undeclared = format!("{head}transfer-encoding: chunked\r\n\r\n100001\r\n{mebibyte}x");
    assert_eq!(cause(&told(&undeclared).await), Some(Cause::Broken));
}

#[tokio::test]
async fn an_endless_head_is_a_failure() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-a: b\r\n".repeat(101));
    assert_eq!(cause(&told(&many).await), Some(Cause::Broken));

    let long = format!("HTTP/1.1 200 OK\r\nx-a: {}\r\n\r\n", "x".repeat(65 << 10));
    assert_eq!(cause(&told(&long).await), Some(Cause::Broken));
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_nobody_follows_it() {
    let (house, peer, elsewhere) = (House::new(), Peer::new().await, Peer::new().await);
    let contract = once(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));
    let redirect = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{}/\r\ncontent-length: 0\r\n\r\n",
        elsewhere.port
    );

    let (told, _) = tokio::join!(house.hand_over(&contract), peer.answer(&redirect));

    assert_eq!(
        cause(&told),
        Some(Cause::Failing(StatusCode::TEMPORARY_REDIRECT))
    );
    let mut visit = Box::pin(elsewhere.listener.accept());
    assert!(
        Future::poll(
            visit.as_mut(),
            &mut std::task::Context::from_waker(std::task::Waker::noop())
        )
        .is_pending()
    );
}

#[tokio::test]
async fn a_slow_answer_times_out_and_its_connection_is_closed() {
    for begun in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nslow",
    ] {
        let (house, peer) = (House::new(), Peer::new().await);
        let settings = UpstreamSettings {
            timeout: Duration::from_millis(50),
            ..settings("ci", "http", peer.port)
        };
        let contract = once(house.contract(Ack::Upstream, &[&upstream(settings)]));

        let (told, closed) = tokio::join!(house.hand_over(&contract), async {
            let mut line = peer.accept().await;
            line.request().await;
            line.say(begun).await;
            line.is_closed().await
        });

        assert_eq!(cause(&told), Some(Cause::Timeout), "{begun}");
        assert!(closed);
    }
}

#[tokio::test]
async fn a_2xx_before_the_webhook_was_sent_is_no_delivery_and_a_refusal_is_one() {
    for (answer, expected) in [
        (OK, Some(Cause::Broken)),
        (
            "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n",
            Some(Cause::Failing(StatusCode::PAYLOAD_TOO_LARGE)),
        ),
    ] {
        let (house, peer) = (House::new(), Peer::new().await);
        let contract = once(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));
        let mut large = Arc::try_unwrap(webhook()).unwrap();
        // More than the two sockets hold: the upstream never reads.
        large.body = Bytes::from(vec![b' '; 32 << 20]);

        let (told, _line) = tokio::join!(
            house
                .dispatch
                .take_over(Arc::new(large), vec![Overlay::default()], None, &contract),
            async {
                let mut line = peer.accept().await;
                line.say(answer).await;
                line
            }
        );

        let final_answer = status(&told).map(|_| Cause::Failing(StatusCode::PAYLOAD_TOO_LARGE));
        assert_eq!(cause(&told).or(final_answer), expected, "{answer}");
    }
}
