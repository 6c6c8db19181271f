//! What the sender is told, and what goes on when it does not wait.

use super::*;

const UNAVAILABLE: &str = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn an_upstream_that_comes_back_within_the_deadline_gets_it() {
    let (house, peer) = (House::new(), Peer::new().await);
    let (port, upstream) = (peer.port, peer.upstream("ci"));
    drop(peer);
    let contract = Arc::new(house.contract(Ack::Upstream, &[&upstream]));

    let (told, request) = tokio::join!(house.hand_over(&contract), async {
        // The first attempts are refused meanwhile.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        Peer::at(port).await.answer(OK).await
    });

    assert_eq!(status(&told), Some(200));
    assert_eq!(request.body, b"{\"a\":1}");
}

#[tokio::test]
async fn every_attempt_carries_its_number_and_the_same_id() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));

    let (told, (first, second)) = tokio::join!(house.hand_over(&contract), async {
        (peer.answer(UNAVAILABLE).await, peer.answer(OK).await)
    });

    assert_eq!(status(&told), Some(200));
    assert_eq!(first.field("hookgate-attempt"), Some("1"));
    assert_eq!(second.field("hookgate-attempt"), Some("2"));
    assert_eq!(first.field("hookgate-id"), second.field("hookgate-id"));
    assert_ne!(first.field("traceparent"), second.field("traceparent"));
}

#[tokio::test]
async fn with_upstream_a_failure_beyond_the_deadline_is_the_senders_again() {
    let (house, peer) = (House::new(), Peer::new().await);
    let mut contract = house.contract(Ack::Upstream, &[&peer.upstream("ci")]);
    contract.policy.schedule = Schedule::Steps(vec![2 * LONG]);
    let contract = Arc::new(contract);

    let (told, _) = tokio::join!(house.hand_over(&contract), peer.answer(UNAVAILABLE));

    assert_eq!(
        cause(&told),
        Some(Cause::Failing(StatusCode::INTERNAL_SERVER_ERROR))
    );
    assert_eq!(house.buffer.fill(), (0, 0));
    assert!(house.dead.is_empty());
    assert_eq!(house.dispatch.waiting(), 0);
}

#[tokio::test]
async fn with_upstream_the_deadline_ends_the_exchange() {
    let (house, peer) = (House::new(), Peer::new().await);
    let mut contract = house.contract(Ack::Upstream, &[&peer.upstream("ci")]);
    contract.deadline = Duration::from_millis(50);
    let contract = Arc::new(contract);

    let (told, closed) = tokio::join!(house.hand_over(&contract), async {
        let mut line = peer.accept().await;
        line.request().await;
        line.is_closed().await
    });

    assert_eq!(cause(&told), Some(Cause::Timeout));
    assert!(closed);
}

#[tokio::test]
async fn with_buffered_a_failure_is_held_and_delivered_later() {
    let (house, peer) = (House::new(), Peer::new().await);
    let mut contract = house.contract(Ack::Buffered, &[&peer.upstream("ci")]);
    contract.policy.schedule = Schedule::Steps(vec![Duration::from_millis(50)]);
    contract.deadline = Duration::from_millis(50);
    let contract = Arc::new(contract);

    let (told, _) = tokio::join!(house.hand_over(&contract), peer.answer(UNAVAILABLE));
    assert_eq!(told, Acknowledgement::Held);
    assert_eq!(house.dispatch.waiting(), 1);

    let request = peer.answer(OK).await;
    house.drain.request();
    house.drain.finished().await;

    assert_eq!(request.field("hookgate-attempt"), Some("2"));
    assert_eq!(house.buffer.fill(), (0, 0));
}

#[tokio::test]
async fn with_buffered_an_exchange_outlives_the_deadline() {
    let (house, peer) = (House::new(), Peer::new().await);
    let mut contract = house.contract(Ack::Buffered, &[&peer.upstream("ci")]);
    contract.deadline = Duration::from_millis(50);
    let contract = Arc::new(contract);

    let (told, mut line) = tokio::join!(house.hand_over(&contract), async {
        let mut line = peer.accept().await;
        line.request().await;
        line
    });
    assert_eq!(told, Acknowledgement::Held);

    line.say(OK).await;
    house.drain.request();
    house.drain.finished().await;

    assert_eq!(house.buffer.fill(), (0, 0));
    assert!(house.dead.is_empty());
}

