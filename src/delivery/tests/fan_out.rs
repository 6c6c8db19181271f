//! Several deliveries of one webhook, and repeats of them.

use super::*;
use crate::webhook::Dedupe;

const UNAVAILABLE: &str = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn each_upstream_is_retried_by_itself_and_the_first_ones_answer_counts() {
    let (house, ci, chat) = (House::new(), Peer::new().await, Peer::new().await);
    let contract =
        Arc::new(house.contract(Ack::Upstream, &[&ci.upstream("ci"), &chat.upstream("chat")]));
    let first = "HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";

    let (told, _, request) = tokio::join!(house.hand_over(&contract), ci.answer(first), async {
        chat.answer(UNAVAILABLE).await;
        chat.answer(OK).await
    });

    assert_eq!(status(&told), Some(201));
    assert_eq!(request.field("hookgate-attempt"), Some("2"));
    assert_eq!(house.buffer.fill(), (0, 0));
}

#[tokio::test]
async fn one_failure_makes_the_whole_unavailable_with_upstream() {
    let (house, ci, chat) = (House::new(), Peer::new().await, Peer::new().await);
    let contract =
        once(house.contract(Ack::Upstream, &[&ci.upstream("ci"), &chat.upstream("chat")]));

    let (told, _, _) = tokio::join!(
        house.hand_over(&contract),
        ci.answer(OK),
        chat.answer(UNAVAILABLE)
    );

    assert_eq!(
        cause(&told),
        Some(Cause::Failing(StatusCode::INTERNAL_SERVER_ERROR))
    );
}

#[tokio::test]
async fn a_fan_out_that_does_not_fit_reaches_nobody() {
    let house = House::bounded(Bounds {
        deliveries: 1,
        ..Bounds::default()
    });
    let (ci, chat) = (Peer::new().await, Peer::new().await);
    let contract =
        Arc::new(house.contract(Ack::Early, &[&ci.upstream("ci"), &chat.upstream("chat")]));

    let told = house.hand_over(&contract).await;

    assert!(matches!(told, Acknowledgement::Full { .. }), "{told:?}");
    assert_eq!(house.buffer.fill(), (0, 0));
    assert_eq!(house.dispatch.waiting(), 0);
}

#[tokio::test]
async fn an_overlay_goes_to_the_upstream_it_names_and_to_no_other() {
    let (house, ci, chat) = (House::new(), Peer::new().await, Peer::new().await);
    let contract =
        Arc::new(house.contract(Ack::Upstream, &[&ci.upstream("ci"), &chat.upstream("chat")]));
    let overlay = Overlay {
        upstream: Some("chat".into()),
        body: Some(Bytes::from_static(b"card")),
        ..Overlay::default()
    };

    let (told, request) = tokio::join!(house.hand_over_as(&contract, overlay), chat.answer(OK));

    assert_eq!(status(&told), Some(200));
    assert_eq!(request.body, b"card");
}

#[tokio::test]
async fn a_refusal_for_good_beside_a_delivery_is_a_dead_letter_with_buffered() {
    let (house, ci, chat) = (House::new(), Peer::new().await, Peer::new().await);
    let contract =
        Arc::new(house.contract(Ack::Buffered, &[&ci.upstream("ci"), &chat.upstream("chat")]));
    let gone = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n";

    let (told, _, _) = tokio::join!(house.hand_over(&contract), ci.answer(OK), chat.answer(gone));

    assert_eq!(status(&told), Some(200));
    assert_eq!(house.dead.list(&Filter::default()).len(), 1);
}

fn keyed() -> Overlay {
    let dedupe = Dedupe {
        key: "evt_1".into(),
        ttl: LONG,
    };
    Overlay {
        dedupe: Some(dedupe),
        ..Overlay::default()
    }
}

#[tokio::test]
async fn a_repeat_of_what_was_delivered_is_a_duplicate() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));

    let (told, _) = tokio::join!(house.hand_over_as(&contract, keyed()), peer.answer(OK));
    assert_eq!(status(&told), Some(200));

    assert_eq!(
        house.hand_over_as(&contract, keyed()).await,
        Acknowledgement::Duplicate
    );
}

#[tokio::test]
async fn a_repeat_of_what_failed_is_delivered() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = once(house.contract(Ack::Upstream, &[&peer.upstream("ci")]));

    let (told, _) = tokio::join!(
        house.hand_over_as(&contract, keyed()),
        peer.answer(UNAVAILABLE)
    );
    assert!(cause(&told).is_some());
    let (told, _) = tokio::join!(house.hand_over_as(&contract, keyed()), peer.answer(OK));

    assert_eq!(status(&told), Some(200));
}

#[tokio::test]
async fn a_fan_outs_repeat_goes_only_where_it_is_missing() {
    let (house, ci, chat) = (House::new(), Peer::new().await, Peer::new().await);
    let contract =
        once(house.contract(Ack::Upstream, &[&ci.upstream("ci"), &chat.upstream("chat")]));
    let (told, _, _) = tokio::join!(
        house.hand_over_as(&contract, keyed()),
        ci.answer(OK),
        chat.answer(UNAVAILABLE)
    );
    assert!(cause(&told).is_some());

    // Nobody plays `ci` this time: a call there would never be answered.
    let (told, _) = tokio::join!(house.hand_over_as(&contract, keyed()), chat.answer(OK));

    assert_eq!(status(&told), Some(200));
}
