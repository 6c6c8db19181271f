//! What a sender sends again is delivered once, and only then not again when it was accepted.

use std::sync::Arc;

use crate::support::webhooks::{until, webhooks};
use crate::support::{Absent, Act, Call, Gate, Upstream, folder, github, hook, hook_to};

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

#[tokio::test]
async fn a_repeat_of_what_an_operator_has_discarded_is_delivered_after_a_restart_too() {
    let (folder, gone, absent) = (folder(), Upstream::answers(&[410]).await, Absent::new());
    let header = dedupe("header = \"X-Delivery\"");
    let early = "ack = \"early\"\nretry = { schedule = [\"1h\"] }\n";
    let toml =
        |url: &str| "[buffer]\nspool = \"spool\"\n".to_owned() + &hook_to(url) + early + &header;
    let call = |id: &str| Call::post("/hook", "{}").field("x-delivery", id);
    // One that becomes a dead letter, and one that waits.
    for (url, id, left_at) in [(gone.url(), "1", "list"), (absent.url(), "2", "--waiting")] {
        let mut gate = Gate::start_in(Arc::clone(&folder), &toml(&url), &[]).await;
        let first = call(id).send(gate.address).await;
        assert_eq!(first.status, 202);
        assert_eq!(heard(&gate, call(id)).await, (200, "duplicate".to_owned()));
        let first = first.field("hookgate-id").unwrap().to_owned();
        let fate = match left_at {
            "list" => "delivery given up",
            _ => "delivery waits",
        };
        gate.wait_for_log(|line| line["msg"] == fate && line["id"] == first.as_str())
            .await;

        let mut said = String::new();
        while said != "1 discarded\n" {
            (_, said) = webhooks(&gate, &["discard", &first]).await;
        }

        gate.signal("KILL");
        gate.ended().await;
        let gate = Gate::start_in(Arc::clone(&folder), &toml(&absent.url()), &[]).await;
        assert_eq!(heard(&gate, call(id)).await.0, 202);
        assert_eq!(heard(&gate, call(id)).await, (200, "duplicate".to_owned()));
        gate.signal("TERM");
        gate.ended().await;
    }
}

#[tokio::test]
async fn a_repeat_of_what_one_of_two_upstreams_has_refused_for_good_is_a_duplicate() {
    let (taker, refuser) = (Upstream::ok().await, Upstream::answers(&[410]).await);
    let toml = format!(
        "[upstreams.other]\nurl = \"{}\"\n{}",
        refuser.url(),
        hook(&taker).replace(
            "forward = \"app\"\n",
            "forward = [\"app\", \"other\"]\nack = \"buffered\"\n"
        )
    );
    let gate = Gate::start(&(toml + &dedupe("header = \"X-Delivery\""))).await;
    let call = || Call::post("/hook", "{}").field("x-delivery", "1");

    assert_eq!(heard(&gate, call()).await, (200, "ok".to_owned()));

    assert_eq!(heard(&gate, call()).await, (200, "duplicate".to_owned()));
}

#[tokio::test]
async fn a_repeat_of_what_was_delivered_although_it_was_discarded_is_a_duplicate() {
    let (mut upstream, permits) = Upstream::awaiting().await;
    let early = "ack = \"early\"\nlossy = true\n";
    let toml = hook(&upstream) + early + &dedupe("header = \"X-Delivery\"");
    let gate = Gate::start(&toml).await;
    let call = || Call::post("/hook", "{}").field("x-delivery", "1");
    let first = call().send(gate.address).await;
    let id = first.field("hookgate-id").unwrap();
    upstream.next().await;

    let (_, said) = webhooks(&gate, &["discard", id]).await;

    assert!(
        said.starts_with("1 in an attempt, which is finished"),
        "{said}"
    );
    permits.add_permits(1);
    until(&gate, &["find", id], "delivered, 1 attempt", 1).await;
    assert_eq!(heard(&gate, call()).await, (200, "duplicate".to_owned()));
    assert!(upstream.is_quiet());
}