#[tokio::test]
async fn with_early_the_sender_is_told_before_the_upstream_hears_of_it() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Early, &[&peer.upstream("ci")]));

    assert_eq!(house.hand_over(&contract).await, Acknowledgement::Held);

    assert_eq!(peer.answer(OK).await.field("hookgate-attempt"), Some("1"));
}

#[tokio::test]
async fn a_sender_that_hangs_up_cancels_nothing() {
    for ack in [Ack::Upstream, Ack::Buffered] {
        let (house, peer) = (House::new(), Peer::new().await);
        let contract = Arc::new(house.contract(ack, &[&peer.upstream("ci")]));

        let mut line = tokio::select! {
            told = house.hand_over(&contract) => panic!("nobody answered, yet: {told:?}"),
            line = async { let mut line = peer.accept().await; line.request().await; line } => line,
        };
        line.say(UNAVAILABLE).await;
        let again = line.request().await;
        line.say(OK).await;
        house.drain.request();
        house.drain.finished().await;

        assert_eq!(again.field("hookgate-attempt"), Some("2"), "{ack:?}");
        assert_eq!(house.buffer.fill(), (0, 0));
    }
}

#[tokio::test]
async fn retry_after_is_honoured_up_to_the_cap() {
    for (asked, expected) in [("120", 120), ("99999999", 3600), ("-1", 1), ("soon", 1)] {
        let (house, peer) = (House::new(), Peer::new().await);
        let mut contract = house.contract(Ack::Upstream, &[&peer.upstream("ci")]);
        contract.policy.schedule = Schedule::Steps(vec![2 * LONG]);
        contract.policy.attempts_max = NonZeroU32::MIN;
        let contract = Arc::new(contract);
        let answer =
            format!("HTTP/1.1 503 Busy\r\nretry-after: {asked}\r\ncontent-length: 0\r\n\r\n");

        let (told, _) = tokio::join!(house.hand_over(&contract), peer.answer(&answer));

        let retry_after = Duration::from_secs(expected);
        assert_eq!(
            told,
            Acknowledgement::Unavailable {
                cause: Cause::Busy,
                retry_after
            }
        );
    }
}

#[tokio::test]
async fn a_final_refusal_is_passed_through_at_once() {
    for (code, ack) in [
        (410, Ack::Upstream),
        (422, Ack::Upstream),
        (410, Ack::Buffered),
    ] {
        let (house, peer) = (House::new(), Peer::new().await);
        let contract = Arc::new(house.contract(ack, &[&peer.upstream("ci")]));
        let answer = format!("HTTP/1.1 {code} No\r\ncontent-length: 3\r\n\r\nwhy");

        let (told, _) = tokio::join!(house.hand_over(&contract), peer.answer(&answer));

        assert_eq!(status(&told), Some(code));
        assert!(house.dead.is_empty());
    }
}

#[tokio::test]
async fn what_is_refused_for_good_after_the_202_becomes_a_dead_letter() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Early, &[&peer.upstream("ci")]));

    house.hand_over(&contract).await;
    peer.answer("HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n")
        .await;
    house.drain.request();
    house.drain.finished().await;

    let letters = house.dead.list(&Filter::default());
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (&*letters[0].upstream, &*letters[0].reason),
        ("ci", "answered 410, which is final")
    );
    assert_eq!(letters[0].attempts, 1);
    assert_eq!(house.buffer.fill(), (0, 0));
}

#[tokio::test]
async fn a_full_buffer_refuses_instead_of_forgetting() {
    let house = House::bounded(Bounds {
        deliveries: 1,
        ..Bounds::default()
    });
    let peer = Peer::new().await;
    let contract = Arc::new(house.contract(Ack::Early, &[&peer.upstream("ci")]));

    assert_eq!(house.hand_over(&contract).await, Acknowledgement::Held);
    assert!(matches!(
        house.hand_over(&contract).await,
        Acknowledgement::Full { .. }
    ));

    peer.answer(OK).await;
    house.drain.request();
    house.drain.finished().await;
    assert_eq!(house.buffer.fill(), (0, 0));
}
