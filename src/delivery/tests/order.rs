//! Order by key.

use super::*;
use crate::delivery::{Filter, Wait, Wanted, Whereabouts};

fn keyed(key: &str) -> Overlay {
    Overlay {
        ordering_key: Some(key.into()),
        body: Some(Bytes::copy_from_slice(key.as_bytes())),
        ..Overlay::default()
    }
}

#[tokio::test]
async fn a_delivery_waits_for_the_one_before_it_and_not_for_other_keys() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Early, &[&peer.upstream("app")]));
    for key in ["a", "a", "b"] {
        house.hand_over_as(&contract, keyed(key)).await;
    }

    let mut first = peer.accept().await;
    let mut other = peer.accept().await;
    let bodies = [first.request().await.body, other.request().await.body];
    assert_eq!(bodies, [b"a", b"b"]);
    other.say(OK).await;
    // It fails, and the second one still waits for it.
    first
        .say("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
        .await;

    let again = first.request().await;
    assert_eq!(
        (again.field("hookgate-attempt"), &*again.body),
        (Some("2"), &b"a"[..])
    );
    first.say(OK).await;
    let second = first.request().await;
    assert_eq!(second.field("hookgate-attempt"), Some("1"));
    first.say(OK).await;
}

#[tokio::test]
async fn a_sender_waits_for_the_delivery_before_its_own() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = Arc::new(house.contract(Ack::Upstream, &[&peer.upstream("app")]));
    let upstream = async {
        let mut line = peer.accept().await;
        let first = line.request().await;
        line.say(OK).await;
        let second = line.request().await;
        line.say(OK).await;
        [first, second]
    };

    let (first, second, requests) = tokio::join!(
        house.hand_over_as(&contract, keyed("a")),
        house.hand_over_as(&contract, keyed("a")),
        upstream
    );

    assert_eq!((status(&first), status(&second)), (Some(200), Some(200)));
    assert_eq!(requests.map(|request| request.body), [b"a", b"a"]);
}

#[tokio::test]
async fn what_is_given_up_lets_the_next_one_pass() {
    let (house, peer) = (House::new(), Peer::new().await);
    let contract = once(house.contract(Ack::Early, &[&peer.upstream("app")]));
    for _ in 0..2 {
        house.hand_over_as(&contract, keyed("a")).await;
    }

    let mut line = peer.accept().await;
    for answer in ["HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n", OK] {
        assert_eq!(line.request().await.field("hookgate-attempt"), Some("1"));
        line.say(answer).await;
    }
    house.drain.request();
    assert_eq!(house.dispatch.flush(LONG).await.left, []);
    assert_eq!(house.dead.len(), 1);
}

#[tokio::test]
async fn what_waits_for_the_one_before_it_says_so_and_goes_when_that_is_discarded() {
    let (house, peer) = (House::new(), Peer::new().await);
    let policy = Policy {
        schedule: Schedule::Steps(vec![Duration::from_secs(3600)]),
        ..Policy::default()
    };
    let contract = Arc::new(Contract {
        policy,
        ..house.contract(Ack::Early, &[&peer.upstream("app")])
    });
    house.hand_over_as(&contract, keyed("a")).await;
    let mut line = peer.accept().await;
    line.request().await;
    line.say("HTTP/1.1 500 X\r\ncontent-length: 0\r\n\r\n")
        .await;
    // Whose wait is this, once somebody's is.
    let waits = async |for_what: Wait| {
        let wanted = Wanted {
            max: 9,
            ..Wanted::default()
        };
        loop {
            tokio::task::yield_now().await;
            let held = Dispatch::held(std::slice::from_ref(&house.dispatch), &wanted);
            for found in held.found {
                if let Whereabouts::Waiting { wait, .. } = found.whereabouts
                    && wait == for_what
                {
                    return found.id;
                }
            }
        }
    };
    let first = waits(Wait::Schedule).await;
    house.hand_over_as(&contract, keyed("a")).await;
    assert_ne!(waits(Wait::Order).await, first);

    let filter = Filter {
        id: Some(first),
        ..Filter::default()
    };
    let moved = Dispatch::discard(std::slice::from_ref(&house.dispatch), &filter);

    assert_eq!(moved.moved, 1);
    let next = line.request().await;
    assert_eq!(next.field("hookgate-attempt"), Some("1"));
    line.say(OK).await;
}
