//! Repeats of what is in flight, and of what came too late for its sender.

use super::*;

fn keyed() -> Overlay {
    Overlay {
        dedupe: Some(crate::webhook::Dedupe {
            key: "evt_1".into(),
            ttl: LONG,
        }),
        ..Overlay::default()
    }
}

#[tokio::test]
async fn a_repeat_of_what_is_in_flight_waits_for_it_and_is_not_delivered() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Upstream, &[&peer.upstream("app")]));
    let upstream = async {
        let mut line = peer.accept().await;
        line.request().await;
        line.say(OK).await;
    };

    let (first, repeat, ()) = tokio::join!(
        house.hand_over_as(&contract, keyed()),
        house.hand_over_as(&contract, keyed()),
        upstream
    );

    assert_eq!(status(&first), Some(200));
    assert_eq!(repeat, Acknowledgement::Duplicate);
    assert_eq!(house.buffer.fill(), (0, 0));
}

#[tokio::test]
async fn a_repeat_takes_over_when_the_first_one_is_withdrawn() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = once(house.contract(Ack::Upstream, &[&peer.upstream("app")]));
    let upstream = async {
        let mut line = peer.accept().await;
        line.request().await;
        line.say("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
            .await;
        line.request().await;
        line.say(OK).await;
    };

    let (first, repeat, ()) = tokio::join!(
        house.hand_over_as(&contract, keyed()),
        house.hand_over_as(&contract, keyed()),
        upstream
    );

    assert_eq!(
        cause(&first),
        Some(Cause::Failing(StatusCode::INTERNAL_SERVER_ERROR))
    );
    assert_eq!(status(&repeat), Some(200));
}

#[tokio::test]
async fn an_answer_that_came_too_late_is_the_answer_to_the_senders_repeat() {
    let (house, peer) = (House::new(), Peer::new().await);
    let upstream = peer.upstream("app");
    let hasty = Arc::new(Contract {
        deadline: Duration::from_millis(20),
        ..house.contract(Ack::Upstream, &[&upstream])
    });

    let (first, mut line) = tokio::join!(house.hand_over_as(&hasty, keyed()), async {
        let mut line = peer.accept().await;
        line.request().await;
        line
    });
    assert_eq!(cause(&first), Some(Cause::Timeout));
    line.say("HTTP/1.1 201 X\r\ncontent-length: 4\r\n\r\nlate")
        .await;
    let patient = Arc::new(house.contract(Ack::Upstream, &[&upstream]));
    let repeat = house.hand_over_as(&patient, keyed()).await;

    let Acknowledgement::Answered(answer) = repeat else {
        panic!("{repeat:?}");
    };
    assert_eq!((answer.status.as_u16(), &*answer.body), (201, &b"late"[..]));
    assert_eq!(house.buffer.fill(), (0, 0));
}

#[tokio::test]
async fn without_a_key_an_attempt_ends_with_its_senders_patience() {
    let (house, peer) = (House::new(), Peer::new().await);
    let hasty = Arc::new(Contract {
        deadline: Duration::from_millis(20),
        ..house.contract(Ack::Upstream, &[&peer.upstream("app")])
    });

    let (told, is_closed) = tokio::join!(house.hand_over(&hasty), async {
        let mut line = peer.accept().await;
        line.request().await;
        line.is_closed().await
    });

    assert_eq!(cause(&told), Some(Cause::Timeout));
    assert!(is_closed);
}

#[tokio::test]
async fn a_repeat_does_not_wait_longer_than_its_sender() {
    let (house, peer) = (House::new(), Peer::new().await);
    let upstream = peer.upstream("app");
    let patient = Arc::new(house.contract(Ack::Upstream, &[&upstream]));
    let hasty = Arc::new(Contract {
        deadline: Duration::from_millis(20),
        ..house.contract(Ack::Upstream, &[&upstream])
    });

    let (first, repeat) = tokio::join!(house.hand_over_as(&patient, keyed()), async {
        let mut line = peer.accept().await;
        line.request().await;
        let repeat = house.hand_over_as(&hasty, keyed()).await;
        line.say(OK).await;
        repeat
    });

    assert_eq!(cause(&repeat), Some(Cause::Busy));
    assert_eq!(status(&first), Some(200));
}
