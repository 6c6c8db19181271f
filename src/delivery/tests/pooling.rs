//! Connections: kept, replaced, and never used for two things at once.

use super::*;

#[tokio::test]
async fn a_webhook_arrives_whole_and_its_answer_comes_back() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));

    let answer = "HTTP/1.1 201 Created\r\nx-a: b\r\nconnection: x-c\r\nx-c: d\r\ncontent-length: 2\r\n\r\nok";
    let (told, request) = tokio::join!(house.hand_over(&contract), peer.answer(answer));

    assert!(
        request.head.starts_with("POST /github?a=1 HTTP/1.1\r\n"),
        "{}",
        request.head
    );
    assert_eq!(
        request.field("host"),
        Some(format!("127.0.0.1:{}", peer.port).as_str())
    );
    assert_eq!(request.field("content-length"), Some("7"));
    assert_eq!(request.field("hookgate-attempt"), Some("1"));
    assert_eq!(request.field("x-forwarded-for"), Some("192.0.2.7"));
    assert_eq!(request.body, b"{\"a\":1}");
    let Acknowledgement::Answered(answer) = told else {
        panic!("{told:?}")
    };
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.body, "ok");
    assert_eq!(answer.fields, [("x-a", "b")].into_iter().collect());
    assert_eq!(house.buffer.fill(), (0, 0));
}

#[tokio::test]
async fn the_senders_authority_is_sent_when_asked_for() {
    let (house, peer) = (House::new(), Peer::new().await);
    let settings = UpstreamSettings {
        preserve_host: true,
        ..settings("ci", "http", peer.port)
    };
    let contract = Arc::new(house.contract(Ack::Upstream, &[&upstream(settings)]));

    let (_, request) = tokio::join!(house.hand_over(&contract), peer.answer(OK));

    assert_eq!(request.field("host"), Some("hooks.example.com"));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n";
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";

    let upstream = async {
        let mut line = peer.accept().await;
        for answer in [OK, chunked, empty, OK] {
            line.request().await;
            line.say(answer).await;
        }
    };
    let sender = async {
        for expected in [200, 200, 204, 200] {
            assert_eq!(status(&house.hand_over(&contract).await), Some(expected));
        }
    };
    tokio::join!(sender, upstream);
}

#[tokio::test]
async fn a_connection_that_died_in_the_pool_costs_no_attempt() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = once(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));
    let (told, ()) = tokio::join!(house.hand_over(&contract), async {
        peer.answer(OK).await;
    });
    assert_eq!(status(&told), Some(200));

    // `answer` has closed its connection; the second webhook must not notice.
    let (told, request) = tokio::join!(house.hand_over(&contract), peer.answer(OK));

    assert_eq!(status(&told), Some(200));
    assert_eq!(request.field("hookgate-attempt"), Some("1"));
}

#[tokio::test]
async fn a_connection_with_surplus_bytes_is_not_used_again() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = once(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));
    let surplus = format!("{OK}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison");

    let (told, request) = tokio::join!(
        async {
            house.hand_over(&contract).await;
            house.hand_over(&contract).await
        },
        async {
            let mut first = peer.accept().await;
            first.request().await;
            first.say(&surplus).await;
            peer.answer(OK).await
        }
    );

    assert_eq!(request.field("hookgate-attempt"), Some("1"));
    let Acknowledgement::Answered(answer) = told else {
        panic!("{told:?}")
    };
    assert_eq!(answer.body, "ok");
}
