//! What a sender sends again is delivered once, and only then not again when it was accepted.

use crate::support::{Act, Call, Gate, Upstream, folder, github, hook};

fn dedupe(with: &str) -> String {
    format!("[[routes.hook.plugins]]\nuse = \"dedupe\"\nwith = {{ {with} }}\n")
}

/// What the sender hears: the status, and the outcome where the answer is ours.
async fn heard(gate: &Gate, call: Call) -> (u16, String) {
    let answer = call.send(gate.address).await;
    let outcome = match answer.body.starts_with(b"{") {
        true => answer.json()["outcome"].as_str().unwrap_or_default().into(),
        false => answer.text(),
    };
    (answer.status, outcome)
}

#[tokio::test]
async fn a_repeat_is_acknowledged_and_not_delivered() {
    let mut upstream = Upstream::ok().await;
    let gate = Gate::start(&(hook(&upstream) + &dedupe("header = \"X-Delivery\""))).await;
    let call = |id: &str| Call::post("/hook", "{}").field("x-delivery", id);
    let delivered = (200, "ok".to_owned());
    let duplicate = (200, "duplicate".to_owned());

    assert_eq!(heard(&gate, call("1")).await, delivered);
    assert_eq!(heard(&gate, call("1")).await, duplicate);
    assert_eq!(heard(&gate, call("2")).await, delivered);
    assert_eq!(heard(&gate, call("1")).await, duplicate);

    upstream.next().await;
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn what_tells_webhooks_apart_is_known_of_the_sender_that_a_preset_names() {
    const SECRET: &str = "It's a Secret to Everybody";
    let mut upstream = Upstream::ok().await;
    let signature = "[[routes.hook.plugins]]\nuse = \"signature\"\n\
        with = { preset = \"github\", keys = { env = \"SECRET\" } }\n";
    let toml = hook(&upstream).replace("public = true\n", "")
        + signature
        + "[[routes.hook.plugins]]\nuse = \"dedupe\"\n";
    let gate = Gate::start_in(folder(), &toml, &[("SECRET", SECRET)]).await;
    let call = |id: &str| {
        let mut call = github("/hook", "push", SECRET, "{}");
        let mut fields = call.fields.iter_mut();
        let known = fields.find(|(name, _)| name == "x-github-delivery");
        known.unwrap().1 = id.to_owned();
        call
    };

    assert_eq!(heard(&gate, call("1")).await, (200, "ok".to_owned()));
    assert_eq!(heard(&gate, call("1")).await, (200, "duplicate".to_owned()));
    assert_eq!(heard(&gate, call("2")).await, (200, "ok".to_owned()));

    upstream.next().await;
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn what_was_not_accepted_is_no_repeat() {
    let mut upstream = Upstream::start(|request| {
        let status = if request.number == 0 { 503 } else { 200 };
        Act::Answer(status, Vec::new(), "ok".to_owned())
    })
    .await;
    // The sender is told to try again after the one attempt.
    let toml = hook(&upstream) + "retry = { attempts = 1 }\n" + &dedupe("pointer = \"/id\"");
    let gate = Gate::start(&toml).await;
    let call = || Call::post("/hook", "{\"id\":7}");

    assert!(call().send(gate.address).await.status >= 502);
    assert_eq!(heard(&gate, call()).await, (200, "ok".to_owned()));
    assert_eq!(heard(&gate, call()).await, (200, "duplicate".to_owned()));

    upstream.next().await;
    upstream.next().await;
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_digest_tells_webhooks_apart_that_have_no_id() {
    let mut upstream = Upstream::ok().await;
    let with = "digest = \"{header:X-Signature}.{body}\"";
    let gate = Gate::start(&(hook(&upstream) + &dedupe(with))).await;
    let call =
        |signature: &str, body: &str| Call::post("/hook", body).field("x-signature", signature);

    for (signature, body, outcome) in [
        ("a", "1", "ok"),
        ("a", "1", "duplicate"),
        ("a", "2", "ok"),
        ("b", "1", "ok"),
        ("b", "1", "duplicate"),
    ] {
        let expected = (200, outcome.to_owned());
        assert_eq!(
            heard(&gate, call(signature, body)).await,
            expected,
            "{signature} {body}"
        );
    }
    for _ in 0..3 {
        upstream.next().await;
    }
    assert!(upstream.is_quiet());
}

#[tokio::test]
async fn a_webhook_without_a_key_is_a_failure_unless_it_may_pass() {
    let mut upstream = Upstream::ok().await;
    let mut gate = Gate::start(&(hook(&upstream) + &dedupe("pointer = \"/id\""))).await;
    for body in ["{}", "{\"id\":null}", "{\"id\":\"\"}", "no json"] {
        let answer = Call::post("/hook", body).send(gate.address).await;
        assert_eq!(answer.status, 500, "{body}");
    }
    let line = gate
        .wait_for_log(|line| line["msg"] == "plugin failed")
        .await;
    assert_eq!(
        line["detail"].as_str().unwrap(),
        "it cannot handle this webhook: `/id` is absent"
    );
    assert!(upstream.is_quiet());

    let toml = hook(&upstream) + &dedupe("pointer = \"/id\", missing = \"deliver\"");
    gate.apply(&toml).await;

    for _ in 0..2 {
        assert_eq!(heard(&gate, Call::post("/hook", "{}")).await.1, "ok");
        upstream.next().await;
    }
}
