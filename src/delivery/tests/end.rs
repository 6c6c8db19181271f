//! The backlog, and the orderly end.

use super::*;

const UNAVAILABLE: &str = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";

/// Held, with its next attempt far away.
async fn held(house: &House, peer: &Peer) {
    let mut contract = house.contract(Ack::Buffered, &[&peer.upstream("ci")]);
    contract.policy.schedule = Schedule::Steps(vec![2 * LONG]);
    let contract = Arc::new(contract);
    let (told, _) = tokio::join!(house.hand_over(&contract), peer.answer(UNAVAILABLE));
    assert_eq!(told, Acknowledgement::Held);
}

#[tokio::test]
async fn a_flush_delivers_what_was_not_due() {
    let (house, peer) = (House::new(), Peer::new().await);
    held(&house, &peer).await;

    house.drain.request();
    let (rest, request) = tokio::join!(house.dispatch.flush(LONG), peer.answer(OK));
    house.drain.finished().await;

    assert_eq!(rest.left, []);
    assert_eq!(request.field("hookgate-attempt"), Some("2"));
    assert_eq!(house.buffer.fill(), (0, 0));
}

#[tokio::test]
async fn a_flush_names_what_it_could_not_deliver() {
    let (house, peer) = (House::new(), Peer::new().await);
    held(&house, &peer).await;

    house.drain.request();
    let grace = Duration::from_millis(100);
    let (rest, _) = tokio::join!(house.dispatch.flush(grace), peer.answer(UNAVAILABLE));

    assert_eq!(rest.left.len(), 1);
    assert_eq!(
        (&*rest.left[0].route, &*rest.left[0].upstream),
        ("github", "ci")
    );
    house.drain.finished().await;
}

#[tokio::test]
async fn a_flush_names_what_is_still_in_an_exchange() {
    let (house, peer) = (House::new(), Peer::new().await);
    held(&house, &peer).await;

    house.drain.request();
    let grace = Duration::from_millis(100);
    let (rest, line) = tokio::join!(house.dispatch.flush(grace), async {
        let mut line = peer.accept().await;
        line.request().await;
        line
    });

    assert_eq!(rest.left.len(), 1);
    drop(line);
    house.drain.finished().await;
}

#[tokio::test]
async fn while_draining_the_upstream_may_still_take_it_and_nothing_is_held() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Buffered, &[&peer.upstream("ci")]));
    let early = Arc::new(house.contract(Ack::Early, &[&peer.upstream("ci")]));
    house.drain.request();

    let (taken, _) = tokio::join!(house.hand_over(&contract), peer.answer(OK));
    let (refused, _) = tokio::join!(house.hand_over(&contract), peer.answer(UNAVAILABLE));
    let early = house.hand_over(&early).await;

    assert_eq!(status(&taken), Some(200));
    assert!(
        matches!(refused, Acknowledgement::Draining { .. }),
        "{refused:?}"
    );
    assert!(
        matches!(early, Acknowledgement::Draining { .. }),
        "{early:?}"
    );
    assert_eq!(house.buffer.fill(), (0, 0));
}

#[tokio::test]
async fn an_upstream_that_comes_back_does_not_meet_the_whole_backlog() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Early, &[&peer.upstream("ci")]));
    for _ in 0..background::PLACES + 3 {
        assert_eq!(house.hand_over(&contract).await, Acknowledgement::Held);
    }

    let mut lines = Vec::new();
    for _ in 0..background::PLACES {
        let mut line = peer.accept().await;
        line.request().await;
        lines.push(line);
    }
    assert_eq!(house.dispatch.waiting(), 3);

    // A place that becomes free is taken, over the connection that became free with it.
    lines[0].say(OK).await;
    lines[0].request().await;
    assert_eq!(house.dispatch.waiting(), 2);
}

#[test]
fn a_delivery_whose_attempt_is_torn_down_waits_again() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let house = House::new();
    runtime.block_on(async {
        let peer = Peer::new().await;
        let contract = Arc::new(house.contract(Ack::Early, &[&peer.upstream("ci")]));
        assert_eq!(house.hand_over(&contract).await, Acknowledgement::Held);
        peer.accept().await.request().await;
        assert_eq!(house.dispatch.waiting(), 0);
    });

    drop(runtime);

    assert_eq!(house.dispatch.waiting(), 1);
    assert_eq!(house.buffer.fill().0, 1);
}
