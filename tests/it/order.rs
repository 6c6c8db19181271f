//! What is about the same thing is delivered one after the other, and waits for nothing else.

use crate::support::{Act, Call, Gate, Upstream, hook};

/// The sender is answered at once, and the upstream's failures are tried again soon.
fn in_order(upstream: &Upstream, with: &str) -> String {
    hook(upstream)
        + "ack = \"early\"\nlossy = true\nretry = { schedule = [\"50ms\"] }\n"
        + &format!("[[routes.hook.plugins]]\nuse = \"order\"\nwith = {{ {with} }}\n")
}

async fn held(gate: &Gate, body: &str) {
    let answer = Call::post("/hook", body).send(gate.address).await;
    assert_eq!(answer.status, 202, "{body}");
}

#[tokio::test]
async fn a_webhook_waits_for_the_one_before_it_and_for_no_other() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let gate = Gate::start(&in_order(&upstream, "pointer = \"/invoice\"")).await;

    for body in [
        r#"{"invoice":7,"state":"sent"}"#,
        r#"{"invoice":7,"state":"paid"}"#,
        r#"{"invoice":"8","state":"sent"}"#,
    ] {
        held(&gate, body).await;
    }

    let mut first = [upstream.next().await.text(), upstream.next().await.text()];
    first.sort();
    assert_eq!(
        first,
        [
            r#"{"invoice":"8","state":"sent"}"#,
            r#"{"invoice":7,"state":"sent"}"#
        ]
    );
    assert!(upstream.is_quiet());
    permits.add_permits(3);
    let last = upstream.next().await.text();
    assert_eq!(last, r#"{"invoice":7,"state":"paid"}"#);
}

#[tokio::test]
async fn a_webhook_waits_until_the_one_before_it_has_been_tried_again() {
    let mut upstream = Upstream::answers(&[503, 503, 200]).await;
    let gate = Gate::start(&in_order(&upstream, "header = \"X-Invoice\"")).await;

    for body in ["sent", "paid"] {
        let call = Call::post("/hook", body).field("x-invoice", "7");
        assert_eq!(call.send(gate.address).await.status, 202);
    }

    for body in ["sent", "sent", "sent", "paid"] {
        assert_eq!(upstream.next().await.text(), body);
    }
}

#[tokio::test]
async fn a_webhook_waits_for_one_that_came_before_its_route_was_away() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let toml = in_order(&upstream, "pointer = \"/invoice\"");
    let mut gate = Gate::start(&toml).await;
    held(&gate, r#"{"invoice":7,"state":"sent"}"#).await;
    assert!(upstream.next().await.text().contains("sent"));

    gate.apply(&toml.replace("routes.hook", "routes.other"))
        .await;
    gate.apply(&toml).await;
    held(&gate, r#"{"invoice":7,"state":"paid"}"#).await;
    held(&gate, r#"{"invoice":8,"state":"sent"}"#).await;

    assert_eq!(
        upstream.next().await.text(),
        r#"{"invoice":8,"state":"sent"}"#
    );
    assert!(upstream.is_quiet());
    permits.add_permits(3);
    assert!(upstream.next().await.text().contains("paid"));
}

#[tokio::test]
async fn a_webhook_waits_no_more_for_one_that_was_given_up() {
    let mut upstream = Upstream::start(|request| match request.text().contains("bad") {
        true => Act::status(410),
        false => Act::status(200),
    })
    .await;
    let gate = Gate::start(&in_order(&upstream, "pointer = \"/invoice\"")).await;

    held(&gate, r#"{"invoice":7,"state":"bad"}"#).await;
    held(&gate, r#"{"invoice":7,"state":"paid"}"#).await;

    assert!(upstream.next().await.text().contains("bad"));
    assert!(upstream.next().await.text().contains("paid"));
}

#[tokio::test]
async fn a_webhook_about_nothing_is_a_failure_unless_it_may_pass() {
    let mut upstream = Upstream::ok().await;
    let mut gate = Gate::start(&in_order(&upstream, "pointer = \"/invoice\"")).await;
    for body in ["{}", "{\"invoice\":null}", "{\"invoice\":\"\"}", "no json"] {
        let answer = Call::post("/hook", body).send(gate.address).await;
        assert_eq!(answer.status, 500, "{body}");
    }
    let line = gate
        .wait_for_log(|line| line["msg"] == "plugin failed")
        .await;
    assert_eq!(
        line["detail"].as_str().unwrap(),
        "it cannot handle this webhook: `/invoice` is absent"
    );
    assert!(upstream.is_quiet());

    let with = "pointer = \"/invoice\", missing = \"deliver\"";
    gate.apply(&in_order(&upstream, with)).await;

    held(&gate, "{}").await;
    assert_eq!(upstream.next().await.text(), "{}");
}
